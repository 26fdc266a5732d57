"""List, for every 32x32 tile, which splats touch which of its 4x4 blocks, front to back.

Own method. A splat's candidates are the tiles its bounding box meets. Each candidate gets 64 bits,
one per block, row by row: whether the ellipse where alpha reaches 1/255 meets the block's pixel
centres, exactly. Candidates without a block are dropped. The others are scattered to their tiles by
counting; then every tile sorts its own list by depth, while it is in the cache.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import numpy as np
from numba import uint32, uint64, uintp

from fourfold.kernels.simd import (
    bits,
    broadcast,
    claim,
    column_of_lane,
    maximum,
    minimum,
    row_of_lane,
)
from fourfold.splat._kernel import kernel
from fourfold.splat._projection import (
    DEPTH,
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

BLOCK = 4
BLOCKS_ACROSS = 8  # 8x8 blocks are a tile: as many as a word has bits
BLOCKS = BLOCKS_ACROSS * BLOCKS_ACROSS
TILE = BLOCK * BLOCKS_ACROSS
_WINDOW = 4  # 4x4 blocks, a vector, are tested at once
RADIX_BITS = 8
_SLACK = np.float32(1e-4)  # rounding must not lose a block; the blend tests every pixel again


@kernel
def pixel_box(splats, n, width, height):
    """Return the pixels (x0, y0, x1, y1), ends included, in the box of splat n; x1 < x0 if none."""
    row = n * uintp(SPLAT)
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


@kernel
def tile_range(splats, n, width, height):
    """Return the tiles (x0, y0, x1, y1), ends excluded, that the box of splat n meets."""
    x0, y0, x1, y1 = pixel_box(splats, n, width, height)
    if x1 < x0:
        return 0, 0, 0, 0
    return x0 // TILE, y0 // TILE, x1 // TILE + 1, y1 // TILE + 1


@kernel
def _part(count, part, parts):
    """Return a part's first splat and the one after its last."""
    return count * part // parts, count * (part + 1) // parts


@kernel
def count_candidates(counter, splats, count, width, height, candidates):
    """Fill candidates[part]."""
    parts = candidates.shape[0]
    part = claim(counter)
    while part < parts:
        start, stop = _part(count, part, parts)
        total = 0
        for n in range(uintp(start), uintp(stop)):
            x0, y0, x1, y1 = tile_range(splats, n, width, height)
            total += (x1 - x0) * (y1 - y0)
        candidates[part] = total
        part = claim(counter)


@kernel
def _window_touched(mx, my, shape):
    """Return the 16 bits of a window's blocks; (mx, my) is the splat from its first pixel.

    The smallest u^2 + w^2 over a rectangle lies on one of the two edges that face the mean; the
    best point of each is found by clamping.
    """
    p, q, r, limit, slope_x, slope_y = shape
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


@kernel
def _window_bits(part, columns, rows):
    """Return the bits of a window's first columns and rows as those of a tile's first rows."""
    part = uint64(part) & uint64(0x1111 * ((1 << min(columns, _WINDOW)) - 1))
    part &= uint64((1 << (_WINDOW * min(rows, _WINDOW))) - 1)
    part = (part | part << uint64(8)) & uint64(0x00FF00FF)
    return (part | part << uint64(4)) & uint64(0x0F0F0F0F)


@kernel
def _tile_touched(shape, left, top, first_x, first_y, last_x, last_y):
    """Return the bits of a tile's blocks; first to last are those in the splat's box."""
    word, y = uint64(0), first_y
    while y <= last_y:
        x = first_x
        while x <= last_x:
            mx, my = left - np.float32(x * BLOCK), top - np.float32(y * BLOCK)
            part = _window_bits(_window_touched(mx, my, shape), last_x + 1 - x, last_y + 1 - y)
            word |= part << uint64((y & 7) * 8 + (x & 7))
            x += _WINDOW
        y += _WINDOW
    return word


@kernel
def _mark(splats, start, stop, slot, width, height, starts, touched, tiles, counts):
    """Do what `mark_blocks` does for the splats of a part, whose first candidate is ``slot``."""
    tiles_x = (width + TILE - 1) // TILE
    for n in range(uintp(start), uintp(stop)):
        starts[n] = slot
        x0, y0, x1, y1 = pixel_box(splats, n, width, height)
        if x1 < x0:
            continue
        row = n * uintp(SPLAT)
        p, q, r = splats[row + uintp(P)], splats[row + uintp(Q)], splats[row + uintp(R)]
        limit = splats[row + uintp(PEAK)] + LOG2_255 + _SLACK
        shape = p, q, r, limit, -q / p, -p * q / (q * q + r * r)
        left = splats[row + uintp(X)] - np.float32(0.5)
        top = splats[row + uintp(Y)] - np.float32(0.5)
        # in blocks from here on; shifts, since Numba divides signed numbers the long way
        x0, y0, x1, y1 = x0 >> 2, y0 >> 2, x1 >> 2, y1 >> 2
        for ty in range(y0 >> 3, (y1 >> 3) + 1):
            for tx in range(x0 >> 3, (x1 >> 3) + 1):
                word = _tile_touched(
                    shape, left, top,
                    max(x0, 8 * tx), max(y0, 8 * ty), min(x1, 8 * tx + 7), min(y1, 8 * ty + 7),
                )  # fmt: skip
                tile = uintp(ty * tiles_x + tx)
                touched[slot] = word
                tiles[slot] = tile
                counts[tile] += uint32(word != uint64(0))
                slot += uintp(1)
    starts[stop] = slot


@kernel
def mark_blocks(
    counter, splats, count, width, height, part_starts, starts, touched, tiles, counts
):  # fmt: skip
    """Fill starts (N+1), the first candidate of each splat; all candidates' tiles and touched.

    counts[part, tile] becomes the number of candidates that touch.
    """
    parts = counts.shape[0]
    part = claim(counter)
    while part < parts:
        for tile in range(uintp(counts.shape[1])):
            counts[part, tile] = uint32(0)
        start, stop = _part(count, part, parts)
        slot = uintp(part_starts[part])
        _mark(splats, start, stop, slot, width, height, starts, touched, tiles, counts[part])
        part = claim(counter)


@kernel
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


@kernel
def fill_lists(
    counter, depth_bits, count, starts, touched, tiles, places, owners, depth_slots
):  # fmt: skip
    """Fill owners, and scatter the candidates that touch to their tiles' lists, splat by splat.

    depth_slots holds the depth's bits above the slot: positive floats order like their bits.
    """
    parts = places.shape[0]
    part = claim(counter)
    while part < parts:
        start, stop = _part(count, part, parts)
        for n in range(uintp(start), uintp(stop)):
            depth = uint64(depth_bits[n * uintp(SPLAT) + uintp(DEPTH)]) << uint64(32)
            for slot in range(uintp(starts[n]), uintp(starts[n + uintp(1)])):
                owners[slot] = n
                if touched[slot] != uint64(0):
                    place = places[part, tiles[slot]]
                    places[part, tiles[slot]] = place + uint32(1)
                    depth_slots[place] = depth | uint64(slot)
        part = claim(counter)


@kernel
def sort_lists(counter, tile_starts, depth_slots, owners, touched, members, slots, blocks):
    """Sort each tile's list by depth, ties by splat, and write it out."""
    tile = claim(counter)
    while tile < tile_starts.shape[0] - 1:
        start, stop = tile_starts[tile], tile_starts[tile + 1]
        keys = depth_slots[start:stop]
        _radix_sort(keys)
        for i in range(uintp(keys.shape[0])):
            slot = uintp(keys[i] & uint64(0xFFFFFFFF))
            place = uintp(start) + i
            members[place] = owners[slot]
            slots[place] = slot
            blocks[place] = touched[slot]
        tile = claim(counter)


@kernel
def _radix_sort(keys):
    """Sort by the upper 32 bits, ties as they were: least significant digit first."""
    size, mask = 1 << RADIX_BITS, uint64((1 << RADIX_BITS) - 1)
    spare = np.empty_like(keys)
    histogram = np.zeros((4, size), np.uint32)
    for i in range(uintp(keys.shape[0])):
        for digit in range(uintp(4)):
            shift = uint64(32) + digit * uint64(RADIX_BITS)
            histogram[digit, (keys[i] >> shift) & mask] += uint32(1)
    for digit in range(uintp(4)):
        shift = uint64(32) + digit * uint64(RADIX_BITS)
        position = uint32(0)
        for bucket in range(uintp(size)):
            held = histogram[digit, bucket]
            histogram[digit, bucket] = position
            position += held
        for i in range(uintp(keys.shape[0])):
            bucket = (keys[i] >> shift) & mask
            spare[histogram[digit, bucket]] = keys[i]
            histogram[digit, bucket] += uint32(1)
        keys, spare = spare, keys
