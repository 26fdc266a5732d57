"""Which cells of a field's cube may hold something: what sampling need not leave out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool3d

from fourfold.fields.field import Field

# Cells that are asked at once: their densities and what a field needs for them stay in a cache.
_BATCH = 1 << 16


@torch.no_grad()
def occupied(
    field: Field,
    resolution: tuple[int, int, int],
    times: Sequence[float] | None = None,
    threshold: float = 1e-3,
) -> Bool[Tensor, "X Y Z"]:
    """Find the cells where a field can be seen at any of `times` (in frames), or next to such.

    As TensoRF's alpha mask (Chen et al. 2022): a cell counts where the alpha of a step of one voxel
    of the field in its middle is above `threshold`, and so do its 26 neighbours, because the field
    goes on between the middles. Choose about as many cells as the field has voxels: between wider
    ones, thin things are missed.
    """
    middles = cell_middles(resolution).to(_device(field))
    peak = torch.zeros(len(middles), device=middles.device)
    for time in [None] if times is None else times:
        parts = [_densities(field, batch, time) for batch in middles.split(_BATCH)]
        peak = torch.maximum(peak, torch.cat(parts))
    alphas = -torch.expm1(-peak / max(field.resolution))
    return dilated((alphas > threshold).view(resolution))


def cell_middles(resolution: tuple[int, int, int]) -> Float[Tensor, "N 3"]:
    """Give the middles of the cells of a grid over the cube, z fastest.

    >>> cell_middles((1, 1, 2))
    tensor([[0.5000, 0.5000, 0.2500],
            [0.5000, 0.5000, 0.7500]])
    """
    axes = [(torch.arange(size) + 0.5) / size for size in resolution]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).view(-1, 3)


def dilated(cells: Bool[Tensor, "X Y Z"]) -> Bool[Tensor, "X Y Z"]:
    """Add the 26 neighbours of every true cell."""
    return max_pool3d(cells[None, None].float(), 3, stride=1, padding=1)[0, 0] > 0


def _device(field: Field) -> torch.device:
    return next(iter(field.tensors().values())).device


def _densities(field: Field, points: Tensor, time: float | None) -> Float[Tensor, " S"]:
    times = None if time is None else torch.full_like(points[:, 0], time)
    return field.density(points, times)
