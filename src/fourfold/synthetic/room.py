"""The room behind the actors: three walls, a floor, a rug, pictures, boxes; each of its texture."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise
from fourfold.synthetic.stage import Panel

LEFT, RIGHT, BACK, HEIGHT = -3.3, 3.5, -2.1, 3.2
# the floor reaches to the camera; the side walls end where cameras swung aside look past them
FLOOR_FRONT, WALL_FRONT = 3.0, 1.6
_TEXELS_PER_METRE = 120

Pattern = Callable[[Float[np.ndarray, "H W 2"], int], Float[np.ndarray, "H W 3"]]


@lru_cache(maxsize=2)
def room(seed: int) -> tuple[Panel, ...]:
    """Build the room: open above and in front, 6.8 m wide, so that side views stay inside it."""
    width, floor, side = RIGHT - LEFT, FLOOR_FRONT - BACK, WALL_FRONT - BACK
    walls = (
        _panel((LEFT, 0, FLOOR_FRONT), (width, 0, 0), (0, 0, -floor), _planks, seed),
        _panel((LEFT, 0, BACK), (width, 0, 0), (0, HEIGHT, 0), _wallpaper, seed + 1),
        _panel((LEFT, 0, WALL_FRONT), (0, 0, -side), (0, HEIGHT, 0), _bricks, seed + 2),
        _panel((RIGHT, 0, BACK), (0, 0, side), (0, HEIGHT, 0), _plaster, seed + 3),
        _panel((-1.75, 0.004, 1.05), (3.5, 0, 0), (0, 0, -2.1), _rug, seed + 4),
    )
    pictures = (
        _panel((-2.35, 1.25, BACK + 0.02), (1.0, 0, 0), (0, 0.75, 0), _landscape, seed + 5),
        _panel((1.25, 1.15, BACK + 0.02), (0.7, 0, 0), (0, 0.95, 0), _mosaic, seed + 6),
    )
    boxes = (
        *_box((2.05, 0, -1.75), (0.75, 0.7, 0.75), -0.35, _crate, seed + 7),
        *_box((2.15, 0.7, -1.62), (0.45, 0.45, 0.45), 0.25, _gift, seed + 8),
        *_box((-2.75, 0, -1.65), (0.6, 1.05, 0.5), 0.30, _drawers, seed + 9),
    )
    return (*walls, *pictures, *boxes)


def _panel(corner: tuple, edge_u: tuple, edge_v: tuple, pattern: Pattern, seed: int) -> Panel:
    width, height = (float(np.linalg.norm(edge)) for edge in (edge_u, edge_v))
    columns, rows = (max(8, round(_TEXELS_PER_METRE * size)) for size in (width, height))
    u = (np.arange(columns) + 0.5) / columns * width
    v = (np.arange(rows) + 0.5) / rows * height
    metres = np.stack(np.meshgrid(u, v), -1)
    texture = np.clip(pattern(metres, seed), 0.0, 0.95).astype(np.float32)
    return Panel(corner, edge_u, edge_v, texture)


def _box(corner: tuple, size: tuple, yaw: float, pattern: Pattern, seed: int) -> tuple[Panel, ...]:
    """Five sides of a box on its bottom, turned about its left back corner."""
    c, s = np.cos(yaw), np.sin(yaw)
    x = np.array([c, 0.0, -s]) * size[0]
    z = np.array([s, 0.0, c]) * size[2]
    y = np.array([0.0, size[1], 0.0])
    start = np.array(corner, float)
    sides = ((start + z, x, y), (start + z + x, -z, y), (start + x, -x, y), (start, z, y))
    faces = (*sides, (start + y + z, x, -z))
    return tuple(
        _panel(tuple(at), tuple(u), tuple(v), pattern, seed + k)
        for k, (at, u, v) in enumerate(faces)
    )


def _mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return a + share * (b - a)


def _planks(p: np.ndarray, seed: int) -> np.ndarray:
    row = np.floor(p[..., 1] / 0.16)
    shift = value_noise(row[..., None] + 0.5, seed) * 1.4
    column = np.floor((p[..., 0] + shift) / 1.4)
    tone = value_noise(np.stack((column, row), -1) + 0.5, seed + 1)
    grain = fractal_noise(p * np.array([3.0, 42.0]) + tone[..., None] * 50, seed + 2)
    wood = _mix(linear(150, 100, 62), linear(206, 158, 108), ramp(tone, 0.1, 0.9))
    wood = wood * (0.62 + 0.62 * grain[..., None])
    gap = np.minimum(p[..., 1] % 0.16, ((p[..., 0] + shift) % 1.4))
    return _mix(linear(62, 38, 24), wood, ramp(gap, 0.002, 0.010))


def _wallpaper(p: np.ndarray, seed: int) -> np.ndarray:
    paper, leaf = linear(166, 194, 190), linear(92, 138, 142)
    cell = p / np.array([0.34, 0.34])
    cell[..., 0] += 0.5 * (np.floor(cell[..., 1]) % 2)
    local = cell - np.floor(cell) - 0.5
    radius, angle = np.hypot(local[..., 0], local[..., 1]), np.arctan2(local[..., 1], local[..., 0])
    petals = 0.27 + 0.13 * np.cos(5 * angle + 1.5)
    colors = _mix(paper, leaf, ramp(radius - petals, 0.02, -0.02))
    colors = _mix(colors, linear(236, 196, 104), ramp(radius, 0.10, 0.07))
    tone = 0.80 + 0.4 * fractal_noise(p * 5.0, seed)[..., None]
    colors = colors * tone
    panel = linear(226, 216, 198) * (
        0.85 + 0.3 * fractal_noise(p * np.array([20.0, 3.0]), seed + 1)[..., None]
    )
    groove = ramp(np.abs((p[..., 0] % 0.2) - 0.1), 0.006, 0.012)
    panel = _mix(linear(130, 118, 104), panel, groove)
    colors = _mix(colors, panel, ramp(p[..., 1], 0.802, 0.798))
    rail = (np.abs(p[..., 1] - 0.80) < 0.035) | (p[..., 1] < 0.12)
    return np.where(rail[..., None], linear(246, 238, 222), colors)


def _bricks(p: np.ndarray, seed: int) -> np.ndarray:
    size = np.array([0.30, 0.105])
    row = np.floor(p[..., 1] / size[1])
    x = p[..., 0] / size[0] + 0.5 * (row % 2)
    tone = value_noise(np.stack((np.floor(x), row), -1) + 0.5, seed)
    brick = _mix(linear(150, 76, 58), linear(204, 128, 96), ramp(tone, 0.0, 1.0))
    brick = brick * (0.7 + 0.6 * fractal_noise(p * 24.0, seed + 1)[..., None])
    gap = np.minimum(
        size[0] * (0.5 - np.abs(x % 1.0 - 0.5)),
        size[1] * (0.5 - np.abs(p[..., 1] / size[1] % 1.0 - 0.5)),
    )
    return _mix(linear(198, 188, 174), brick, ramp(gap, 0.004, 0.010))


def _plaster(p: np.ndarray, seed: int) -> np.ndarray:
    base = _mix(
        linear(232, 190, 112), linear(214, 160, 84), ramp(fractal_noise(p * 2.5, seed), 0.3, 0.7)
    )
    stripe = ramp(np.abs(p[..., 0] % 0.5 - 0.25), 0.06, 0.068)
    colors = _mix(linear(246, 226, 176), base, stripe)
    return colors * (0.8 + 0.4 * fractal_noise(p * 18.0, seed + 1)[..., None])


def _rug(p: np.ndarray, seed: int) -> np.ndarray:
    border = np.minimum(
        np.minimum(p[..., 0], 3.5 - p[..., 0]), np.minimum(p[..., 1], 2.1 - p[..., 1])
    )
    warp = p + 0.012 * (fractal_noise(p * 9.0, seed)[..., None] - 0.5)
    diamond = np.abs((warp[..., 0] / 0.35) % 1.0 - 0.5) + np.abs((warp[..., 1] / 0.35) % 1.0 - 0.5)
    blue, cream, red = linear(46, 66, 116), linear(232, 218, 188), linear(168, 56, 52)
    field = _mix(blue, cream, ramp(np.abs(diamond - 0.5), 0.13, 0.11))
    field = _mix(field, linear(222, 160, 60), ramp(diamond, 0.17, 0.13))
    teeth = np.abs(((p[..., 0] + p[..., 1]) / 0.14) % 1.0 - 0.5)
    frame = _mix(red, cream, ramp(teeth, 0.17, 0.13))
    colors = _mix(field, frame, ramp(border, 0.19, 0.18))
    colors = _mix(colors, blue, ramp(np.abs(border - 0.19), 0.022, 0.018))
    return colors * (0.62 + 0.7 * fractal_noise(p * np.array([60.0, 45.0]), seed + 1, 2)[..., None])


def _landscape(p: np.ndarray, seed: int) -> np.ndarray:
    sky = _mix(linear(250, 214, 150), linear(90, 150, 210), ramp(p[..., 1], 0.3, 0.7))
    sun = np.hypot(p[..., 0] - 0.68, p[..., 1] - 0.50)
    colors = _mix(sky, linear(255, 240, 180), ramp(sun, 0.09, 0.08))
    for k, tone in enumerate(((92, 120, 150), (70, 110, 90), (40, 76, 52))):
        ridge = 0.42 - 0.10 * k + 0.22 * (value_noise(p[..., :1] * (4 + 2 * k), seed + k) - 0.5)
        colors = _mix(colors, linear(*tone), ramp(p[..., 1] - ridge, 0.004, -0.004))
    return _framed(colors, p, (1.0, 0.75), linear(90, 60, 36))


def _mosaic(p: np.ndarray, seed: int) -> np.ndarray:
    tiles = np.floor(p / 0.085)
    hue = value_noise(tiles * 0.37 + 0.5, seed)[..., None]
    shade = value_noise(tiles + 0.5, seed + 1)[..., None]
    colors = _mix(linear(210, 70, 60), linear(40, 120, 160), hue) * (0.5 + 0.8 * shade)
    gap = np.minimum(p[..., 0] % 0.085, p[..., 1] % 0.085)
    colors = _mix(linear(240, 232, 216), colors, ramp(gap, 0.006, 0.010))
    return _framed(colors, p, (0.7, 0.95), linear(30, 30, 36))


def _framed(colors: np.ndarray, p: np.ndarray, size: tuple[float, float], tone: np.ndarray):
    border = np.minimum(
        np.minimum(p[..., 0], size[0] - p[..., 0]), np.minimum(p[..., 1], size[1] - p[..., 1])
    )
    colors = _mix(linear(244, 240, 230), colors, ramp(border, 0.098, 0.102))
    return _mix(tone, colors, ramp(border, 0.043, 0.047))


def _crate(p: np.ndarray, seed: int) -> np.ndarray:
    size = p.max(axis=(0, 1))
    wood = linear(196, 150, 92) * (
        0.6 + 0.7 * fractal_noise(p * np.array([5.0, 50.0]), seed)[..., None]
    )
    wood = _mix(linear(74, 48, 28), wood, ramp(p[..., 1] % 0.14, 0.004, 0.010))
    border = np.minimum(p, size - p).min(-1)
    brace = np.abs(p[..., 0] / size[0] - p[..., 1] / size[1]) * 0.5
    frame = ramp(np.minimum(border, brace), 0.078, 0.074)
    plank = linear(168, 116, 66) * (0.65 + 0.6 * fractal_noise(p * 22.0, seed + 1)[..., None])
    return _mix(wood, plank, frame)


def _gift(p: np.ndarray, seed: int) -> np.ndarray:
    local = (p / 0.09) % 1.0 - 0.5
    dots = ramp(np.hypot(local[..., 0], local[..., 1]), 0.30, 0.24)
    colors = _mix(linear(62, 140, 96), linear(236, 240, 214), dots)
    ribbon = ramp(np.abs(p - 0.225).min(-1), 0.042, 0.038)
    colors = _mix(colors, linear(214, 56, 70), ribbon)
    return colors * (0.8 + 0.35 * fractal_noise(p * 30.0, seed, 2)[..., None])


def _drawers(p: np.ndarray, seed: int) -> np.ndarray:
    wood = _mix(
        linear(120, 66, 44),
        linear(164, 98, 62),
        ramp(fractal_noise(p * np.array([3.0, 30.0]), seed), 0.3, 0.7),
    )
    local = p[..., 1] % 0.26
    colors = _mix(linear(54, 30, 22), wood, ramp(local, 0.006, 0.016))
    knob = np.hypot(np.abs(p[..., 0] - 0.3) - 0.14, local - 0.13)
    return _mix(colors, linear(232, 200, 120), ramp(knob, 0.026, 0.020))
