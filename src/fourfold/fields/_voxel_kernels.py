"""Numba kernels of voxel grids: values between the vertices, and their gradients by row.

A grid has a row of numbers per filled vertex and key time, an **entry**: row * num_keys + key.
Rows are numbered in the order of the grid, so the entries of a plane of constant x come before
those of the next. Gradients are summed plane by plane, each by one thread and in the order of the
samples: no atomics, the same bits with any number of threads, and a plane fits a core's cache.

Arrays are flat. An empty `index` is that of a full grid, an empty `lower` that of a still one.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import LANES, broadcast, claim, load_until, store_until

CHUNK = 1024  # samples of one task
_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def cell(points, place, size):
    """Return the vertex before a coordinate, and how far (0 to 1) the point lies beyond it.

    Outside the cube, and where it is NaN, a coordinate counts as that of the nearest side.
    """
    position = points[place] * np.float32(size - 1)
    if not position > _ZERO:
        position = _ZERO
    position = min(position, np.float32(size - 1))
    low = min(uintp(position), uintp(size - 2))
    return low, position - np.float32(low)


@kernel
def _add_entries(vertex, weight, index, num_keys, key, fraction, entries, weights, count):
    """Append the entries of a vertex, if it is filled, and return the new count."""
    row = np.int64(vertex)
    if index.shape[0] > 0:
        row = np.int64(index[vertex])
    if row < 0:
        return count
    entries[count] = uintp(row) * uintp(num_keys) + key
    weights[count] = weight * (_ONE - fraction)
    count += uintp(1)
    if fraction > _ZERO:
        entries[count] = uintp(row) * uintp(num_keys) + key + uintp(1)
        weights[count] = weight * fraction
        count += uintp(1)
    return count


@kernel
def _plane_entries(
    s, x, x_weight, points, index, size_y, size_z, num_keys, lower, fractions,
    entries, weights, count,
):  # fmt: skip
    """Append the entries of the four corners of sample s in the plane x; return the new count."""
    key, fraction = uintp(0), _ZERO
    if lower.shape[0] > 0:
        key, fraction = uintp(lower[s]), fractions[s]
    y, fy = cell(points, uintp(3) * s + uintp(1), size_y)
    z, fz = cell(points, uintp(3) * s + uintp(2), size_z)
    timing = index, num_keys, key, fraction, entries, weights
    for dy in range(uintp(2)):
        y_weight = x_weight * (fy if dy == 1 else _ONE - fy)
        vertex = (x * uintp(size_y) + y + dy) * uintp(size_z) + z
        count = _add_entries(vertex, y_weight * (_ONE - fz), *timing, count)
        count = _add_entries(vertex + uintp(1), y_weight * fz, *timing, count)
    return count


@kernel
def interpolate(
    counter, index, size_x, size_y, size_z, rows, num_keys, channels, points, lower, fractions,
    empty, values,
):  # fmt: skip
    """Fill values (S*C): linear between the eight corners and two keys; `empty` where none is."""
    samples = points.shape[0] // 3
    entries, weights = np.empty(16, np.uint64), np.empty(16, np.float32)
    width = uintp(channels)
    start = claim(counter) * CHUNK
    while start < samples:
        for s in range(uintp(start), uintp(min(start + CHUNK, samples))):
            x, fx = cell(points, uintp(3) * s, size_x)
            grid = points, index, size_y, size_z, num_keys, lower, fractions, entries, weights
            count = _plane_entries(s, x, _ONE - fx, *grid, uintp(0))
            count = _plane_entries(s, x + uintp(1), fx, *grid, count)
            if count == 0:
                values[s * width : (s + uintp(1)) * width] = empty
            elif width == 1:
                values[s] = _sum_single(rows, entries, weights, count)
            else:
                _sum_rows(rows, width, entries, weights, count, values, s * width)
        start = claim(counter) * CHUNK


@kernel
def _sum_single(rows, entries, weights, count):
    total = _ZERO
    for k in range(count):
        total += weights[k] * rows[entries[k]]
    return total


@kernel
def _sum_rows(rows, width, entries, weights, count, values, first):
    """Write the weighted sum of rows to values[first : first + width]."""
    for block in range(uintp(0), width, uintp(LANES)):
        total = broadcast(_ZERO)
        for k in range(count):
            row = uintp(entries[k]) * width
            total = total + load_until(rows, row + block, row + width) * broadcast(weights[k])
        store_until(values, first + block, first + width, total)


@kernel
def list_by_plane(points, size_x, starts, order):
    """Sort the samples by the plane before them, stably; starts (size_x + 1) is zero at first."""
    samples = uintp(points.shape[0] // 3)
    for s in range(samples):
        x, _ = cell(points, uintp(3) * s, size_x)
        starts[x + uintp(1)] += 1
    for x in range(uintp(size_x)):
        starts[x + uintp(1)] += starts[x]
    ends = starts.copy()
    for s in range(samples):
        x, _ = cell(points, uintp(3) * s, size_x)
        order[ends[x]] = s
        ends[x] += 1


@kernel
def mark(
    counter, index, size_x, size_y, size_z, num_keys, points, lower, fractions, starts, order,
    marks, ranges, counts,
):  # fmt: skip
    """Set marks[entry] for every entry touched; per plane, count them and find their range."""
    entries, weights = np.empty(8, np.uint64), np.empty(8, np.float32)
    grid = points, index, size_y, size_z, num_keys, lower, fractions, entries, weights
    plane = claim(counter)
    while plane < size_x:
        lowest, highest, touched = uintp(marks.shape[0]), uintp(0), 0
        for before in range(max(plane - 1, 0), plane + 1):
            for i in range(uintp(starts[before]), uintp(starts[before + 1])):
                count = _plane_entries(uintp(order[i]), uintp(plane), _ONE, *grid, uintp(0))
                for k in range(count):
                    entry = uintp(entries[k])
                    if marks[entry] == 0:
                        marks[entry] = 1
                        touched += 1
                        lowest, highest = min(lowest, entry), max(highest, entry + uintp(1))
        counts[plane] = touched
        ranges[2 * plane], ranges[2 * plane + 1] = lowest, highest
        plane = claim(counter)


@kernel
def gather_gradient(
    counter, index, size_x, size_y, size_z, num_keys, channels, points, lower, fractions,
    starts, order, marks, ranges, offsets, gradient, slots, touched, values,
):  # fmt: skip
    """Sum the gradient (S*C) of the samples into values (one row per touched entry, in order)."""
    entries, weights = np.empty(8, np.uint64), np.empty(8, np.float32)
    grid = points, index, size_y, size_z, num_keys, lower, fractions, entries, weights
    width = uintp(channels)
    plane = claim(counter)
    while plane < size_x:
        _number_entries(ranges, plane, offsets[plane], marks, slots, touched, width, values)
        for before in range(max(plane - 1, 0), plane + 1):
            for i in range(uintp(starts[before]), uintp(starts[before + 1])):
                s = uintp(order[i])
                _, fx = cell(points, uintp(3) * s, size_x)
                weight = _ONE - fx if before == plane else fx
                count = _plane_entries(s, uintp(plane), weight, *grid, uintp(0))
                if width == 1:
                    for k in range(count):
                        values[slots[entries[k]]] += weights[k] * gradient[s]
                else:
                    _add_rows(values, width, slots, entries, weights, count, gradient, s * width)
        plane = claim(counter)


@kernel
def _number_entries(ranges, plane, offset, marks, slots, touched, width, values):
    """Give a plane's touched entries their places in `values`, and zero those."""
    slot = uintp(offset)
    for entry in range(uintp(ranges[2 * plane]), uintp(ranges[2 * plane + 1])):
        if marks[entry] != 0:
            slots[entry] = slot
            touched[slot] = entry
            slot += uintp(1)
    values[uintp(offset) * width : slot * width] = _ZERO


@kernel
def _add_rows(values, width, slots, entries, weights, count, gradient, first):
    """Add a sample's gradient to the rows of its entries."""
    for block in range(uintp(0), width, uintp(LANES)):
        change = load_until(gradient, first + block, first + width)
        for k in range(count):
            row = uintp(slots[entries[k]]) * width
            total = load_until(values, row + block, row + width) + change * broadcast(weights[k])
            store_until(values, row + block, row + width, total)


@kernel
def add_variation(
    counter, index, size_x, size_y, size_z, vertices, rows, num_keys, channels, entries,
    space_scale, time_scale, values,
):  # fmt: skip
    """Add to values[i] how entry i differs from its neighbours in the grid, and from its keys."""
    width, keys = uintp(channels), uintp(num_keys)
    near = np.empty(6, np.uint64)
    start = claim(counter) * CHUNK
    while start < entries.shape[0]:
        for i in range(uintp(start), uintp(min(start + CHUNK, entries.shape[0]))):
            entry = uintp(entries[i])
            row, key = entry // keys, entry % keys
            count = _neighbors(index, size_x, size_y, size_z, uintp(vertices[row]), near)
            here, target = entry * width, i * width
            for k in range(count):
                there = (uintp(near[k]) * keys + key) * width
                _add_difference(rows, here, there, width, space_scale, values, target)
            if key > 0:
                _add_difference(rows, here, here - width, width, time_scale, values, target)
            if key + uintp(1) < keys:
                _add_difference(rows, here, here + width, width, time_scale, values, target)
        start = claim(counter) * CHUNK


@kernel
def _neighbors(index, size_x, size_y, size_z, vertex, near):
    """List the rows of the filled vertices beside a vertex; return how many there are."""
    sizes = uintp(size_x), uintp(size_y), uintp(size_z)
    strides = uintp(size_y) * uintp(size_z), uintp(size_z), uintp(1)
    count = uintp(0)
    for axis in range(uintp(3)):
        stride = strides[axis]
        place = (vertex // stride) % sizes[axis]
        if place > 0 and index[vertex - stride] >= 0:
            near[count] = index[vertex - stride]
            count += uintp(1)
        if place + uintp(1) < sizes[axis] and index[vertex + stride] >= 0:
            near[count] = index[vertex + stride]
            count += uintp(1)
    return count


@kernel
def _add_difference(rows, here, there, width, scale, values, target):
    for block in range(uintp(0), width, uintp(LANES)):
        a = load_until(rows, here + block, here + width)
        b = load_until(rows, there + block, there + width)
        total = load_until(values, target + block, target + width) + (a - b) * broadcast(scale)
        store_until(values, target + block, target + width, total)
