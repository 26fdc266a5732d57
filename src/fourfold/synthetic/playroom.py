"""Two more toys for the scene `crowd`: a rocket and a die."""

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.noise import fractal_noise, linear, ramp
from fourfold.synthetic.patterns import mix
from fourfold.synthetic.solids import Solid, block, folded, joined, turned
from fourfold.synthetic.toys import CELL, mottled

Points = Float[np.ndarray, "N 3"]


def rocket(seed: int) -> Solid:
    """Build a rocket that stands on four fins, 0.42 m high."""
    profile = (
        (0.0, 0.045),
        (0.050, 0.045),
        (0.066, 0.070),
        (0.088, 0.150),
        (0.090, 0.210),
        (0.076, 0.290),
        (0.048, 0.360),
        (0.018, 0.405),
        (0.0, 0.420),
    )
    hull = turned(profile, lambda v: _hull(v, seed), CELL)
    paint = mottled(linear(204, 52, 44), linear(244, 168, 84), seed + 1, 0.05)
    fins = [folded([(side, paint) for side in _fin(k * np.pi / 2)], CELL) for k in range(4)]
    return joined(hull, *fins).centred()


def _hull(v: Points, seed: int) -> Points:
    """White and blue checks round a red nose, with port-holes."""
    angle = np.arctan2(v[:, 0], v[:, 2])
    checks = np.sin(5 * angle) * np.sin(2 * np.pi * v[:, 1] / 0.085)
    colors = mix(linear(240, 236, 224), linear(58, 104, 172), ramp(checks, -0.12, 0.12))
    for turned_by in np.arange(3) * 2 * np.pi / 3 + 0.4:
        across = np.angle(np.exp(1j * (angle - turned_by))) * 0.088
        hole = np.hypot(across, v[:, 1] - 0.235)
        colors = mix(colors, linear(222, 166, 60), ramp(hole, 0.041, 0.037))
        colors = mix(colors, linear(150, 214, 230), ramp(hole, 0.028, 0.024))
    colors = mix(colors, linear(206, 48, 42), ramp(v[:, 1], 0.312, 0.318))
    return colors * (0.76 + 0.42 * fractal_noise(v / 0.035, seed, 2)[:, None])


def _fin(turn: float) -> list[Float[np.ndarray, "4 3"]]:
    """Give the sides of a fin: a flat wedge that leans outwards."""
    outline = np.array([(0.055, 0.165), (0.055, 0.055), (0.120, 0.0), (0.150, 0.0), (0.125, 0.085)])
    # two convex pieces: the blade and the foot
    pieces = [outline[[0, 1, 2, 4]], outline[[2, 3, 4]]]
    thick = 0.009
    sides = []
    for piece in pieces:
        front, back = (np.insert(piece, 2, z, axis=1) for z in (thick, -thick))
        sides += [front, back[::-1]]
        for a in range(len(piece)):
            b = (a + 1) % len(piece)
            sides.append(np.stack((front[b], front[a], back[a], back[b])))
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([(c, 0, s), (0, 1, 0), (-s, 0, c)])
    return [side @ rotation.T for side in sides]


def die(seed: int) -> Solid:
    """Build a die of 0.24 m whose sides differ in colour."""
    return block((-0.12, 0, -0.12), (0.12, 0.24, 0.12), lambda v: _pips(v, seed), CELL).centred()


def _pips(v: Points, seed: int) -> Points:
    local = v - np.array([0.0, 0.12, 0.0])
    axis = np.abs(local).argmax(1)
    rows = np.arange(len(v))
    side = 2 * axis + (local[rows, axis] > 0)
    tones = np.array([linear(*tone) for tone in _SIDES])[side]
    u, w = local[rows, (axis + 1) % 3], local[rows, (axis + 2) % 3]
    colors = tones * (0.72 + 0.5 * fractal_noise(v / 0.05, seed, 3)[:, None])
    for number, places in enumerate(_PIPS):
        for at_u, at_w in places:
            pip = np.hypot(u - 0.06 * at_u, w - 0.06 * at_w) + 9.0 * (side != number)
            colors = mix(colors, linear(250, 246, 232), ramp(pip, 0.027, 0.022))
    frame = 0.12 - np.maximum(np.abs(u), np.abs(w))
    return mix(linear(246, 226, 170), colors, ramp(frame, 0.009, 0.014))


_SIDES = (
    (60, 130, 150),
    (196, 70, 60),
    (76, 132, 84),
    (120, 82, 150),
    (206, 130, 50),
    (52, 92, 168),
)
_PIPS = (
    ((0, 0),),
    ((-1, -1), (1, 1)),
    ((-1, -1), (0, 0), (1, 1)),
    ((-1, -1), (-1, 1), (1, -1), (1, 1)),
    ((-1, -1), (-1, 1), (0, 0), (1, -1), (1, 1)),
    ((-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)),
)
