"""Numba kernels of colour by spherical harmonics of degree 0 or 1, and its gradient."""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.geometry.harmonics import DC_BASIS, DEGREE1_BASIS
from fourfold.kernels.simd import claim

CHUNK = 2048  # samples of one task
_C0, _C1 = np.float32(DC_BASIS), np.float32(DEGREE1_BASIS)
_ONE = np.float32(1)


@kernel
def shade(counter, harmonics, width, directions, colors):
    """Fill colors (S*3): the sigmoid of the harmonics (S*width, 3 or 12) at the directions."""
    samples, wide = colors.shape[0] // 3, uintp(width)
    start = claim(counter) * CHUNK
    while start < samples:
        for s in range(uintp(start), uintp(min(start + CHUNK, samples))):
            row, d = s * wide, uintp(3) * s
            x, y, z = (
                -_C1 * directions[d],
                -_C1 * directions[d + uintp(1)],
                _C1 * directions[d + uintp(2)],
            )
            for c in range(uintp(3)):
                value = _C0 * harmonics[row + c]
                if wide > 3:
                    value += y * harmonics[row + uintp(3) + c]
                    value += z * harmonics[row + uintp(6) + c]
                    value += x * harmonics[row + uintp(9) + c]
                colors[d + c] = _ONE / (_ONE + np.exp(-value))
        start = claim(counter) * CHUNK


@kernel
def shade_backward(counter, width, directions, colors, gradient, result):
    """Fill result (S*width), the gradient by the harmonics, from that by the colours (S*3)."""
    samples, wide = colors.shape[0] // 3, uintp(width)
    start = claim(counter) * CHUNK
    while start < samples:
        for s in range(uintp(start), uintp(min(start + CHUNK, samples))):
            row, d = s * wide, uintp(3) * s
            x, y, z = (
                -_C1 * directions[d],
                -_C1 * directions[d + uintp(1)],
                _C1 * directions[d + uintp(2)],
            )
            for c in range(uintp(3)):
                color = colors[d + c]
                change = gradient[d + c] * color * (_ONE - color)
                result[row + c] = _C0 * change
                if wide > 3:
                    result[row + uintp(3) + c] = y * change
                    result[row + uintp(6) + c] = z * change
                    result[row + uintp(9) + c] = x * change
        start = claim(counter) * CHUNK
