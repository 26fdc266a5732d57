"""Numba kernels: the share of wrong pixels of many combinations of scales.

Serial and without the interpreter's lock: `in_threads` gives each thread combinations of its own,
so results do not depend on their number. Sums of floats may be reordered into vector lanes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numba import njit

_FAST = {"reassoc", "contract", "nsz"}
# Pixels and combinations that a brute-force kernel holds in the first-level cache.
_BLOCK, _TILE = 1024, 64
# Fewer combinations than this are not worth a thread.
_LEAST_PER_THREAD = 256


def in_threads(kernel: Callable[..., None], count: int, *args: object) -> None:
    """Call kernel(start, stop, *args) so that the ranges cover `count`, in torch's threads."""
    threads = max(1, min(torch.get_num_threads(), count // _LEAST_PER_THREAD))
    edges = np.linspace(0, count, threads + 1).astype(np.int64)
    ranges = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    if threads == 1:
        kernel(0, count, *args)
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(kernel, start, stop, *args) for start, stop in ranges]:
            done.result()


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _interpolate(table: np.ndarray, row: int, low: float, per_unit: float, x: float) -> np.float32:
    last = table.shape[1] - 1
    place = (x - low) * per_unit
    place = min(max(place, np.float32(0.0)), np.float32(last))
    cell = min(int(place), last - 1)
    share = place - np.float32(cell)
    return table[row, cell] + share * (table[row, cell + 1] - table[row, cell])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _climb(
    guides: np.ndarray,
    steps: np.ndarray,
    values: np.ndarray,
    row: int,
    low: float,
    per_unit: float,
    x: float,
) -> Any:
    # a step at x lies in its cell, or by rounding just behind it
    cell = min(max(int((x - low) * per_unit), 0), guides.shape[1] - 3)
    left, right = guides[row, cell], guides[row, cell + 2]
    while left < right:
        middle = (left + right) >> 1
        if steps[middle] <= x:
            left = middle + 1
        else:
            right = middle
    return values[left]


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _joint(tables: np.ndarray, row: int, a: Any, b: Any) -> Any:
    last = tables.shape[1] - 1
    i, j = min(int(a), last - 1), min(int(b), last - 1)
    p, q = a - np.float32(i), b - np.float32(j)
    upper = tables[row, i, j] + q * (tables[row, i, j + 1] - tables[row, i, j])
    lower = tables[row, i + 1, j] + q * (tables[row, i + 1, j + 1] - tables[row, i + 1, j])
    return upper + p * (lower - upper)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _two(c: np.ndarray, d: np.ndarray, weights: np.ndarray, x: float, y: float) -> np.float32:
    """Sum the weights of pixels of which one of two half-spaces is left."""
    total = np.float32(0.0)
    for p in range(len(weights)):
        total += weights[p] if (c[p] <= x) | (d[p] <= y) else np.float32(0.0)
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _three(
    c: np.ndarray, d: np.ndarray, e: np.ndarray, weights: np.ndarray, x: float, y: float, z: float
) -> np.float32:
    """Sum the weights of pixels of which one of three half-spaces is left."""
    total = np.float32(0.0)
    for p in range(len(weights)):
        wrong = (c[p] <= x) | (d[p] <= y) | (e[p] <= z)
        total += weights[p] if wrong else np.float32(0.0)
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _many(
    thresholds: np.ndarray, weights: np.ndarray, x: np.ndarray, margins: np.ndarray
) -> np.float32:
    """Sum the weights of pixels of which any of several half-spaces is left."""
    count, total = len(weights), np.float32(0.0)
    for start in range(0, count, _BLOCK):
        size = min(_BLOCK, count - start)
        margins[:] = np.float32(np.inf)
        for j in range(len(x)):
            row, ratio = thresholds[j * count + start : j * count + start + size], x[j]
            for p in range(len(row)):
                margin = row[p] - ratio
                margins[p] = margin if margin < margins[p] else margins[p]
        share = weights[start : start + size]
        for p in range(len(share)):
            total += share[p] if margins[p] <= np.float32(0.0) else np.float32(0.0)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def sum_wrong(
    start: int,
    stop: int,
    logs: np.ndarray,
    limit: float,
    pairs: np.ndarray,
    pair_axes: np.ndarray,
    pair_guides: np.ndarray,
    pair_steps: np.ndarray,
    pair_values: np.ndarray,
    joints: np.ndarray,
    joint_axes: np.ndarray,
    joint_warps: np.ndarray,
    joint_tables: np.ndarray,
    groups: np.ndarray,
    others: np.ndarray,
    thresholds: np.ndarray,
    weights: np.ndarray,
    wrong: np.ndarray,
) -> None:
    """Write the share of wrong pixels of each combination; beyond `limit` a lower bound of it.

    `logs` (N,K) are logarithms of scales, background first. `pair_axes` (P,2) and `joint_axes`
    (J,2,2) hold where a table begins and its cells per unit of log ratio. `groups` (G,5) are, for
    listed pixels: body seen, first and last+1 of `others`, first and last+1 of `weights`, in order;
    their thresholds follow one another, one row per hidden body.
    """
    x = np.empty(logs.shape[1], np.float32)
    margins = np.empty(_BLOCK, np.float32)
    for n in range(start, stop):
        y = logs[n]
        total = np.float32(0.0)
        for p in range(len(pairs)):
            ratio = y[pairs[p, 0]] - y[pairs[p, 1]]
            low, per_unit = pair_axes[p]
            total += _climb(pair_guides, pair_steps, pair_values, p, low, per_unit, ratio)
        for g in range(len(joints)):
            seen = y[joints[g, 0]]
            first, second = joint_axes[g, 0], joint_axes[g, 1]
            a = _interpolate(joint_warps, 2 * g, first[0], first[1], seen - y[joints[g, 1]])
            b = _interpolate(joint_warps, 2 * g + 1, second[0], second[1], seen - y[joints[g, 2]])
            total -= _joint(joint_tables, g, a, b)
        row = 0
        for g in range(len(groups)):
            if total > limit:
                break
            i, first, last, begin, end = groups[g]
            size, hidden = end - begin, last - first
            for j in range(hidden):
                x[j] = y[i] - y[others[first + j]]
            block, shares = thresholds[row : row + size * hidden], weights[begin:end]
            if hidden == 2:
                total += _two(block[:size], block[size:], shares, x[0], x[1])
            elif hidden == 3:
                middle = block[size : 2 * size]
                total += _three(block[:size], middle, block[2 * size :], shares, x[0], x[1], x[2])
            else:
                total += _many(block, shares, x[:hidden], margins)
            row += size * hidden
        wrong[n] = total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _count_right(
    depths: np.ndarray, first: int, size: int, bodies: np.ndarray, scales: np.ndarray,
    nearest: np.ndarray,
) -> np.float32:  # fmt: skip
    """Count pixels of a block in which the first of `bodies` is nearest."""
    nearest[:] = np.float32(np.inf)
    for j in range(1, len(bodies)):
        scale, row = scales[bodies[j]], depths[j, first : first + size]
        for p in range(len(row)):
            depth = scale * row[p]
            nearest[p] = depth if depth < nearest[p] else nearest[p]
    scale, row, count = scales[bodies[0]], depths[0, first : first + size], np.float32(0.0)
    for p in range(len(row)):
        count += np.float32(1.0) if scale * row[p] < nearest[p] else np.float32(0.0)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def add_right(
    start: int,
    stop: int,
    scales: np.ndarray,
    depths: np.ndarray,
    bodies: np.ndarray,
    weight: float,
    accuracy: np.ndarray,
) -> None:
    """Add `weight` times the right pixels of one group (seen body first) to each combination."""
    nearest = np.empty(_BLOCK, np.float32)
    for tile in range(start, stop, _TILE):
        for first in range(0, depths.shape[1], _BLOCK):
            size = min(_BLOCK, depths.shape[1] - first)
            for n in range(tile, min(tile + _TILE, stop)):
                right = _count_right(depths, first, size, bodies, scales[n], nearest)
                accuracy[n] += weight * right
