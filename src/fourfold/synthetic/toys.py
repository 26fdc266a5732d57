"""The toys of the scene `tabletop`: a teapot, a house, a duck; painted in bold patterns.

Patterns have no detail below about two centimetres: it would flicker in small pictures.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.implicit import Part
from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise
from fourfold.synthetic.patterns import mix
from fourfold.synthetic.solids import Paint, Solid, box_sides, folded, joined, melted, turned

CELL = 0.006  # length of the meshes' edges in metres: colours are stored at vertices

Points = Float[np.ndarray, "N 3"]


def mottled(color: np.ndarray, other: np.ndarray, seed: int, size: float = 0.05) -> Paint:
    """Paint blotches of two colours, about `size` metres wide, with a finer grain."""

    def paint(v: Points) -> Points:
        share = ramp(fractal_noise(v / size, seed, 2), 0.38, 0.62)
        return mix(color, other, share) * (
            0.72 + 0.5 * fractal_noise(v / 0.03, seed + 7, 2)[:, None]
        )

    return paint


def teapot(seed: int) -> Solid:
    """Build a painted teapot, 0.36 m high, its spout along +x."""
    profile = (
        (0.0, 0.0),
        (0.088, 0.0),
        (0.098, 0.018),
        (0.136, 0.075),
        (0.152, 0.130),
        (0.142, 0.190),
        (0.104, 0.240),
        (0.098, 0.252),
        (0.078, 0.272),
        (0.040, 0.292),
        (0.018, 0.300),
        (0.030, 0.318),
        (0.032, 0.338),
        (0.0, 0.356),
    )
    spout = [
        Part("pot", "blue", (0.11, 0.10, 0), (0.19, 0.16, 0), 0.042, 0.030),
        Part("pot", "blue", (0.19, 0.16, 0), (0.235, 0.245, 0), 0.028, 0.024),
    ]
    grip = [(-0.10, 0.215), (-0.18, 0.230), (-0.232, 0.180), (-0.215, 0.105), (-0.13, 0.065)]
    handle = [
        Part("pot", "red", (*start, 0.0), (*end, 0.0), 0.021, 0.021)
        for start, end in pairwise(grip)
    ]
    glaze = {
        "blue": mottled(linear(44, 84, 160), linear(150, 190, 226), seed + 1, 0.06),
        "red": mottled(linear(196, 60, 46), linear(240, 170, 90), seed + 2, 0.06),
    }
    pot = turned(profile, lambda v: _china(v, seed), CELL)
    return joined(pot, melted([*spout, *handle], glaze, CELL)).centred()


def _china(v: Points, seed: int) -> Points:
    """White china: a band of flowers, a blue foot with teeth, a red lid."""
    angle = np.arctan2(v[:, 0], v[:, 2])
    cream, blue, red = linear(240, 230, 206), linear(38, 76, 150), linear(190, 54, 44)
    colors = mix(cream, linear(214, 196, 160), ramp(fractal_noise(v / 0.06, seed, 2), 0.4, 0.7))
    for k, (turn, height, size) in enumerate(_FLOWERS):
        across = np.angle(np.exp(1j * (angle - turn))) * 0.15
        up = v[:, 1] - height
        petals = size * (0.72 + 0.28 * np.cos(5 * np.arctan2(up, across) + k))
        distance = np.hypot(across, up)
        tone = (red, linear(226, 150, 40), blue, linear(52, 120, 78))[k % 4]
        colors = mix(colors, tone, ramp(distance - petals, 0.006, -0.006))
        colors = mix(colors, linear(250, 214, 90), ramp(distance, 0.36 * size, 0.26 * size))
    teeth = 0.040 + 0.016 * np.abs(((angle / (2 * np.pi) * 12) % 1.0) * 2 - 1)
    colors = mix(colors, blue, ramp(v[:, 1] - teeth, 0.004, -0.004))
    lid = mix(red, linear(246, 214, 150), ramp(np.sin(6 * angle), -0.2, 0.2))
    colors = mix(colors, lid, ramp(v[:, 1], 0.248, 0.254))
    colors = mix(colors, blue, ramp(v[:, 1], 0.304, 0.310))
    return colors * (0.78 + 0.4 * fractal_noise(v / 0.035, seed + 3, 2)[:, None])


# angle about the axis, height and radius of the flowers on the teapot
_FLOWERS = (
    (0.10, 0.135, 0.052),
    (0.92, 0.165, 0.040),
    (1.55, 0.110, 0.045),
    (2.40, 0.150, 0.054),
    (3.25, 0.125, 0.042),
    (-2.35, 0.160, 0.050),
    (-1.55, 0.115, 0.044),
    (-0.72, 0.150, 0.046),
    (0.52, 0.082, 0.028),
    (2.95, 0.195, 0.028),
    (-1.10, 0.200, 0.030),
)


def house(seed: int) -> Solid:
    """Build a toy house with a gabled roof and a chimney, 0.37 m high, its door to +z."""
    x, z, eaves, ridge, over = 0.135, 0.105, 0.20, 0.335, 0.035
    drop = over * (ridge - eaves) / z
    gable = [
        np.array([(side * x, eaves, side * z), (side * x, eaves, -side * z), (side * x, ridge, 0)])
        for side in (1, -1)
    ]
    walls = [*box_sides((-x, 0.0, -z), (x, eaves, z))]
    low, out, wide = eaves - drop, z + over, x + over
    slopes = [
        np.array(
            [
                (-side * wide, low, side * out),
                (side * wide, low, side * out),
                (side * wide, ridge, 0),
                (-side * wide, ridge, 0),
            ]
        )
        for side in (1, -1)
    ]
    lift = np.array([0.0, 0.022, 0.0])
    roof = [slope + lift for slope in slopes]
    under = [slope[::-1] for slope in slopes]
    edges = [
        np.stack((slope[a], slope[b], slope[b] + lift, slope[a] + lift))
        for slope in slopes
        for a, b in ((0, 1), (1, 2), (3, 0))
    ]
    trim = mottled(linear(236, 226, 200), linear(150, 120, 90), seed + 5)
    return joined(
        folded([(side, lambda v: _walls(v, seed)) for side in (*walls, *gable)], CELL),
        folded([(side, lambda v: _tiles(v, seed + 1)) for side in roof], CELL),
        folded([(side, trim) for side in (*under, *edges)], CELL),
        folded(
            [
                (side, lambda v: _bricks(v, seed + 2))
                for side in box_sides((0.045, 0.24, -0.075), (0.098, 0.385, -0.025))
            ],
            CELL,
        ),
    ).centred()


def _walls(v: Points, seed: int) -> Points:
    """Half-timbered plaster with windows on all sides and a door in front."""
    front = np.abs(np.abs(v[:, 2]) - 0.105) < 1e-6
    across = np.where(front, v[:, 0], v[:, 2])
    plaster = mix(
        linear(246, 220, 160),
        linear(222, 164, 92),
        ramp(fractal_noise(v / 0.07, seed, 2), 0.35, 0.65),
    )
    width = np.where(front, 0.135, 0.105)
    beams = np.minimum(width - np.abs(across), np.abs(v[:, 1] - 0.2))
    beams = np.minimum(beams, v[:, 1])
    slant = np.abs(v[:, 1] - 0.2 * (width - np.abs(across)) / 0.05)
    beams = np.minimum(beams, np.where(v[:, 1] < 0.2, slant * 0.4, 1.0))
    colors = mix(plaster, linear(92, 50, 30), ramp(beams, 0.017, 0.013))
    pane = np.maximum(
        np.abs(np.abs(across) - np.where(front, 0.062, 0.0)) / 0.030,
        np.abs(v[:, 1] - 0.125) / 0.036,
    )
    glass = mix(
        linear(60, 120, 170),
        linear(190, 222, 236),
        ramp(fractal_noise(v / 0.02, seed + 1, 2), 0.4, 0.6),
    )
    colors = mix(colors, linear(250, 246, 234), ramp(pane, 1.35, 1.25))
    colors = mix(colors, glass, ramp(pane, 1.0, 0.9))
    door = np.maximum(np.abs(v[:, 0]) / 0.026, v[:, 1] / 0.105)
    door = np.where(v[:, 2] > 0.1, door, 9.0)
    colors = mix(colors, linear(44, 116, 84), ramp(door, 1.05, 0.95))
    return colors * (0.76 + 0.42 * fractal_noise(v / 0.03, seed + 3, 2)[:, None])


def _tiles(v: Points, seed: int) -> Points:
    row = np.floor(v[:, 1] / 0.034)
    column = np.floor(v[:, 0] / 0.055 + 0.5 * (row % 2))
    key = np.stack((column, row, np.sign(v[:, 2])), 1) + 0.5
    tone, other = value_noise(key, seed)[:, None], value_noise(key, seed + 1)
    colors = mix(linear(150, 44, 38), linear(226, 112, 70), tone)
    colors = mix(colors, linear(70, 80, 120), ramp(other, 0.72, 0.74))
    gap = np.minimum(v[:, 1] % 0.034, 0.055 * ((v[:, 0] / 0.055 + 0.5 * (row % 2)) % 1.0))
    return mix(linear(80, 26, 24), colors, ramp(gap, 0.003, 0.009))


def _bricks(v: Points, seed: int) -> Points:
    row = np.floor(v[:, 1] / 0.026)
    along = (v[:, 0] + v[:, 2]) / 0.045 + 0.5 * (row % 2)
    tone = value_noise(np.stack((np.floor(along), row), 1) + 0.5, seed)[:, None]
    colors = mix(linear(120, 60, 50), linear(214, 150, 120), tone)
    return mix(linear(216, 206, 190), colors, ramp(v[:, 1] % 0.026, 0.003, 0.008))


def duck(seed: int) -> Solid:
    """Build a wooden duck with a scarf and painted wings, 0.36 m high, looking along +x."""
    parts = [
        Part("duck", "body", (-0.075, 0.115, 0), (0.055, 0.110, 0), 0.105, 0.115),
        Part("duck", "body", (-0.12, 0.15, 0), (-0.20, 0.225, 0), 0.060, 0.022),
        Part("duck", "neck", (0.085, 0.17, 0), (0.10, 0.235, 0), 0.066, 0.060),
        Part("duck", "scarf", (0.088, 0.200, 0), (0.092, 0.212, 0), 0.082, 0.082),
        Part("duck", "head", (0.105, 0.285, 0), (0.110, 0.290, 0), 0.079, 0.079),
        Part("duck", "bill", (0.17, 0.270, 0), (0.215, 0.262, 0.022), 0.028, 0.020),
        Part("duck", "bill", (0.17, 0.270, 0), (0.215, 0.262, -0.022), 0.028, 0.020),
        Part("duck", "wing", (0.03, 0.13, 0.095), (-0.12, 0.165, 0.085), 0.055, 0.030),
        Part("duck", "wing", (0.03, 0.13, -0.095), (-0.12, 0.165, -0.085), 0.055, 0.030),
    ]
    yellow, orange = linear(250, 206, 66), linear(222, 128, 34)
    paints: dict[str, Paint] = {
        "body": mottled(yellow, orange, seed, 0.07),
        "neck": mottled(yellow, linear(240, 230, 190), seed + 1, 0.06),
        "scarf": lambda v: _scarf(v, seed + 2),
        "head": lambda v: _face(v, seed + 3),
        "bill": mottled(linear(226, 84, 34), linear(246, 150, 60), seed + 4, 0.04),
        "wing": lambda v: _wing(v, seed + 5),
    }
    return melted(parts, paints, CELL).centred()


def _scarf(v: Points, seed: int) -> Points:
    angle = np.arctan2(v[:, 2], v[:, 0] - 0.09)
    return mix(linear(190, 40, 52), linear(244, 238, 226), ramp(np.sin(7 * angle), -0.25, 0.25))


def _face(v: Points, seed: int) -> Points:
    colors = mottled(linear(74, 150, 96), linear(34, 88, 70), seed, 0.06)(v)
    for side in (1, -1):
        distance = np.linalg.norm(v - np.array([0.155, 0.312, side * 0.052]), axis=1)
        colors = mix(colors, linear(250, 248, 240), ramp(distance, 0.033, 0.028))
        colors = mix(colors, linear(20, 20, 24), ramp(distance, 0.020, 0.015))
    return colors


def _wing(v: Points, seed: int) -> Points:
    wave = np.sin(2 * np.pi * (v[:, 0] + 0.5 * np.abs(v[:, 1] - 0.14)) / 0.062)
    feathers = mix(linear(40, 80, 150), linear(236, 226, 200), ramp(wave, -0.3, 0.3))
    return feathers * (0.75 + 0.45 * fractal_noise(v / 0.03, seed, 2)[:, None])
