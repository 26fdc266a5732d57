"""Blend the splats of a tile front to back, and its gradient.

Own method, blending as 3DGS (Kerbl et al. 2023): ``w_i = alpha_i T_i``, ``T_{i+1} = T_i (1 -
alpha_i)``, a pixel ends where the next T would fall to 1e-4. A vector is a 4x4 block of pixels; a
splat visits only the blocks it touches that still let light through. A pixel that has ended lets
through none: its T is set to zero, after which every formula leaves it as it is.

Backward also runs front to back. With g the gradient of the image and G = sum_c g_c image_c (the
transmittance counted as one more channel), everything behind splat i is ``G - sum_{j<=i} w_j (g .
c_j)``: one number per pixel, whatever the number of channels. Nothing is divided by transmittance.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import uint64, uintp

from fourfold.kernels.simd import (
    LANES,
    bits,
    broadcast,
    claim,
    exp2,
    load,
    lowest_bit,
    minimum,
    prefetch,
    store,
    sums,
    where,
)
from fourfold.splat._kernel import kernel
from fourfold.splat._projection import CHANNEL, CHANNELS, LOG2_255, PEAK, SPLAT, P, Q, R, X, Y
from fourfold.splat._tiling import BLOCK, BLOCKS, BLOCKS_ACROSS, TILE

AHEAD = uintp(4)  # entries of a list whose splats are fetched before their turn
SLOT = 16  # floats of one gradient slot: s, su, sw, suu, suw, sww, then CHANNELS channels
MAX_ALPHA = np.float32(0.999)
MIN_TRANSMITTANCE = np.float32(1e-4)
MIN_ALPHA_SUM = np.float32(1e-10)  # below it a pixel's depth is not divided
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)

# A block's vectors, as offsets in floats. Forward: the light left, the light with which a pixel
# ended, the sums of the channels. Backward: the light left, what lies behind, the gradients of the
# channels. They lie side by side: planes of whole tiles would be a multiple of 4096 bytes apart,
# and there a load waits for unrelated stores.
LIGHT, ENDED, BEHIND = uintp(0), uintp(LANES), uintp(LANES)
SUMS = uintp(2 * LANES)
EXTRAS = uintp((2 + CHANNELS) * LANES)

# Pixel columns, from the tile's first, of the lanes of each column of blocks, and so for rows.
_COLUMNS = np.add.outer(np.arange(0, TILE, BLOCK), np.arange(LANES) % BLOCK)
_COLUMNS = _COLUMNS.ravel().astype(np.float32)
_ROWS = np.add.outer(np.arange(0, TILE, BLOCK), np.arange(LANES) // BLOCK)
_ROWS = _ROWS.ravel().astype(np.float32)


@kernel
def _room(num_extras):
    """Return zeros for the blocks of a tile, the index of the first 64-byte line, a block's size.

    The last LANES * num_extras floats are for sums over all blocks.
    """
    block_size = (2 + CHANNELS + num_extras) * LANES
    room = np.zeros(BLOCKS * block_size + num_extras * LANES + LANES, np.float32)
    return room, uintp((64 - room.ctypes.data % 64) % 64 // 4), uintp(block_size)


@kernel
def _place(x, y, block_size):
    """Return where pixel (x, y) of a tile lies."""
    block = (y // uintp(BLOCK)) * uintp(BLOCKS_ACROSS) + x // uintp(BLOCK)
    return block * block_size + (y % uintp(BLOCK)) * uintp(BLOCK) + x % uintp(BLOCK)


@kernel
def _falloff(splats, row, x0, y0):
    """Return p, q, r of a splat, and u, w at the first pixel of the tile, as vectors."""
    p, q, r = splats[row + uintp(P)], splats[row + uintp(Q)], splats[row + uintp(R)]
    dx, dy = x0 - splats[row + uintp(X)], y0 - splats[row + uintp(Y)]
    lifted = broadcast(p), broadcast(q), broadcast(r)
    return lifted, broadcast(p * dx + q * dy), broadcast(r * dy)


@kernel
def _lanes_of(block):
    """Return the columns and rows of a block's pixels."""
    column, row = block % uintp(BLOCKS_ACROSS), block // uintp(BLOCKS_ACROSS)
    return load(_COLUMNS, column * uintp(LANES)), load(_ROWS, row * uintp(LANES))


@kernel
def blend(
    counter, num_extras, num_colors, width, height, splats, extras, background,
    tile_starts, members, blocks, image, alpha, depth, transmittance, ends,
):  # fmt: skip
    """Render every tile; ends[tile] is how far into its list it had to look."""
    tiles_x = (width + TILE - 1) // TILE
    tile = claim(counter)
    while tile < ends.shape[0]:
        room, base, block_size = _room(num_extras)
        x0, y0 = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        columns, rows = uintp(min(TILE, width - x0)), uintp(min(TILE, height - y0))
        _light(room, base, block_size, columns, rows)
        ends[tile] = _blend_tile(
            splats, extras, num_extras, members, blocks,
            tile_starts[tile], tile_starts[tile + 1], room, base, block_size, x0, y0,
        )  # fmt: skip
        first_pixel = uintp(y0 * width + x0)
        _write_tile(
            room, base, block_size, num_colors, background, columns, rows, first_pixel,
            uintp(width), image, alpha, depth, transmittance,
        )  # fmt: skip
        tile = claim(counter)


@kernel
def _light(room, base, block_size, columns, rows):
    """Set the light of the pixels inside the image to one; outside, they count as ended."""
    for y in range(rows):
        for x in range(columns):
            room[base + _place(x, y, block_size)] = _ONE


@kernel
def _blend_tile(
    splats, extras, num_extras, members, blocks, start, stop,
    room, base, block_size, x0, y0,
):  # fmt: skip
    live, last = ~uint64(0), uintp(stop) - uintp(1)
    center_x, center_y = np.float32(x0) + _HALF, np.float32(y0) + _HALF
    lane = uintp(LANES)
    for i in range(uintp(start), uintp(stop)):
        prefetch(splats, uintp(members[min(i + AHEAD, last)]) * uintp(SPLAT))
        n, todo = uintp(members[i]), blocks[i] & live
        if todo == 0:
            continue
        row = n * uintp(SPLAT)
        (p, q, r), u0, w0 = _falloff(splats, row, center_x, center_y)
        peak = splats[row + uintp(PEAK)]
        channel = row + uintp(CHANNEL)
        c0, c1 = splats[channel], splats[channel + uintp(1)]
        c2, c3 = splats[channel + uintp(2)], splats[channel + uintp(3)]
        while todo != 0:
            block = uintp(lowest_bit(todo))
            todo &= todo - uint64(1)
            x, y = _lanes_of(block)
            u, w = u0 + x * p + y * q, w0 + y * r
            exponent = peak - u * u - w * w
            at = base + block * block_size
            before = load(room, at)
            weight = before * minimum(exp2(exponent), broadcast(MAX_ALPHA))
            weight = where(exponent >= -LOG2_255, weight, broadcast(_ZERO))
            after = before - weight
            ending = (after <= MIN_TRANSMITTANCE) & (before > _ZERO)
            if bits(ending) != 0:
                store(room, at + ENDED, where(ending, before, load(room, at + ENDED)))
                weight = where(ending, broadcast(_ZERO), weight)
                after = where(ending, broadcast(_ZERO), after)
                if bits(after > _ZERO) == 0:
                    live &= ~(uint64(1) << uint64(block))
            store(room, at, after)
            at += SUMS
            store(room, at, load(room, at) + weight * c0)
            store(room, at + lane, load(room, at + lane) + weight * c1)
            store(room, at + uintp(2) * lane, load(room, at + uintp(2) * lane) + weight * c2)
            store(room, at + uintp(3) * lane, load(room, at + uintp(3) * lane) + weight * c3)
            at += EXTRAS - SUMS
            for e in range(uintp(num_extras)):
                value = extras[n * uintp(num_extras) + e]
                store(room, at + e * lane, load(room, at + e * lane) + weight * value)
        if live == 0:
            return i + uintp(1)
    return uintp(stop)


@kernel
def _write_tile(
    room, base, block_size, num_colors, background, columns, rows, first_pixel, width,
    image, alpha, depth, transmittance,
):  # fmt: skip
    for y in range(rows):
        for x in range(columns):
            at = base + _place(x, y, block_size)
            pixel = first_pixel + y * width + x
            light = room[at + LIGHT] + room[at + ENDED]
            transmittance[pixel] = light
            alpha[pixel] = _ONE - light
            at += SUMS
            for c in range(uintp(num_colors)):
                image[pixel * uintp(num_colors) + c] = room[at] + light * background[c]
                at += uintp(LANES)
            depth[pixel] = room[at] / max(_ONE - light, MIN_ALPHA_SUM)


@kernel
def _read_tile(
    room, base, block_size, num_colors, background, columns, rows, first_pixel, width,
    image, alpha, depth, transmittance, grad_image, grad_alpha, grad_depth, grad_background,
):  # fmt: skip
    """Fill the vectors: light, what lies behind, then the gradient of each channel, depth last."""
    for y in range(rows):
        for x in range(columns):
            at = base + _place(x, y, block_size)
            pixel = first_pixel + y * width + x
            light, opaque = transmittance[pixel], max(alpha[pixel], MIN_ALPHA_SUM)
            gradient_light, behind = -grad_alpha[pixel], _ZERO
            spot = at + SUMS
            for c in range(uintp(num_colors)):
                g = grad_image[pixel * uintp(num_colors) + c]
                room[spot] = g
                spot += uintp(LANES)
                gradient_light += g * background[c]
                grad_background[c] += g * light
                behind += g * (image[pixel * uintp(num_colors) + c] - light * background[c])
            g = grad_depth[pixel] / opaque
            room[spot] = g
            behind += g * depth[pixel] * opaque
            if alpha[pixel] > MIN_ALPHA_SUM:
                gradient_light += g * depth[pixel]
            room[at + LIGHT] = _ONE
            room[at + BEHIND] = behind + gradient_light * light


@kernel
def blend_backward(
    counter, num_extras, num_colors, width, height, splats, extras, background,
    tile_starts, members, blocks, image, alpha, depth, transmittance, ends, slots,
    grad_image, grad_alpha, grad_depth, out_slots, out_extras, grad_background,
):  # fmt: skip
    """Fill the gradient slot of every splat in every tile; grad_background has a row per tile."""
    tiles_x = (width + TILE - 1) // TILE
    tile = claim(counter)
    while tile < ends.shape[0]:
        room, base, block_size = _room(num_extras)
        x0, y0 = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        columns, rows = uintp(min(TILE, width - x0)), uintp(min(TILE, height - y0))
        for c in range(uintp(num_colors)):
            grad_background[tile, c] = _ZERO
        first_pixel = uintp(y0 * width + x0)
        _read_tile(
            room, base, block_size, num_colors, background, columns, rows, first_pixel,
            uintp(width), image, alpha, depth, transmittance, grad_image, grad_alpha, grad_depth,
            grad_background[tile],
        )  # fmt: skip
        start, end, stop = tile_starts[tile], ends[tile], tile_starts[tile + 1]
        _blend_tile_backward(
            splats, extras, num_extras, members, slots, blocks, start, end,
            room, base, block_size, x0, y0, out_slots, out_extras,
        )  # fmt: skip
        for i in range(uintp(end), uintp(stop)):
            store(out_slots, uintp(slots[i]) * uintp(SLOT), broadcast(_ZERO))
            for e in range(uintp(num_extras)):
                out_extras[uintp(slots[i]) * uintp(num_extras) + e] = _ZERO
        tile = claim(counter)


@kernel
def _blend_tile_backward(
    splats, extras, num_extras, members, slots, blocks, start, stop,
    room, base, block_size, x0, y0, out_slots, out_extras,
):  # fmt: skip
    live, last = ~uint64(0), uintp(stop) - uintp(1)
    center_x, center_y = np.float32(x0) + _HALF, np.float32(y0) + _HALF
    lane, zero = uintp(LANES), broadcast(_ZERO)
    totals = base + uintp(BLOCKS) * block_size
    for i in range(uintp(start), uintp(stop)):
        ahead = min(i + AHEAD, last)
        prefetch(splats, uintp(members[ahead]) * uintp(SPLAT))
        prefetch(out_slots, uintp(slots[ahead]) * uintp(SLOT))
        n, slot, todo = uintp(members[i]), uintp(slots[i]), blocks[i] & live
        row = n * uintp(SPLAT)
        (p, q, r), u0, w0 = _falloff(splats, row, center_x, center_y)
        peak = splats[row + uintp(PEAK)]
        channel = row + uintp(CHANNEL)
        c0, c1 = splats[channel], splats[channel + uintp(1)]
        c2, c3 = splats[channel + uintp(2)], splats[channel + uintp(3)]
        s, su, sw, suu, suw, sww = zero, zero, zero, zero, zero, zero
        g0, g1, g2, g3 = zero, zero, zero, zero
        for e in range(uintp(num_extras)):
            store(room, totals + e * lane, zero)
        while todo != 0:
            block = uintp(lowest_bit(todo))
            todo &= todo - uint64(1)
            x, y = _lanes_of(block)
            u, w = u0 + x * p + y * q, w0 + y * r
            exponent = peak - u * u - w * w
            at = base + block * block_size
            before, behind = load(room, at), load(room, at + BEHIND)
            raw = exp2(exponent)
            alpha = where(exponent >= -LOG2_255, minimum(raw, broadcast(MAX_ALPHA)), zero)
            weight = before * alpha
            after = before - weight
            ending = (after <= MIN_TRANSMITTANCE) & (before > _ZERO)
            if bits(ending) != 0:
                weight, after = where(ending, zero, weight), where(ending, zero, after)
                behind = where(ending, zero, behind)
                if bits(after > _ZERO) == 0:
                    live &= ~(uint64(1) << uint64(block))
            store(room, at, after)
            spot = at + SUMS
            d0, d1 = load(room, spot), load(room, spot + lane)
            d2, d3 = load(room, spot + uintp(2) * lane), load(room, spot + uintp(3) * lane)
            shade = d0 * c0 + d1 * c1 + d2 * c2 + d3 * c3
            spot = at + EXTRAS
            for e in range(uintp(num_extras)):
                gradient = load(room, spot + e * lane)
                shade = shade + gradient * extras[n * uintp(num_extras) + e]
                total = totals + e * lane
                store(room, total, load(room, total) + gradient * weight)
            lit = weight * shade
            behind = behind - lit
            store(room, at + BEHIND, behind)
            gradient = lit - alpha * behind / (_ONE - alpha)
            gradient = where(raw <= MAX_ALPHA, gradient, zero)
            gu, gw = gradient * u, gradient * w
            s, su, sw = s + gradient, su + gu, sw + gw
            suu, suw, sww = suu + gu * u, suw + gu * w, sww + gw * w
            g0, g1, g2, g3 = g0 + weight * d0, g1 + weight * d1, g2 + weight * d2, g3 + weight * d3
        store(out_slots, slot * uintp(SLOT), sums((s, su, sw, suu, suw, sww, g0, g1, g2, g3)))
        for e in range(uintp(num_extras)):
            total = sums((load(room, totals + e * lane),))
            store(room, totals + e * lane, total)
            out_extras[slot * uintp(num_extras) + e] = room[totals + e * lane]
