"""Numba kernels of Adam on some rows of a tensor."""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import LANES, broadcast, claim, load_until, sqrt, store_until

CHUNK = 2048  # rows of one task
_ONE = np.float32(1)


@kernel
def step_rows(
    counter, entries, gradient, channels, rate, beta1, beta2, eps, corrections1, corrections2,
    rows, first, second, counts,
):  # fmt: skip
    """Step the rows `entries` (no row twice) of the flat `rows`, by their gradient.

    corrections[n] is what a moment is multiplied by in a row's step n, and in all after the last.
    """
    width, last = uintp(channels), corrections1.shape[0] - 1
    old1, new1 = broadcast(beta1), broadcast(_ONE - beta1)
    old2, new2 = broadcast(beta2), broadcast(_ONE - beta2)
    small = broadcast(eps)
    start = claim(counter) * CHUNK
    while start < entries.shape[0]:
        for i in range(uintp(start), uintp(min(start + CHUNK, entries.shape[0]))):
            entry = uintp(entries[i])
            number = min(counts[entry] + 1, last)
            counts[entry] = number
            pace = broadcast(rate * corrections1[number])
            correction = broadcast(corrections2[number])
            row, source = entry * width, i * width
            for block in range(uintp(0), width, uintp(LANES)):
                at, end = row + block, row + width
                g = load_until(gradient, source + block, source + width)
                m = load_until(first, at, end) * old1 + g * new1
                v = load_until(second, at, end) * old2 + g * g * new2
                store_until(first, at, end, m)
                store_until(second, at, end, v)
                change = m * pace / (sqrt(v * correction) + small)
                store_until(rows, at, end, load_until(rows, at, end) - change)
        start = claim(counter) * CHUNK


@kernel
def list_entries(row_numbers, keys, num_keys, entries):
    """Fill entries[i] = row * num_keys + key; say whether they increase."""
    before, increase = np.int64(-1), True
    for i in range(uintp(entries.shape[0])):
        entry = row_numbers[i] * num_keys + keys[i]
        increase &= entry > before
        entries[i] = before = entry
    return increase
