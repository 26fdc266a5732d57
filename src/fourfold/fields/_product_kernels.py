"""Kernels of products of two interpolated grids, forward and backward.

Own design. A grid (A,B,R) has its channels last, so that a sample reads whole vectors: four corners
of a plane, or two of a line, which is a plane with B = 1. Corners and weights are computed for 16
samples at a time, as vectors, then each sample reads the grids with them.

Backward, the first grid of a product is cut along its first axis into blocks of cells; the samples
are listed by block, and a task adds up the gradient of one block, and what the block adds to that
of the second grid. Neighbouring blocks share a row of corners: those of even number go first, then
the others. So no two threads meet, and every sum has one order whatever their number.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import (
    LANES,
    broadcast,
    claim,
    floor,
    load,
    maximum,
    minimum,
    prefetch,
    store,
    sums,
)

CHUNK = 2048  # samples of one task, forward
AHEAD = uintp(64)  # samples whose coordinates are fetched before their turn
_ZERO, _ONE = np.float32(0), np.float32(1)

# The room of 16 samples, in vectors: coordinates along a grid's two axes, then the numbers of its
# first corners (as floats: there are fewer than 2^24) and the weights of its four; the same for
# the second grid; then a vector of products for each sample.
_CORNER, _WEIGHTS = uintp(2 * LANES), uintp(3 * LANES)
_GRID = uintp(7 * LANES)
_PRODUCTS = uintp(14 * LANES)
_ROOM = (14 + LANES) * LANES


@kernel
def _room():
    """Return zeros for 16 samples, and where the first 64-byte line begins."""
    room = np.zeros(_ROOM + LANES, np.float32)
    return room, uintp((64 - room.ctypes.data % 64) % 64 // 4)


@kernel
def _gather(room, at, coordinates, width, order, start, count, shape):
    """Copy the coordinates of some samples along a grid's axes into the room."""
    last = uintp(len(order) - 1)
    for k in range(count):
        prefetch(coordinates, uintp(order[min(start + k + AHEAD, last)]) * width)
        place = uintp(order[start + k]) * width
        room[at + k] = coordinates[place + shape[2]]
        room[at + uintp(LANES) + k] = coordinates[place + shape[3]]


@kernel
def _cells(values, cells):
    """Return the cells of 16 coordinates, clamped to [0, 1], and how far into them they lie."""
    places = minimum(maximum(values, broadcast(_ZERO)), broadcast(_ONE)) * cells
    lower = maximum(minimum(floor(places), broadcast(cells - _ONE)), broadcast(_ZERO))
    return lower, places - lower


@kernel
def _find_corners(room, at, shape):
    """Fill in the first corners and the weights of 16 samples in a grid; 0 where NaN."""
    lane = uintp(LANES)
    i, u = _cells(load(room, at), np.float32(shape[0] - uintp(1)))
    j, v = _cells(load(room, at + lane), np.float32(shape[1] - uintp(1)))
    store(room, at + _CORNER, i * np.float32(shape[1]) + j)
    weights = at + _WEIGHTS
    store(room, weights, (_ONE - u) * (_ONE - v))
    store(room, weights + lane, u * (_ONE - v))
    store(room, weights + uintp(2) * lane, (_ONE - u) * v)
    store(room, weights + uintp(3) * lane, u * v)


@kernel
def _prepare(room, base, coordinates, width, order, start, count, first_shape, second_shape):
    """Find the corners and weights of up to 16 samples in both grids."""
    _gather(room, base, coordinates, width, order, start, count, first_shape)
    _gather(room, base + _GRID, coordinates, width, order, start, count, second_shape)
    _find_corners(room, base, first_shape)
    _find_corners(room, base + _GRID, second_shape)


# The branch between planes and lines is in the callers: with a branch in them, small functions
# have Numba count references at every sample.


@kernel
def _read_two(grid, corner, down, room, weights):
    """Interpolate 16 channels between a corner and the next along A; both in floats."""
    near = load(grid, corner) * room[weights]
    return near + load(grid, corner + down) * room[weights + uintp(LANES)]


@kernel
def _add_two(grid, corner, down, room, weights, value):
    """Add 16 channels to the corners they were read from."""
    store(grid, corner, load(grid, corner) + value * room[weights])
    corner, weights = corner + down, weights + uintp(LANES)
    store(grid, corner, load(grid, corner) + value * room[weights])


@kernel
def _steps(shape, ranks):
    """Return how many floats lie between corners along A and along B."""
    return shape[1] * ranks, ranks if shape[1] > uintp(1) else uintp(0)


@kernel
def multiply(
    counter, coordinates, width, order, first, first_shape, second, second_shape, vectors,
    out, column, row,
):  # fmt: skip
    """Multiply two grids at every sample into columns of `out`, or add the sum (row 0) to it.

    `shape` of a grid: (A, B, axis of A, axis of B), the axes as columns of the coordinates.
    `order`: 0, 1, ...; `vectors`: channels, in vectors of 16.
    """
    lane = uintp(LANES)
    total, ranks = uintp(len(coordinates)) // width, vectors * lane
    room, base = _room()
    start = uintp(claim(counter)) * uintp(CHUNK)
    while start < total:
        for s in range(start, min(start + uintp(CHUNK), total), lane):
            count = min(lane, total - s)
            _prepare(room, base, coordinates, width, order, s, count, first_shape, second_shape)
            _multiply_16(
                room, base, s, count, first, _steps(first_shape, ranks),
                second, _steps(second_shape, ranks), vectors, out, column, row,
            )  # fmt: skip
            if row == 0:
                _add_sums(room, base + _PRODUCTS, out, s, count)
        start = uintp(claim(counter)) * uintp(CHUNK)


@kernel
def _multiply_16(
    room, base, s, count, first, first_steps, second, second_steps, vectors, out, column, row
):
    lane = uintp(LANES)
    ranks, far = vectors * lane, uintp(2 * LANES)
    down1, across1 = first_steps
    down2, across2 = second_steps
    for k in range(count):
        weights1, weights2 = base + _WEIGHTS + k, base + _GRID + _WEIGHTS + k
        corner1 = uintp(room[base + _CORNER + k]) * ranks
        corner2 = uintp(room[base + _GRID + _CORNER + k]) * ranks
        total = broadcast(_ZERO)
        for vector in range(vectors):
            r = vector * lane
            one = _read_two(first, corner1 + r, down1, room, weights1)
            if across1 > 0:
                one = one + _read_two(first, corner1 + across1 + r, down1, room, weights1 + far)
            two = _read_two(second, corner2 + r, down2, room, weights2)
            if across2 > 0:
                two = two + _read_two(second, corner2 + across2 + r, down2, room, weights2 + far)
            if row == 0:
                total = total + one * two
            else:
                store(out, (s + k) * row + column + r, one * two)
        if row == 0:
            store(room, base + _PRODUCTS + k * lane, total)


@kernel
def _add_sums(room, at, out, s, count):
    """Add the sum of each of 16 vectors to its sample's place in `out`."""
    n = uintp(LANES)
    vectors = (
        load(room, at), load(room, at + n), load(room, at + uintp(2) * n),
        load(room, at + uintp(3) * n), load(room, at + uintp(4) * n),
        load(room, at + uintp(5) * n), load(room, at + uintp(6) * n),
        load(room, at + uintp(7) * n), load(room, at + uintp(8) * n),
        load(room, at + uintp(9) * n), load(room, at + uintp(10) * n),
        load(room, at + uintp(11) * n), load(room, at + uintp(12) * n),
        load(room, at + uintp(13) * n), load(room, at + uintp(14) * n),
        load(room, at + uintp(15) * n),
    )  # fmt: skip
    store(room, at, sums(vectors))
    for k in range(count):
        out[s + k] += room[at + k]


@kernel
def mark_blocks(counter, coordinates, width, axis, block_of_cell, gradient, marks, counts):
    """Mark every sample with the block its cell lies in, and count them chunk by chunk.

    `counts` (chunks, blocks + 1): the last is of samples without a gradient, which are left out.
    `gradient`: (S,), or empty where all samples count.
    """
    count, cells = uintp(len(marks)), np.float32(len(block_of_cell))
    nothing, some = uintp(counts.shape[1] - 1), len(gradient) > 0
    chunk = uintp(claim(counter))
    while chunk < uintp(len(counts)):
        start = chunk * uintp(CHUNK)
        for s in range(start, min(start + uintp(CHUNK), count)):
            value = coordinates[s * width + axis]
            inside = min(value, _ONE) if value > _ZERO else _ZERO  # 0 where it is NaN
            cell = uintp(min(inside * cells, cells - _ONE))
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
    first, first_shape, second, second_shape, vectors, first_target, second_targets,
):  # fmt: skip
    """Add up the gradients of two grids, over the blocks (of the first grid) of one parity.

    `gradient`: that of `out` in `multiply`; `second_targets` (blocks, size of the second grid).
    """
    lane, blocks = uintp(LANES), uintp(len(starts) - 1)
    ranks = vectors * lane
    room, base = _room()
    block = uintp(2) * uintp(claim(counter)) + parity
    while block < blocks:
        end = uintp(starts[block + uintp(1)])
        for entry in range(uintp(starts[block]), end, lane):
            count = min(lane, end - entry)
            _prepare(room, base, coordinates, width, order, entry, count, first_shape, second_shape)
            _multiply_16_backward(
                room, base, order, entry, count, gradient, column, row,
                first, _steps(first_shape, ranks), second, _steps(second_shape, ranks), vectors,
                first_target, second_targets[block],
            )  # fmt: skip
        block = uintp(2) * uintp(claim(counter)) + parity


@kernel
def _multiply_16_backward(
    room, base, order, entry, count, gradient, column, row,
    first, first_steps, second, second_steps, vectors, first_target, second_target,
):  # fmt: skip
    lane = uintp(LANES)
    ranks, far = vectors * lane, uintp(2 * LANES)
    down1, across1 = first_steps
    down2, across2 = second_steps
    for k in range(count):
        s = uintp(order[entry + k])
        weights1, weights2 = base + _WEIGHTS + k, base + _GRID + _WEIGHTS + k
        first_corner = uintp(room[base + _CORNER + k]) * ranks
        second_corner = uintp(room[base + _GRID + _CORNER + k]) * ranks
        for vector in range(vectors):
            r = vector * lane
            corner1, corner2 = first_corner + r, second_corner + r
            slope = broadcast(gradient[s]) if row == 0 else load(gradient, s * row + column + r)
            one = _read_two(first, corner1, down1, room, weights1)
            if across1 > 0:
                one = one + _read_two(first, corner1 + across1, down1, room, weights1 + far)
            two = _read_two(second, corner2, down2, room, weights2)
            if across2 > 0:
                two = two + _read_two(second, corner2 + across2, down2, room, weights2 + far)
            one, two = slope * one, slope * two
            _add_two(first_target, corner1, down1, room, weights1, two)
            if across1 > 0:
                _add_two(first_target, corner1 + across1, down1, room, weights1 + far, two)
            _add_two(second_target, corner2, down2, room, weights2, one)
            if across2 > 0:
                _add_two(second_target, corner2 + across2, down2, room, weights2 + far, one)
