"""Numba kernels of voxel grids: values between the vertices, and their gradients by row.

A grid has a row of numbers per filled vertex and key time, an **entry**: row * num_keys + key.
Rows are numbered in the order of the grid, so the entries of a plane of constant x come before
those of the next. Gradients are summed slab by slab, a few planes, each by one thread and in an
order that depends on the samples alone: no atomics, the same bits with any number of threads, and
a slab fits a core's cache.

Arrays are flat. An empty `index` is that of a full grid, an empty `lower` that of a still one, an
empty `order` means samples one after the other. Samples go in batches: a call of a function that
takes arrays costs more than a sample.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import LANES, broadcast, claim, load_until, prefetch, store_until

CHUNK = 1024  # samples or entries of one task
SLAB = 4  # planes of one task; samples between two slabs are visited twice
STRIP = 4  # rows along z, side by side in a plane, whose samples are visited together
BATCH = 64  # samples whose entries are listed before they are used
MOST = 16  # entries of a sample: eight corners, two keys
AHEAD = 6  # samples whose rows are fetched before their turn
_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def cell(coordinate, size):
    """Return the vertex before a coordinate, and how far (0 to 1) the point lies beyond it.

    Outside the cube, and where it is NaN, a coordinate counts as that of the nearest side.
    """
    position = coordinate * np.float32(size - 1)
    if not position > _ZERO:
        position = _ZERO
    position = min(position, np.float32(size - 1))
    low = min(uintp(position), uintp(size - 2))
    return low, position - np.float32(low)


@kernel
def _lists():
    """Return room for the entries, the weights and the number of entries of a batch."""
    return (
        np.empty(BATCH * MOST, np.uint64),
        np.empty(BATCH * MOST, np.float32),
        np.empty(BATCH, np.uint64),
    )


@kernel
def _list_entries(
    order, first, number, near, far, index, size_x, size_y, size_z, num_keys, points, lower,
    fractions, entries, weights, counts,
):  # fmt: skip
    """List the entries of some samples' corners in the planes [near, far) past the sample's own.

    Plane 0 is the one before a sample, plane 1 the one after it.
    """
    ordered, sparse, timed = order.shape[0] > 0, index.shape[0] > 0, lower.shape[0] > 0
    keys, key, fraction = uintp(num_keys), uintp(0), _ZERO
    for j in range(uintp(number)):
        s = uintp(order[uintp(first) + j]) if ordered else uintp(first) + j
        x, fx = cell(points[uintp(3) * s], size_x)
        y, fy = cell(points[uintp(3) * s + uintp(1)], size_y)
        z, fz = cell(points[uintp(3) * s + uintp(2)], size_z)
        if timed:
            key, fraction = uintp(lower[s]), fractions[s]
        place = j * uintp(MOST)
        for dx in range(uintp(near), uintp(far)):
            wx = _ONE - fx if dx == uintp(0) else fx
            for dy in range(uintp(2)):
                wy = wx * (_ONE - fy if dy == uintp(0) else fy)
                for dz in range(uintp(2)):
                    weight = wy * (_ONE - fz if dz == uintp(0) else fz)
                    row = np.int64(((x + dx) * uintp(size_y) + y + dy) * uintp(size_z) + z + dz)
                    if sparse:
                        row = np.int64(index[uintp(row)])
                    if row >= 0:
                        entry = uintp(row) * keys + key
                        entries[place] = entry
                        weights[place] = weight * (_ONE - fraction)
                        place += uintp(1)
                        if fraction > _ZERO:
                            entries[place] = entry + uintp(1)
                            weights[place] = weight * fraction
                            place += uintp(1)
        counts[j] = place - j * uintp(MOST)


@kernel
def interpolate(
    counter, index, size_x, size_y, size_z, rows, num_keys, channels, points, lower, fractions,
    empty, values,
):  # fmt: skip
    """Fill values (S*C): linear between the eight corners and two keys; `empty` where none is."""
    samples, none = points.shape[0] // 3, np.empty(0, np.uint32)
    entries, weights, counts = _lists()
    start = claim(counter) * CHUNK
    while start < samples:
        stop = min(start + CHUNK, samples)
        for first in range(start, stop, BATCH):
            number = min(BATCH, stop - first)
            _list_entries(
                none, first, number, 0, 2, index, size_x, size_y, size_z, num_keys, points,
                lower, fractions, entries, weights, counts,
            )  # fmt: skip
            if channels == 1:
                _sum_numbers(rows, entries, weights, counts, number, empty, values, first)
            else:
                _sum_rows(rows, channels, entries, weights, counts, number, empty, values, first)
        start = claim(counter) * CHUNK


@kernel
def _sum_numbers(rows, entries, weights, counts, number, empty, values, first):
    """Write the weighted sums of single numbers."""
    for j in range(uintp(number)):
        total = empty if counts[j] == 0 else _ZERO
        for k in range(j * uintp(MOST), j * uintp(MOST) + uintp(counts[j])):
            total += weights[k] * rows[entries[k]]
        values[uintp(first) + j] = total


@kernel
def _sum_rows(rows, channels, entries, weights, counts, number, empty, values, first):
    """Write the weighted sums of rows."""
    width, last = uintp(channels), uintp(number - 1)
    for j in range(uintp(number)):
        ahead = min(j + uintp(AHEAD), last)
        for k in range(ahead * uintp(MOST), ahead * uintp(MOST) + uintp(counts[ahead])):
            prefetch(rows, uintp(entries[k]) * width)
            prefetch(rows, (uintp(entries[k]) + uintp(1)) * width - uintp(1))
        start, stop = j * uintp(MOST), j * uintp(MOST) + uintp(counts[j])
        target = (uintp(first) + j) * width
        for block in range(uintp(0), width, uintp(LANES)):
            total = broadcast(empty if start == stop else _ZERO)
            for k in range(start, stop):
                row = uintp(entries[k]) * width
                total = total + load_until(rows, row + block, row + width) * broadcast(weights[k])
            store_until(values, target + block, target + width, total)


@kernel
def list_by_plane(points, size_x, size_y, starts, order):
    """Sort the samples by the plane before them, within one by STRIPs of rows along z, stably.

    Samples of a strip find what they share in a cache. starts (size_x + 1) is where a plane begins.
    """
    samples, strips = uintp(points.shape[0] // 3), uintp((size_y + STRIP - 1) // STRIP)
    ends = np.zeros(uintp(size_x) * strips + uintp(1), np.int64)
    for s in range(samples):
        ends[_strip(points, s, size_x, size_y, strips) + uintp(1)] += 1
    for strip in range(uintp(size_x) * strips):
        ends[strip + uintp(1)] += ends[strip]
    for x in range(uintp(size_x + 1)):
        starts[x] = ends[x * strips]
    for s in range(samples):
        strip = _strip(points, s, size_x, size_y, strips)
        order[ends[strip]] = s
        ends[strip] += 1


@kernel
def _strip(points, s, size_x, size_y, strips):
    """Return the number of a sample's strip, those of a plane one after the other."""
    x, _ = cell(points[uintp(3) * s], size_x)
    y, _ = cell(points[uintp(3) * s + uintp(1)], size_y)
    return x * strips + y // uintp(STRIP)


@kernel
def mark(
    counter, index, size_x, size_y, size_z, num_keys, points, lower, fractions, starts, order,
    marks, ranges, touched,
):  # fmt: skip
    """Set marks[entry] for every entry touched; per slab, count them and find their range."""
    entries, weights, counts = _lists()
    slab = claim(counter)
    while slab < touched.shape[0]:
        lowest, highest, total = uintp(marks.shape[0]), uintp(0), 0
        low, high = slab * SLAB, min((slab + 1) * SLAB, size_x)
        for plane in range(max(low - 1, 0), high):
            near, far = int(plane < low), 1 + int(plane + 1 < high)
            for first in range(starts[plane], starts[plane + 1], BATCH):
                number = min(BATCH, starts[plane + 1] - first)
                _list_entries(
                    order, first, number, near, far, index, size_x, size_y, size_z, num_keys,
                    points, lower, fractions, entries, weights, counts,
                )  # fmt: skip
                for j in range(uintp(number)):
                    for k in range(j * uintp(MOST), j * uintp(MOST) + uintp(counts[j])):
                        entry = uintp(entries[k])
                        if marks[entry] == 0:
                            marks[entry] = 1
                            total += 1
                            lowest = min(lowest, entry)
                            highest = max(highest, entry + uintp(1))
        touched[slab] = total
        ranges[2 * slab], ranges[2 * slab + 1] = lowest, highest
        slab = claim(counter)


@kernel
def gather_gradient(
    counter, index, size_x, size_y, size_z, num_keys, channels, points, lower, fractions,
    starts, order, marks, ranges, offsets, gradient, slots, touched, values,
):  # fmt: skip
    """Sum the gradient (S*C) of the samples into values (one row per touched entry, in order).

    touched (2*E) gets the rows of the entries, then their keys.
    """
    entries, weights, counts = _lists()
    slab = claim(counter)
    while slab < offsets.shape[0] - 1:
        _number_entries(ranges, slab, offsets, marks, num_keys, slots, touched, channels, values)
        low, high = slab * SLAB, min((slab + 1) * SLAB, size_x)
        for plane in range(max(low - 1, 0), high):
            near, far = int(plane < low), 1 + int(plane + 1 < high)
            for first in range(starts[plane], starts[plane + 1], BATCH):
                number = min(BATCH, starts[plane + 1] - first)
                _list_entries(
                    order, first, number, near, far, index, size_x, size_y, size_z, num_keys,
                    points, lower, fractions, entries, weights, counts,
                )  # fmt: skip
                _add_rows(
                    values, channels, slots, entries, weights, counts, number, gradient, order,
                    first,
                )  # fmt: skip
        slab = claim(counter)


@kernel
def _number_entries(ranges, slab, offsets, marks, num_keys, slots, touched, channels, values):
    """Give a slab's touched entries their places in `values`, and zero those."""
    start, total = uintp(offsets[slab]), uintp(offsets[offsets.shape[0] - 1])
    slot, width, keys = start, uintp(channels), uintp(num_keys)
    for entry in range(uintp(ranges[2 * slab]), uintp(ranges[2 * slab + 1])):
        if marks[entry] != 0:
            slots[entry] = slot
            row = entry if keys == uintp(1) else entry // keys
            touched[slot], touched[total + slot] = row, entry - row * keys
            slot += uintp(1)
    values[start * width : slot * width] = _ZERO


@kernel
def _add_rows(
    values, channels, slots, entries, weights, counts, number, gradient, order, first
):  # fmt: skip
    """Add the gradients of a batch of samples to the rows of their entries."""
    width, last = uintp(channels), uintp(number - 1)
    for j in range(uintp(number)):
        ahead = uintp(order[uintp(first) + min(j + uintp(AHEAD), last)])
        prefetch(gradient, ahead * width)
        prefetch(gradient, (ahead + uintp(1)) * width - uintp(1))
        source = uintp(order[uintp(first) + j]) * width
        start, stop = j * uintp(MOST), j * uintp(MOST) + uintp(counts[j])
        if width == uintp(1):
            for k in range(start, stop):
                values[slots[entries[k]]] += weights[k] * gradient[source]
        else:
            for block in range(uintp(0), width, uintp(LANES)):
                change = load_until(gradient, source + block, source + width)
                for k in range(start, stop):
                    row = uintp(slots[entries[k]]) * width
                    total = load_until(values, row + block, row + width)
                    total = total + change * broadcast(weights[k])
                    store_until(values, row + block, row + width, total)


@kernel
def add_variation(
    counter, index, size_x, size_y, size_z, vertices, rows, num_keys, channels, entries,
    space_scale, time_scale, values,
):  # fmt: skip
    """Add to values[i] how entry i differs from its neighbours in the grid, and from its keys."""
    near, scales = np.empty(BATCH * 8, np.uint64), np.empty(BATCH * 8, np.float32)
    counts = np.empty(BATCH, np.uint64)
    start = claim(counter) * CHUNK
    while start < entries.shape[0]:
        stop = min(start + CHUNK, entries.shape[0])
        for first in range(start, stop, BATCH):
            number = min(BATCH, stop - first)
            _list_neighbors(
                index, size_x, size_y, size_z, vertices, num_keys, entries, first, number,
                space_scale, time_scale, near, scales, counts,
            )  # fmt: skip
            _add_differences(rows, channels, entries, first, number, near, scales, counts, values)
        start = claim(counter) * CHUNK


@kernel
def _list_neighbors(
    index, size_x, size_y, size_z, vertices, num_keys, entries, first, number, space_scale,
    time_scale, near, scales, counts,
):  # fmt: skip
    """List the entries beside some entries: those of filled vertices, and of keys."""
    keys = uintp(num_keys)
    sizes = uintp(size_x), uintp(size_y), uintp(size_z)
    strides = uintp(size_y) * uintp(size_z), uintp(size_z), uintp(1)
    for j in range(uintp(number)):
        entry = uintp(entries[uintp(first) + j])
        key, vertex, place = entry % keys, uintp(vertices[entry // keys]), j * uintp(8)
        for axis in range(uintp(3)):
            at, stride = (vertex // strides[axis]) % sizes[axis], strides[axis]
            if at > 0 and index[vertex - stride] >= 0:
                near[place] = uintp(index[vertex - stride]) * keys + key
                scales[place] = space_scale
                place += uintp(1)
            if at + uintp(1) < sizes[axis] and index[vertex + stride] >= 0:
                near[place] = uintp(index[vertex + stride]) * keys + key
                scales[place] = space_scale
                place += uintp(1)
        if key > 0:
            near[place], scales[place] = entry - uintp(1), time_scale
            place += uintp(1)
        if key + uintp(1) < keys:
            near[place], scales[place] = entry + uintp(1), time_scale
            place += uintp(1)
        counts[j] = place - j * uintp(8)


@kernel
def _add_differences(rows, channels, entries, first, number, near, scales, counts, values):
    width = uintp(channels)
    for j in range(uintp(number)):
        here = uintp(entries[uintp(first) + j]) * width
        target = (uintp(first) + j) * width
        for block in range(uintp(0), width, uintp(LANES)):
            own = load_until(rows, here + block, here + width)
            total = load_until(values, target + block, target + width)
            for k in range(j * uintp(8), j * uintp(8) + uintp(counts[j])):
                there = uintp(near[k]) * width
                other = load_until(rows, there + block, there + width)
                total = total + (own - other) * broadcast(scales[k])
            store_until(values, target + block, target + width, total)
