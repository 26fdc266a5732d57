"""Numba kernels that cut the paths of rays into pieces; the twin is `reference.cut_paths`.

Two passes. The first marches, and writes down where the pieces in occupied cells begin and end,
those of a chunk of rays one after the other; the second, when it is known where each ray's samples
go, computes them. Everything is flat; paths are rows of PATH floats.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.fields._marching_kernels import (
    DEPTH,
    HIGH,
    LOW,
    PATH,
    cells_at,
    contracted_borders,
    distances_at,
    point,
    refine,
    straight_borders,
    widths_of,
)
from fourfold.kernels.simd import (
    LANES,
    broadcast,
    claim,
    load,
    store,
    store_until,
)

CHUNK = 64  # rays of one task, a multiple of LANES
_HALF = np.float32(0.5)


@kernel
def keep_pieces(
    counter, paths, num_rays, voxels, step, contracted, most, cells, size_x, size_y, size_z,
    counts, begins, ends,
):  # fmt: skip
    """Fill counts (R,), and begins and ends: from row chunk * CHUNK * most on, those kept."""
    coarse = np.empty((most + 1 + LANES) * LANES, np.float32)
    borders = np.empty(most + 1 + 2 * LANES, np.float32)
    flat, deep = np.empty(most + LANES, np.float32), np.empty(most + LANES, np.float32)
    chunk = claim(counter)
    while chunk * CHUNK < num_rays:
        at, pieces = uintp(chunk * CHUNK) * uintp(most), uintp(0)
        first, rays = uintp(chunk * CHUNK), uintp(num_rays)
        for ray in range(first, min(first + uintp(CHUNK), rays)):
            row, lane = ray * uintp(PATH), (ray - first) % uintp(LANES)
            low, high = paths[row + uintp(LOW)], paths[row + uintp(HIGH)]
            if contracted:
                if lane == 0:
                    pieces = contracted_borders(paths, ray, voxels, step, uintp(most), coarse)
                count = refine(coarse, lane, uintp(LANES), pieces, low, high, borders)
            elif low < high:
                pieces = straight_borders(paths, row, coarse)
                count = refine(coarse, uintp(0), uintp(1), pieces, low, high, borders)
            else:
                count = straight_borders(paths, row, borders)
            if cells.shape[0] > 0:
                sizes = np.float32(size_x), np.float32(size_y), np.float32(size_z)
                _find_cells(paths, row, contracted, borders, count, sizes, flat, deep)
            kept = at
            for piece in range(count):
                here, there = borders[piece], borders[piece + uintp(1)]
                begins[kept], ends[kept] = here, there
                keep = there > here
                if cells.shape[0] > 0:
                    cell = uintp(flat[piece]) * uintp(size_z) + uintp(deep[piece])
                    keep = keep and cells[cell] != 0
                kept += uintp(keep)
            counts[ray] = np.int64(kept - at)
            at = kept
        chunk = claim(counter)


@kernel
def _find_cells(paths, row, contracted, borders, count, sizes, flat, deep):
    """Fill the cells of the pieces' middles; see `cells_at`."""
    for piece in range(uintp(0), count, uintp(LANES)):
        middle = (load(borders, piece) + load(borders, piece + uintp(1))) * _HALF
        x, y, z = point(paths, row, middle, contracted)
        column, depth = cells_at(x, y, z, sizes)
        store(flat, piece, column)
        store(deep, piece, depth)


@kernel
def fill_pieces(
    counter, paths, voxels, contracted, most, begins, ends, starts,
    rays, distances, widths, lengths, points,
):  # fmt: skip
    """Compute the samples of all rays; ray r has those from starts[r] to starts[r + 1]."""
    num_rays, room = uintp(starts.shape[0] - 1), np.empty(3 * LANES, np.float32)
    chunk = claim(counter)
    while chunk * CHUNK < starts.shape[0] - 1:
        first = uintp(chunk * CHUNK)
        at = first * uintp(most)
        for ray in range(first, min(first + uintp(CHUNK), num_rays)):
            start, stop = uintp(starts[ray]), uintp(starts[ray + uintp(1)])
            row = ray * uintp(PATH)
            for sample in range(start, stop, uintp(LANES)):
                begin, end = load(begins, at), load(ends, at)
                _fill_rows(
                    paths, row, begin, end, voxels, contracted, sample, stop,
                    distances, widths, lengths, room,
                )  # fmt: skip
                left = min(uintp(LANES), stop - sample)
                for lane in range(left):
                    place = uintp(3) * (sample + lane)
                    for axis in range(uintp(3)):
                        points[place + axis] = room[axis * uintp(LANES) + lane]
                    rays[sample + lane] = np.int32(ray)
                at += left
        chunk = claim(counter)


@kernel
def _fill_rows(
    paths, row, begin, end, voxels, contracted, sample, stop, distances, widths, lengths, room
):  # fmt: skip
    """Compute 16 samples of a ray, and leave their points in room, axis by axis."""
    middle, depth = (begin + end) * _HALF, broadcast(paths[row + uintp(DEPTH)])
    distance, shrink = distances_at(paths, row, middle)
    store_until(distances, sample, stop, distance)
    store_until(lengths, sample, stop, (end - begin) * (depth / (shrink * shrink)))
    store_until(widths, sample, stop, widths_of(paths, row, begin, end, voxels, contracted))
    x, y, z = point(paths, row, middle, contracted)
    store(room, uintp(0), x)
    store(room, uintp(LANES), y)
    store(room, uintp(2 * LANES), z)
