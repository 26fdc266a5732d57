"""Sub-pixel matching of small windows, compiled: inverse compositional Lucas-Kanade.

Baker and Matthews, "Lucas-Kanade 20 Years On" (IJCV 2004), for a translation, with weights per
pixel (so that a window at the border of a body sees only the body), free contrast, and free
brightness per channel. `_matching` works on array indices: the first pixel's centre is 0.
"""

import math

import numpy as np
from numba import njit

_MAX_STEPS = 20
_SMALL_STEP = 2e-3  # pixels
_FARTHEST = 3.0  # pixels from the prediction: beyond this another place was found
_SHIFT_COST = 0.01  # correlation that a pixel away from the expected shift must be worth
_FEWEST_PIXELS = 0.3  # share of a window's pixels that must lie on the body


@njit(cache=True, error_model="numpy")
def match_windows(source, source_weight, target, target_weight, points, radius):
    """Find where windows of one image are in another that nearly coincides with it.

    Args:
        source, target: (H, W, 3) float32.
        source_weight, target_weight: (H, W) float32 in [0, 1].
        points: (N, 2) float64, window centres (x, y) in the source, whole numbers.
        radius: windows have 2 radius + 1 pixels on a side.

    Returns:
        (N, 4) float64: shift x, y in pixels; normalised correlation in [-1, 1], -2 where nothing
        was found; smallest eigenvalue of the structure tensor, per pixel and channel.
    """
    found = np.empty((points.shape[0], 4))
    for index in range(points.shape[0]):
        x, y = int(points[index, 0]), int(points[index, 1])
        found[index] = _match(source, source_weight, target, target_weight, x, y, radius)
    return found


@njit(cache=True, error_model="numpy")
def _match(source, source_weight, target, target_weight, x, y, radius):
    height, width = source.shape[:2]
    nothing = np.array([0.0, 0.0, -2.0, 0.0])
    if x < radius + 1 or y < radius + 1 or x >= width - radius - 1 or y >= height - radius - 1:
        return nothing
    shift_x = shift_y = 0.0
    correlation = smallest = 0.0
    for _ in range(_MAX_STEPS):
        terms, correlation = _normal_equations(
            source, source_weight, target, target_weight, x, y, shift_x, shift_y, radius
        )
        xx, xy, yy, right_x, right_y, weight = terms
        if weight < _FEWEST_PIXELS * (2 * radius + 1) ** 2:
            return nothing
        determinant = xx * yy - xy * xy
        smallest = 0.5 * (xx + yy) - math.sqrt(0.25 * (xx - yy) ** 2 + xy * xy)
        smallest /= 3.0 * weight
        if determinant <= 1e-12 * (xx + yy) ** 2:
            return nothing
        step_x = (yy * right_x - xy * right_y) / determinant
        step_y = (xx * right_y - xy * right_x) / determinant
        shift_x -= step_x
        shift_y -= step_y
        if shift_x * shift_x + shift_y * shift_y > _FARTHEST * _FARTHEST:
            return nothing
        if step_x * step_x + step_y * step_y < _SMALL_STEP * _SMALL_STEP:
            return np.array([shift_x, shift_y, correlation, smallest])
    return nothing


@njit(cache=True, error_model="numpy")
def _normal_equations(source, source_weight, target, target_weight, x, y, shift_x, shift_y, radius):
    """Sum the 2x2 system of one step, and the correlation of the windows as they are now."""
    sums = np.zeros((3, 8))  # per channel: w gx, w gy, w a, w b, w gx a, w gy a, w gx b, w gy b
    second = np.zeros(3)  # gx gx, gx gy, gy gy, over all channels
    products = np.zeros((3, 3))  # a a, a b, b b
    total = 0.0
    for row in range(y - radius, y + radius + 1):
        for column in range(x - radius, x + radius + 1):
            weight, inside = _weight(target_weight, column + shift_x, row + shift_y)
            weight *= source_weight[row, column]
            if not inside or weight <= 0.0:
                continue
            total += weight
            left, top, fx, fy = _cell(column + shift_x, row + shift_y)
            for channel in range(3):
                a = source[row, column, channel]
                b = _read(target, left, top, fx, fy, channel)
                gx = 0.5 * (source[row, column + 1, channel] - source[row, column - 1, channel])
                gy = 0.5 * (source[row + 1, column, channel] - source[row - 1, column, channel])
                second[0] += weight * gx * gx
                second[1] += weight * gx * gy
                second[2] += weight * gy * gy
                sums[channel, 0] += weight * gx
                sums[channel, 1] += weight * gy
                sums[channel, 2] += weight * a
                sums[channel, 3] += weight * b
                sums[channel, 4] += weight * gx * a
                sums[channel, 5] += weight * gy * a
                sums[channel, 6] += weight * gx * b
                sums[channel, 7] += weight * gy * b
                products[channel, 0] += weight * a * a
                products[channel, 1] += weight * a * b
                products[channel, 2] += weight * b * b
    return _centred(sums, second, products, total)


@njit(cache=True, error_model="numpy")
def _centred(sums, second, products, total):
    """Take brightness (per channel) and contrast (of all) out of the sums: both are free."""
    terms = np.array([second[0], second[1], second[2], 0.0, 0.0, total])
    if total <= 0.0:
        return terms, -2.0
    aa = ab = bb = 0.0
    source_x = source_y = target_x = target_y = 0.0
    for channel in range(3):
        gx, gy = sums[channel, 0] / total, sums[channel, 1] / total
        a, b = sums[channel, 2], sums[channel, 3]
        terms[0] -= gx * gx * total
        terms[1] -= gx * gy * total
        terms[2] -= gy * gy * total
        source_x += sums[channel, 4] - gx * a
        source_y += sums[channel, 5] - gy * a
        target_x += sums[channel, 6] - gx * b
        target_y += sums[channel, 7] - gy * b
        aa += products[channel, 0] - a * a / total
        ab += products[channel, 1] - a * b / total
        bb += products[channel, 2] - b * b / total
    contrast = ab / max(bb, 1e-20)
    terms[3] = contrast * target_x - source_x
    terms[4] = contrast * target_y - source_y
    return terms, ab / math.sqrt(max(aa * bb, 1e-20))


@njit(cache=True, error_model="numpy", inline="always")
def _cell(x, y):
    left, top = math.floor(x), math.floor(y)
    return left, top, x - left, y - top


@njit(cache=True, error_model="numpy", inline="always")
def _read(image, left, top, fx, fy, channel):
    upper = image[top, left, channel] * (1.0 - fx) + image[top, left + 1, channel] * fx
    lower = image[top + 1, left, channel] * (1.0 - fx) + image[top + 1, left + 1, channel] * fx
    return upper * (1.0 - fy) + lower * fy


@njit(cache=True, error_model="numpy", inline="always")
def _weight(weights, x, y):
    height, width = weights.shape
    left, top = math.floor(x), math.floor(y)
    if left < 0 or top < 0 or left >= width - 1 or top >= height - 1:
        return 0.0, False
    smallest = min(
        min(weights[top, left], weights[top, left + 1]),
        min(weights[top + 1, left], weights[top + 1, left + 1]),
    )
    return smallest, True


@njit(cache=True, error_model="numpy")
def search_shift(source, source_mask, target, target_mask, around, radius, least_overlap):
    """Find the whole-pixel shift at which the common part of two masked images correlates best.

    Args:
        source, target: (H, W, 3) float32.
        source_mask, target_mask: (H, W) bool.
        around: (2,) whole numbers x, y, middle of the search; nearer shifts win between equals.
        radius: of the search, pixels.
        least_overlap: pixels that both masks must share.

    Returns:
        (3,) shift x, y and its correlation; -2 where no shift has enough overlap.
    """
    best = np.array([0.0, 0.0, -2.0])
    score = -2.0
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            x, y = int(around[0]) + dx, int(around[1]) + dy
            correlation, overlap = _correlate(source, source_mask, target, target_mask, x, y)
            if overlap < least_overlap:
                continue
            value = correlation - _SHIFT_COST * math.sqrt(float(dx * dx + dy * dy))
            if value > score:
                score = value
                best[0], best[1], best[2] = x, y, correlation
    return best


@njit(cache=True, error_model="numpy")
def _correlate(source, source_mask, target, target_mask, x, y):
    height, width = source_mask.shape
    sums = np.zeros((3, 5))
    count = 0
    for row in range(max(0, -y), min(height, height - y)):
        for column in range(max(0, -x), min(width, width - x)):
            if not (source_mask[row, column] and target_mask[row + y, column + x]):
                continue
            count += 1
            for channel in range(3):
                a = source[row, column, channel]
                b = target[row + y, column + x, channel]
                sums[channel, 0] += a
                sums[channel, 1] += b
                sums[channel, 2] += a * a
                sums[channel, 3] += a * b
                sums[channel, 4] += b * b
    if count == 0:
        return -2.0, 0
    aa = ab = bb = 0.0
    for channel in range(3):
        a, b = sums[channel, 0], sums[channel, 1]
        aa += sums[channel, 2] - a * a / count
        ab += sums[channel, 3] - a * b / count
        bb += sums[channel, 4] - b * b / count
    return ab / math.sqrt(max(aa * bb, 1e-20)), count
