"""Gaussians that live for a while and fly straight: what many cameras see move."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn import functional

from fourfold.scene.gaussians import Gaussians
from fourfold.scene.motion import Motion

Rows = Int[Tensor, " M"] | slice
"""The anchor of each point; all of them where the points are the anchors, which costs nothing."""

# Beyond this fading exponent a Gaussian shows nothing in any number format: exp(-1e4) is 0.
_MOST_FADED = 1e4


@dataclass(frozen=True, eq=False)
class SpacetimeMotion(Motion):
    """Each Gaussian has a moment at which it shows most, a duration and a velocity.

    After Li et al., "Spacetime Gaussian feature splatting" (2024), with straight paths:
    position(t) = mean + velocity (t - center), opacity(t) = opacity exp(-((t - center) /
    duration)^2 / 2). The canonical place of a point is that at its own centre time.

    `anchors` (N,3) are the canonical centres that the other rows belong to; `centers` (N,) in
    frames; `log_durations` (N,), natural logarithms of frames; `velocities` (N,3) in scene units
    per frame. Any other point moves as the anchor next to it.
    """

    kind: ClassVar[str] = "spacetime"

    anchors: Float[Tensor, "N 3"]
    centers: Float[Tensor, " N"]
    log_durations: Float[Tensor, " N"]
    velocities: Float[Tensor, "N 3"]

    def __post_init__(self) -> None:
        count = len(self.anchors)
        expected = {
            "anchors": (count, 3),
            "centers": (count,),
            "log_durations": (count,),
            "velocities": (count, 3),
        }
        for name, shape in expected.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(
                    f"{name} has shape {tuple(getattr(self, name).shape)}, not {shape}"
                )

    def apply(self, gaussians: Gaussians, time: float, binding: Rows | None = None) -> Gaussians:
        rows = self.bind(gaussians.means) if binding is None else binding
        elapsed = time - self.centers[rows]
        spread = self.log_durations[rows].exp()
        return replace(
            gaussians,
            means=gaussians.means + self._shift(rows, elapsed),
            logit_opacities=fade(gaussians.logit_opacities, (elapsed / spread).square() / 2),
        )

    def move_points(
        self, points: Float[Tensor, "M 3"], time: float, binding: Rows | None = None
    ) -> Float[Tensor, "M 3"]:
        rows = self.bind(points) if binding is None else binding
        return points + self._shift(rows, time - self.centers[rows])

    def bind(self, points: Float[Tensor, "M 3"]) -> Rows:
        """Find the anchor of each point: itself, or the nearest one."""
        points, anchors = points.detach(), self.anchors.detach()
        if points.shape == anchors.shape and torch.equal(points, anchors):
            # also where several anchors share a place
            return slice(None)
        if not len(anchors):
            raise ValueError("a motion without anchors moves no points")
        _, nearest = KDTree(anchors.cpu().numpy()).query(points.cpu().numpy())
        return torch.as_tensor(nearest, dtype=torch.long, device=anchors.device)

    def narrow(self, binding: Any, keep: Int[Tensor, " M"]) -> Any:
        return keep if isinstance(binding, slice) else binding[keep]

    def binding(self) -> tuple[Tensor, ...]:
        return (self.anchors,)

    def _shift(self, rows: Rows, elapsed: Float[Tensor, " M"]) -> Float[Tensor, "M 3"]:
        return self.velocities[rows] * elapsed.unsqueeze(-1)


def fade(
    logit_opacities: Float[Tensor, " N"], exponents: Float[Tensor, " N"]
) -> Float[Tensor, " N"]:
    """Give the logits of opacities times exp(-exponent), exactly and always finite.

    With o = sigmoid(l) and g = exp(-e): logit(o g) = l - e - softplus(l + log(1 - g)); own
    derivation. Exponents of 0 or more. Differentiable in both.

    >>> torch.sigmoid(fade(torch.zeros(1), torch.tensor([2.0]).log()))
    tensor([0.2500])
    """
    tiny = torch.finfo(exponents.dtype).tiny
    exponents = exponents.clamp(tiny, _MOST_FADED)
    lost = torch.log(-torch.expm1(-exponents))
    return logit_opacities - exponents - functional.softplus(logit_opacities + lost)
