"""Cut paths into pieces on the CPU: the way from tensors to the sampling kernels and back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from fourfold.fields import _marching_kernels, _sampling_kernels, reference
from fourfold.fields.rays import Paths
from fourfold.fields.samples import Samples
from fourfold.kernels import run_parallel
from fourfold.kernels.simd import LANES


class March(NamedTuple):
    """Paths as the kernels read them, and how many pieces one may have."""

    rows: np.ndarray
    num_rays: int
    voxels: np.ndarray
    step: np.float32
    contracted: bool
    most: int


def cut_paths(
    paths: Paths,
    resolution: tuple[int, int, int],
    occupancy: Bool[Tensor, "X Y Z"] | None,
    step: float,
    jitter: Float[Tensor, " R"],
    max_samples: int,
    zone: tuple[Float[Tensor, " R"], Float[Tensor, " R"]],
) -> Samples:
    """Cut paths into pieces; the twin of `reference.cut_paths`. Computes in float32."""
    march = plan_march(paths, resolution, step, jitter, max_samples, zone)
    # Room for every piece of every ray, of which the system hands out what is written to.
    chunks = -(-march.num_rays // _sampling_kernels.CHUNK)
    room = chunks * _sampling_kernels.CHUNK * march.most + LANES
    begins, ends = np.empty(room, np.float32), np.empty(room, np.float32)
    counts = torch.empty(march.num_rays, dtype=torch.int64)
    outputs = (counts.numpy(), begins, ends)
    run_parallel(_sampling_kernels.keep_pieces, *march, *cell_bytes(occupancy), *outputs)
    return _fill(march, pad(torch.cumsum(counts, 0), (1, 0)), begins, ends)


def plan_march(
    paths: Paths,
    resolution: tuple[int, int, int],
    step: float,
    jitter: Tensor,
    max_samples: int,
    zone: tuple[Tensor, Tensor],
) -> March:
    """Lay paths out for the kernels; for the arguments see `reference.cut_paths`."""
    voxels, strides = torch.tensor(resolution, dtype=torch.float32), torch.zeros_like(jitter)
    if paths.contracted:
        step, most = reference.contracted_step(step, voxels, max_samples)
    else:
        strides, most = reference.straight_strides(paths, voxels, step, max_samples)
    if bool((zone[0] < zone[1]).any()):
        most *= _marching_kernels.GUIDED_PIECES
    rows = _rows(paths, jitter, zone, strides)
    return March(rows, len(jitter), voxels.numpy(), np.float32(step), paths.contracted, most)


def _rows(paths: Paths, jitter: Tensor, zone: tuple[Tensor, Tensor], strides: Tensor) -> np.ndarray:
    """Pack paths, a multiple of LANES of them: PATH numbers each."""
    ends = (paths.starts, paths.ends, paths.bases, paths.depths, paths.slopes)
    columns = [column[:, None] for column in (*ends, jitter, *zone, strides)]
    rows = torch.cat((paths.origins, paths.directions, *columns), dim=1)
    return pad(rows, (0, 0, 0, -len(rows) % LANES)).view(-1).numpy()


def cell_bytes(occupancy: Tensor | None) -> tuple[np.ndarray, int, int, int]:
    """Give the cells as bytes, and their numbers; no bytes where every cell counts."""
    if occupancy is None:
        return np.empty(0, np.uint8), 1, 1, 1
    x, y, z = occupancy.shape
    return occupancy.contiguous().view(torch.uint8).view(-1).numpy(), x, y, z


def _fill(march: March, starts: Tensor, begins: np.ndarray, ends: np.ndarray) -> Samples:
    total = int(starts[-1])
    rays, points = torch.empty(total, dtype=torch.int32), torch.empty(total, 3)
    distances, widths, lengths = (torch.empty(total) for _ in range(3))
    run_parallel(
        _sampling_kernels.fill_pieces,
        *(march.rows, march.voxels, march.contracted, march.most, begins, ends),
        *(tensor.numpy() for tensor in (starts, rays, distances, widths, lengths)),
        points.view(-1).numpy(),
    )
    return Samples(rays, starts, distances, widths, lengths, points)
