"""Density and colour on the vertices of a grid, full or sparse, still or over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from fourfold.fields.field import Field
from fourfold.fields.grids import grid_vertices
from fourfold.fields.interpolation import Keys, interpolate_rows, number_rows, time_keys
from fourfold.fields.masks import pack_mask, unpack_mask
from fourfold.fields.occupancy import dilated
from fourfold.fields.shading import shade
from fourfold.fields.variation import add_voxel_variation, voxel_variation
from fourfold.geometry.harmonics import harmonics_degree

# What a ray loses on the way through one fresh voxel: little enough to see through the whole grid,
# enough to have a gradient (DVGO, Sun et al. 2022, section 4.2).
INITIAL_ALPHA = 1e-3
# A vertex of another grid lies in the field if filled corners make up more than this of its value:
# rounding must not fill the far side of a voxel that the vertex only touches.
_LEAST_SHARE = 1e-4
# Rows that are looked at together.
_BATCH = 4096


@dataclass(frozen=True, eq=False)
class VoxelField(Field):
    """Values on vertices: density = scale * softplus(raw + shift), colour by harmonics; own.

    As DVGO (Sun et al. 2022) trilinear before the softplus, so that a surface may be sharper than
    a voxel; colour is the sigmoid of spherical harmonics. Vertices lie on the sides of the cube
    too; around those that are not filled there is nothing. Time is linear between keys, and held
    before the first and after the last.

    `filled` (X,Y,Z) says which M vertices have rows, in the order of the grid; `densities` (M,T,1)
    raw; `harmonics` (M,T,3*K), K = 1 or 4, three numbers per harmonic; `times` (T,) key times in
    frames, T = 1 for a field that stands still.
    """

    kind: ClassVar[str] = "voxels"

    filled: Bool[Tensor, "X Y Z"]
    densities: Float[Tensor, "M T 1"]
    harmonics: Float[Tensor, "M T C"]
    times: Float[Tensor, " T"]
    scale: float
    shift: float

    def __post_init__(self) -> None:
        rows, keys = int(self.filled.sum()), len(self.times)
        degree = harmonics_degree(self.harmonics.shape[-1] // 3)
        shapes = tuple(self.densities.shape), tuple(self.harmonics.shape)
        if shapes != ((rows, keys, 1), (rows, keys, 3 * (degree + 1) ** 2)):
            raise ValueError(f"{rows} vertices and {keys} times do not fit rows of {shapes}")
        if keys == 0 or not bool((self.times.diff() > 0).all()):
            raise ValueError("the key times must be a non-empty, strictly increasing list")

    @cached_property
    def index(self) -> Int[Tensor, "X Y Z"]:
        """The row of each vertex, -1 where it has none; int32."""
        return number_rows(self.filled)

    @cached_property
    def places(self) -> Int[Tensor, " M"]:
        """The places of the rows in the flat grid."""
        return torch.nonzero(self.filled.flatten()).squeeze(1)

    @classmethod
    def dense(
        cls,
        resolution: tuple[int, int, int],
        times: Sequence[float] = (0.0,),
        *,
        degree: int = 0,
        alpha: float = INITIAL_ALPHA,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Make a field whose vertices are all filled, grey and nearly transparent."""
        filled = torch.ones(resolution, dtype=torch.bool, device=device)
        return cls.at_voxels(filled, times, degree=degree, alpha=alpha)

    @classmethod
    def at_voxels(
        cls,
        filled: Bool[Tensor, "X Y Z"],
        times: Sequence[float] = (0.0,),
        *,
        degree: int = 0,
        alpha: float = INITIAL_ALPHA,
    ) -> Self:
        """Make a field with some vertices filled, grey; a voxel has the alpha `alpha`."""
        rows, keys, longest = int(filled.sum()), len(times), max(filled.shape)
        # softplus(shift) * scale / longest = -log(1 - alpha), with scale = longest
        shift = float(np.log(np.expm1(-np.log1p(-alpha))))
        zeros = torch.zeros(rows, keys, 3 * (degree + 1) ** 2, device=filled.device)
        moments = torch.tensor(times, dtype=torch.float32, device=filled.device)
        return cls(filled, zeros[..., :1].clone(), zeros, moments, float(longest), shift)

    def density_of(self, alpha: float) -> float:
        """Give the number in `densities` with which a voxel has this alpha."""
        thickness = -np.log1p(-alpha) * max(self.resolution) / self.scale
        return float(np.log(np.expm1(thickness))) - self.shift

    @property
    def resolution(self) -> tuple[int, int, int]:
        x, y, z = self.filled.shape
        return x, y, z

    @property
    def changes(self) -> bool:
        return len(self.times) > 1

    @property
    def degree(self) -> int:
        """The degree of the harmonics of the colour, 0 or 1."""
        return harmonics_degree(self.harmonics.shape[-1] // 3)

    def density(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None = None
    ) -> Float[Tensor, " S"]:
        """Give densities at points of the cube; see `Field`. Differentiable in `densities`."""
        # far from every filled vertex there is nothing: softplus(-inf) = 0
        raw = self._interpolate(self.densities, points, times, empty=-torch.inf)
        return softplus(raw.squeeze(1) + self.shift) * self.scale

    def colors(
        self,
        points: Float[Tensor, "S 3"],
        times: Float[Tensor, " S"] | None,
        directions: Float[Tensor, "S 3"],
    ) -> Float[Tensor, "S 3"]:
        """Give colours in [0,1]; see `Field`. Differentiable in `harmonics`."""
        return shade(self._interpolate(self.harmonics, points, times), directions)

    def _interpolate(
        self, rows: Tensor, points: Tensor, times: Tensor | None, empty: float = 0.0
    ) -> Float[Tensor, "S C"]:
        index, keys = self._index_if_sparse, self._keys(times)
        return interpolate_rows(index, rows, points, keys, resolution=self.resolution, empty=empty)

    def _still_values(
        self, rows: Float[Tensor, "M 1 C"], points: Float[Tensor, "S 3"]
    ) -> Float[Tensor, "S C"]:
        return interpolate_rows(self._index_if_sparse, rows, points, resolution=self.resolution)

    @property
    def _index_if_sparse(self) -> Tensor | None:
        return self.index if len(self.densities) < self.index.numel() else None

    def _keys(self, times: Tensor | None) -> Keys | None:
        if len(self.times) == 1:
            return None
        if times is None:
            raise ValueError("a field that changes over time must be asked at times")
        return time_keys(self.times, times)

    @torch.no_grad()
    def rows_at(self, time: float) -> tuple[Float[Tensor, " M"], Float[Tensor, "M C"]]:
        """Give the raw densities and harmonics of all rows at one time; not differentiable."""
        if not self.changes:
            return self.densities.detach()[:, 0, 0], self.harmonics.detach()[:, 0]
        lower, share = time_keys(self.times, self.times.new_tensor([time]))
        key, ahead = int(lower), float(share)
        densities, harmonics = (
            torch.lerp(rows[:, key], rows[:, key + 1], ahead)
            for rows in (self.densities, self.harmonics)
        )
        return densities[:, 0], harmonics

    def refilled(self, filled: Bool[Tensor, "X Y Z"]) -> Self:
        """Give the field with other vertices filled: old rows stay, new ones are fresh."""
        both = filled & self.filled
        old, new = self.index[both].long(), number_rows(filled)[both].long()
        count = int(filled.sum())
        densities = self.densities.new_zeros(count, *self.densities.shape[1:])
        harmonics = self.harmonics.new_zeros(count, *self.harmonics.shape[1:])
        densities[new] = self.densities.detach()[old]
        harmonics[new] = self.harmonics.detach()[old]
        return replace(self, filled=filled, densities=densities, harmonics=harmonics)

    def pruned(self, keep: Bool[Tensor, "X Y Z"]) -> Self:
        """Give the field without the rows of the vertices that are not kept."""
        return self.refilled(self.filled & keep)

    @torch.no_grad()
    def upsampled(
        self, resolution: tuple[int, int, int], within: Bool[Tensor, "X Y Z"] | None = None
    ) -> Self:
        """Give the same field on another grid, filled wherever this one is, or there `within`."""
        points = grid_vertices(resolution, self.filled.device).view(-1, 3)
        shares = self._still_values(torch.ones_like(self.densities[:, :1]), points).squeeze(1)
        covered = shares > _LEAST_SHARE
        if within is not None:
            covered &= within.flatten()
        points = points[covered]
        densities, harmonics = (
            self._still_values(rows.flatten(1).unsqueeze(1), points).unflatten(1, rows.shape[1:])
            for rows in (self.densities, self.harmonics)
        )
        filled = covered.view(resolution)
        return replace(self, filled=filled, densities=densities, harmonics=harmonics)

    @torch.no_grad()
    def alphas(self) -> Float[Tensor, "X Y Z"]:
        """Give the most alpha a voxel has at any key time around each vertex; 0 if not filled."""
        width = 1.0 / max(self.resolution)
        densities = softplus(self.densities.amax(dim=1) + self.shift) * self.scale
        alphas = densities.new_zeros(self.resolution)
        alphas[self.filled] = -torch.expm1(-densities.squeeze(1) * width)
        return alphas

    def occupancy(self, threshold: float) -> Bool[Tensor, "X Y Z"]:
        """Say which X*Y*Z equal parts of the cube hold anything at any time.

        That is what lies within a voxel of a vertex whose alpha is over `threshold`.
        """
        return dilated(self.alphas() > threshold)

    def parameters(self) -> dict[str, Tensor]:
        return {"densities": self.densities, "harmonics": self.harmonics}

    def total_variation(self) -> Float[Tensor, ""]:
        """Give the variation of density and colour over all vertices, in space and in time.

        Its gradient is as large as the field; `add_variation` is what training takes.
        """
        parts = [voxel_variation(self.index, rows) for rows in self.parameters().values()]
        return torch.stack([part for pair in parts for part in pair]).sum()

    def add_variation(self, name: str, space_weight: float, time_weight: float = 0.0) -> None:
        """Add the gradient of the variation of a parameter to the rows of its gradient.

        See `add_voxel_variation`; to be called between `backward` and the optimizer's step.
        """
        rows = self.parameters()[name]
        add_voxel_variation(self.index, self.places, rows, space_weight, time_weight)

    def tensors(self) -> dict[str, Tensor]:
        return {
            "filled": pack_mask(self.filled),
            "densities": _halved_if_exact(self.densities),
            "harmonics": _halved_if_exact(self.harmonics),
            "times": self.times,
        }

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "resolution": list(self.resolution),
            "scale": self.scale,
            "shift": self.shift,
        }

    @classmethod
    def rebuild(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        names = {"filled", "densities", "harmonics", "times"}
        if tensors.keys() != names:
            raise ValueError(f"a {cls.kind} field has {sorted(names)}, not {sorted(tensors)}")
        filled = unpack_mask(tensors["filled"], config["resolution"])
        densities, harmonics, times = (
            tensors[name].float() for name in ("densities", "harmonics", "times")
        )
        scale, shift = config["scale"], config["shift"]
        return cls(filled.to(densities.device), densities, harmonics, times, scale, shift)


def _halved_if_exact(rows: Float[Tensor, "M T C"]) -> Float[Tensor, "M T C"]:
    """Give rows in half precision where that loses nothing, as with those that came from a file."""
    exact = all(torch.equal(part.half().to(part), part) for part in rows.split(_BATCH))
    return rows.half() if exact else rows
