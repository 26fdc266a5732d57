"""Matter that flows along a surface for ever, in a loop of a fixed period."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.scene.flow_maps import advect, flow_maps, sample_map
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.motion import Motion

# Places on a path that are tabulated to each side; between them it is straight.
_KEYS = 12
# Of this many rows and columns of the chart one has its path tabulated.
_STRIDE = 2
_OPACITY_MARGIN = 1e-6


class ChartPlaces(NamedTuple):
    """Where points are on the chart, their sub-loops in a period, their share in each phase."""

    places: Float[Tensor, "N 2"]
    cycles: Float[Tensor, " N"]
    shares: Float[Tensor, "N G"]


@dataclass(frozen=True, eq=False)
class LoopMotion(Motion):
    """Flow along a surface, looped by two copies of the matter that take turns.

    After Holynski et al. 2021 (Euler paths, symmetric splatting), in 3D. The matter slides on the
    surface that a camera, the chart, sees: `surface` (H,W) is its z-depth, `velocity` (H,W,2) its
    speed there in chart pixels per frame. A forward copy leaves its canonical place and fades out
    over a sub-loop, while a backward copy fades in and arrives there: the scene of time `period`
    is that of time 0. `cycles` (H,W), whole numbers, are the sub-loops in a period at each place.
    `shares` (G,H,W), which sum to 1 or less, give each place to one or more phases, G of them
    evenly spread over a sub-loop, so that not everything fades at once; matter of a smaller sum
    counts less beside other matter. `presence` (H,W) in [0,1] is the
    opacity of matter that has come to a place: 0 beyond the banks. `intrinsics` (3,3) and
    `camera_from_world` (4,4) are the chart's.

    Pictures of the copies are blended (`Scene.render`); `apply` is for those who cannot blend.
    """

    kind: ClassVar[str] = "loop"

    velocity: Float[Tensor, "H W 2"]
    surface: Float[Tensor, "H W"]
    presence: Float[Tensor, "H W"]
    cycles: Float[Tensor, "H W"]
    shares: Float[Tensor, "G H W"]
    period: Float[Tensor, ""]
    intrinsics: Float[Tensor, "3 3"]
    camera_from_world: Float[Tensor, "4 4"]
    _table: list[Float[Tensor, "S h w 2"]] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        size = tuple(self.surface.shape)
        maps = {
            "velocity": (tuple(self.velocity.shape), (*size, 2)),
            "presence": (tuple(self.presence.shape), size),
            "cycles": (tuple(self.cycles.shape), size),
            "shares": (tuple(self.shares.shape[1:]), size),
        }
        for name, (shape, expected) in maps.items():
            if shape != expected:
                raise ValueError(f"{name} has shape {shape}, the surface says {expected}")
        if not bool((self.surface > 0).all()) or not float(self.period) > 0:
            raise ValueError("the surface and the period must be positive")
        if not bool((self.cycles >= 1).all()) or not bool((self.cycles % 1 == 0).all()):
            raise ValueError("cycles must be whole numbers from 1 up")

    @property
    def camera(self) -> Camera:
        """The camera whose picture is the chart."""
        height, width = self.surface.shape
        return Camera(self.camera_from_world, self.intrinsics, width, height)

    def bind(self, points: Float[Tensor, "N 3"]) -> ChartPlaces:
        with torch.no_grad():
            places, _ = project_points(self.camera, points)
            cycles = sample_map(self.cycles.unsqueeze(-1), places, nearest=True)[:, 0]
            shares = sample_map(self.shares.permute(1, 2, 0), places)
            return ChartPlaces(places, cycles, shares)

    def copies(self, time: float) -> Sequence[Motion]:
        phases = len(self.shares)
        return [
            LoopCopy(self, time, phase / phases, phase, forward)
            for phase in range(phases)
            for forward in (True, False)
        ]

    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        """Carry both copies of every phase into the world, each with a part of the opacity.

        A copy of share w has the opacity 1 - (1 - a)^w, so that copies in one place make up a.
        That is no cross-fade where copies part; drawing them apart and blending is.
        """
        binding = self.bind(gaussians.means) if binding is None else binding
        parts = []
        for copy in self.copies(time):
            part, share = copy.apply(gaussians, time, binding), copy.share(gaussians, time, binding)
            opacities = 1.0 - (1.0 - part.opacities) ** share
            parts.append(replace(part, logit_opacities=opacities.logit(_OPACITY_MARGIN)))
        return Gaussians.cat(parts)

    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        """Follow the matter that is at canonical points at time 0; it does not come back."""
        places, depth = project_points(self.camera, points)
        return self.lift(advect(self.velocity, places, time), places, depth)

    def carry(
        self, points: Float[Tensor, "N 3"], turns: Float[Tensor, " N"], binding: ChartPlaces
    ) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 2"]]:
        """Carry points along their paths by `turns` of their sub-loops: places in 3D, on the chart.

        A little more than one turn to either side is possible.
        """
        key = (turns + 1.0) * _KEYS
        low = key.floor().clamp(0, 2 * _KEYS - 1)
        moved = binding.places + self._displacement(binding.places, low, key - low)
        _, depth = project_points(self.camera, points)
        return self.lift(moved, binding.places, depth), moved

    def lift(
        self,
        moved: Float[Tensor, "N 2"],
        places: Float[Tensor, "N 2"],
        depth: Float[Tensor, " N"],
    ) -> Float[Tensor, "N 3"]:
        """Give the points at chart places `moved`, as far off the surface as they were before."""
        surface = self.surface.unsqueeze(-1)
        change = sample_map(surface, moved)[:, 0] / sample_map(surface, places)[:, 0]
        return unproject_pixels(self.camera, moved, depth * change)

    def _displacement(
        self, places: Float[Tensor, "N 2"], low: Tensor, rest: Tensor
    ) -> Float[Tensor, "N 2"]:
        """Read the table of displacements between key `low` and the next one."""
        table, found = self._flow_maps(), torch.zeros_like(places)
        for key in range(int(low.min()), int(low.max()) + 1) if len(low) else ():
            rows = low == key
            if not bool(rows.any()):
                continue
            pair = torch.cat((table[key], table[key + 1]), dim=-1)
            first, second = sample_map(pair, places[rows] / _STRIDE).split(2, dim=-1)
            found[rows] = first + rest[rows].unsqueeze(-1) * (second - first)
        return found

    def _flow_maps(self) -> Float[Tensor, "S h w 2"]:
        """Tabulate the paths; kept, unless an optimiser moves them."""
        if self.velocity.requires_grad or not self._table:
            table = flow_maps(self.velocity, self.period / self.cycles, _KEYS, _STRIDE)
            self._table[:] = [table]
        return self._table[0]

    def tensors(self) -> dict[str, Tensor]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}


@dataclass(frozen=True, eq=False)
class LoopCopy(Motion):
    """One copy of looping matter: it goes on along its path, as seen from `now`, without a turn.

    `offset` in [0,1) of its phase in the sub-loop; `forward` leaves the canonical place, the
    other copy arrives there. Lives in memory only.
    """

    kind: ClassVar[str] = "loop copy"

    motion: LoopMotion
    now: float
    offset: float
    phase: int
    forward: bool

    def bind(self, points: Float[Tensor, "N 3"]) -> ChartPlaces:
        return self.motion.bind(points)

    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        binding = self.bind(gaussians.means) if binding is None else binding
        means, moved = self.motion.carry(gaussians.means, self._turns(time, binding), binding)
        there = sample_map(self.motion.presence.unsqueeze(-1), moved)[:, 0]
        logits = (gaussians.opacities * there).logit(_OPACITY_MARGIN)
        return replace(gaussians, means=means, logit_opacities=logits)

    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        binding = self.bind(points) if binding is None else binding
        return self.motion.carry(points, self._turns(time, binding), binding)[0]

    def share(self, gaussians: Gaussians, time: float, binding: Any = None) -> Float[Tensor, " N"]:
        binding = self.bind(gaussians.means) if binding is None else binding
        local = self._local(binding)
        return (1.0 - local if self.forward else local) * binding.shares[:, self.phase]

    def narrow(self, binding: ChartPlaces, keep: Int[Tensor, " M"]) -> ChartPlaces:
        return ChartPlaces(*(values[keep] for values in binding))

    def tensors(self) -> dict[str, Tensor]:
        raise TypeError("a copy of looping matter is not saved; its motion is")

    def _local(self, binding: ChartPlaces) -> Float[Tensor, " N"]:
        """Give how much of their sub-loop is over `now`, in [0,1)."""
        return (self.now * binding.cycles / self.motion.period + self.offset) % 1.0

    def _turns(self, time: float, binding: ChartPlaces) -> Float[Tensor, " N"]:
        ahead = (time - self.now) * binding.cycles / self.motion.period
        return self._local(binding) - (0.0 if self.forward else 1.0) + ahead
