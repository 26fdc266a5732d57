"""Sampling and compositing in plain torch: the slow twins of the kernels, on any device.

Written the way the formulas read, over all places of all rays at once; gradients by autograd, in
any dtype.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from fourfold.fields._marching_kernels import GUIDED_PIECES, LARGEST_GROWTH, LAST_STEP
from fourfold.fields.rays import Paths
from fourfold.fields.samples import Samples
from fourfold.fields.spaces import contract

# Steps of a ray in contracted space that each double how far away it is: enough for 1e19 boxes.
FAR_STEPS = 64


def cut_paths(
    paths: Paths,
    resolution: tuple[int, int, int],
    occupancy: Bool[Tensor, "X Y Z"] | None,
    step: float,
    jitter: Float[Tensor, " R"],
    max_samples: int,
    zone: tuple[Float[Tensor, " R"], Float[Tensor, " R"]],
) -> Samples:
    """Cut paths into pieces; see `fourfold.fields.sample_rays`."""
    voxels = torch.tensor(resolution, dtype=jitter.dtype, device=jitter.device)
    march = _contracted_borders if paths.contracted else _straight_borders
    begins, ends = _refined(march(paths, voxels, step, jitter, max_samples), zone)
    middles = (begins + ends) / 2
    points = _cube(paths, middles)
    across = (_cube(paths, ends) - _cube(paths, begins)) * voxels
    widths = across.square().sum(-1).sqrt() / voxels.max()
    keep = (ends > begins) & _occupied(points, occupancy)
    rays = torch.arange(len(jitter), dtype=torch.int32, device=jitter.device)
    rays = rays[:, None].expand_as(keep)[keep]
    starts = pad(torch.cumsum(keep.sum(1), 0), (1, 0))
    lengths = (ends - begins) * paths.speeds(middles)
    values = (v[keep] for v in (paths.distances(middles), widths, lengths, points))
    return Samples(rays, starts, *values)


def _straight_borders(
    paths: Paths, voxels: Tensor, step: float, jitter: Tensor, max_samples: int
) -> Float[Tensor, "R N+1"]:
    """Give the borders of the pieces, steps of one length from `starts`, the first one shorter."""
    stride, count = straight_strides(paths, voxels, step, max_samples)
    numbers = torch.arange(count, dtype=jitter.dtype, device=jitter.device)
    borders = paths.starts[:, None] + (numbers + jitter[:, None]) * stride[:, None]
    borders = torch.minimum(borders, paths.ends[:, None])
    return torch.cat((paths.starts[:, None], borders), dim=1)


def straight_strides(
    paths: Paths, voxels: Tensor, step: float, max_samples: int
) -> tuple[Float[Tensor, " R"], int]:
    """Give how far a step takes each straight path, and how many pieces the longest may have."""
    reach = (paths.ends - paths.starts).clamp(min=0)
    speed = (paths.directions * voxels).square().sum(-1).sqrt()
    strides = torch.maximum(step / speed, reach / max_samples)
    return strides, int(torch.ceil(reach / strides).max()) + 1 if len(strides) else 1


def _contracted_borders(
    paths: Paths, voxels: Tensor, step: float, jitter: Tensor, max_samples: int
) -> Float[Tensor, "R N+1"]:
    """Give the borders of the pieces: each step is as long as the speed at its start asks."""
    step, most = contracted_step(step, voxels, max_samples)
    place, share, borders = paths.starts, jitter, [paths.starts]
    fastest = paths.directions.abs().amax(1)
    for _ in range(most):
        point = paths.origins + place[:, None] * paths.directions
        norm, axis = point.abs().max(1)
        rate = torch.gather(paths.directions * point.sign(), 1, axis[:, None]).squeeze(1)
        m = 1 / norm.clamp(min=1)
        bend = torch.where(norm > 1, 2 * m * m * (m - 1) * rate, 0.0)
        velocity = (m * (2 - m))[:, None] * paths.directions + bend[:, None] * point
        stride = 4 * step / (velocity * voxels).square().sum(-1).sqrt()
        # The speed falls with the norm's square: exact for rays to or from the middle.
        grown = norm - rate * stride
        most = torch.where(norm > 1, LARGEST_GROWTH * norm / fastest, torch.inf)
        curved = torch.where(grown > 0, stride * norm / grown, torch.inf)
        stride = torch.where(norm > 1, curved, stride)
        done = (rate > 0) & (m * voxels.max() < 4 * LAST_STEP * step) | (place >= paths.ends)
        if bool(done.all()):
            break
        moved = torch.minimum(place + share * torch.minimum(stride, most), paths.ends)
        place, share = torch.where(done, place, moved), torch.ones_like(share)
        borders.append(place)
    return torch.stack(borders, dim=1)


def contracted_step(step: float, voxels: Tensor, max_samples: int) -> tuple[float, int]:
    """Lengthen a step so that no ray takes more than `max_samples`, and give how many it may take.

    A line bends about the box: its way through the cube is at most twice the cube's diagonal. Far
    away, where steps are short of what is asked, a ray takes a few more.
    """
    way = 2 * float(voxels.square().sum().sqrt())
    step = max(step, way / max_samples)
    return step, int(way / step) + FAR_STEPS


def _refined(borders: Tensor, zone: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Give where pieces begin and end (R,N), those that meet the zone cut in four."""
    begins, ends = borders[:, :-1], borders[:, 1:]
    low, high = zone[0][:, None], zone[1][:, None]
    guided = (ends > low) & (begins < high)
    if not bool(guided.any()):
        return begins, ends
    parts = torch.arange(GUIDED_PIECES + 1, dtype=begins.dtype, device=begins.device)
    parts = torch.where(guided[..., None], parts / GUIDED_PIECES, parts.clamp(max=1))
    fine = torch.lerp(begins[..., None], ends[..., None], parts)
    return fine[..., :-1].flatten(1), fine[..., 1:].flatten(1)


def _cube(paths: Paths, places: Float[Tensor, "R N"]) -> Float[Tensor, "R N 3"]:
    line = paths.origins[:, None] + places[..., None] * paths.directions[:, None]
    return contract(line) if paths.contracted else line.clamp(0, 1)


def _occupied(points: Tensor, occupancy: Tensor | None) -> Tensor:
    if occupancy is None:
        return torch.ones_like(points[..., 0], dtype=torch.bool)
    cells = torch.tensor(occupancy.shape, device=points.device)
    x, y, z = torch.minimum((points * cells).long(), cells - 1).unbind(-1)
    return occupancy[x, y, z]


def ray_weights(
    densities: Float[Tensor, " S"], samples: Samples
) -> tuple[Float[Tensor, " S"], Float[Tensor, " R"]]:
    """Give what each piece adds to its ray; see `fourfold.fields.ray_weights`.

    Sums over all rays in float64: what lies before a ray would drown its own in float32.
    """
    depths = densities.double() * samples.widths.double()
    weights = torch.exp(-_sum_before(depths, samples)) * -torch.expm1(-depths)
    total = depths.new_zeros(samples.num_rays).index_add(0, samples.rays.long(), depths)
    return weights.to(densities.dtype), -torch.expm1(-total).to(densities.dtype)


def accumulate(
    weights: Float[Tensor, " S"], values: Float[Tensor, "S C"], samples: Samples
) -> Float[Tensor, "R C"]:
    """Sum weighted values along each ray; see `fourfold.fields.accumulate`."""
    weighted = weights[:, None] * values
    sums = weighted.new_zeros(samples.num_rays, values.shape[1])
    return sums.index_add(0, samples.rays.long(), weighted)


def _sum_before(values: Tensor, samples: Samples) -> Float[Tensor, " S"]:
    """Sum what lies before each piece on its ray."""
    sums = pad(torch.cumsum(values, 0), (1, 0))
    return sums[:-1] - sums[samples.starts][samples.rays.long()]


def interleave(parts: Sequence[Samples]) -> tuple[Int[Tensor, " S"], Int[Tensor, " S"]]:
    """Give the order of the pieces of several sets and their rays; see `merge_samples`."""
    rays, distances = (torch.cat([getattr(p, n) for p in parts]) for n in ("rays", "distances"))
    order = torch.argsort(distances, stable=True)
    order = order[torch.argsort(rays[order], stable=True)]
    return order, rays[order]
