"""Numba kernels of blended skinning. Serial, so that every sum has one order.

Each node has 16 numbers: the three rows (3 + 1) of its affine map, then its quaternion. Unsigned
indices into flat arrays: with signed ones Numba's loops do not vectorise.
"""

import numpy as np
from numba import njit, uintp

MAP, VALUES = 12, 16


@njit(cache=True, error_model="numpy", inline="always")
def _sign(values: np.ndarray, node: int | np.uintp, first: int | np.uintp) -> float:
    """Give -1 where a node's quaternion lies opposite to that of the point's first node."""
    a, b = node * uintp(VALUES) + uintp(MAP), first * uintp(VALUES) + uintp(MAP)
    dot = values[a] * values[b]
    for j in range(uintp(1), uintp(4)):
        dot += values[a + j] * values[b + j]
    return -1.0 if dot < 0.0 else 1.0


@njit(cache=True, error_model="numpy")
def blend(
    values: np.ndarray, index: np.ndarray, weights: np.ndarray, neighbors: int, blended: np.ndarray
) -> None:
    """Sum each point's node values by its weights into `blended` (N*16), which starts at zero."""
    width = uintp(VALUES)
    for n in range(uintp(len(blended) // VALUES)):
        start, row = n * uintp(neighbors), n * width
        first = uintp(index[start])
        for entry in range(start, start + uintp(neighbors)):
            node, weight = uintp(index[entry]), weights[entry]
            base = node * width
            for j in range(uintp(MAP)):
                blended[row + j] += weight * values[base + j]
            weight = weight * values.dtype.type(_sign(values, node, first))
            for j in range(uintp(MAP), width):
                blended[row + j] += weight * values[base + j]


@njit(cache=True, error_model="numpy")
def blend_backward(
    values: np.ndarray,
    index: np.ndarray,
    neighbors: int,
    points: np.ndarray,
    weights: np.ndarray,
    offsets: np.ndarray,
    gradient: np.ndarray,
    result: np.ndarray,
) -> None:
    """Sum the gradient (N*16) back to the nodes, over the entries sorted by node."""
    width = uintp(VALUES)
    for node in range(uintp(len(offsets) - 1)):
        base = node * width
        for entry in range(uintp(offsets[node]), uintp(offsets[node + uintp(1)])):
            n, weight = uintp(points[entry]), weights[entry]
            row = n * width
            for j in range(uintp(MAP)):
                result[base + j] += weight * gradient[row + j]
            first = uintp(index[n * uintp(neighbors)])
            weight = weight * values.dtype.type(_sign(values, node, first))
            for j in range(uintp(MAP), width):
                result[base + j] += weight * gradient[row + j]


@njit(cache=True, error_model="numpy")
def apply(
    blended: np.ndarray,
    points: np.ndarray,
    turns: np.ndarray,
    moved: np.ndarray,
    turned: np.ndarray,
) -> None:
    """Map points by their blended maps and turn quaternions (none, where `turns` is empty)."""
    for n in range(len(points)):
        b = blended[n]
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        moved[n, 0] = b[0] * x + b[1] * y + b[2] * z + b[3]
        moved[n, 1] = b[4] * x + b[5] * y + b[6] * z + b[7]
        moved[n, 2] = b[8] * x + b[9] * y + b[10] * z + b[11]
    for n in range(len(turns)):
        aw, ax, ay, az = blended[n, 12], blended[n, 13], blended[n, 14], blended[n, 15]
        w, x, y, z = turns[n, 0], turns[n, 1], turns[n, 2], turns[n, 3]
        turned[n, 0] = aw * w - ax * x - ay * y - az * z
        turned[n, 1] = aw * x + ax * w + ay * z - az * y
        turned[n, 2] = aw * y - ax * z + ay * w + az * x
        turned[n, 3] = aw * z + ax * y - ay * x + az * w


@njit(cache=True, error_model="numpy")
def apply_backward(
    blended: np.ndarray,
    points: np.ndarray,
    turns: np.ndarray,
    moved_gradient: np.ndarray,
    turned_gradient: np.ndarray,
    blended_gradient: np.ndarray,
    points_gradient: np.ndarray,
    turns_gradient: np.ndarray,
) -> None:
    """Give the gradients by the blended values, the points and the quaternions."""
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        for i in range(3):
            g = moved_gradient[n, i]
            blended_gradient[n, 4 * i] = g * x
            blended_gradient[n, 4 * i + 1] = g * y
            blended_gradient[n, 4 * i + 2] = g * z
            blended_gradient[n, 4 * i + 3] = g
        g, h, k = moved_gradient[n, 0], moved_gradient[n, 1], moved_gradient[n, 2]
        for j in range(3):
            points_gradient[n, j] = (
                blended[n, j] * g + blended[n, 4 + j] * h + blended[n, 8 + j] * k
            )
    for n in range(len(turns)):
        # gradient times the conjugate of the right factor, and that of the left times gradient
        gw, gx, gy, gz = (
            turned_gradient[n, 0],
            turned_gradient[n, 1],
            turned_gradient[n, 2],
            turned_gradient[n, 3],
        )
        w, x, y, z = turns[n, 0], turns[n, 1], turns[n, 2], turns[n, 3]
        blended_gradient[n, 12] = gw * w + gx * x + gy * y + gz * z
        blended_gradient[n, 13] = gx * w - gw * x - gy * z + gz * y
        blended_gradient[n, 14] = gy * w - gw * y + gx * z - gz * x
        blended_gradient[n, 15] = gz * w - gw * z - gx * y + gy * x
        aw, ax, ay, az = blended[n, 12], blended[n, 13], blended[n, 14], blended[n, 15]
        turns_gradient[n, 0] = aw * gw + ax * gx + ay * gy + az * gz
        turns_gradient[n, 1] = aw * gx - ax * gw - ay * gz + az * gy
        turns_gradient[n, 2] = aw * gy + ax * gz - ay * gw - az * gx
        turns_gradient[n, 3] = aw * gz - ax * gy + ay * gx - az * gw
