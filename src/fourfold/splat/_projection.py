"""Project Gaussians to image splats, forward and backward: 16 Gaussians per vector.

Own kernels of EWA splatting (Zwicker et al. 2001) in gsplat's convention. With ``B = W R`` (camera
rotation times Gaussian rotation), ``J`` the Jacobian of the projection and ``S`` the scales, the
image covariance is ``V V^T + eps2d I`` with ``V = J B S``.

A splat is a row of 16 floats. Its falloff is kept as a Cholesky factor in base 2::

    alpha(pixel) = 2^(PEAK - u^2 - w^2),   u = P dx + Q dy,   w = R dy,   d = pixel centre - mean

so a pixel costs two squares and no constant, and rounding can never give a negative exponent.
"""
# Numba supplies the first arguments of intrinsics, which pyright cannot know.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportOperatorIssue=false, reportIndexIssue=false

import math

import numpy as np
from numba import uintp

from fourfold.kernels.simd import (
    LANES,
    broadcast,
    claim,
    exponent_and_mantissa,
    gather,
    load,
    load_rows1,
    load_rows3,
    load_rows4,
    maximum,
    minimum,
    scatter,
    sqrt,
    store,
    store_rows,
    sums,
    where,
)
from fourfold.splat._kernel import kernel

SPLAT = 16  # floats per splat row
X, Y, P, Q, R, PEAK, DEPTH, EXTENT_X, EXTENT_Y = 0, 1, 2, 3, 4, 5, 6, 12, 13
CHANNEL = 8  # the first CHANNELS channels ride in the row
CHANNELS = 4
# Rows of a camera as handed to the kernels: 3x4 pose, then these.
FX, FY, CX, CY, LEFT, RIGHT, TOP, BOTTOM, EPS2D, NEAR, FAR, WIDTH, HEIGHT = range(12, 25)
CAMERA = 25
CHUNK = 1024  # Gaussians per parallel task

LOG2_255 = np.float32(math.log2(255.0))  # alpha under 1/255 is not drawn (3DGS, Kerbl et al. 2023)
_HALF_LOG2E = np.float32(0.5 / math.log(2.0))
_TWO_LN2 = np.float32(2.0 * math.log(2.0))
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
# 2 / (ln 2 (2k + 1)): log2 by the series of the area tangent
_LOG = tuple(np.float32(2 / (math.log(2) * (2 * k + 1))) for k in range(5))


@kernel
def log2(x):
    """Return log2 of positive normal lanes within 2e-7."""
    exponent, mantissa = exponent_and_mantissa(x)
    s = (mantissa - _ONE) / (mantissa + _ONE)
    t = s * s
    return exponent + s * (_LOG[0] + t * (_LOG[1] + t * (_LOG[2] + t * (_LOG[3] + t * _LOG[4]))))


@kernel
def _rotation(w, x, y, z):
    """Return the 3x3 rotation of a unit quaternion, row by row."""
    return (
        _ONE - _TWO * (y * y + z * z),
        _TWO * (x * y - w * z),
        _TWO * (x * z + w * y),
        _TWO * (x * y + w * z),
        _ONE - _TWO * (x * x + z * z),
        _TWO * (y * z - w * x),
        _TWO * (x * z - w * y),
        _TWO * (y * z + w * x),
        _ONE - _TWO * (x * x + y * y),
    )


@kernel
def _rotation_backward(w, x, y, z, g):
    """Return the gradient of a unit quaternion from that of its rotation."""
    return (
        _TWO * (x * (g[7] - g[5]) + y * (g[2] - g[6]) + z * (g[3] - g[1])),
        _TWO
        * (y * (g[1] + g[3]) + z * (g[2] + g[6]) + w * (g[7] - g[5]) - _TWO * x * (g[4] + g[8])),
        _TWO
        * (x * (g[1] + g[3]) + z * (g[5] + g[7]) + w * (g[2] - g[6]) - _TWO * y * (g[0] + g[8])),
        _TWO
        * (x * (g[2] + g[6]) + y * (g[5] + g[7]) + w * (g[3] - g[1]) - _TWO * z * (g[0] + g[4])),
    )


@kernel
def _multiply(a, b):
    """Return the 3x3 product a b."""
    return (
        a[0] * b[0] + a[1] * b[3] + a[2] * b[6],
        a[0] * b[1] + a[1] * b[4] + a[2] * b[7],
        a[0] * b[2] + a[1] * b[5] + a[2] * b[8],
        a[3] * b[0] + a[4] * b[3] + a[5] * b[6],
        a[3] * b[1] + a[4] * b[4] + a[5] * b[7],
        a[3] * b[2] + a[4] * b[5] + a[5] * b[8],
        a[6] * b[0] + a[7] * b[3] + a[8] * b[6],
        a[6] * b[1] + a[7] * b[4] + a[8] * b[7],
        a[6] * b[2] + a[7] * b[5] + a[8] * b[8],
    )


@kernel
def _transpose(a):
    return (a[0], a[3], a[6], a[1], a[4], a[7], a[2], a[5], a[8])


@kernel
def _lift(camera):
    """Return the camera's rotation as nine vectors."""
    return (
        broadcast(camera[0]),
        broadcast(camera[1]),
        broadcast(camera[2]),
        broadcast(camera[4]),
        broadcast(camera[5]),
        broadcast(camera[6]),
        broadcast(camera[8]),
        broadcast(camera[9]),
        broadcast(camera[10]),
    )


@kernel
def _to_camera(m, world, camera):
    """Return the means in the camera frame."""
    return (
        m[0] * world[0] + m[1] * world[1] + m[2] * world[2] + camera[3],
        m[0] * world[3] + m[1] * world[4] + m[2] * world[5] + camera[7],
        m[0] * world[6] + m[1] * world[7] + m[2] * world[8] + camera[11],
    )


@kernel
def _flatten(b, z, ux, uy, camera):
    """Return G = J B, two rows of three, for the slopes ux = x/z, uy = y/z."""
    jx, jy = camera[FX] / z, camera[FY] / z
    return (
        jx * (b[0] - ux * b[6]),
        jx * (b[1] - ux * b[7]),
        jx * (b[2] - ux * b[8]),
        jy * (b[3] - uy * b[6]),
        jy * (b[4] - uy * b[7]),
        jy * (b[5] - uy * b[8]),
    )


@kernel
def _covariance(g, s, eps2d):
    """Return the image covariance (xx, xy, yy) and its determinant, free of cancellation."""
    v0, v1, v2 = g[0] * s[0], g[1] * s[1], g[2] * s[2]
    v3, v4, v5 = g[3] * s[0], g[4] * s[1], g[5] * s[2]
    xx, xy, yy = (
        v0 * v0 + v1 * v1 + v2 * v2,
        v0 * v3 + v1 * v4 + v2 * v5,
        v3 * v3 + v4 * v4 + v5 * v5,
    )
    c0, c1, c2 = v1 * v5 - v2 * v4, v2 * v3 - v0 * v5, v0 * v4 - v1 * v3
    determinant = c0 * c0 + c1 * c1 + c2 * c2 + eps2d * (xx + yy) + eps2d * eps2d
    return xx + eps2d, xy, yy + eps2d, determinant


@kernel
def _clamp(x, low, high):
    return minimum(maximum(x, broadcast(low)), broadcast(high))


@kernel
def _unit(q):
    inverse = _ONE / sqrt(
        maximum(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3], broadcast(np.float32(1e-30)))
    )
    return (q[0] * inverse, q[1] * inverse, q[2] * inverse, q[3] * inverse), inverse


@kernel
def _scatter(splats, first, column, value):
    scatter(splats, first * uintp(SPLAT) + uintp(column), uintp(SPLAT), value)


@kernel
def _gather(splats, first, column):
    return gather(splats, first * uintp(SPLAT) + uintp(column), uintp(SPLAT))


@kernel
def _project_16(means, quaternions, scales, opacities, camera, splats, first):
    """Fill 16 splat rows, without channels; return the lanes' sum of inputs times zero."""
    world = _lift(camera)
    m, s = load_rows3(means, first), load_rows3(scales, first)
    raw = load_rows4(quaternions, first)
    (opacity,) = load_rows1(opacities, first)
    q, _ = _unit(raw)
    x, y, z = _to_camera(m, world, camera)
    in_range = (z > camera[NEAR]) & (z < camera[FAR])
    z = where(in_range, z, broadcast(_ONE))
    ux, uy = x / z, y / z
    g = _flatten(
        _multiply(world, _rotation(q[0], q[1], q[2], q[3])),
        z,
        _clamp(ux, camera[LEFT], camera[RIGHT]),
        _clamp(uy, camera[TOP], camera[BOTTOM]),
        camera,
    )
    xx, xy, yy, determinant = _covariance(g, s, camera[EPS2D])
    mx, my = ux * camera[FX] + camera[CX], uy * camera[FY] + camera[CY]
    peak = log2(maximum(opacity, broadcast(np.float32(1e-6))))
    reach = _TWO_LN2 * (peak + LOG2_255)  # squared, in standard deviations
    seen = in_range & (reach > np.float32(0)) & (determinant > np.float32(0))
    reach = maximum(reach, broadcast(np.float32(0)))
    extent_x, extent_y = sqrt(reach * xx), sqrt(reach * yy)
    seen = seen & (mx + extent_x > np.float32(0)) & (mx - extent_x < camera[WIDTH])
    seen = seen & (my + extent_y > np.float32(0)) & (my - extent_y < camera[HEIGHT])
    p = sqrt(_HALF_LOG2E * yy / determinant)
    none = broadcast(np.float32(-1))
    _scatter(splats, first, X, mx)
    _scatter(splats, first, Y, my)
    _scatter(splats, first, P, p)
    _scatter(splats, first, Q, -p * xy / yy)
    _scatter(splats, first, R, sqrt(_HALF_LOG2E / yy))
    _scatter(splats, first, PEAK, peak)
    _scatter(splats, first, DEPTH, z)
    _scatter(splats, first, EXTENT_X, where(seen, extent_x, none))
    _scatter(splats, first, EXTENT_Y, where(seen, extent_y, none))
    total = m[0] + m[1] + m[2] + s[0] + s[1] + s[2] + opacity
    return (total + raw[0] + raw[1] + raw[2] + raw[3]) * np.float32(0)


@kernel
def _copy_channels(colors, num_colors, splats, extras, num_extras, start, stop):
    """Lay the colours and the depth, the last channel, beside the splats."""
    total = np.float32(0)
    for n in range(uintp(start), uintp(stop)):
        row, color = n * uintp(SPLAT), n * uintp(num_colors)
        for c in range(uintp(num_colors)):
            value = colors[color + c]
            total += value * np.float32(0)
            if c < uintp(CHANNELS):
                splats[row + uintp(CHANNEL) + c] = value
            else:
                extras[n * uintp(num_extras) + c - uintp(CHANNELS)] = value
        depth = splats[row + uintp(DEPTH)]
        if num_extras > 0:
            extras[n * uintp(num_extras) + uintp(num_extras) - uintp(1)] = depth
        else:
            splats[row + uintp(CHANNEL) + uintp(num_colors)] = depth
            for c in range(uintp(num_colors) + uintp(1), uintp(CHANNELS)):
                splats[row + uintp(CHANNEL) + c] = np.float32(0)
    return total


@kernel
def project(
    counter,
    means,
    quaternions,
    scales,
    opacities,
    colors,
    num_colors,
    camera,
    splats,
    extras,
    num_extras,
    checks,
):
    """Fill splats (rows padded to 16) and extras; checks[chunk] becomes NaN on non-finite input."""
    count = opacities.shape[0]
    chunk = claim(counter)
    while chunk < checks.shape[0]:
        start, stop = chunk * CHUNK, min(count, (chunk + 1) * CHUNK)
        bad = broadcast(np.float32(0))
        for first in range(start, stop, LANES):
            bad = bad + _project_16(
                means, quaternions, scales, opacities, camera, splats, uintp(first)
            )
        lanes = np.empty(LANES, np.float32)
        store(lanes, uintp(0), sums((bad,)))
        checks[chunk] = lanes[0] + _copy_channels(
            colors, num_colors, splats, extras, num_extras, start, stop
        )
        chunk = claim(counter)


@kernel
def _gather_slots(slots, starts, touched, sums16, first, count):
    """Add up the gradient slots of 16 Gaussians into 16 rows."""
    for k in range(uintp(LANES)):
        total = broadcast(np.float32(0))
        n = uintp(first) + k
        if n < uintp(count):
            for slot in range(uintp(starts[n]), uintp(starts[n + uintp(1)])):
                if touched[slot] != 0:
                    total = total + load(slots, slot * uintp(16))
        store(sums16, k * uintp(16), total)


@kernel
def _covariance_backward(g, s, hx, hxy, hy):
    """Return the gradients of G and of the scales from the covariance's (xx, xy, yy)."""
    v0, v1, v2 = g[0] * s[0], g[1] * s[1], g[2] * s[2]
    v3, v4, v5 = g[3] * s[0], g[4] * s[1], g[5] * s[2]
    a0, a1, a2 = hx * v0 + hxy * v3, hx * v1 + hxy * v4, hx * v2 + hxy * v5
    a3, a4, a5 = hxy * v0 + hy * v3, hxy * v1 + hy * v4, hxy * v2 + hy * v5
    grad_scales = (a0 * g[0] + a3 * g[3], a1 * g[1] + a4 * g[4], a2 * g[2] + a5 * g[5])
    return (a0 * s[0], a1 * s[1], a2 * s[2], a3 * s[0], a4 * s[1], a5 * s[2]), grad_scales


@kernel
def _flatten_backward(gg, b, z, ux, uy, camera):
    """Return the gradients of B and of (ux, uy, z) through G = J B."""
    jx, jy = camera[FX] / z, camera[FY] / z
    x0, x1, x2, y0, y1, y2 = jx * gg[0], jx * gg[1], jx * gg[2], jy * gg[3], jy * gg[4], jy * gg[5]
    grad_b = (
        x0,
        x1,
        x2,
        y0,
        y1,
        y2,
        -(ux * x0 + uy * y0),
        -(ux * x1 + uy * y1),
        -(ux * x2 + uy * y2),
    )
    grad_ux = -(x0 * b[6] + x1 * b[7] + x2 * b[8])
    grad_uy = -(y0 * b[6] + y1 * b[7] + y2 * b[8])
    along = x0 * b[0] + x1 * b[1] + x2 * b[2] + ux * grad_ux
    along = along + y0 * b[3] + y1 * b[4] + y2 * b[5] + uy * grad_uy
    return grad_b, grad_ux, grad_uy, -along / z


@kernel
def _project_16_backward(
    means, quaternions, scales, opacities, camera, splats, sums16, depth_gradient,
    grad_means, grad_quaternions, grad_scales, grad_opacities, grad_means2d, first, pose,
):  # fmt: skip
    """Write the gradients of 16 Gaussians; return the pose's, twelve vectors, with theirs added."""
    world = _lift(camera)
    m, s = load_rows3(means, first), load_rows3(scales, first)
    q, inverse = _unit(load_rows4(quaternions, first))
    p, pq, r = _gather(splats, first, P), _gather(splats, first, Q), _gather(splats, first, R)
    seen = _gather(splats, first, EXTENT_X) > np.float32(0)
    zero = broadcast(np.float32(0))
    p, pq, r = where(seen, p, zero), where(seen, pq, zero), where(seen, r, zero)
    su, sw, suu = (
        _gather(sums16, uintp(0), 1),
        _gather(sums16, uintp(0), 2),
        _gather(sums16, uintp(0), 3),
    )
    suw, sww = _gather(sums16, uintp(0), 4), _gather(sums16, uintp(0), 5)

    x, y, z = _to_camera(m, world, camera)
    z = where(seen, z, broadcast(_ONE))
    slope_x, slope_y = x / z, y / z
    ux = _clamp(slope_x, camera[LEFT], camera[RIGHT])
    uy = _clamp(slope_y, camera[TOP], camera[BOTTOM])
    b = _multiply(world, _rotation(q[0], q[1], q[2], q[3]))
    g = _flatten(b, z, ux, uy, camera)

    # d sigma / d d = 2 ln2 (P u, Q u + R w), and d sigma / d Sigma = -1/2 of its outer square
    mean_x, mean_y = _TWO_LN2 * p * su, _TWO_LN2 * (pq * su + r * sw)
    k = _TWO_LN2 * _TWO_LN2  # the factor 1/2 meets the 2 of d(V V^T)
    hx, hxy = k * p * p * suu, k * p * (pq * suu + r * suw)
    hy = k * (pq * pq * suu + _TWO * pq * r * suw + r * r * sww)
    grad_g, grad_s = _covariance_backward(g, s, hx, hxy, hy)
    grad_b, grad_ux, grad_uy, grad_z = _flatten_backward(grad_g, b, z, ux, uy, camera)

    # the clamped slope of J does not move with the mean
    inside_x = (slope_x >= camera[LEFT]) & (slope_x <= camera[RIGHT])
    inside_y = (slope_y >= camera[TOP]) & (slope_y <= camera[BOTTOM])
    slope_gx = where(inside_x, grad_ux, zero) + mean_x * camera[FX]
    slope_gy = where(inside_y, grad_uy, zero) + mean_y * camera[FY]
    gx, gy = slope_gx / z, slope_gy / z
    gz = grad_z - gx * slope_x - gy * slope_y + where(seen, depth_gradient, zero)
    gx, gy, gz = where(seen, gx, zero), where(seen, gy, zero), where(seen, gz, zero)

    grad_m = (
        world[0] * gx + world[3] * gy + world[6] * gz,
        world[1] * gx + world[4] * gy + world[7] * gz,
        world[2] * gx + world[5] * gy + world[8] * gz,
    )
    store_rows(grad_means, first, grad_m)
    store_rows(grad_scales, first, grad_s)
    (opacity,) = load_rows1(opacities, first)
    grad_opacity = where(seen, _gather(sums16, uintp(0), 0) / opacity, zero)
    store(grad_opacities, first, grad_opacity)
    store_rows(grad_means2d, first, (mean_x, mean_y))

    grad_r = _multiply(_transpose(world), grad_b)
    h = _rotation_backward(q[0], q[1], q[2], q[3], grad_r)
    radial = h[0] * q[0] + h[1] * q[1] + h[2] * q[2] + h[3] * q[3]
    grad_q = (
        (h[0] - q[0] * radial) * inverse,
        (h[1] - q[1] * radial) * inverse,
        (h[2] - q[2] * radial) * inverse,
        (h[3] - q[3] * radial) * inverse,
    )
    store_rows(grad_quaternions, first, grad_q)
    w = _multiply(grad_b, _transpose(_rotation(q[0], q[1], q[2], q[3])))
    a = pose
    return (
        a[0] + w[0] + gx * m[0], a[1] + w[1] + gx * m[1], a[2] + w[2] + gx * m[2], a[3] + gx,
        a[4] + w[3] + gy * m[0], a[5] + w[4] + gy * m[1], a[6] + w[5] + gy * m[2], a[7] + gy,
        a[8] + w[6] + gz * m[0], a[9] + w[7] + gz * m[1], a[10] + w[8] + gz * m[2], a[11] + gz,
    )  # fmt: skip


@kernel
def _color_gradients(
    sums16,
    slot_extras,
    starts,
    touched,
    num_colors,
    num_extras,
    grad_colors,
    depth_row,
    first,
    count,
):
    """Hand the channel sums of 16 Gaussians on to their colours and depths."""
    extra = np.empty(max(1, num_extras), np.float32)
    for k in range(uintp(min(LANES, count - first))):
        n = uintp(first) + k
        for e in range(uintp(num_extras)):
            extra[e] = np.float32(0)
        if num_extras > 0:
            for slot in range(uintp(starts[n]), uintp(starts[n + uintp(1)])):
                if touched[slot] != 0:
                    for e in range(uintp(num_extras)):
                        extra[e] += slot_extras[slot * uintp(num_extras) + e]
        for c in range(uintp(num_colors)):
            if c < uintp(CHANNELS):
                grad_colors[n * uintp(num_colors) + c] = sums16[k * uintp(16) + uintp(6) + c]
            else:
                grad_colors[n * uintp(num_colors) + c] = extra[c - uintp(CHANNELS)]
        if num_extras > 0:
            depth_row[k] = extra[uintp(num_extras) - uintp(1)]
        else:
            depth_row[k] = sums16[k * uintp(16) + uintp(6) + uintp(num_colors)]


@kernel
def project_backward(
    counter, means, quaternions, scales, opacities, num_colors, camera, splats, num_extras,
    slots, slot_extras, starts, touched,
    grad_means, grad_quaternions, grad_scales, grad_opacities, grad_colors, grad_means2d, grad_pose,
):  # fmt: skip
    """Sum each Gaussian's slots and carry them back to its parameters.

    Gradient rows are padded to 16 except the colours'; grad_pose has a row of 12 per chunk.
    """
    count = opacities.shape[0]
    chunk = claim(counter)
    while chunk < grad_pose.shape[0]:
        start, stop = chunk * CHUNK, min(count, (chunk + 1) * CHUNK)
        sums16 = np.empty(LANES * 16, np.float32)
        depth_row = np.empty(LANES, np.float32)
        z = broadcast(np.float32(0))
        pose = (z, z, z, z, z, z, z, z, z, z, z, z)
        for first in range(start, stop, LANES):
            store(depth_row, uintp(0), z)
            _gather_slots(slots, starts, touched, sums16, first, count)
            _color_gradients(
                sums16, slot_extras, starts, touched, num_colors, num_extras,
                grad_colors, depth_row, first, count,
            )  # fmt: skip
            pose = _project_16_backward(
                means, quaternions, scales, opacities, camera, splats, sums16,
                load(depth_row, uintp(0)), grad_means, grad_quaternions, grad_scales,
                grad_opacities, grad_means2d, uintp(first), pose,
            )  # fmt: skip
        store(sums16, uintp(0), sums(pose))
        for k in range(12):
            grad_pose[chunk, k] = sums16[k]
        chunk = claim(counter)
