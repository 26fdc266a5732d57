"""Patterns for the flat pieces of a room: linear colours at points (H,W,2) in metres."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise

Pattern = Callable[[Float[np.ndarray, "H W 2"], int], Float[np.ndarray, "H W 3"]]


def mix(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend two colours."""
    return a + share * (b - a)


def planks(p: np.ndarray, seed: int) -> np.ndarray:
    """Floor boards, 16 cm wide."""
    row = np.floor(p[..., 1] / 0.16)
    shift = value_noise(row[..., None] + 0.5, seed) * 1.4
    column = np.floor((p[..., 0] + shift) / 1.4)
    tone = value_noise(np.stack((column, row), -1) + 0.5, seed + 1)
    grain = fractal_noise(p * np.array([3.0, 42.0]) + tone[..., None] * 50, seed + 2)
    wood = mix(linear(150, 100, 62), linear(206, 158, 108), ramp(tone, 0.1, 0.9))
    wood = wood * (0.62 + 0.62 * grain[..., None])
    gap = np.minimum(p[..., 1] % 0.16, ((p[..., 0] + shift) % 1.4))
    return mix(linear(62, 38, 24), wood, ramp(gap, 0.002, 0.010))


def wallpaper(p: np.ndarray, seed: int) -> np.ndarray:
    """Flowers above, boards below a rail at 80 cm."""
    paper, leaf = linear(166, 194, 190), linear(92, 138, 142)
    cell = p / np.array([0.34, 0.34])
    cell[..., 0] += 0.5 * (np.floor(cell[..., 1]) % 2)
    local = cell - np.floor(cell) - 0.5
    radius, angle = np.hypot(local[..., 0], local[..., 1]), np.arctan2(local[..., 1], local[..., 0])
    petals = 0.27 + 0.13 * np.cos(5 * angle + 1.5)
    colors = mix(paper, leaf, ramp(radius - petals, 0.02, -0.02))
    colors = mix(colors, linear(236, 196, 104), ramp(radius, 0.10, 0.07))
    tone = 0.80 + 0.4 * fractal_noise(p * 5.0, seed)[..., None]
    colors = colors * tone
    board = linear(226, 216, 198) * (
        0.85 + 0.3 * fractal_noise(p * np.array([20.0, 3.0]), seed + 1)[..., None]
    )
    groove = ramp(np.abs((p[..., 0] % 0.2) - 0.1), 0.006, 0.012)
    board = mix(linear(130, 118, 104), board, groove)
    colors = mix(colors, board, ramp(p[..., 1], 0.802, 0.798))
    rail = (np.abs(p[..., 1] - 0.80) < 0.035) | (p[..., 1] < 0.12)
    return np.where(rail[..., None], linear(246, 238, 222), colors)


def bricks(p: np.ndarray, seed: int) -> np.ndarray:
    """A wall of red bricks."""
    size = np.array([0.30, 0.105])
    row = np.floor(p[..., 1] / size[1])
    x = p[..., 0] / size[0] + 0.5 * (row % 2)
    tone = value_noise(np.stack((np.floor(x), row), -1) + 0.5, seed)
    brick = mix(linear(150, 76, 58), linear(204, 128, 96), ramp(tone, 0.0, 1.0))
    brick = brick * (0.7 + 0.6 * fractal_noise(p * 24.0, seed + 1)[..., None])
    gap = np.minimum(
        size[0] * (0.5 - np.abs(x % 1.0 - 0.5)),
        size[1] * (0.5 - np.abs(p[..., 1] / size[1] % 1.0 - 0.5)),
    )
    return mix(linear(198, 188, 174), brick, ramp(gap, 0.004, 0.010))


def plaster(p: np.ndarray, seed: int) -> np.ndarray:
    """Ochre plaster with bright stripes."""
    base = mix(
        linear(232, 190, 112), linear(214, 160, 84), ramp(fractal_noise(p * 2.5, seed), 0.3, 0.7)
    )
    stripe = ramp(np.abs(p[..., 0] % 0.5 - 0.25), 0.06, 0.068)
    colors = mix(linear(246, 226, 176), base, stripe)
    return colors * (0.8 + 0.4 * fractal_noise(p * 18.0, seed + 1)[..., None])


def rug(p: np.ndarray, seed: int) -> np.ndarray:
    """A rug of 3.5 m x 2.1 m with diamonds and a border."""
    border = np.minimum(
        np.minimum(p[..., 0], 3.5 - p[..., 0]), np.minimum(p[..., 1], 2.1 - p[..., 1])
    )
    warp = p + 0.012 * (fractal_noise(p * 9.0, seed)[..., None] - 0.5)
    diamond = np.abs((warp[..., 0] / 0.35) % 1.0 - 0.5) + np.abs((warp[..., 1] / 0.35) % 1.0 - 0.5)
    blue, cream, red = linear(46, 66, 116), linear(232, 218, 188), linear(168, 56, 52)
    field = mix(blue, cream, ramp(np.abs(diamond - 0.5), 0.13, 0.11))
    field = mix(field, linear(222, 160, 60), ramp(diamond, 0.17, 0.13))
    teeth = np.abs(((p[..., 0] + p[..., 1]) / 0.14) % 1.0 - 0.5)
    frame = mix(red, cream, ramp(teeth, 0.17, 0.13))
    colors = mix(field, frame, ramp(border, 0.19, 0.18))
    colors = mix(colors, blue, ramp(np.abs(border - 0.19), 0.022, 0.018))
    return colors * (0.62 + 0.7 * fractal_noise(p * np.array([60.0, 45.0]), seed + 1, 2)[..., None])


def landscape(p: np.ndarray, seed: int) -> np.ndarray:
    """A framed landscape of 1 m x 0.75 m."""
    sky = mix(linear(250, 214, 150), linear(90, 150, 210), ramp(p[..., 1], 0.3, 0.7))
    sun = np.hypot(p[..., 0] - 0.68, p[..., 1] - 0.50)
    colors = mix(sky, linear(255, 240, 180), ramp(sun, 0.09, 0.08))
    for k, tone in enumerate(((92, 120, 150), (70, 110, 90), (40, 76, 52))):
        ridge = 0.42 - 0.10 * k + 0.22 * (value_noise(p[..., :1] * (4 + 2 * k), seed + k) - 0.5)
        colors = mix(colors, linear(*tone), ramp(p[..., 1] - ridge, 0.004, -0.004))
    return _framed(colors, p, (1.0, 0.75), linear(90, 60, 36))


def mosaic(p: np.ndarray, seed: int) -> np.ndarray:
    """A framed mosaic of 0.7 m x 0.95 m."""
    tiles = np.floor(p / 0.085)
    hue = value_noise(tiles * 0.37 + 0.5, seed)[..., None]
    shade = value_noise(tiles + 0.5, seed + 1)[..., None]
    colors = mix(linear(210, 70, 60), linear(40, 120, 160), hue) * (0.5 + 0.8 * shade)
    gap = np.minimum(p[..., 0] % 0.085, p[..., 1] % 0.085)
    colors = mix(linear(240, 232, 216), colors, ramp(gap, 0.006, 0.010))
    return _framed(colors, p, (0.7, 0.95), linear(30, 30, 36))


def _framed(colors: np.ndarray, p: np.ndarray, size: tuple[float, float], tone: np.ndarray):
    border = np.minimum(
        np.minimum(p[..., 0], size[0] - p[..., 0]), np.minimum(p[..., 1], size[1] - p[..., 1])
    )
    colors = mix(linear(244, 240, 230), colors, ramp(border, 0.098, 0.102))
    return mix(tone, colors, ramp(border, 0.043, 0.047))


def crate(p: np.ndarray, seed: int) -> np.ndarray:
    """A crate's side with braces."""
    size = p.max(axis=(0, 1))
    wood = linear(196, 150, 92) * (
        0.6 + 0.7 * fractal_noise(p * np.array([5.0, 50.0]), seed)[..., None]
    )
    wood = mix(linear(74, 48, 28), wood, ramp(p[..., 1] % 0.14, 0.004, 0.010))
    border = np.minimum(p, size - p).min(-1)
    brace = np.abs(p[..., 0] / size[0] - p[..., 1] / size[1]) * 0.5
    frame = ramp(np.minimum(border, brace), 0.078, 0.074)
    plank = linear(168, 116, 66) * (0.65 + 0.6 * fractal_noise(p * 22.0, seed + 1)[..., None])
    return mix(wood, plank, frame)


def gift(p: np.ndarray, seed: int) -> np.ndarray:
    """Gift wrap with dots and a ribbon, for a side of 45 cm."""
    local = (p / 0.09) % 1.0 - 0.5
    dots = ramp(np.hypot(local[..., 0], local[..., 1]), 0.30, 0.24)
    colors = mix(linear(62, 140, 96), linear(236, 240, 214), dots)
    ribbon = ramp(np.abs(p - 0.225).min(-1), 0.042, 0.038)
    colors = mix(colors, linear(214, 56, 70), ribbon)
    return colors * (0.8 + 0.35 * fractal_noise(p * 30.0, seed, 2)[..., None])


def drawers(p: np.ndarray, seed: int) -> np.ndarray:
    """A chest's side with knobs."""
    wood = mix(
        linear(120, 66, 44),
        linear(164, 98, 62),
        ramp(fractal_noise(p * np.array([3.0, 30.0]), seed), 0.3, 0.7),
    )
    local = p[..., 1] % 0.26
    colors = mix(linear(54, 30, 22), wood, ramp(local, 0.006, 0.016))
    knob = np.hypot(np.abs(p[..., 0] - 0.3) - 0.14, local - 0.13)
    return mix(colors, linear(232, 200, 120), ramp(knob, 0.026, 0.020))


def patchwork(p: np.ndarray, seed: int) -> np.ndarray:
    """Lay a cloth of patches of 18 cm, each of its colours, with dots, stripes or checks."""
    size = 0.18
    patch, local = np.floor(p / size), (p / size) % 1.0
    hue, kind, turn = (value_noise(patch + 0.5, seed + k) for k in range(3))
    tones = np.array([linear(*tone) for tone in _CLOTH])
    index = (np.abs(hue) * 997).astype(int) % len(tones)
    base, other = tones[index], tones[(index + 1 + (kind * 991).astype(int) % 3) % len(tones)]
    # a calm cloth, before which the things on it stand out
    base, other = (mix(tone, linear(150, 132, 112), np.array(0.45)) for tone in (base, other))
    along = np.where(turn > 0.5, local[..., 0], local[..., 1])
    stripes = np.sin(2 * np.pi * along * 2.5)
    dots = 0.30 - np.hypot(local[..., 0] * 2 % 1.0 - 0.5, local[..., 1] * 2 % 1.0 - 0.5)
    diamond = 0.32 - np.abs(local - 0.5).sum(-1)
    figure = np.select([kind < 0.4, kind < 0.6], [stripes * 0.2, dots], diamond)
    colors = mix(base, other, ramp(figure, -0.03, 0.03))
    seam = np.minimum(local, 1 - local).min(-1)
    colors = mix(linear(196, 182, 158), colors, ramp(seam, 0.02, 0.05))
    return colors * (0.72 + 0.5 * fractal_noise(p * 30.0, seed + 5, 3)[..., None])


_CLOTH = (
    (58, 92, 140),
    (196, 84, 62),
    (226, 176, 92),
    (96, 140, 112),
    (232, 214, 178),
    (128, 78, 112),
    (66, 128, 138),
)


def boards(p: np.ndarray, seed: int) -> np.ndarray:
    """Oak with a strong grain along the longer side."""
    size = p.max(axis=(0, 1))
    grain = np.array([4.0, 34.0]) if size[0] > size[1] else np.array([34.0, 4.0])
    wood = mix(
        linear(128, 80, 44), linear(206, 150, 92), ramp(fractal_noise(p * grain, seed), 0.3, 0.7)
    )
    return wood * (0.75 + 0.45 * fractal_noise(p * 14.0, seed + 1, 2)[..., None])


def spines(p: np.ndarray, seed: int) -> np.ndarray:
    """Rows of books, 26 cm high: their spines, with titles."""
    row = np.floor(p[..., 1] / 0.30)
    x = p[..., 0] / 0.062 + 7.3 * row
    book = np.stack((np.floor(x), row), -1) + 0.5
    tones = np.array([linear(*tone) for tone in _CLOTH])
    tone = tones[(value_noise(book, seed) * 997).astype(int) % len(tones)]
    up = p[..., 1] - 0.30 * row
    height = 0.19 + 0.07 * value_noise(book, seed + 1)
    label = np.abs(up - 0.06 - 0.08 * value_noise(book, seed + 2)) - 0.018
    colors = mix(tone, linear(240, 226, 180), ramp(label, 0.004, -0.004))
    gap = np.minimum(x % 1.0, 1 - x % 1.0) * 0.062
    colors = mix(linear(40, 28, 22), colors, ramp(gap, 0.002, 0.007))
    colors = mix(colors, linear(52, 34, 24), ramp(up - height, -0.003, 0.003))
    shelf = ramp(up, 0.272, 0.276)
    return mix(colors, linear(190, 140, 88), shelf) * (
        0.8 + 0.35 * fractal_noise(p * 20.0, seed + 3, 2)[..., None]
    )
