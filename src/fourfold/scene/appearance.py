"""Colour and opacity that change over time."""

from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.scene.gaussians import Gaussians
from fourfold.scene.keyframes import blend_keys, check_times, keyframe_weights


@dataclass(frozen=True, eq=False)
class Appearance:
    """A low-rank change of colour and opacity over time; own.

    At time t the change is sum_r basis[t,r] coefficients[n,r]: three numbers on the constant
    harmonic and one on the logit of the opacity. `times` (T,) keys in frames; `basis` (T,R);
    `coefficients` (N,R,4), one row per canonical Gaussian.
    """

    times: Float[Tensor, " T"]
    basis: Float[Tensor, "T R"]
    coefficients: Float[Tensor, "N R 4"]

    def __post_init__(self) -> None:
        check_times(self.times)
        rank = self.basis.shape[-1]
        basis, coefficients = tuple(self.basis.shape), tuple(self.coefficients.shape)
        if basis != (len(self.times), rank) or coefficients[1:] != (rank, 4):
            raise ValueError(f"basis {basis} and coefficients {coefficients} do not fit together")

    def apply(self, gaussians: Gaussians, time: float) -> Gaussians:
        """Give the Gaussians with their colour and opacity at `time`; differentiable."""
        basis = blend_keys(self.basis, *keyframe_weights(self.times, time))
        change = (basis.unsqueeze(-1) * self.coefficients).sum(1)
        first = gaussians.harmonics[:, :1] + change[:, None, :3]
        return replace(
            gaussians,
            harmonics=torch.cat((first, gaussians.harmonics[:, 1:]), dim=1),
            logit_opacities=gaussians.logit_opacities + change[:, 3],
        )

    def select(self, index: Int[Tensor, " M"] | Bool[Tensor, " N"] | slice) -> "Appearance":
        """Keep the rows of some Gaussians, as `Gaussians.select` does."""
        return replace(self, coefficients=self.coefficients[index])

    def tensors(self) -> dict[str, Tensor]:
        """Give the three tensors by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
