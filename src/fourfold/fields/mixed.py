"""A still and a moving voxel field in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.fields.field import Field
from fourfold.fields.voxels import VoxelField

# Where nothing is, no colour weighs more than the other.
_MIN_DENSITY = 1e-10


@dataclass(frozen=True, eq=False)
class MixedVoxels(Field):
    """What stands still and what moves (MixVoxels, Wang et al. 2023), added up; own.

    Densities add, as light is lost to both; the colour is the mean of the two by their densities.
    Both lie in the same cube; steps are measured in the finer of the two grids.
    """

    kind: ClassVar[str] = "mixed voxels"

    still: VoxelField
    moving: VoxelField

    @property
    def parts(self) -> dict[str, VoxelField]:
        """The two fields by name."""
        return {"still": self.still, "moving": self.moving}

    @property
    def resolution(self) -> tuple[int, int, int]:
        x, y, z = map(max, self.still.resolution, self.moving.resolution)
        return x, y, z

    @property
    def changes(self) -> bool:
        return self.still.changes or self.moving.changes

    def density(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None = None
    ) -> Float[Tensor, " S"]:
        return self.still.density(points, times) + self.moving.density(points, times)

    def colors(
        self,
        points: Float[Tensor, "S 3"],
        times: Float[Tensor, " S"] | None,
        directions: Float[Tensor, "S 3"],
    ) -> Float[Tensor, "S 3"]:
        moving = self.moving.density(points, times)
        share = moving / (self.still.density(points, times) + moving).clamp(min=_MIN_DENSITY)
        return torch.lerp(
            self.still.colors(points, times, directions),
            self.moving.colors(points, times, directions),
            share.unsqueeze(1),
        )

    def parameters(self) -> dict[str, Tensor]:
        return _prefixed({name: part.parameters() for name, part in self.parts.items()})

    def upsampled(self, resolution: tuple[int, int, int]) -> Self:
        return type(self)(self.still.upsampled(resolution), self.moving.upsampled(resolution))

    def total_variation(self) -> Float[Tensor, ""]:
        return self.still.total_variation() + self.moving.total_variation()

    def tensors(self) -> dict[str, Tensor]:
        return _prefixed({name: part.tensors() for name, part in self.parts.items()})

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind} | {name: part.config() for name, part in self.parts.items()}

    @classmethod
    def rebuild(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        split: dict[str, dict[str, Tensor]] = {"still": {}, "moving": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part not in split:
                raise ValueError(f"{name!r} is no part of a {cls.kind} field")
            split[part][rest] = tensor
        return cls(*(VoxelField.rebuild(config[part], split[part]) for part in split))


def _prefixed(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{part}.{name}": tensor for part, own in parts.items() for name, tensor in own.items()}
