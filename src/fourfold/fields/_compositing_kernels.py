"""Numba kernels along packed rays: weights, sums and their gradients, distortion, interleaving.

Every ray is one thread's, so that all sums have one order. The twins are in `reference`.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false

import math

import numpy as np
from numba import uintp

from fourfold.fields._kernel import kernel
from fourfold.kernels.simd import claim

CHUNK = 128  # rays of one task
_ZERO, _ONE = np.float32(0), np.float32(1)


@kernel
def _chunk(counter, starts):
    """Claim the next rays: return the first and the end, equal where none is left."""
    rays = uintp(starts.shape[0] - 1)
    first = min(uintp(claim(counter)) * uintp(CHUNK), rays)
    return first, min(first + uintp(CHUNK), rays)


@kernel
def weigh(counter, densities, widths, starts, weights, alphas):
    """Fill weights (S,) and alphas (R,)."""
    first, stop = _chunk(counter, starts)
    while first < stop:
        for ray in range(first, stop):
            light, total = _ONE, _ZERO
            for s in range(uintp(starts[ray]), uintp(starts[ray + uintp(1)])):
                alpha = -np.float32(math.expm1(-densities[s] * widths[s]))
                weights[s] = light * alpha
                total += light * alpha
                light *= _ONE - alpha
            alphas[ray] = min(total, _ONE)
        first, stop = _chunk(counter, starts)


@kernel
def weigh_backward(counter, widths, starts, weights, alphas, grad_weights, grad_alphas, gradient):
    """Fill the gradient by the densities (S,), from the back of each ray to its front.

    The light behind a piece is what leaves the ray and the weights of all pieces behind it.
    """
    first, stop = _chunk(counter, starts)
    while first < stop:
        for ray in range(first, stop):
            light = _ONE - alphas[ray]
            behind = -grad_alphas[ray] * light
            begin, end = uintp(starts[ray]), uintp(starts[ray + uintp(1)])
            for back in range(end - begin):
                s = end - uintp(1) - back
                gradient[s] = (light * grad_weights[s] - behind) * widths[s]
                behind += weights[s] * grad_weights[s]
                light += weights[s]
        first, stop = _chunk(counter, starts)


@kernel
def add_up(counter, weights, values, channels, starts, sums):
    """Fill sums (R*C) with the weighted sums of values (S*C)."""
    channels = uintp(channels)
    first, stop = _chunk(counter, starts)
    while first < stop:
        for ray in range(first, stop):
            for c in range(channels):
                sums[ray * channels + c] = _ZERO
            for s in range(uintp(starts[ray]), uintp(starts[ray + uintp(1)])):
                for c in range(channels):
                    sums[ray * channels + c] += weights[s] * values[s * channels + c]
        first, stop = _chunk(counter, starts)


@kernel
def add_up_backward(
    counter, weights, values, channels, starts, gradient, grad_weights, grad_values
):  # fmt: skip
    """Fill the gradients by weights (S,) and values (S*C) from that by the sums (R*C)."""
    channels = uintp(channels)
    first, stop = _chunk(counter, starts)
    while first < stop:
        for ray in range(first, stop):
            for s in range(uintp(starts[ray]), uintp(starts[ray + uintp(1)])):
                total = _ZERO
                for c in range(channels):
                    g = gradient[ray * channels + c]
                    total += g * values[s * channels + c]
                    grad_values[s * channels + c] = g * weights[s]
                grad_weights[s] = total
        first, stop = _chunk(counter, starts)


@kernel
def interleave(counter, distances, part_starts, num_parts, starts, order, rays):
    """Fill order and rays (S,) of the pieces of several sets, sorted by distance on each ray.

    `distances` are those of all sets one after the other, `part_starts` (P*(R+1)) where in them
    each ray's pieces of each set begin.
    """
    parts, rows = uintp(num_parts), uintp(starts.shape[0])
    heads = np.empty(num_parts, np.uint64)
    first, stop = _chunk(counter, starts)
    while first < stop:
        for ray in range(first, stop):
            for part in range(parts):
                heads[part] = uintp(part_starts[part * rows + ray])
            for s in range(uintp(starts[ray]), uintp(starts[ray + uintp(1)])):
                best, nearest = parts, np.float32(np.inf)
                for part in range(parts):
                    if heads[part] < uintp(part_starts[part * rows + ray + uintp(1)]):
                        distance = distances[heads[part]]
                        if best == parts or distance < nearest:
                            best, nearest = part, distance
                order[s] = np.int64(heads[best])
                rays[s] = np.int32(ray)
                heads[best] += uintp(1)
        first, stop = _chunk(counter, starts)
