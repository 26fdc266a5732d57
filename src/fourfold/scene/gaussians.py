"""Canonical 3D Gaussians in the layout of 3D Gaussian splatting."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.geometry import (
    decompose_similarity,
    matrix_to_quaternion,
    quaternion_multiply,
    transform_points,
)
from fourfold.geometry.harmonics import (
    DC_BASIS,
    harmonics_basis,
    harmonics_degree,
    rotate_harmonics,
)

# Opacities 0 and 1 have infinite logits; this is how near to them `from_colors` goes.
_OPACITY_MARGIN = 1e-6


@dataclass(frozen=True, eq=False)
class Gaussians:
    """N Gaussians: where they are, how they are turned and sized, how opaque and of what colour.

    `means` (N,3) in scene units; `quaternions` (N,4) wxyz of any length; `log_scales` (N,3),
    natural logarithms of the standard deviations along the turned axes; `logit_opacities` (N,);
    `harmonics` (N,K,3), colour as spherical harmonics of degree 0 to 3 (K = 1, 4, 9, 16).
    """

    means: Float[Tensor, "N 3"]
    quaternions: Float[Tensor, "N 4"]
    log_scales: Float[Tensor, "N 3"]
    logit_opacities: Float[Tensor, " N"]
    harmonics: Float[Tensor, "N K 3"]

    def __post_init__(self) -> None:
        count = self.means.shape[0]
        expected = {
            "means": (count, 3),
            "quaternions": (count, 4),
            "log_scales": (count, 3),
            "logit_opacities": (count,),
            "harmonics": (count, self.harmonics.shape[-2] if self.harmonics.ndim > 1 else 1, 3),
        }
        for name, shape in expected.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(
                    f"{name} has shape {tuple(getattr(self, name).shape)}, not {shape}"
                )
        harmonics_degree(self.harmonics.shape[1])

    @staticmethod
    def from_colors(
        means: Float[Tensor, "N 3"],
        colors: Float[Tensor, "N 3"],
        scales: Float[Tensor, "N 3"] | Float[Tensor, "N 1"],
        opacities: Float[Tensor, " N"],
        quaternions: Float[Tensor, "N 4"] | None = None,
    ) -> "Gaussians":
        """Build Gaussians of one colour from every side.

        `colors` and `opacities` in [0,1], `scales` linear and positive; unturned without
        `quaternions`.
        """
        if quaternions is None:
            quaternions = means.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(len(means), 1)
        return Gaussians(
            means=means,
            quaternions=quaternions,
            log_scales=scales.log().expand(-1, 3).contiguous(),
            logit_opacities=torch.logit(opacities, eps=_OPACITY_MARGIN),
            harmonics=((colors - 0.5) / DC_BASIS).unsqueeze(1),
        )

    @staticmethod
    def cat(parts: Sequence["Gaussians"]) -> "Gaussians":
        """Join Gaussians; those of a lower degree get zeros as their higher harmonics."""
        most = max(part.harmonics.shape[1] for part in parts)
        joined = {
            name: torch.cat([part.tensors()[name] for part in parts])
            for name in ("means", "quaternions", "log_scales", "logit_opacities")
        }
        harmonics = [_pad_harmonics(part.harmonics, most) for part in parts]
        return Gaussians(harmonics=torch.cat(harmonics), **joined)

    def __len__(self) -> int:
        return self.means.shape[0]

    @property
    def scales(self) -> Float[Tensor, "N 3"]:
        """The standard deviations along the turned axes, in scene units."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Float[Tensor, " N"]:
        """The opacities in [0,1]."""
        return torch.sigmoid(self.logit_opacities)

    def colors(self, directions: Float[Tensor, "N 3"] | None = None) -> Float[Tensor, "N 3"]:
        """Evaluate the colours seen along unit `directions` from the camera to each Gaussian.

        Without directions the view-dependent part is left out. Never negative; may pass 1.
        """
        if directions is None or self.harmonics.shape[1] == 1:
            shown = DC_BASIS * self.harmonics[:, 0]
        else:
            basis = harmonics_basis(directions, harmonics_degree(self.harmonics.shape[1]))
            shown = (basis.unsqueeze(-1) * self.harmonics).sum(1)
        return (0.5 + shown).clamp_min(0.0)

    def tensors(self) -> dict[str, Tensor]:
        """Give the five tensors by their names."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def select(self, index: Int[Tensor, " M"] | Bool[Tensor, " N"] | slice) -> "Gaussians":
        """Keep some Gaussians, by indices, by a mask or by a slice."""
        if isinstance(index, Tensor) and index.dtype == torch.bool:
            index = torch.nonzero(index)[:, 0]  # once, and not for every tensor
        return Gaussians(**{name: tensor[index] for name, tensor in self.tensors().items()})

    def transformed(self, similarity: Float[Tensor, "4 4"]) -> "Gaussians":
        """Move, turn and scale all Gaussians by one similarity. Differentiable in both."""
        scale, rotation, _ = decompose_similarity(similarity)
        quaternion = matrix_to_quaternion(rotation)
        return Gaussians(
            means=transform_points(similarity, self.means),
            quaternions=quaternion_multiply(quaternion, self.quaternions),
            log_scales=self.log_scales + scale.log(),
            logit_opacities=self.logit_opacities,
            harmonics=rotate_harmonics(self.harmonics, quaternion),
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "Gaussians":
        """Give the Gaussians on another device or of another type."""
        moved = {name: t.to(device=device, dtype=dtype) for name, t in self.tensors().items()}
        return Gaussians(**moved)

    def detach(self) -> "Gaussians":
        """Give the Gaussians cut off from the gradient."""
        return Gaussians(**{name: tensor.detach() for name, tensor in self.tensors().items()})


def _pad_harmonics(harmonics: Float[Tensor, "N K 3"], count: int) -> Float[Tensor, "N count 3"]:
    missing = count - harmonics.shape[1]
    if missing == 0:
        return harmonics
    return torch.cat((harmonics, harmonics.new_zeros(len(harmonics), missing, 3)), dim=1)
