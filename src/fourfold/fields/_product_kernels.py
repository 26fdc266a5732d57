"""Kernels of products of two interpolated grids, forward and backward.

Own design. A grid (A,B,R) has its channels last, so that a sample reads whole vectors: four corners
of a plane, or two of a line, which is a plane with B = 1. Backward, a grid is cut along its first
axis into blocks of cells; the samples are listed by block, and a task adds up the gradient of one
block. Neighbouring blocks share a row of corners: those of even number go first, then the others.
So no two threads meet, and every sum has one order whatever their number.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import LANES, broadcast, claim, lane_sum, load, store

CHUNK = 2048  # samples of one task, forward
_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def _cell(value, cells):
    """Return the cell of a coordinate, clamped to [0, 1], and how far into it the point lies."""
    inside = min(value, _ONE) if value > _ZERO else _ZERO  # 0 where it is NaN
    place = inside * np.float32(cells)
    cell = min(uintp(place), max(cells, uintp(1)) - uintp(1))
    return cell, place - np.float32(cell)


@kernel
def _corners(coordinates, at, shape):
    """Return the first corner (in rows of channels) of a sample in a grid, and the fractions.

    `shape`: (A, B, axis of A, axis of B), the axes as columns of the coordinates.
    """
    i, u = _cell(coordinates[at + shape[2]], shape[0] - uintp(1))
    j, v = _cell(coordinates[at + shape[3]], shape[1] - uintp(1))
    return i * shape[1] + j, u, v


@kernel
def _read(grid, corner, down, across, u, v):
    """Interpolate 16 channels; `corner` and the steps to the others in floats, across 0: a line."""
    near = load(grid, corner) * (_ONE - u) + load(grid, corner + down) * u
    if across == 0:
        return near
    corner += across
    far = load(grid, corner) * (_ONE - u) + load(grid, corner + down) * u
    return near * (_ONE - v) + far * v


@kernel
def _add(grid, place, value):
    store(grid, place, load(grid, place) + value)


@kernel
def _steps(shape, ranks):
    """Return how many floats lie between corners along A and along B."""
    return shape[1] * ranks, ranks if shape[1] > uintp(1) else uintp(0)


@kernel
def multiply(
    counter, coordinates, width, first, first_shape, second, second_shape, vectors,
    out, column, row,
):  # fmt: skip
    """Multiply two grids at every sample into columns of `out`, or add the sum (row 0) to it.

    `vectors`: channels of each grid, in vectors of 16.
    """
    lane = uintp(LANES)
    count, ranks = uintp(len(coordinates)) // width, vectors * lane
    down1, across1 = _steps(first_shape, ranks)
    down2, across2 = _steps(second_shape, ranks)
    start = uintp(claim(counter)) * uintp(CHUNK)
    while start < count:
        for s in range(start, min(start + uintp(CHUNK), count)):
            corner1, u1, v1 = _corners(coordinates, s * width, first_shape)
            corner2, u2, v2 = _corners(coordinates, s * width, second_shape)
            corner1, corner2 = corner1 * ranks, corner2 * ranks
            total = broadcast(_ZERO)
            for vector in range(vectors):
                r = vector * lane
                value = _read(first, corner1 + r, down1, across1, u1, v1)
                value = value * _read(second, corner2 + r, down2, across2, u2, v2)
                if row == 0:
                    total = total + value
                else:
                    store(out, s * row + column + r, value)
            if row == 0:
                out[s] += lane_sum(total)
        start = uintp(claim(counter)) * uintp(CHUNK)


@kernel
def mark_blocks(counter, coordinates, width, axis, block_of_cell, gradient, marks, counts):
    """Mark every sample with the block its cell lies in, and count them chunk by chunk.

    `counts` (chunks, blocks + 1): the last is of samples without a gradient, which are left out.
    `gradient`: (S,), or empty where all samples count.
    """
    count, cells = uintp(len(marks)), uintp(len(block_of_cell))
    nothing, some = uintp(counts.shape[1] - 1), len(gradient) > 0
    chunk = uintp(claim(counter))
    while chunk < uintp(len(counts)):
        start = chunk * uintp(CHUNK)
        for s in range(start, min(start + uintp(CHUNK), count)):
            cell, _ = _cell(coordinates[s * width + axis], cells)
            block = nothing if some and gradient[s] == 0 else uintp(block_of_cell[cell])
            marks[s] = block
            counts[chunk, block] += 1
        chunk = uintp(claim(counter))


@kernel
def list_by_block(counter, marks, places, order):
    """List the samples block by block; `places` (chunks, blocks + 1): where a chunk's ones go."""
    count, nothing = uintp(len(marks)), uintp(places.shape[1] - 1)
    chunk = uintp(claim(counter))
    while chunk < uintp(len(places)):
        start = chunk * uintp(CHUNK)
        for s in range(start, min(start + uintp(CHUNK), count)):
            block = uintp(marks[s])
            if block < nothing:
                order[uintp(places[chunk, block])] = s
                places[chunk, block] += 1
        chunk = uintp(claim(counter))


@kernel
def multiply_backward(
    counter, parity, order, starts, coordinates, width, gradient, column, row,
    other, other_shape, vectors, target, target_shape,
):  # fmt: skip
    """Add to a grid's gradient, `target`, from the blocks of one parity.

    `gradient`: that of `out` in `multiply`; `other`: the grid it was multiplied with.
    """
    lane, blocks = uintp(LANES), uintp(len(starts) - 1)
    ranks = vectors * lane
    down1, across1 = _steps(target_shape, ranks)
    down2, across2 = _steps(other_shape, ranks)
    block = uintp(2) * uintp(claim(counter)) + parity
    while block < blocks:
        for entry in range(uintp(starts[block]), uintp(starts[block + uintp(1)])):
            s = uintp(order[entry])
            corner1, u, v = _corners(coordinates, s * width, target_shape)
            corner2, u2, v2 = _corners(coordinates, s * width, other_shape)
            corner1, corner2 = corner1 * ranks, corner2 * ranks
            for vector in range(vectors):
                r = vector * lane
                value = _read(other, corner2 + r, down2, across2, u2, v2)
                if row == 0:
                    value = value * gradient[s]
                else:
                    value = value * load(gradient, s * row + column + r)
                _scatter(target, corner1 + r, down1, across1, u, v, value)
        block = uintp(2) * uintp(claim(counter)) + parity


@kernel
def _scatter(grid, corner, down, across, u, v, value):
    """Add 16 channels to the corners they were read from."""
    near = value if across == 0 else value * (_ONE - v)
    _add(grid, corner, near * (_ONE - u))
    _add(grid, corner + down, near * u)
    if across > 0:
        far = value * v
        _add(grid, corner + across, far * (_ONE - u))
        _add(grid, corner + across + down, far * u)
