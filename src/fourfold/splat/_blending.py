"""Blend the splats of a tile front to back, and its gradient.

Own method, blending as 3DGS (Kerbl et al. 2023): ``w_i = alpha_i T_i``, ``T_{i+1} = T_i (1 -
alpha_i)``, a pixel ends where the next T would fall to 1e-4. A vector is a 4x4 block of pixels; a
splat visits only the blocks it touches that still let light through. A pixel that has ended keeps
its transmittance with a minus sign, which fails every later test by itself.

Backward also runs front to back. With g the gradient of the image and G = sum_c g_c image_c (the
transmittance counted as one more channel), everything behind splat i is ``G - sum_{j<=i} w_j (g .
c_j)``: one number per pixel, whatever the number of channels. Nothing is divided by transmittance.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false, reportGeneralTypeIssues=false

import numpy as np
from numba import njit, uint64, uintp

from fourfold.splat._projection import CHANNEL, CHANNELS, LOG2_255, PEAK, SPLAT, P, Q, R, X, Y
from fourfold.splat._simd import (
    absolute,
    bits,
    broadcast,
    claim,
    column_of_lane,
    exp2,
    load,
    lowest_bit,
    minimum,
    row_of_lane,
    store,
    sums,
    where,
)
from fourfold.splat._tiling import BLOCK, QUARTER, TILE

PIXELS = TILE * TILE
SLOT = 16  # floats of one gradient slot: s, su, sw, suu, suw, sww, then CHANNELS channels
MAX_ALPHA = np.float32(0.999)
MIN_TRANSMITTANCE = np.float32(1e-4)
MIN_ALPHA_SUM = np.float32(1e-10)  # below it a pixel's depth is not divided
_ZERO, _ONE, _HALF, _FOUR = np.float32(0), np.float32(1), np.float32(0.5), np.float32(4)


@njit(cache=True, error_model="numpy")
def _aligned(planes):
    """Return room for ``planes`` tiles of floats and the index of its first 64-byte boundary."""
    room = np.empty(planes * PIXELS + 16, np.float32)
    return room, uintp((64 - room.ctypes.data % 64) % 64 // 4)


@njit(cache=True, error_model="numpy")
def _place(x, y):
    """Return where pixel (x, y) of a tile lies in a plane: block by block, row by row within."""
    quarter = (y // QUARTER) * 2 + x // QUARTER
    block = ((y % QUARTER) // BLOCK) * 4 + (x % QUARTER) // BLOCK
    return uintp((quarter * 16 + block) * 16 + (y % BLOCK) * 4 + x % BLOCK)


@njit(cache=True, error_model="numpy")
def _block_place(block):
    """Return the column and row of blocks that a bit of a tile stands for."""
    column = ((block >> uintp(4)) & uintp(1)) * uintp(4) + (block & uintp(3))
    row = (block >> uintp(5)) * uintp(4) + ((block >> uintp(2)) & uintp(3))
    return np.float32(column), np.float32(row)


@njit(cache=True, error_model="numpy")
def _falloff(splats, row, x0, y0):
    """Return what every block of the tile at (x0, y0) shares: u, w of its lanes and their steps."""
    p, q, r = splats[row + uintp(P)], splats[row + uintp(Q)], splats[row + uintp(R)]
    dx, dy = x0 - splats[row + uintp(X)], y0 - splats[row + uintp(Y)]
    lane_u = column_of_lane() * p + (row_of_lane() * q + (p * dx + q * dy))
    return lane_u, row_of_lane() * r + r * dy, _FOUR * p, _FOUR * q, _FOUR * r


@njit(cache=True, nogil=True, error_model="numpy")
def blend(
    counter, splats, extras, num_extras, background, num_colors, width, height,
    tile_starts, members, slots, touched, image, alpha, depth, transmittance, ends,
):  # fmt: skip
    """Render every tile; ends[tile] is how far into its list it had to look."""
    tiles_x = (width + TILE - 1) // TILE
    tile = claim(counter)
    while tile < ends.shape[0]:
        room, base = _aligned(1 + CHANNELS + num_extras)
        x0, y0 = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        _clear(room, base, 1 + CHANNELS + num_extras, x0, y0, width, height)
        ends[tile] = _blend_tile(
            splats, extras, num_extras, members, slots, touched,
            tile_starts[tile], tile_starts[tile + 1], room, base, x0, y0,
        )  # fmt: skip
        _write_tile(
            room, base, num_colors, background, x0, y0, width, height,
            image, alpha, depth, transmittance,
        )  # fmt: skip
        tile = claim(counter)


@njit(cache=True, error_model="numpy")
def _clear(room, base, planes, x0, y0, width, height):
    """Set transmittance to one inside the image and ended outside it; the sums to zero."""
    for k in range(base, base + uintp(planes * PIXELS)):
        room[k] = _ZERO
    for k in range(base, base + uintp(PIXELS)):
        room[k] = _ONE
    if x0 + TILE > width or y0 + TILE > height:
        for y in range(TILE):
            for x in range(TILE):
                if x0 + x >= width or y0 + y >= height:
                    room[base + _place(x, y)] = -_ONE


@njit(cache=True, error_model="numpy")
def _blend_tile(
    splats, extras, num_extras, members, slots, touched, start, stop, room, base, x0, y0
):
    live = ~uint64(0)
    center_x, center_y = np.float32(x0) + _HALF, np.float32(y0) + _HALF
    plane, extra_plane = uintp(PIXELS), base + uintp((1 + CHANNELS) * PIXELS)
    for i in range(uintp(start), uintp(stop)):
        n = uintp(members[i])
        todo = touched[uintp(slots[i])] & live
        if todo == 0:
            continue
        row = n * uintp(SPLAT)
        lane_u, lane_w, step_p, step_q, step_r = _falloff(splats, row, center_x, center_y)
        peak = splats[row + uintp(PEAK)]
        channel = row + uintp(CHANNEL)
        c0, c1 = splats[channel], splats[channel + uintp(1)]
        c2, c3 = splats[channel + uintp(2)], splats[channel + uintp(3)]
        while todo != 0:
            block = uintp(lowest_bit(todo))
            todo &= todo - uint64(1)
            bx, by = _block_place(block)
            u = lane_u + (step_p * bx + step_q * by)
            w = lane_w + step_r * by
            exponent = peak - u * u - w * w
            hit = exponent >= -LOG2_255
            at = base + block * uintp(16)
            before = load(room, at)
            weight = before * minimum(exp2(exponent), broadcast(MAX_ALPHA))
            after = before - weight
            drawn = hit & (after > MIN_TRANSMITTANCE)
            weight = where(drawn, weight, broadcast(_ZERO))
            after = where(drawn, after, where(hit, -absolute(before), before))
            store(room, at, after)
            store(room, at + plane, load(room, at + plane) + weight * c0)
            store(room, at + uintp(2) * plane, load(room, at + uintp(2) * plane) + weight * c1)
            store(room, at + uintp(3) * plane, load(room, at + uintp(3) * plane) + weight * c2)
            store(room, at + uintp(4) * plane, load(room, at + uintp(4) * plane) + weight * c3)
            for e in range(uintp(num_extras)):
                spot = extra_plane + e * plane + block * uintp(16)
                store(room, spot, load(room, spot) + weight * extras[n * uintp(num_extras) + e])
            if bits(after > _ZERO) == 0:
                live &= ~(uint64(1) << uint64(block))
        if live == 0:
            return i + uintp(1)
    return uintp(stop)


@njit(cache=True, error_model="numpy")
def _write_tile(
    room, base, num_colors, background, x0, y0, width, height, image, alpha, depth, transmittance
):
    for y in range(min(TILE, height - y0)):
        for x in range(min(TILE, width - x0)):
            at = base + _place(x, y)
            pixel = uintp((y0 + y) * width + x0 + x)
            light = abs(room[at])
            transmittance[pixel] = light
            alpha[pixel] = _ONE - light
            for c in range(uintp(num_colors)):
                at += uintp(PIXELS)
                image[pixel * uintp(num_colors) + c] = room[at] + light * background[c]
            depth[pixel] = room[at + uintp(PIXELS)] / max(_ONE - light, MIN_ALPHA_SUM)


@njit(cache=True, error_model="numpy")
def _read_tile(
    room, base, num_colors, background, x0, y0, width, height,
    image, alpha, depth, transmittance, grad_image, grad_alpha, grad_depth, grad_background,
):  # fmt: skip
    """Fill the planes: T, what lies behind, then the gradient of each channel (depth last)."""
    for y in range(min(TILE, height - y0)):
        for x in range(min(TILE, width - x0)):
            at = base + _place(x, y)
            pixel = uintp((y0 + y) * width + x0 + x)
            light, opaque = transmittance[pixel], max(alpha[pixel], MIN_ALPHA_SUM)
            gradient_light, behind = -grad_alpha[pixel], _ZERO
            spot = at + uintp(PIXELS)
            for c in range(uintp(num_colors)):
                spot += uintp(PIXELS)
                g = grad_image[pixel * uintp(num_colors) + c]
                room[spot] = g
                gradient_light += g * background[c]
                grad_background[c] += g * light
                behind += g * (image[pixel * uintp(num_colors) + c] - light * background[c])
            g = grad_depth[pixel] / opaque
            room[spot + uintp(PIXELS)] = g
            behind += g * depth[pixel] * opaque
            if alpha[pixel] > MIN_ALPHA_SUM:
                gradient_light += g * depth[pixel]
            room[at + uintp(PIXELS)] = behind + gradient_light * light


@njit(cache=True, nogil=True, error_model="numpy")
def blend_backward(
    counter, splats, extras, num_extras, background, num_colors, width, height,
    tile_starts, members, slots, touched, image, alpha, depth, transmittance, ends,
    grad_image, grad_alpha, grad_depth, out_slots, out_extras, grad_background,
):  # fmt: skip
    """Fill the gradient slot of every splat in every tile; grad_background has a row per tile."""
    tiles_x = (width + TILE - 1) // TILE
    tile = claim(counter)
    while tile < ends.shape[0]:
        planes = 2 + CHANNELS + num_extras
        room, base = _aligned(planes + num_extras)
        x0, y0 = (tile % tiles_x) * TILE, (tile // tiles_x) * TILE
        _clear(room, base, planes, x0, y0, width, height)
        grad_background[tile, :] = _ZERO
        _read_tile(
            room, base, num_colors, background, x0, y0, width, height, image, alpha, depth,
            transmittance, grad_image, grad_alpha, grad_depth, grad_background[tile],
        )  # fmt: skip
        start, end, stop = tile_starts[tile], ends[tile], tile_starts[tile + 1]
        _blend_tile_backward(
            splats, extras, num_extras, members, slots, touched, start, end, room, base, x0, y0,
            out_slots, out_extras,
        )  # fmt: skip
        for i in range(uintp(end), uintp(stop)):
            store(out_slots, uintp(slots[i]) * uintp(SLOT), broadcast(_ZERO))
            for e in range(uintp(num_extras)):
                out_extras[uintp(slots[i]) * uintp(num_extras) + e] = _ZERO
        tile = claim(counter)


@njit(cache=True, error_model="numpy")
def _blend_tile_backward(
    splats, extras, num_extras, members, slots, touched, start, stop, room, base, x0, y0,
    out_slots, out_extras,
):  # fmt: skip
    live = ~uint64(0)
    center_x, center_y = np.float32(x0) + _HALF, np.float32(y0) + _HALF
    plane, zero = uintp(PIXELS), broadcast(_ZERO)
    extra_plane = base + uintp((2 + CHANNELS) * PIXELS)
    total_plane = extra_plane + uintp(num_extras * PIXELS)
    for i in range(uintp(start), uintp(stop)):
        n, slot = uintp(members[i]), uintp(slots[i])
        todo = touched[slot] & live
        row = n * uintp(SPLAT)
        lane_u, lane_w, step_p, step_q, step_r = _falloff(splats, row, center_x, center_y)
        peak = splats[row + uintp(PEAK)]
        channel = row + uintp(CHANNEL)
        c0, c1 = splats[channel], splats[channel + uintp(1)]
        c2, c3 = splats[channel + uintp(2)], splats[channel + uintp(3)]
        s, su, sw, suu, suw, sww = zero, zero, zero, zero, zero, zero
        g0, g1, g2, g3 = zero, zero, zero, zero
        for e in range(uintp(num_extras)):
            store(room, total_plane + e * uintp(16), zero)
        while todo != 0:
            block = uintp(lowest_bit(todo))
            todo &= todo - uint64(1)
            bx, by = _block_place(block)
            u = lane_u + (step_p * bx + step_q * by)
            w = lane_w + step_r * by
            exponent = peak - u * u - w * w
            hit = exponent >= -LOG2_255
            at = base + block * uintp(16)
            before = load(room, at)
            raw = exp2(exponent)
            alpha = minimum(raw, broadcast(MAX_ALPHA))
            weight = before * alpha
            after = before - weight
            drawn = hit & (after > MIN_TRANSMITTANCE)
            weight = where(drawn, weight, zero)
            after = where(drawn, after, where(hit, -absolute(before), before))
            store(room, at, after)
            d0, d1 = load(room, at + uintp(2) * plane), load(room, at + uintp(3) * plane)
            d2, d3 = load(room, at + uintp(4) * plane), load(room, at + uintp(5) * plane)
            shade = d0 * c0 + d1 * c1 + d2 * c2 + d3 * c3
            for e in range(uintp(num_extras)):
                gradient = load(room, extra_plane + e * plane + block * uintp(16))
                shade = shade + gradient * extras[n * uintp(num_extras) + e]
                spot = total_plane + e * uintp(16)
                store(room, spot, load(room, spot) + gradient * weight)
            lit = weight * shade
            behind = load(room, at + plane) - lit
            store(room, at + plane, behind)
            gradient = lit - alpha * behind / (_ONE - alpha)
            gradient = where(drawn & (raw <= MAX_ALPHA), gradient, zero)
            gu, gw = gradient * u, gradient * w
            s, su, sw = s + gradient, su + gu, sw + gw
            suu, suw, sww = suu + gu * u, suw + gu * w, sww + gw * w
            g0, g1, g2, g3 = g0 + weight * d0, g1 + weight * d1, g2 + weight * d2, g3 + weight * d3
            if bits(after > _ZERO) == 0:
                live &= ~(uint64(1) << uint64(block))
        store(out_slots, slot * uintp(SLOT), sums((s, su, sw, suu, suw, sww, g0, g1, g2, g3)))
        for e in range(uintp(num_extras)):
            total = sums((load(room, total_plane + e * uintp(16)),))
            store(room, total_plane + e * uintp(16), total)
            out_extras[slot * uintp(num_extras) + e] = room[total_plane + e * uintp(16)]
