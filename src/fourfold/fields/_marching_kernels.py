"""Numba kernels that march along the paths of rays: where their pieces begin and end, and lie.

A straight path takes equal strides, 16 of them at once; a contracted one strides that follow from
where it is, so there 16 paths go at once. Places of contracted paths are kept lane by lane: those
of one path are 16 apart.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import (
    LANES,
    bits,
    broadcast,
    floor,
    gather,
    load,
    maximum,
    minimum,
    sqrt,
    store,
    where,
)

# How many pieces a piece near a guide is cut into.
GUIDED_PIECES = 4
# In contracted space a step may come nearer to the box, or go away from it, by this share at most.
LARGEST_GROWTH = 0.5
# A ray to infinity ends this share of a step before the cube's surface.
LAST_STEP = 0.25
# The numbers of a path: origin and direction (3 each), then these.
START, END, BASE, DEPTH, SLOPE, JITTER, LOW, HIGH, STRIDE, PATH = range(6, 16)
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_FOUR, _QUARTER, _INFINITY = np.float32(4), np.float32(0.25), np.float32(np.inf)
_GROWTH, _LAST = np.float32(LARGEST_GROWTH), np.float32(4 * LAST_STEP)
_FINE = np.float32(1 / GUIDED_PIECES)
_NUMBERS = np.arange(LANES, dtype=np.float32)


@kernel
def _size(x):
    return maximum(x, -x)


@kernel
def to_cube(x, y, z, contracted):
    """Bring points (vectors) of paths into the cube."""
    zero, half, one = broadcast(_ZERO), broadcast(_HALF), broadcast(_ONE)
    if not contracted:
        x, y = minimum(maximum(x, zero), one), minimum(maximum(y, zero), one)
        return x, y, minimum(maximum(z, zero), one)
    m = one / maximum(maximum(_size(x), maximum(_size(y), _size(z))), one)
    factor = m * (_TWO - m) * _QUARTER
    return x * factor + half, y * factor + half, z * factor + half


@kernel
def point(paths, row, place, contracted):
    """Return the points of the cube at 16 places of the path whose numbers begin at `row`."""
    x = place * paths[row + uintp(3)] + paths[row]
    y = place * paths[row + uintp(4)] + paths[row + uintp(1)]
    z = place * paths[row + uintp(5)] + paths[row + uintp(2)]
    return to_cube(x, y, z, contracted)


@kernel
def cells_at(x, y, z, sizes):
    """Return the cells of points (vectors): the number of the column (x, y), and z in it.

    Floats hold them exactly: there are less than 2^24 columns.
    """
    size_x, size_y, size_z = sizes
    column = floor(minimum(x * size_x, broadcast(size_x - _ONE))) * size_y
    column = column + floor(minimum(y * size_y, broadcast(size_y - _ONE)))
    return column, floor(minimum(z * size_z, broadcast(size_z - _ONE)))


@kernel
def distances_at(paths, row, place):
    """Return how far along the ray 16 places of its path are, and by what the path shrinks it."""
    shrink = broadcast(_ONE) - place * paths[row + uintp(SLOPE)]
    return place * paths[row + uintp(DEPTH)] / shrink + paths[row + uintp(BASE)], shrink


@kernel
def widths_of(paths, row, begin, end, voxels, contracted):
    """Return the lengths of 16 pieces in the cube, its longest side in voxels being one."""
    side = _ONE / max(voxels[0], max(voxels[1], voxels[2]))
    if contracted:
        x0, y0, z0 = point(paths, row, begin, contracted)
        x1, y1, z1 = point(paths, row, end, contracted)
        x, y, z = (x1 - x0) * voxels[0], (y1 - y0) * voxels[1], (z1 - z0) * voxels[2]
        return sqrt(x * x + y * y + z * z) * side
    x, y = paths[row + uintp(3)] * voxels[0], paths[row + uintp(4)] * voxels[1]
    z = paths[row + uintp(5)] * voxels[2]
    return (end - begin) * (np.sqrt(x * x + y * y + z * z) * side)


@kernel
def straight_borders(paths, row, borders):
    """Fill the borders of the pieces of a straight path, and return how many pieces it has."""
    start, end = paths[row + uintp(START)], paths[row + uintp(END)]
    if not end > start:
        return uintp(0)
    stride, share = paths[row + uintp(STRIDE)], paths[row + uintp(JITTER)]
    pieces = uintp(np.ceil((end - start) / stride)) + uintp(1)
    borders[0] = start
    for first in range(uintp(0), pieces, uintp(LANES)):
        places = (load(_NUMBERS, uintp(0)) + (np.float32(first) + share)) * stride + start
        store(borders, first + uintp(1), minimum(places, broadcast(end)))
    return pieces


@kernel
def contracted_borders(paths, first, voxels, step, most, borders):
    """Fill the borders of 16 paths, 16 apart, and return how many pieces the longest one has."""
    row, one = uintp(first) * uintp(PATH), broadcast(_ONE)
    ox, oy = gather(paths, row, uintp(PATH)), gather(paths, row + uintp(1), uintp(PATH))
    oz, dx = gather(paths, row + uintp(2), uintp(PATH)), gather(paths, row + uintp(3), uintp(PATH))
    dy, dz = gather(paths, row + uintp(4), uintp(PATH)), gather(paths, row + uintp(5), uintp(PATH))
    place = gather(paths, row + uintp(START), uintp(PATH))
    last = gather(paths, row + uintp(END), uintp(PATH))
    share = gather(paths, row + uintp(JITTER), uintp(PATH))
    leap = _GROWTH / maximum(_size(dx), maximum(_size(dy), _size(dz)))
    end = _LAST * step / max(voxels[0], max(voxels[1], voxels[2]))
    store(borders, uintp(0), place)
    count = uintp(0)
    while count < most:
        stride, rate, m = _stride((ox, oy, oz), (dx, dy, dz), place, voxels, step, leap)
        done = ((rate > _ZERO) & (m < end)) | (place >= last)
        if bits(~done) == 0:
            break
        place = where(done, place, minimum(place + share * stride, last))
        share = one
        count += uintp(1)
        store(borders, count * uintp(LANES), place)
    return count


@kernel
def _stride(origin, direction, place, voxels, step, leap):
    """Return the next strides, how fast the norms grow, and the inverse norms (at most 1)."""
    dx, dy, dz = direction
    x, y, z = origin[0] + place * dx, origin[1] + place * dy, origin[2] + place * dz
    zero, one = broadcast(_ZERO), broadcast(_ONE)
    norm = maximum(_size(x), maximum(_size(y), _size(z)))
    rate = where(z > zero, dz, -dz)
    rate = where(_size(y) >= norm, where(y > zero, dy, -dy), rate)
    rate = where(_size(x) >= norm, where(x > zero, dx, -dx), rate)
    m, outside = one / maximum(norm, one), norm > one
    along, bend = m * (_TWO - m), where(outside, m * m * (m - _ONE) * rate * _TWO, zero)
    vx, vy = (along * dx + bend * x) * voxels[0], (along * dy + bend * y) * voxels[1]
    vz = (along * dz + bend * z) * voxels[2]
    stride = (_FOUR * step) / sqrt(vx * vx + vy * vy + vz * vz)
    # The speed falls with the norm's square: exact for rays to or from the middle.
    grown = norm - rate * stride
    curved = where(grown > zero, stride * norm / grown, broadcast(_INFINITY))
    return where(outside, minimum(curved, norm * leap), stride), rate, m


@kernel
def refine(coarse, lane, apart, pieces, low, high, borders):
    """Copy the borders of a path, with more of them in pieces that meet the zone low … high.

    Those of the path are `apart` places from each other, from `lane` on. Returns how many pieces
    there are; empty ones are left out.
    """
    here, count = coarse[lane], uintp(0)
    borders[0] = here
    for number in range(uintp(1), pieces + uintp(1)):
        there = coarse[number * apart + lane]
        if there > here:
            if there > low and here < high:
                for part in range(uintp(1), uintp(GUIDED_PIECES)):
                    count += uintp(1)
                    borders[count] = here + (there - here) * (np.float32(part) * _FINE)
            count += uintp(1)
            borders[count] = there
            here = there
    return count
