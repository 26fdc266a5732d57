"""Kernels on planes (A,B,R) with their channels last: how much neighbours differ."""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import LANES, broadcast, claim, lane_sum, load, store

_ZERO = np.float32(0)


@kernel
def variation(counter, plane, rows, columns, ranks, by_row, by_column, sums, gradient):
    """Sum the weighted squared differences to the next row and column, row by row; and the slopes.

    `by_row`, `by_column`: the weights. The slope of each number comes from its four neighbours, so
    rows are each other's business only to read.
    """
    lane, width = uintp(LANES), columns * ranks
    i = uintp(claim(counter))
    while i < rows:
        total = 0.0
        for j in range(columns):
            value = broadcast(_ZERO)
            for r in range(uintp(0), ranks, lane):
                at = i * width + j * ranks + r
                here, slope = load(plane, at), broadcast(_ZERO)
                if i + uintp(1) < rows:
                    step = here - load(plane, at + width)
                    value = value + step * step * by_row
                    slope = slope + step * by_row
                if j + uintp(1) < columns:
                    step = here - load(plane, at + ranks)
                    value = value + step * step * by_column
                    slope = slope + step * by_column
                if i > 0:
                    slope = slope + (here - load(plane, at - width)) * by_row
                if j > 0:
                    slope = slope + (here - load(plane, at - ranks)) * by_column
                store(gradient, at, slope + slope)
            total += lane_sum(value)
        sums[i] = total
        i = uintp(claim(counter))
