"""Values between the vertices of a voxel grid, with gradients for the rows that were touched.

Vertices lie on the sides of the cube too: vertex i of X is at i / (X - 1). Of the grid only some
vertices may be filled; those have a row each, numbered in the order of the grid.
"""

from math import prod
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourfold.fields import _voxel_kernels as kernels
from fourfold.fields import voxels_reference
from fourfold.kernels import run_parallel

Keys = tuple[Int[Tensor, " S"], Float[Tensor, " S"]]


def number_rows(filled: Bool[Tensor, "X Y Z"]) -> Int[Tensor, "X Y Z"]:
    """Number the filled vertices in the order of the grid; -1 at the others. int32.

    >>> number_rows(torch.tensor([[[True, False], [True, True]]])).tolist()
    [[[0, -1], [1, 2]]]
    """
    rows = filled.flatten().cumsum(0, dtype=torch.int32).view(filled.shape) - 1
    return torch.where(filled, rows, -1)


def time_keys(times: Float[Tensor, " T"], moments: Float[Tensor, " S"]) -> Keys:
    """Find the key before each moment, and how far (0 to 1) it lies towards the next.

    Moments outside the keys are held at the first or last. T >= 2, `times` increasing.

    >>> time_keys(torch.tensor([0.0, 2.0, 3.0]), torch.tensor([-1.0, 0.5, 2.0, 9.0]))
    (tensor([0, 0, 1, 1]), tensor([0.0000, 0.2500, 0.0000, 1.0000]))
    """
    lower = torch.searchsorted(times, moments.contiguous(), right=True) - 1
    lower = lower.clamp(0, len(times) - 2)
    start = times[lower]
    return lower, ((moments - start) / (times[lower + 1] - start)).clamp(0, 1)


def interpolate_rows(
    index: Int[Tensor, "X Y Z"] | None,
    rows: Float[Tensor, "M T C"],
    points: Float[Tensor, "S 3"],
    keys: Keys | None = None,
    *,
    resolution: tuple[int, int, int] | None = None,
    empty: float = 0.0,
) -> Float[Tensor, "S C"]:
    """Interpolate rows of a grid at points of the cube: trilinear, and linear between two keys.

    Own kernels on the CPU in float32; elsewhere `voxels_reference`. A corner that is not filled
    counts as zeros; a point none of whose corners is filled gets `empty`. Points outside the cube
    count as the nearest inside. Differentiable in `rows` alone, whose gradient is a sparse tensor
    over (M,T), every entry once and in order: it costs the rows that were touched, not the grid.
    (Autograd forgets that it is coalesced on its way to `rows.grad`.)

    Args:
        index: (X,Y,Z) int32, the row of each vertex or -1, as `number_rows` counts; None for a
            full grid, whose `resolution` is then to be given. At least two vertices each way.
        rows: (M,T,C), T = 1 for a grid that stands still.
        points: (S,3) in [0,1].
        keys: (lower (S,), fraction (S,)) as `time_keys` gives; lower + 1 is a key too. None where
            T = 1.

    Raises:
        ValueError: the shapes do not fit together.
    """
    size = _checked_size(index, rows, keys, resolution)
    if rows.device.type != "cpu" or rows.dtype != torch.float32:
        return voxels_reference.interpolate_rows(index, rows, points, keys, size, empty)
    return _Interpolate.apply(rows, _request(index, size, points, keys), empty)


def _checked_size(index, rows, keys, resolution) -> tuple[int, int, int]:
    if index is None and resolution is None:
        raise ValueError("a full grid (no index) needs its resolution")
    size = tuple(resolution if index is None else index.shape)
    if min(size) < 2 or (index is None and len(rows) != prod(size)):
        raise ValueError(f"{len(rows)} rows do not make up a grid of {size}")
    if (keys is None) != (rows.shape[1] == 1):
        raise ValueError(f"rows have {rows.shape[1]} key times, but keys are {keys}")
    return size


class _Request(NamedTuple):
    """Where to look, as the kernels take it: flat arrays."""

    index: np.ndarray
    size: tuple[int, int, int]
    points: np.ndarray
    lower: np.ndarray
    fractions: np.ndarray


def _request(index, size, points, keys) -> _Request:
    lower, fractions = keys if keys is not None else (torch.zeros(0), torch.zeros(0))
    return _Request(
        np.empty(0, np.int32) if index is None else _flat(index, torch.int32),
        size,
        _flat(points, torch.float32),
        _flat(lower, torch.int32),
        _flat(fractions, torch.float32),
    )


def _flat(tensor: Tensor, dtype: torch.dtype) -> np.ndarray:
    return tensor.detach().to("cpu", dtype).contiguous().view(-1).numpy()


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, request, empty):
        ctx.request, ctx.shape = request, rows.shape
        num_keys, channels = rows.shape[1:]
        values = np.empty((len(request.points) // 3, channels), np.float32)
        run_parallel(
            kernels.interpolate,
            *(request.index, *request.size, _flat(rows, torch.float32), num_keys, channels),
            *(request.points, request.lower, request.fractions, np.float32(empty)),
            values.reshape(-1),
        )
        return torch.from_numpy(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        touched, values = _row_gradient(ctx.request, ctx.shape, _flat(gradient, torch.float32))
        place, rows = torch.from_numpy(touched), torch.from_numpy(values)
        sparse = torch.sparse_coo_tensor(
            place, rows, ctx.shape, is_coalesced=True, check_invariants=False
        )
        return sparse, None, None


def _row_gradient(
    request: _Request, shape: tuple[int, ...], gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and keys (2,E) that were touched, in order, and their gradients (E,C)."""
    num_rows, num_keys, channels = shape
    planes = request.size[0]
    starts = np.empty(planes + 1, np.int64)
    order = np.empty(len(request.points) // 3, np.uint32)
    kernels.list_by_plane(request.points, *request.size[:2], starts, order)
    marks = np.zeros(num_rows * num_keys, np.uint8)
    slabs = -(-planes // kernels.SLAB)
    ranges, counts = np.empty(2 * slabs, np.int64), np.empty(slabs, np.int64)
    grid = (request.index, *request.size, num_keys)
    samples = request.points, request.lower, request.fractions, starts, order
    run_parallel(kernels.mark, *grid, *samples, marks, ranges, counts)
    offsets = np.concatenate(([0], counts.cumsum()))
    touched = np.empty((2, offsets[-1]), np.int64)
    values = np.empty((offsets[-1], channels), np.float32)
    run_parallel(
        kernels.gather_gradient,
        *(*grid, channels, *samples, marks, ranges, offsets, gradient),
        *(np.empty(len(marks), np.uint32), touched.reshape(-1), values.reshape(-1)),
    )
    return touched, values
