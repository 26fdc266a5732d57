"""Numba kernels that draw voxels without gradients: march, ask and shade in one go.

`see_pieces` goes along the rays of one part, from front to back, and stops where nothing behind can
be seen; `blend` then puts the pieces of all parts one behind the other. The twin is `render_rays`.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false

import math

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.fields._marching_kernels import (
    PATH,
    cells_at,
    contracted_borders,
    distances_at,
    point,
    straight_borders,
    widths_of,
)
from fourfold.kernels.simd import (
    LANES,
    broadcast,
    claim,
    claim_many,
    exp2,
    floor,
    gather,
    load,
    load_until,
    lowest_bit,
    maximum,
    minimum,
    store,
)

CHUNK = 64  # rays of one task, a multiple of LANES
BLOCK = 64  # pieces that are asked together: calls of functions that take arrays are dear
CORNERS = 8
FACTS = 5  # of a piece: distance, alpha, red, green, blue
ROOM = 16  # vectors of intermediate numbers
# What is known of each kept piece before, one stretch of numbers each.
KNOWN, SPAN = 7, BLOCK + LANES
_X, _Y, _Z, _WIDTH, _DISTANCE, _RAW, _FILLED = (uintp(SPAN * k) for k in range(KNOWN))
_ZERO, _HALF, _ONE, _TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
_LOG2_E = np.float32(math.log2(math.e))
_LARGEST = np.float32(80)  # e^80 is a float32, and e^-80 nothing


@kernel
def see_pieces(
    counter, paths, num_rays, voxels, step, contracted, most, cells, size_x, size_y, size_z, grid,
    index, shift, scale, densities, harmonics, bases, channels, least, taken, firsts, ends,
    pieces,
):  # fmt: skip
    """Fill pieces (FACTS,S): of each distance, alpha and colour, along a ray by distance.

    Those of a ray are from firsts (R,) to ends (R,), of rays in no order: `taken` (1,) counts them.
    A ray ends where less than `least` of the light comes through; pieces that weigh no more than
    that have no colour of their own. `bases` (R*LANES) are the harmonics in a ray's direction, one
    per channel, then zeros.
    """
    coarse = np.empty((most + 1 + LANES) * LANES, np.float32)
    borders = np.empty(most + 1 + 2 * LANES, np.float32)
    room, kept_pieces = np.zeros(ROOM * LANES, np.float32), np.empty(KNOWN * SPAN, np.float32)
    rows, shares = np.empty(BLOCK * CORNERS, np.uint64), np.empty(BLOCK * CORNERS, np.float32)
    stride = uintp(most) + uintp(2 * LANES)
    facts = np.empty(uintp(FACTS) * stride, np.float32)
    sizes = np.float32(size_x), np.float32(size_y), np.float32(size_z)
    chunk = claim(counter)
    while chunk * CHUNK < num_rays:
        first, count = uintp(chunk * CHUNK), uintp(0)
        for ray in range(first, min(first + uintp(CHUNK), uintp(num_rays))):
            row, lane = ray * uintp(PATH), (ray - first) % uintp(LANES)
            if contracted:
                if lane == 0:
                    count = contracted_borders(paths, ray, voxels, step, uintp(most), coarse)
                for number in range(count + uintp(1)):
                    borders[number] = coarse[number * uintp(LANES) + lane]
            else:
                count = straight_borders(paths, row, borders)
            light, seen, first_piece = _ONE, uintp(0), uintp(0)
            while first_piece < count and light >= least:
                kept = _keep(
                    paths, row, contracted, borders, first_piece, count, voxels, cells, sizes,
                    room, kept_pieces,
                )  # fmt: skip
                if kept > 0:
                    _ask(grid, index, densities, kept_pieces, kept, room, rows, shares)
                    light = _see(
                        shift, scale, harmonics, bases, channels, ray, kept_pieces, kept, rows,
                        shares, room, light, least, facts, seen,
                    )  # fmt: skip
                seen += kept
                first_piece += uintp(BLOCK)
            start = claim_many(taken, seen)
            firsts[ray], ends[ray] = start, start + seen
            for fact in range(uintp(FACTS)):
                pieces[fact, start : start + seen] = facts[fact * stride : fact * stride + seen]
        chunk = claim(counter)


@kernel
def _keep(
    paths, row, contracted, borders, first, count, voxels, cells, sizes, room, kept_pieces
):  # fmt: skip
    """List those of BLOCK pieces that lie in occupied cells, and return how many there are."""
    deep_cells, kept = uintp(sizes[2]), uintp(0)
    for piece in range(first, min(first + uintp(BLOCK), count), uintp(LANES)):
        begin, end = load(borders, piece), load(borders, piece + uintp(1))
        middle = (begin + end) * _HALF
        x, y, z = point(paths, row, middle, contracted)
        column, deep = cells_at(x, y, z, sizes)
        store(room, uintp(0), column)
        store(room, uintp(LANES), deep)
        word = uintp(0)
        for lane in range(min(uintp(LANES), count - piece)):
            keep = borders[piece + lane + uintp(1)] > borders[piece + lane]
            if keep and cells.shape[0] > 0:
                cell = uintp(room[lane]) * deep_cells + uintp(room[uintp(LANES) + lane])
                keep = cells[cell] != 0
            word |= uintp(keep) << lane
        if word != 0:
            width = widths_of(paths, row, begin, end, voxels, contracted)
            distance, _ = distances_at(paths, row, middle)
            store(kept_pieces, _X + kept, x)
            store(kept_pieces, _Y + kept, y)
            store(kept_pieces, _Z + kept, z)
            store(kept_pieces, _WIDTH + kept, width)
            store(kept_pieces, _DISTANCE + kept, distance)
            kept = _close_ranks(kept_pieces, kept, word)
    return kept


@kernel
def _close_ranks(kept_pieces, kept, word):
    """Of the last 16 pieces keep those of a word's bits, and return how many there are now."""
    if word == uintp((1 << LANES) - 1):
        return kept + uintp(LANES)
    source = kept
    while word != 0:
        lane = uintp(lowest_bit(word))
        for known in range(uintp(KNOWN)):
            place = known * uintp(SPAN)
            kept_pieces[place + kept] = kept_pieces[place + source + lane]
        kept += uintp(1)
        word &= word - uintp(1)
    return kept


@kernel
def _ask(grid, index, densities, kept_pieces, kept, room, rows, shares):
    """Find the corners of some pieces, and their raw densities: -inf where none is filled.

    Of a piece rows and shares (CORNERS each) list those that are filled.
    """
    across, deep = uintp(grid[1]) * uintp(grid[2]), uintp(grid[2])
    for first in range(uintp(0), kept, uintp(LANES)):
        _place_corners(grid, kept_pieces, first, room)
        for j in range(min(uintp(LANES), kept - first)):
            corner = uintp(room[j]) * deep + uintp(room[uintp(LANES) + j])
            start, share = (first + j) * uintp(CORNERS), uintp(2 * LANES) + j
            place, total = start, _ZERO
            for dx in range(uintp(2)):
                for dy in range(uintp(2)):
                    for dz in range(uintp(2)):
                        vertex = index[corner + dx * across + dy * deep + dz]
                        if vertex >= 0:
                            rows[place], shares[place] = uintp(vertex), room[share]
                            total += room[share] * densities[uintp(vertex)]
                            place += uintp(1)
                        share += uintp(LANES)
            kept_pieces[_RAW + first + j] = total if place > start else -np.float32(np.inf)
            kept_pieces[_FILLED + first + j] = np.float32(place - start)


@kernel
def _place_corners(grid, kept_pieces, first, room):
    """Write down the first corners of 16 pieces, as columns (x, y) and z, then all eight shares.

    Floats hold them exactly: there are less than 2^24 columns.
    """
    x, fx = _before(load(kept_pieces, _X + first), grid[0])
    y, fy = _before(load(kept_pieces, _Y + first), grid[1])
    z, fz = _before(load(kept_pieces, _Z + first), grid[2])
    store(room, uintp(0), x * np.float32(grid[1]) + y)
    store(room, uintp(LANES), z)
    one, share = broadcast(_ONE), uintp(2 * LANES)
    for wx in (one - fx, fx):
        for wy in (one - fy, fy):
            for wz in (one - fz, fz):
                store(room, share, wx * wy * wz)
                share += uintp(LANES)


@kernel
def _before(coordinate, size):
    """Return the vertices before 16 coordinates, and how far the points lie beyond them."""
    last = np.float32(size - 1)
    position = minimum(maximum(coordinate * last, broadcast(_ZERO)), broadcast(last))
    low = minimum(floor(position), broadcast(last - _ONE))
    return low, position - low


@kernel
def _exp(x):
    x = minimum(maximum(x, broadcast(-_LARGEST)), broadcast(_LARGEST))
    return exp2(x * _LOG2_E)


@kernel
def _softplus(x):
    """Return log(1 + e^x) of 16 numbers: with u = e^-|x|, log(1 + u) = 2 artanh(u / (2 + u))."""
    u = _exp(-maximum(x, -x))
    s = u / (u + _TWO)
    t = s * s
    series = t * np.float32(1 / 13) + np.float32(1 / 11)
    for factor in (1 / 9, 1 / 7, 1 / 5, 1 / 3, 1.0):
        series = series * t + np.float32(factor)
    return maximum(x, broadcast(_ZERO)) + s * series * _TWO


@kernel
def _see(
    shift, scale, harmonics, bases, channels, ray, kept_pieces, kept, rows, shares, room, light,
    least, facts, seen,
):  # fmt: skip
    """Write down some pieces as the next columns of `facts`; return the light that is left."""
    width, stride = uintp(channels), uintp(facts.shape[0]) // uintp(FACTS)
    for first in range(uintp(0), kept, uintp(LANES)):
        at = seen + first
        density = _softplus(load(kept_pieces, _RAW + first) + shift) * scale
        through = _exp(-density * load(kept_pieces, _WIDTH + first))
        alpha = maximum(broadcast(_ONE) - through, broadcast(_ZERO))
        store(facts, at, load(kept_pieces, _DISTANCE + first))
        store(facts, stride + at, alpha)
        for j in range(min(uintp(LANES), kept - first)):
            weight = light * facts[stride + at + j]
            light -= weight
            if weight > least:
                total, start = broadcast(_ZERO), (first + j) * uintp(CORNERS)
                for k in range(start, start + uintp(kept_pieces[_FILLED + first + j])):
                    source = rows[k] * width
                    row = load_until(harmonics, source, source + width)
                    total = total + row * broadcast(shares[k])
                store(room, j * uintp(LANES), total * load(bases, ray * uintp(LANES)))
        for c in range(uintp(3)):
            value = gather(room, c, uintp(LANES))
            for channel in range(c + uintp(3), width, uintp(3)):
                value = value + gather(room, channel, uintp(LANES))
            color = broadcast(_ONE) / (_exp(-value) + _ONE)
            store(facts, (uintp(2) + c) * stride + at, color)
    return light


@kernel
def blend(counter, firsts, ends, num_parts, num_rays, pieces, least, sums, shares):
    """Put the pieces of all parts along each ray one behind the other, by their distances.

    Those of a part are from firsts (P*R) to ends (P*R). Fills sums (R*5): colour, alpha, distance
    times alpha; and shares (R*P), what each part adds to alpha.
    """
    parts, rays = uintp(num_parts), uintp(num_rays)
    heads, stops = np.empty(num_parts, np.uint64), np.empty(num_parts, np.uint64)
    chunk = claim(counter)
    while chunk * CHUNK < num_rays:
        first = uintp(chunk * CHUNK)
        for ray in range(first, min(first + uintp(CHUNK), rays)):
            for part in range(parts):
                heads[part] = uintp(firsts[part * rays + ray])
                stops[part] = uintp(ends[part * rays + ray])
                shares[ray * parts + part] = _ZERO
            light, red, green, blue, depth = _ONE, _ZERO, _ZERO, _ZERO, _ZERO
            while light >= least:
                part, until = _next(pieces, heads, stops, parts)
                if part == parts:
                    break
                s, stop, before, ahead = heads[part], stops[part], light, True
                while ahead:
                    weight = light * pieces[1, s]
                    if weight > least:
                        red += weight * pieces[2, s]
                        green += weight * pieces[3, s]
                        blue += weight * pieces[4, s]
                    depth += weight * pieces[0, s]
                    light -= weight
                    s += uintp(1)
                    ahead = s < stop and pieces[0, s] < until and light >= least
                heads[part] = s
                shares[ray * parts + part] += before - light
            target = uintp(5) * ray
            sums[target], sums[target + uintp(1)] = red, green
            sums[target + uintp(2)], sums[target + uintp(3)] = blue, _ONE - light
            sums[target + uintp(4)] = depth
        chunk = claim(counter)


@kernel
def _next(pieces, heads, stops, parts):
    """Return the part with the nearest piece, and up to where no other part has one."""
    best, nearest, until = parts, np.float32(np.inf), np.float32(np.inf)
    for part in range(parts):
        if heads[part] < stops[part]:
            distance = pieces[0, heads[part]]
            if best == parts or distance < nearest:
                best, nearest, until = part, distance, nearest
            elif distance < until:
                until = distance
    return best, until
