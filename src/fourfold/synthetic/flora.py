"""What stands in the valley: conifers and boulders."""

import numpy as np
from jaxtyping import Float, Int

from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise
from fourfold.synthetic.patterns import mix
from fourfold.synthetic.solids import Solid

_SPRUCE, _SPRUCE_TIP = linear(40, 62, 34), linear(104, 124, 58)
_LARCH, _LARCH_TIP = linear(150, 96, 30), linear(226, 170, 62)
_BARK = linear(82, 62, 48)


def conifer(rings: int, seed: int, *, golden: bool) -> Solid:
    """Grow a conifer of height 1 from the origin: tiers of drooping boughs round a trunk.

    A surface over height and angle whose radius jumps from tier to tier and from bough to bough;
    `rings` of vertices, half as many round.
    """
    sides = max(7, int(0.55 * rings))
    up, angle = np.meshgrid(
        np.linspace(0.0, 1.0, rings),
        np.linspace(0, 2 * np.pi, sides, endpoint=False),
        indexing="ij",
    )
    ring = np.stack((np.cos(angle), np.sin(angle)), -1)
    tiers = 9.0 + 5.0 * _number(seed)
    phase = up * tiers + 0.9 * value_noise(2.2 * ring + seed % 89, seed)
    tier, within = np.floor(phase), phase % 1.0
    bough = value_noise(np.concatenate((3.6 * ring, tier[..., None]), -1), seed + 1)
    needles = fractal_noise(np.concatenate((9.0 * ring, 60.0 * up[..., None]), -1), seed + 2, 2)
    crown = 0.21 * (1.0 - up) ** 0.85 * (0.62 + 0.38 * (1.0 - within)) * (0.55 + 0.75 * bough)
    leafy = ramp(up, 0.055, 0.075)[..., 0]
    radius = leafy * crown * (0.70 + 0.60 * needles) + (1 - leafy) * 0.018
    radius[-1] = 0.0
    droop = 0.35 * radius * leafy
    lean = 0.04 * (_number(seed + 7) - 0.5) * up**2
    points = np.stack((radius * ring[..., 0] + lean, up - droop, radius * ring[..., 1]), -1)
    deep, tip = (_LARCH, _LARCH_TIP) if golden else (_SPRUCE, _SPRUCE_TIP)
    shine = np.clip(0.25 + 0.9 * bough * (1 - within) + 1.1 * (needles - 0.5), 0.0, 1.0)
    colors = mix(deep, tip, shine[..., None]) * (0.75 + 0.5 * _number(seed + 3))
    colors = mix(_BARK, colors, leafy[..., None])
    return Solid(points.reshape(-1, 3), _tube_faces(rings, sides), colors.reshape(-1, 3))


def boulder(rings: int, seed: int) -> Solid:
    """Lay a boulder of size 1 on the origin: an uneven ball with flat breaks, moss on top."""
    sides = 2 * rings
    polar, angle = np.meshgrid(
        np.linspace(0.0, np.pi, rings), np.linspace(0, 2 * np.pi, sides, endpoint=False),
        indexing="ij",
    )  # fmt: skip
    ball = np.stack(
        (np.sin(polar) * np.cos(angle), -np.cos(polar), np.sin(polar) * np.sin(angle)), -1
    )
    random = np.random.default_rng(seed)
    breaks = random.normal(size=(14, 3))
    breaks /= np.linalg.norm(breaks, axis=1, keepdims=True)
    # cut by planes at random distances: the radius at which the first of them is met
    cuts = (0.72 + 0.28 * random.random(14)) / np.maximum(ball @ breaks.T, 1e-3)
    radius = np.minimum(cuts.min(-1), 1.15)
    radius *= 0.93 + 0.26 * (fractal_noise(ball * 2.6 + seed % 31, seed, 6) - 0.5)
    stretch = np.array([1.25, 0.74, 1.0])
    grain = 0.5 * (fractal_noise(ball * 6.0, seed + 1, 4) + fractal_noise(ball * 30.0, seed + 4, 3))
    colors = mix(linear(84, 78, 76), linear(206, 194, 178), ramp(grain, 0.34, 0.66))
    cracks = np.abs(fractal_noise(ball * 4.0 + 9.0, seed + 5, 4) - 0.5)
    colors = mix(linear(66, 58, 54), colors, ramp(cracks, 0.0, 0.022))
    moss = ball[..., 1] + 1.1 * (fractal_noise(ball * 3.1, seed + 2, 4) - 0.5)
    colors = mix(colors, linear(120, 128, 58), 0.8 * ramp(moss, 0.45, 0.8))
    points = radius[..., None] * ball * stretch + np.array([0.0, 0.10, 0.0])
    return Solid(points.reshape(-1, 3), _tube_faces(rings, sides), colors.reshape(-1, 3))


def placed(
    solid: Solid, foot: Float[np.ndarray, "3"], size: float, turn: float = 0.0, tint: float = 1.0
) -> Solid:
    """Put a solid on a point of the stage: enlarged, turned about y by radians, tinted."""
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    return Solid(size * solid.vertices @ rotation.T + foot, solid.faces, tint * solid.colors)


def _tube_faces(rings: int, sides: int) -> Int[np.ndarray, "F 3"]:
    """Join rings of vertices, from the lowest; facing out."""
    ring, side = np.meshgrid(np.arange(rings - 1), np.arange(sides), indexing="ij")
    after = (side + 1) % sides
    a, b = ring * sides + side, ring * sides + after
    c, e = (ring + 1) * sides + after, (ring + 1) * sides + side
    triangles = ((a, c, b), (a, e, c))
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in triangles])


def _number(seed: int) -> float:
    """Give a number in [0, 1) that belongs to a seed."""
    return float(value_noise(np.array([[0.5, seed % 9973 + 0.5]]), seed)[0])
