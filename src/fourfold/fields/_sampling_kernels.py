"""Numba kernels that cut the paths of rays into pieces; the twin is `reference.cut_paths`.

Two passes over the rays: the first counts each ray's pieces, the second writes them where the sums
of the counts say. A path is a row of PATH floats; everything else is flat too.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import claim

# How many pieces a piece near a guide is cut into.
GUIDED_PIECES = 4
# In contracted space a step may come nearer to the box, or go away from it, by this share at most.
LARGEST_GROWTH = 0.5
# A ray to infinity ends this share of a step before the cube's surface.
LAST_STEP = 0.25
CHUNK = 64  # rays of one task
# A path's numbers: origin and direction (3 each), then these.
START, END, BASE, DEPTH, SLOPE, JITTER, LOW, HIGH, PATH = range(6, 15)
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_FOUR, _QUARTER = np.float32(4), np.float32(0.25)
_GROWTH, _LAST = np.float32(LARGEST_GROWTH), np.float32(LAST_STEP)
_FINE = np.float32(1 / GUIDED_PIECES)


@kernel
def _norm(x, y, z):
    return np.sqrt(x * x + y * y + z * z)


@kernel
def _largest(x, y, z):
    return max(abs(x), max(abs(y), abs(z)))


@kernel
def _unit(x):
    return min(max(x, _ZERO), _ONE)


@kernel
def _point(paths, row, place, contracted):
    """Return the point of the cube at a place of a path."""
    x = paths[row] + place * paths[row + uintp(3)]
    y = paths[row + uintp(1)] + place * paths[row + uintp(4)]
    z = paths[row + uintp(2)] + place * paths[row + uintp(5)]
    if not contracted:
        return _unit(x), _unit(y), _unit(z)
    m = _ONE / max(_largest(x, y, z), _ONE)
    factor = m * (_TWO - m) * _QUARTER
    return x * factor + _HALF, y * factor + _HALF, z * factor + _HALF


@kernel
def _growing_stride(paths, row, place, voxels, step):
    """Return a contracted path's next stride, or 0 where it has come to infinity."""
    dx, dy, dz = paths[row + uintp(3)], paths[row + uintp(4)], paths[row + uintp(5)]
    x, y = paths[row] + place * dx, paths[row + uintp(1)] + place * dy
    z = paths[row + uintp(2)] + place * dz
    norm = _largest(x, y, z)
    rate = dz if z > _ZERO else -dz
    if abs(x) == norm:
        rate = dx if x > _ZERO else -dx
    elif abs(y) == norm:
        rate = dy if y > _ZERO else -dy
    m = _ONE / max(norm, _ONE)
    if rate > _ZERO and m * _largest(voxels[0], voxels[1], voxels[2]) < _FOUR * _LAST * step:
        return _ZERO
    bend = _ZERO
    if norm > _ONE:
        bend = _TWO * m * m * (m - _ONE) * rate
    along = m * (_TWO - m)
    speed = _norm(
        (along * dx + bend * x) * voxels[0],
        (along * dy + bend * y) * voxels[1],
        (along * dz + bend * z) * voxels[2],
    )
    stride = _FOUR * step / speed
    if norm <= _ONE:
        return stride
    # The speed falls with the norm's square: exact for rays to or from the middle.
    grown = norm - rate * stride
    stride = stride * norm / grown if grown > _ZERO else np.float32(np.inf)
    return min(stride, _GROWTH * norm / _largest(dx, dy, dz))


@kernel
def _cell(x, size):
    return min(uintp(x * np.float32(size)), uintp(size) - uintp(1))


@kernel
def _write(
    paths, row, begin, end, voxels, contracted, at, distances, widths, lengths, points
):  # fmt: skip
    """Write the piece from place `begin` to `end` of a path as sample `at`, but for its point."""
    middle, length = (begin + end) * _HALF, end - begin
    shrink = _ONE - middle * paths[row + uintp(SLOPE)]
    depth = paths[row + uintp(DEPTH)]
    distances[at] = paths[row + uintp(BASE)] + middle * depth / shrink
    lengths[at] = length * (depth / (shrink * shrink))
    x0, y0, z0 = _point(paths, row, begin, contracted)
    x1, y1, z1 = _point(paths, row, end, contracted)
    across = _norm((x1 - x0) * voxels[0], (y1 - y0) * voxels[1], (z1 - z0) * voxels[2])
    widths[at] = across / _largest(voxels[0], voxels[1], voxels[2])


@kernel
def _cut(
    paths, row, voxels, step, max_samples, contracted, cells, size_x, size_y, size_z,
    fill, at, distances, widths, lengths, points,
):  # fmt: skip
    """Return how many pieces a path has; where `fill`, write them as samples `at` and on."""
    place, last = paths[row + uintp(START)], paths[row + uintp(END)]
    low, high = paths[row + uintp(LOW)], paths[row + uintp(HIGH)]
    start, share, count = place, paths[row + uintp(JITTER)], uintp(0)
    dx, dy, dz = paths[row + uintp(3)], paths[row + uintp(4)], paths[row + uintp(5)]
    speed = _norm(dx * voxels[0], dy * voxels[1], dz * voxels[2])
    stride = max(step / speed, (last - start) / max_samples)
    number = _ZERO
    while place < last:
        begin = place
        if contracted:
            growing = _growing_stride(paths, row, place, voxels, step)
            if growing == _ZERO:
                break
            place = min(begin + share * growing, last)
            share = _ONE
        else:
            place = min(start + (number + share) * stride, last)
            number += _ONE
        if not place > begin:
            continue
        pieces, part = uintp(1), _ONE
        if place > low and begin < high:
            pieces, part = uintp(GUIDED_PIECES), _FINE
        length = place - begin
        for piece in range(pieces):
            here = begin + length * (np.float32(piece) * part)
            there = begin + length * (np.float32(piece + uintp(1)) * part)
            x, y, z = _point(paths, row, (here + there) * _HALF, contracted)
            if cells.shape[0] > 0:
                cell = _cell(x, size_x) * uintp(size_y) + _cell(y, size_y)
                if cells[cell * uintp(size_z) + _cell(z, size_z)] == 0:
                    continue
            if fill:
                sample = at + count
                _write(
                    paths, row, here, there, voxels, contracted, sample,
                    distances, widths, lengths, points,
                )  # fmt: skip
                points[uintp(3) * sample] = x
                points[uintp(3) * sample + uintp(1)] = y
                points[uintp(3) * sample + uintp(2)] = z
            count += uintp(1)
    return count


@kernel
def count_pieces(
    counter, paths, voxels, step, max_samples, contracted, cells, size_x, size_y, size_z,
    nothing, counts,
):  # fmt: skip
    """Fill counts (R,)."""
    num_rays = uintp(counts.shape[0])
    chunk = claim(counter)
    while chunk * CHUNK < counts.shape[0]:
        first = uintp(chunk * CHUNK)
        for ray in range(first, min(first + uintp(CHUNK), num_rays)):
            counts[ray] = _cut(
                paths, ray * uintp(PATH), voxels, step, max_samples, contracted,
                cells, size_x, size_y, size_z, False, uintp(0), nothing, nothing, nothing, nothing,
            )  # fmt: skip
        chunk = claim(counter)


@kernel
def fill_pieces(
    counter, paths, voxels, step, max_samples, contracted, cells, size_x, size_y, size_z,
    starts, rays, distances, widths, lengths, points,
):  # fmt: skip
    """Write the pieces of all rays; ray r has the samples starts[r] to starts[r + 1]."""
    num_rays = uintp(starts.shape[0] - 1)
    chunk = claim(counter)
    while chunk * CHUNK < starts.shape[0] - 1:
        first = uintp(chunk * CHUNK)
        for ray in range(first, min(first + uintp(CHUNK), num_rays)):
            begin, end = uintp(starts[ray]), uintp(starts[ray + uintp(1)])
            if end > begin:
                _cut(
                    paths, ray * uintp(PATH), voxels, step, max_samples, contracted,
                    cells, size_x, size_y, size_z, True, begin, distances, widths, lengths, points,
                )  # fmt: skip
            for sample in range(begin, end):
                rays[sample] = np.int32(ray)
        chunk = claim(counter)
