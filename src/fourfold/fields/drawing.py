"""Draw fields along rays to look at them: as `render_rays`, without gradients and faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, pad

from fourfold.fields import _drawing_kernels as kernels
from fourfold.fields.compositing import has_kernels
from fourfold.fields.cutting import March, cell_bytes, plan_march
from fourfold.fields.rendering import MIN_ALPHA, MIN_WEIGHT, Part, render_rays
from fourfold.fields.sampling import check_rays
from fourfold.fields.voxels import VoxelField
from fourfold.geometry import harmonics_basis
from fourfold.kernels import run_parallel
from fourfold.kernels.simd import LANES

_MAX_SAMPLES = 2048
_LEAST = np.float32(MIN_WEIGHT)
# What is known of the pieces of so many rays fits a cache, or memory for fields without kernels.
_RAYS_AT_ONCE, _RAYS_AT_ONCE_IN_TORCH = 1 << 12, 1 << 14


@dataclass(frozen=True, eq=False)
class RayPicture:
    """What is seen along R rays through P parts; see `RayColors`."""

    colors: Float[Tensor, "R 3"]
    alphas: Float[Tensor, " R"]
    distances: Float[Tensor, " R"]
    part_alphas: Float[Tensor, "R P"]


def draw_rays(
    parts: Sequence[Part], time: float, background_color: Float[Tensor, " 3"]
) -> RayPicture:
    """Draw fields together along the same rays, at one time in frames.

    The picture of `render_rays`, differentiable in the fields' parameters. Voxels on the CPU that
    nobody wants gradients of take own kernels: they go along each ray from the front, and stop
    where less light is left than a piece must weigh to have a colour.

    Raises:
        ValueError: no part, or parts with different numbers of rays.
    """
    counts = {len(part.rays) for part in parts}
    if len(counts) != 1:
        raise ValueError(f"cannot draw parts along {sorted(counts)} rays")
    draw = _draw_voxels if all(_is_plain(part) for part in parts) else _draw_any
    drawn = draw(parts, time, background_color)
    names = [field.name for field in fields(RayPicture)]
    return RayPicture(*(torch.cat([getattr(each, name) for each in drawn]) for name in names))


def _batches(parts: Sequence[Part], size: int) -> Iterator[list[Part]]:
    """Give the parts along so many rays after the other; once where there are no rays."""
    for first in range(0, max(len(parts[0].rays), 1), size):
        some = slice(first, first + size)
        yield [replace(part, rays=part.rays.select(some)) for part in parts]


def _draw_any(parts: Sequence[Part], time: float, color: Tensor) -> list[RayPicture]:
    drawn = []
    for some in _batches(parts, _RAYS_AT_ONCE_IN_TORCH):
        times = torch.full_like(some[0].rays.near, time)
        seen = render_rays(some, times, background=color, max_samples=_MAX_SAMPLES)
        drawn.append(RayPicture(seen.colors, seen.alphas, seen.distances, seen.part_alphas))
    return drawn


def _is_plain(part: Part) -> bool:
    """Say whether the kernels can draw a part: voxels, on the CPU, without gradients."""
    if not isinstance(part.field, VoxelField) or min(part.field.resolution) < 2:
        return False
    tensors = part.field.densities, part.field.harmonics, part.rays.directions
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    return not wanted and part.field.degree <= 1 and all(map(has_kernels, tensors))


@torch.no_grad()
def _draw_voxels(parts: Sequence[Part], time: float, color: Tensor) -> list[RayPicture]:
    matter = [_matter(part, time) for part in parts]
    drawn, pieces = [], np.empty((kernels.FACTS, 0), np.float32)
    for some in _batches(parts, _RAYS_AT_ONCE):
        marches = [_march(part) for part in some]
        count = len(some[0].rays)
        # room for every piece of every ray, of which the system hands out what is written to
        room = sum(march.most * count for march in marches)
        if room > pieces.shape[1]:
            pieces = np.empty((kernels.FACTS, room), np.float32)
        taken, places = np.zeros(1, np.int64), np.empty((2, len(parts), count), np.uint64)
        for number, (part, march) in enumerate(zip(some, marches, strict=True)):
            run_parallel(
                kernels.see_pieces,
                *(*march, *matter[number], *_bases(part), _LEAST, taken),
                *(places[0, number], places[1, number], pieces),
            )
        drawn.append(_blended(places, pieces, color))
    return drawn


def _march(part: Part) -> March:
    check_rays(part.rays, part.step, _MAX_SAMPLES)
    ones, paths = torch.ones_like(part.rays.near), part.space.paths(part.rays)
    nowhere = (ones * torch.inf, -ones * torch.inf)
    resolution = part.field.resolution
    return plan_march(paths, resolution, part.step, ones, _MAX_SAMPLES, nowhere)


def _matter(part: Part, time: float) -> tuple[Any, ...]:
    """Give the voxels at a time, as the kernel takes them."""
    field = part.field
    assert isinstance(field, VoxelField)
    densities, harmonics = field.rows_at(time)
    return (
        *cell_bytes(part.occupancy),
        field.resolution,
        field.index.reshape(-1).numpy(),
        *(np.float32(field.shift), np.float32(field.scale)),
        densities.reshape(-1).numpy(),
        harmonics.reshape(-1).numpy(),
    )


def _bases(part: Part) -> tuple[np.ndarray, int]:
    """Give the harmonics in the directions of the rays, one per channel, and how many channels."""
    assert isinstance(part.field, VoxelField)
    directions = normalize(part.rays.directions, dim=-1)
    bases = harmonics_basis(directions, part.field.degree).repeat_interleave(3, dim=1)
    channels = bases.shape[1]
    return pad(bases, (0, LANES - channels)).view(-1).numpy(), channels


def _blended(places: np.ndarray, pieces: np.ndarray, color: Tensor) -> RayPicture:
    _, parts, count = places.shape
    sums, shares = torch.empty(count, 5), torch.empty(count, parts)
    run_parallel(
        kernels.blend,
        *(places[0].reshape(-1), places[1].reshape(-1), parts, count),
        *(pieces, _LEAST, sums.view(-1).numpy(), shares.view(-1).numpy()),
    )
    total, alphas, depths = sums[:, :3], sums[:, 3], sums[:, 4]
    colors = total + (1 - alphas)[:, None] * color.to(total)
    return RayPicture(colors, alphas, depths / alphas.clamp(min=MIN_ALPHA), shares)
