"""Sort splats by depth and list, for every 32x32 tile, which of its 4x4 blocks each one touches.

Own method. A splat's candidates are the tiles its bounding box meets. Each candidate gets 64 bits,
one per block, those of a 16x16 quarter side by side: whether the ellipse where alpha reaches 1/255
meets the block's pixel centres, exactly. Candidates without a block are dropped. The others are
scattered to their tiles by counting, in depth order, so each tile's list comes out sorted.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import numpy as np
from numba import njit, uint32, uint64, uintp

from fourfold.splat._projection import (
    EXTENT_X,
    EXTENT_Y,
    LOG2_255,
    PEAK,
    SPLAT,
    P,
    Q,
    R,
    X,
    Y,
)
from fourfold.splat._simd import (
    bits,
    broadcast,
    claim,
    column_of_lane,
    maximum,
    minimum,
    row_of_lane,
)

TILE = 32
QUARTER = 16
BLOCK = 4
RADIX_BITS = 11
_SLACK = np.float32(1e-4)  # rounding must not lose a block; the blend tests every pixel again


@njit(cache=True, error_model="numpy")
def pixel_box(splats, n, width, height):
    """Return the pixels (x0, y0, x1, y1), ends included, in the box of splat n; x1 < x0 if none."""
    row = uintp(n) * uintp(SPLAT)
    ex, ey = splats[row + uintp(EXTENT_X)], splats[row + uintp(EXTENT_Y)]
    if ex <= 0:
        return 0, 0, -1, -1
    half = np.float32(0.5)
    left, top = splats[row + uintp(X)] - half, splats[row + uintp(Y)] - half
    x0, x1 = np.ceil(max(left - ex, np.float32(0))), np.floor(min(left + ex, np.float32(width - 1)))
    y0, y1 = np.ceil(max(top - ey, np.float32(0))), np.floor(min(top + ey, np.float32(height - 1)))
    if x1 < x0 or y1 < y0:
        return 0, 0, -1, -1
    return int(x0), int(y0), int(x1), int(y1)


@njit(cache=True, error_model="numpy")
def tile_range(splats, n, width, height):
    """Return the tiles (x0, y0, x1, y1), ends excluded, that the box of splat n meets."""
    x0, y0, x1, y1 = pixel_box(splats, n, width, height)
    if x1 < x0:
        return 0, 0, 0, 0
    return x0 // TILE, y0 // TILE, x1 // TILE + 1, y1 // TILE + 1


@njit(cache=True, error_model="numpy")
def count_candidates(splats, count, width, height, starts, order):
    """Fill starts (N+1), the first candidates, and order with the visible; return how many."""
    total, visible = 0, 0
    for n in range(count):
        starts[n] = total
        x0, y0, x1, y1 = tile_range(splats, n, width, height)
        if x1 > x0:
            order[visible] = n
            visible += 1
            total += (x1 - x0) * (y1 - y0)
    starts[count] = total
    return visible


@njit(cache=True, error_model="numpy")
def sort_by_depth(depth_bits, order, spare, visible):
    """Sort order by depth, ties by index: a least-significant-digit radix sort on the float's bits.

    Positive floats order like their bits. The sorted order ends in ``spare`` (three passes).
    """
    size = 1 << RADIX_BITS
    histogram = np.zeros((3, size), np.uint32)
    mask = uint32(size - 1)
    for i in range(visible):
        key = depth_bits[uintp(order[i]) * uintp(SPLAT)]
        histogram[0, key & mask] += uint32(1)
        histogram[1, (key >> uint32(RADIX_BITS)) & mask] += uint32(1)
        histogram[2, key >> uint32(2 * RADIX_BITS)] += uint32(1)
    for digit in range(3):
        position = uint32(0)
        for bucket in range(size):
            held = histogram[digit, bucket]
            histogram[digit, bucket] = position
            position += held
        source, target = (spare, order) if digit == 1 else (order, spare)
        shift = uint32(digit * RADIX_BITS)
        for i in range(visible):
            n = source[i]
            bucket = (depth_bits[uintp(n) * uintp(SPLAT)] >> shift) & mask
            target[histogram[digit, bucket]] = n
            histogram[digit, bucket] += uint32(1)


@njit(cache=True, error_model="numpy")
def _blocks_touched(mx, my, p, q, r, limit, slope_x, slope_y):
    """Return the 16 bits of a quarter's blocks; (mx, my) is the splat from its first pixel.

    The smallest u^2 + w^2 over a rectangle lies on one of the two edges that face the mean; the
    best point of each is found by clamping.
    """
    three, zero = np.float32(BLOCK - 1), broadcast(np.float32(0))
    x0 = column_of_lane() * np.float32(BLOCK) - mx
    y0 = row_of_lane() * np.float32(BLOCK) - my
    x1, y1 = x0 + three, y0 + three
    near_x, near_y = minimum(maximum(x0, zero), x1), minimum(maximum(y0, zero), y1)
    best_y = minimum(maximum(near_x * slope_y, y0), y1)
    best_x = minimum(maximum(near_y * slope_x, x0), x1)
    u0, w0 = near_x * p + best_y * q, best_y * r
    u1, w1 = best_x * p + near_y * q, near_y * r
    return bits(minimum(u0 * u0 + w0 * w0, u1 * u1 + w1 * w1) <= limit)


@njit(cache=True, error_model="numpy")
def _blocks_inside(qx, qy, width, height):
    """Return the 16 bits of the blocks of quarter (qx, qy) that hold pixels of the image."""
    columns = min(4, (width - qx * QUARTER + BLOCK - 1) // BLOCK)
    rows = min(4, (height - qy * QUARTER + BLOCK - 1) // BLOCK)
    return uint32(((1 << columns) - 1) * 0x1111 & ((1 << (4 * rows)) - 1))


@njit(cache=True, error_model="numpy")
def _mark(splats, n, start, width, height, tiles_x, touched, counts):
    """Write the block bits of splat n's candidates and count those that touch."""
    row = uintp(n) * uintp(SPLAT)
    p, q, r = splats[row + uintp(P)], splats[row + uintp(Q)], splats[row + uintp(R)]
    limit = splats[row + uintp(PEAK)] + LOG2_255 + _SLACK
    slope_x, slope_y = -q / p, -p * q / (q * q + r * r)
    left = splats[row + uintp(X)] - np.float32(0.5)
    top = splats[row + uintp(Y)] - np.float32(0.5)
    x0, y0, x1, y1 = pixel_box(splats, n, width, height)
    slot = uintp(start)
    for ty in range(y0 // TILE, y1 // TILE + 1):
        for tx in range(x0 // TILE, x1 // TILE + 1):
            word = uint64(0)
            for qy in range(max(2 * ty, y0 // QUARTER), min(2 * ty + 1, y1 // QUARTER) + 1):
                for qx in range(max(2 * tx, x0 // QUARTER), min(2 * tx + 1, x1 // QUARTER) + 1):
                    mx, my = left - np.float32(qx * QUARTER), top - np.float32(qy * QUARTER)
                    part = _blocks_touched(mx, my, p, q, r, limit, slope_x, slope_y)
                    part &= _blocks_inside(qx, qy, width, height)
                    word |= uint64(part) << uint64(QUARTER * ((qy & 1) * 2 + (qx & 1)))
            touched[slot] = word
            slot += uintp(1)
            if word != uint64(0):
                counts[uintp(ty * tiles_x + tx)] += uint32(1)


@njit(cache=True, nogil=True, error_model="numpy")
def mark_blocks(counter, splats, order, visible, starts, width, height, touched, counts):
    """Fill touched for every candidate and counts[part, tile] of those that touch."""
    tiles_x = (width + TILE - 1) // TILE
    parts = counts.shape[0]
    part = claim(counter)
    while part < parts:
        counts[part, :] = uint32(0)
        for i in range(visible * part // parts, visible * (part + 1) // parts):
            n = order[i]
            _mark(splats, n, starts[n], width, height, tiles_x, touched, counts[part])
        part = claim(counter)


@njit(cache=True, error_model="numpy")
def place_lists(counts, tile_starts):
    """Turn counts into each part's first place in each tile's list; return the lists' length."""
    total = uint32(0)
    for tile in range(counts.shape[1]):
        tile_starts[tile] = total
        for part in range(counts.shape[0]):
            held = counts[part, tile]
            counts[part, tile] = total
            total += held
    tile_starts[counts.shape[1]] = total
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def fill_lists(
    counter, splats, order, visible, starts, width, height, touched, places, members, slots
):
    """Scatter (splat, candidate) to the tiles' lists, front to back."""
    tiles_x = (width + TILE - 1) // TILE
    parts = places.shape[0]
    part = claim(counter)
    while part < parts:
        for i in range(visible * part // parts, visible * (part + 1) // parts):
            n = order[i]
            x0, y0, x1, y1 = tile_range(splats, n, width, height)
            slot = uintp(starts[n])
            for ty in range(y0, y1):
                for tx in range(x0, x1):
                    if touched[slot] != uint64(0):
                        place = places[part, ty * tiles_x + tx]
                        places[part, ty * tiles_x + tx] = place + uint32(1)
                        members[place] = n
                        slots[place] = slot
                    slot += uintp(1)
        part = claim(counter)
