"""The colours of the valley's land and water: linear reflectance, and linear light of the water."""

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.daylight import Daylight
from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise
from fourfold.synthetic.patterns import mix
from fourfold.synthetic.river import River
from fourfold.synthetic.terrain import ridged_noise

# colour and spacing of the flowers
_FLOWERS = (
    (linear(250, 246, 236), 0.060),
    (linear(250, 206, 60), 0.052),
    (linear(206, 66, 74), 0.070),
)


def paint_land(
    river: River, points: Float[np.ndarray, "N 3"], seed: int
) -> Float[np.ndarray, "N 3"]:
    """Paint pebbles at the water, meadows, rock and snow on the mountains."""
    x, height, d = points[:, 0], points[:, 1], -points[:, 2]
    p = np.stack((x, d), -1)
    fine, broad = fractal_noise(p / 0.11, seed, 4), fractal_noise(p / 2.4, seed + 1, 5)
    meadow = mix(linear(112, 126, 52), linear(196, 172, 84), ramp(broad, 0.32, 0.66))
    meadow = mix(meadow, linear(70, 92, 44), ramp(fractal_noise(p / 0.6, seed + 2, 4), 0.52, 0.7))
    # stalks are as thin as pixels in front, and too thin to see farther away
    stalks = (fractal_noise(p / np.array([0.009, 0.034]), seed + 3, 2) - 0.5) * ramp(d, 6.0, 2.5).T[
        0
    ]
    meadow = meadow * (0.65 + 0.7 * fine + 1.9 * stalks)[:, None]
    meadow = _with_flowers(meadow, p, seed + 50)
    stones = fractal_noise(p / 0.028, seed + 4, 2)
    pebbles = mix(
        linear(92, 84, 78), linear(222, 206, 184), ramp(0.4 * fine + 0.6 * stones, 0.3, 0.7)
    )
    wet = ramp(river.bank_distance(x, d), -0.02, 0.05)
    pebbles = pebbles * (0.45 + 0.55 * wet)
    shore = river.bank_distance(x, d) + 0.22 * (broad - 0.5)
    colors = mix(pebbles, meadow, ramp(shore, 0.06, 0.20))
    crags = ridged_noise(p / 14.0, seed + 5, 6)
    rock = mix(linear(104, 98, 104), linear(186, 170, 160), ramp(crags, 0.2, 0.7))
    forest = linear(74, 86, 52) * (0.6 + 0.8 * fractal_noise(p / 3.0, seed + 6, 4)[:, None])
    slope = mix(forest, rock, ramp(height + 7.0 * (crags - 0.4), 9.0, 15.0))
    snow = ramp(height + 16.0 * (crags - 0.45), 25.0, 30.0)
    slope = mix(slope, linear(246, 244, 246), snow)
    return mix(colors, slope, ramp(d + 14.0 * (broad - 0.5), 42.0, 62.0))


def _with_flowers(
    colors: Float[np.ndarray, "N 3"], p: Float[np.ndarray, "N 2"], seed: int
) -> Float[np.ndarray, "N 3"]:
    """Strew flowers over a meadow: dots of three colours, in patches."""
    for k, (tone, size) in enumerate(_FLOWERS):
        cell = p / size
        shift = [value_noise(np.floor(cell) + 0.5, seed + 7 * k + m) - 0.5 for m in (3, 4)]
        dot = np.hypot(*(cell % 1.0 - 0.5 - 0.7 * np.stack(shift, -1)).T)
        there = value_noise(np.floor(cell) + 31.5, seed + 7 * k + 1)
        patch = fractal_noise(p / 0.9 + 5.0 * k, seed + 7 * k + 2, 2)
        share = ramp(dot, 0.22, 0.12) * ramp(there * ramp(patch, 0.42, 0.72)[:, 0], 0.42, 0.46)
        colors = mix(colors, tone, share)
    return colors


def paint_water(
    river: River,
    daylight: Daylight,
    seed: int,
    x: Float[np.ndarray, "N"],
    d: Float[np.ndarray, "N"],
) -> Float[np.ndarray, "N 3"]:
    """Paint streaks along the flow over deep water that mirrors the sky more the farther it is."""
    n, along = river.across(x, d), river.along(d)
    deep = mix(linear(26, 74, 82), linear(44, 104, 104), ramp(np.abs(n), 0.3, 1.0))
    mirror = mix(linear(150, 176, 190), linear(250, 214, 176), ramp(d, 3.0, 14.0))
    tilt = _streaks(along, n, d, seed, 0.30)
    share = 0.14 + 0.62 * ramp(d, 1.5, 16.0) + 0.85 * (tilt[:, None] - 0.5)
    colors = mix(deep, mirror, np.clip(share, 0.02, 0.95))
    shallow = ramp(np.abs(n), 0.86, 1.0)
    colors = mix(colors, linear(126, 122, 92), 0.45 * shallow)
    thread = 1.0 - np.abs(2.0 * _streaks(along, n, d, seed + 20, 0.26) - 1.0) * 3.2
    patches = fractal_noise(np.stack((along / 1.3, 1.6 * n), -1), seed + 40, 4)
    foam = ramp(thread + 1.5 * (patches - 0.56) + 0.12 * np.abs(n) ** 3, 0.72, 1.0)
    colors = mix(colors, linear(255, 246, 234), 0.75 * foam)
    return daylight.hazy(np.stack((x, np.zeros_like(x), -d), -1), 1.05 * colors)


def _streaks(
    along: Float[np.ndarray, "N"],
    n: Float[np.ndarray, "N"],
    d: Float[np.ndarray, "N"],
    seed: int,
    width: float,
) -> Float[np.ndarray, "N"]:
    """Sum octaves of noise four times as long as wide, those left out that are too fine to see."""
    total, most = np.zeros_like(n), 0.0
    for k in range(6):
        across = width * 0.5**k
        seen = ramp(across * 434.0 / np.maximum(d, 1.0) ** 1.5, 1.2, 3.5)[:, 0]
        p = np.stack((along / (4.0 * across) + 7.0 * k, n / across), -1)
        total += 0.72**k * seen * (value_noise(p, seed + k) - 0.5)
        most += 0.72**k
    return 0.5 + 1.5 * total / most
