"""Rays, spaces and fields that several tests of this room use."""

from math import inf

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fourfold.fields import BoxSpace, Rays

CUBE = BoxSpace(torch.zeros(3), torch.ones(3))


def ray(
    origin: tuple[float, ...], direction: tuple[float, ...], near: float = 0.0, far: float = inf
) -> Rays:
    """Build one ray; its direction is brought to unit length."""
    origins, directions = torch.tensor([origin]), normalize(torch.tensor([direction]), dim=-1)
    return Rays(origins, directions, torch.tensor([near]), torch.tensor([far]))


def random_rays(count: int, spread: float, seed: int = 0) -> Rays:
    """Build rays from about the origin to about the middle of the unit cube, some past it."""
    generator = torch.Generator().manual_seed(seed)
    origins = torch.randn(count, 3, generator=generator) * spread
    targets = torch.rand(count, 3, generator=generator) * 1.5 - 0.25
    directions = normalize(targets - origins, dim=-1)
    return Rays(origins, directions, torch.zeros(count), torch.full((count,), inf))


class Fog:
    """A field of one density and colour everywhere."""

    kind = "fog"

    def __init__(self, density: Tensor, color: Tensor, voxels: int = 8) -> None:
        self.value, self.color, self.resolution = density, color, (voxels, voxels, voxels)

    def density(self, points: Tensor, times: Tensor | None = None) -> Tensor:
        return self.value.expand(len(points))

    def colors(self, points: Tensor, times: Tensor | None, directions: Tensor) -> Tensor:
        return self.color.expand(len(points), 3)
