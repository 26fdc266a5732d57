"""Gaussians as leaf tensors that optimisers move, and back again."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from fourfold.methods.mixvoxels.exposures import Exposures
from fourfold.methods.mixvoxels.gaussian_start import Start
from fourfold.scene import BACKGROUND, MOVING, Gaussians, SpacetimeMotion
from fourfold.splat import DensifyState
from fourfold.training import adam_state, load_adam_state

# Learning rates at the start and at the end. Lengths are in pixels (the scene units that one pixel
# covers at the usual depth), so that no rate depends on the scale of a capture; times in frames.
RATES: dict[str, tuple[float, float]] = {
    "means": (0.15, 0.01),
    "quaternions": (0.005, 0.001),
    "log_scales": (0.01, 0.002),
    "logit_opacities": (0.05, 0.01),
    "colors": (0.02, 0.002),
    "tints": (0.0005, 0.00005),
    "centers": (0.01, 0.001),
    "log_durations": (0.01, 0.002),
    "velocities": (0.05, 0.005),
}
EXPOSURE_RATES = (0.002, 0.0002)
LENGTHS = ("means", "velocities")
SURFACE = ("means", "quaternions", "log_scales", "logit_opacities")
TIMED = ("centers", "log_durations", "velocities")
SHORTEST = 0.2
"""Least standard deviation of a Gaussian in time, in frames: no picture is shorter."""
FAINTEST = 1 / 255
"""Opacity that shows nothing."""


@dataclass
class Fit:
    """All that is optimised: for each owner a dictionary of tensors with one row per Gaussian.

    `leaves` of the owners "background" and, where anything moves, "moving": the tensors of
    `Gaussians`, with `colors` (N,1,3) the constant harmonic and `tints` (N,3,3) those of degree 1,
    and of `SpacetimeMotion`. `unit`: scene units per pixel. `pulls`: how strongly pictures pulled
    at each Gaussian since the last densification. `drawn`: the rows that were drawn last.
    `exposures`: those of the training cameras.
    """

    leaves: dict[str, dict[str, Tensor]]
    unit: float
    exposures: Exposures
    optimizers: dict[tuple[str, str], torch.optim.Adam] = field(default_factory=dict)
    pulls: dict[str, DensifyState] = field(default_factory=dict)
    drawn: dict[str, Int[Tensor, " M"]] = field(default_factory=dict)

    @staticmethod
    def of(start: Start, unit: float, num_views: int) -> "Fit":
        """Make leaves of the first Gaussians."""
        leaves = {BACKGROUND: _split(start.background)}
        if len(start.moving):
            timed = {name: getattr(start.motion, name) for name in TIMED}
            leaves[MOVING] = _split(start.moving) | timed
        return Fit._with_leaves(leaves, unit, Exposures.none(num_views))

    @staticmethod
    def _with_leaves(
        leaves: Mapping[str, Mapping[str, Tensor]], unit: float, exposures: Exposures
    ) -> "Fit":
        own = {
            owner: {name: _leaf(tensor) for name, tensor in group.items()}
            for owner, group in leaves.items()
        }
        fit = Fit(own, unit, exposures)
        for owner, group in own.items():
            fit.pulls[owner] = DensifyState.zeros(len(group["means"]))
            for name, leaf in group.items():
                fit.optimizers[owner, name] = _optimizer(leaf)
        return fit

    @property
    def count(self) -> int:
        """How many Gaussians there are."""
        return sum(len(group["means"]) for group in self.leaves.values())

    def gaussians(self, owner: str, rows: Int[Tensor, " M"] | None = None) -> Gaussians:
        """Give an owner's Gaussians, or some of them, in their canonical places."""
        return _join(self._part(owner, rows))

    def motion(self, rows: Int[Tensor, " M"] | None = None) -> SpacetimeMotion:
        """Give the motion of what moves, or of some of it."""
        return _motion(self._part(MOVING, rows))

    def shown(self, time: float) -> dict[str, Gaussians]:
        """Give what to draw at a time (frames) by owner; remember in `drawn` which rows it is."""
        still = self.gaussians(BACKGROUND)
        self.drawn, shown = {BACKGROUND: torch.arange(len(still))}, {BACKGROUND: still}
        if MOVING in self.leaves:
            # most movers live at other times, and need not be carried through the drawing
            rows = self._alive(time)
            part = self._part(MOVING, rows)
            self.drawn[MOVING] = rows
            shown[MOVING] = _motion(part).apply(_join(part), time, slice(None))
        return shown

    def set_rates(self, progress: float) -> None:
        """Set every learning rate for a point of the way, 0 to 1."""
        for (_, name), optimizer in self.optimizers.items():
            rate = _between(*RATES[name], progress) * (self.unit if name in LENGTHS else 1.0)
            optimizer.param_groups[0]["lr"] = rate
        self.exposures.set_rate(_between(*EXPOSURE_RATES, progress))

    def step(self) -> None:
        """Move every tensor, and keep durations above what a picture can tell."""
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.exposures.step()
        if MOVING in self.leaves:
            with torch.no_grad():
                self.leaves[MOVING]["log_durations"].clamp_(min=math.log(SHORTEST))

    def tensors(self) -> dict[str, Any]:
        """Give everything that a checkpoint needs to go on, nested."""
        owners: dict[str, Any] = {}
        for owner, group in self.leaves.items():
            pulls = self.pulls[owner]
            owners[owner] = {
                "leaves": {
                    name: {"values": leaf, "adam": adam_state(self.optimizers[owner, name])}
                    for name, leaf in group.items()
                },
                "pulls": {"gradient_sum": pulls.gradient_sum, "views": pulls.views},
            }
        return {
            "owners": owners,
            "exposures": self.exposures.tensors(),
            "unit": torch.tensor(self.unit, dtype=torch.float64),
        }

    @staticmethod
    def restore(tensors: Mapping[str, Any]) -> "Fit":
        """Go on from what `tensors` gave."""
        owners = tensors["owners"]
        values = {
            owner: {name: saved["values"] for name, saved in state["leaves"].items()}
            for owner, state in owners.items()
        }
        exposures = Exposures.restore(tensors["exposures"])
        fit = Fit._with_leaves(values, float(tensors["unit"]), exposures)
        for owner, state in owners.items():
            fit.pulls[owner] = DensifyState(**{k: v.clone() for k, v in state["pulls"].items()})
            for name, saved in state["leaves"].items():
                load_adam_state(fit.optimizers[owner, name], saved["adam"])
        return fit

    def _part(self, owner: str, rows: Int[Tensor, " M"] | None) -> dict[str, Tensor]:
        group = self.leaves[owner]
        if rows is None:
            return group
        return {name: tensor.index_select(0, rows) for name, tensor in group.items()}

    @torch.no_grad()
    def _alive(self, time: float) -> Int[Tensor, " M"]:
        group = self.leaves[MOVING]
        elapsed = (time - group["centers"]) / group["log_durations"].exp()
        opacities = torch.sigmoid(group["logit_opacities"]) * torch.exp(-elapsed.square() / 2)
        return torch.nonzero(opacities > FAINTEST)[:, 0]


def _between(first: float, last: float, progress: float) -> float:
    return first * (last / first) ** progress


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_()


def _optimizer(leaf: Tensor) -> torch.optim.Adam:
    return torch.optim.Adam([leaf], 0.0, eps=1e-15, fused=True)


def _split(gaussians: Gaussians) -> dict[str, Tensor]:
    """Name an owner's tensors, the harmonics by degree: they learn at different rates."""
    tensors = gaussians.tensors()
    colors = tensors.pop("harmonics")
    return tensors | {"colors": colors, "tints": torch.zeros(len(gaussians), 3, 3)}


def _join(group: Mapping[str, Tensor]) -> Gaussians:
    surface = {name: group[name] for name in SURFACE}
    return Gaussians(harmonics=torch.cat((group["colors"], group["tints"]), 1), **surface)


def _motion(group: Mapping[str, Tensor]) -> SpacetimeMotion:
    return SpacetimeMotion(group["means"].detach(), *(group[name] for name in TIMED))
