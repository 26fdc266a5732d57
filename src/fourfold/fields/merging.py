"""Interleave the pieces of several fields along the same rays."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from fourfold.fields import _compositing_kernels, reference
from fourfold.fields.compositing import has_kernels
from fourfold.fields.samples import Samples
from fourfold.kernels import run_parallel


def merge_samples(parts: Sequence[Samples]) -> tuple[Samples, Int[Tensor, " S"]]:
    """Interleave several sets of pieces of the same rays by their distances.

    Returns them and, for each, its number in the sets put one behind the other. Pieces at one
    distance keep the order of their sets; points stay in the cubes of their own sets.

    Raises:
        ValueError: no set, or sets of different rays.
    """
    if not parts or len({part.num_rays for part in parts}) > 1:
        raise ValueError(f"cannot merge pieces of {[part.num_rays for part in parts]} rays")
    if len(parts) == 1:
        return parts[0], torch.arange(len(parts[0]), device=parts[0].rays.device)
    starts = torch.stack([part.starts for part in parts]).sum(0)
    sort = _interleave if has_kernels(parts[0].distances) else reference.interleave
    order, rays = sort(parts)
    names = ("distances", "widths", "lengths", "points")
    joined = (torch.cat([getattr(part, name) for part in parts]) for name in names)
    values = (value.index_select(0, order) for value in joined)
    return Samples(rays, starts, *values), order


def _interleave(parts: Sequence[Samples]) -> tuple[Int[Tensor, " S"], Int[Tensor, " S"]]:
    distances = torch.cat([part.distances for part in parts])
    sizes = torch.tensor([0, *(len(part) for part in parts[:-1])])
    begins = torch.stack([part.starts for part in parts])
    order = torch.empty(len(distances), dtype=torch.int64)
    rays = torch.empty(len(distances), dtype=torch.int32)
    run_parallel(
        _compositing_kernels.interleave,
        distances.numpy(),
        (begins + torch.cumsum(sizes, 0)[:, None]).view(-1).numpy(),
        len(parts),
        begins.sum(0).numpy(),
        order.numpy(),
        rays.numpy(),
    )
    return order, rays
