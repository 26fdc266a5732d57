"""A large fox-red dog that walks along a path."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.implicit import Part, part_coordinates
from fourfold.synthetic.limbs import Transform, about, moved, reach, turn
from fourfold.synthetic.noise import fractal_noise, linear, ramp
from fourfold.synthetic.skinning import Body, bone_weights, skin

Path = Callable[[float], tuple[Float[np.ndarray, "3"], float]]

_CELL = 0.010
_CYCLE_SECONDS = 0.72
_STANCE = 0.50  # share of a cycle for which a paw is on the floor, as in a trot
_LIFT = 0.10
_LEAD_SECONDS = 0.15  # the chest turns into a bend so much earlier, the rear so much later
_RUMP, _WITHERS = np.array([0, 0.50, -0.26]), np.array([0, 0.52, 0.10])
_FLAT = np.array([1.0, 0.0, 1.0])
_NECK, _SKULL = np.array([0, 0.60, 0.32]), np.array([0, 0.80, 0.45])
_TAIL = (np.array([0, 0.56, -0.38]), np.array([0, 0.70, -0.53]), np.array([0, 0.86, -0.60]))
# hip, knee, paw joints at rest for the left side, and the phase of the leg in the cycle
_LEGS = {
    "front.l": ((0.105, 0.46, 0.24), (0.105, 0.25, 0.20), (0.105, 0.05, 0.24), 0.00),
    "front.r": ((-0.105, 0.46, 0.24), (-0.105, 0.25, 0.20), (-0.105, 0.05, 0.24), 0.50),
    "hind.l": ((0.105, 0.46, -0.28), (0.105, 0.26, -0.20), (0.105, 0.05, -0.30), 0.58),
    "hind.r": ((-0.105, 0.46, -0.28), (-0.105, 0.26, -0.20), (-0.105, 0.05, -0.30), 0.08),
}


def _leg_parts(name: str) -> list[Part]:
    hip, knee, paw, _ = _LEGS[name]
    thick = 0.092 if name.startswith("hind") else 0.078
    toe = (paw[0], 0.042, paw[2] + 0.075)
    return [
        Part(f"{name}.upper", "coat", hip, knee, thick, 0.056),
        Part(f"{name}.lower", "sock", knee, paw, 0.054, 0.045),
        Part(f"{name}.paw", "sock", paw, toe, 0.046, 0.042),
    ]


_TRUNK = [
    Part("rear", "coat", (0, 0.50, -0.28), (0, 0.49, -0.05), 0.150, 0.138),
    Part("chest", "coat", (0, 0.49, -0.02), (0, 0.51, 0.24), 0.142, 0.165),
    Part("neck", "coat", (0, 0.58, 0.30), (0, 0.72, 0.41), 0.112, 0.092),
    Part("neck", "collar", (0, 0.685, 0.382), (0, 0.700, 0.394), 0.108, 0.108),
    Part("head", "head", (0, 0.82, 0.44), (0, 0.80, 0.51), 0.122, 0.108),
    Part("head", "head", (0, 0.775, 0.56), (0, 0.755, 0.67), 0.070, 0.052),
    Part("head", "nose", (0, 0.780, 0.715), (0, 0.782, 0.722), 0.026, 0.026),
    Part("head", "ear", (0.080, 0.90, 0.43), (0.115, 1.03, 0.41), 0.052, 0.018),
    Part("head", "ear", (-0.080, 0.90, 0.43), (-0.115, 1.03, 0.41), 0.052, 0.018),
    Part("tail.0", "coat", tuple(_TAIL[0]), tuple(_TAIL[1]), 0.050, 0.062),
    Part("tail.1", "coat", tuple(_TAIL[1]), tuple(_TAIL[2]), 0.064, 0.068),
    Part("tail.1", "tip", tuple(_TAIL[2]), (0, 0.98, -0.61), 0.062, 0.024),
]
PARTS = (*_TRUNK, *(part for name in _LEGS for part in _leg_parts(name)))


@lru_cache(maxsize=2)
def dog(seed: int) -> Body:
    """Build the dog at rest: 1.05 m tall at the ears, 1.3 m long, looking along +z."""
    vertices, faces = skin(PARTS, _CELL)
    bones, weights = bone_weights(PARTS, vertices)
    return Body(vertices, faces, bones, weights, _paint(vertices, seed))


def dog_pose(path: Path, time: float) -> dict[str, Transform]:
    """Pose the dog at a time in seconds on its way.

    `path` gives the point of the floor under the dog's middle and its heading (radians about y,
    0 along +z, never jumping by a whole turn), a little before and after that time too. The spine
    bends along the way; paws on the floor stay where they stepped.
    """
    place, heading = path(time)
    beat = 2 * np.pi * time / _CYCLE_SECONDS
    body = turn("y", heading) @ turn("z", 0.03 * np.sin(beat))
    height = place + np.array([0.0, 0.012 * np.cos(2 * beat) - 0.050, 0.0])
    sway = 0.10 * np.sin(beat + 0.6)
    root = about(np.zeros(3), body, height)
    rear_bend, chest_bend = (_bend(path, time, name) for name in ("hind", "front"))
    rear = about(_WITHERS, body @ turn("y", rear_bend - sway), moved(root, _WITHERS))
    chest = about(_WITHERS, body @ turn("y", chest_bend + sway), moved(root, _WITHERS))
    pose = {"rear": rear, "chest": chest}
    pose |= _pose_head(chest, body @ turn("y", chest_bend), beat)
    pose |= _pose_tail(rear, body @ turn("y", rear_bend), beat)
    for name in _LEGS:
        pose |= _pose_leg(name, chest if name.startswith("front") else rear, path, time)
    return pose


def _bend(path: Path, time: float, leg: str) -> float:
    """Give how far the chest (of a front leg) or the rear (of a hind leg) is turned, in radians."""
    lead = _LEAD_SECONDS if leg.startswith("front") else -_LEAD_SECONDS
    return path(time + lead)[1] - path(time)[1]


def _pose_head(chest: Transform, body: np.ndarray, beat: float) -> dict[str, Transform]:
    neck = about(_NECK, body @ turn("x", 0.07 * np.sin(2 * beat)), moved(chest, _NECK))
    gaze = body @ turn("y", 0.22 * np.sin(beat / 2)) @ turn("x", -0.05 * np.sin(2 * beat + 0.5))
    return {"neck": neck, "head": about(_SKULL, gaze, moved(neck, _SKULL))}


def _pose_tail(rear: Transform, body: np.ndarray, beat: float) -> dict[str, Transform]:
    first = about(_TAIL[0], body @ turn("y", 0.30 * np.sin(beat)), moved(rear, _TAIL[0]))
    wag = body @ turn("y", 0.6 * np.sin(beat - 0.7)) @ turn("z", 0.2 * np.sin(beat - 0.7))
    return {"tail.0": first, "tail.1": about(_TAIL[1], wag, moved(first, _TAIL[1]))}


def _pose_leg(name: str, parent: Transform, path: Path, time: float) -> dict[str, Transform]:
    hip, knee, paw, _ = _LEGS[name]
    joints = (np.array(hip), np.array(knee), np.array(paw))
    target, lifted, heading = _footfall(path, time, name)
    back = -1.0 if name.startswith("front") else 1.0
    pole = turn("y", heading) @ np.array([0.0, 0.1, back])
    upper, lower, end = reach(parent, joints, target, pole)
    foot = about(joints[2], turn("y", heading) @ turn("x", 0.9 * lifted), end)
    return {f"{name}.upper": upper, f"{name}.lower": lower, f"{name}.paw": foot}


def _footfall(path: Path, time: float, name: str) -> tuple[Float[np.ndarray, "3"], float, float]:
    """Give where a leg's paw is, how far its swing has lifted it (0 … 1), and its heading."""
    _, _, rest, phase = _LEGS[name]
    cycles = time / _CYCLE_SECONDS + phase
    step = np.floor(cycles)
    swing = np.clip((cycles - step - _STANCE) / (1.0 - _STANCE), 0.0, 1.0)
    eased = 0.5 * swing + 0.5 * swing * swing * (3.0 - 2.0 * swing)
    spots, headings = [], []
    for count in (step, step + 1):
        middle = (count + _STANCE / 2 - phase) * _CYCLE_SECONDS
        place, heading = path(middle)
        bent = heading + _bend(path, middle, name)
        withers = place + turn("y", heading) @ (_WITHERS * _FLAT)
        spots.append(withers + turn("y", bent) @ (rest - _WITHERS * _FLAT))
        headings.append(bent)
    arc = np.sin(np.pi * swing)
    spot = spots[0] + eased * (spots[1] - spots[0]) + np.array([0.0, _LIFT * arc, 0.0])
    return spot, float(arc), float(headings[0] + eased * (headings[1] - headings[0]))


def _paint(vertices: Float[np.ndarray, "N 3"], seed: int) -> Float[np.ndarray, "N 3"]:
    evaluated = [part_coordinates(part, vertices)[0] for part in PARTS]
    owner = np.argmin(evaluated, axis=0)
    colors = np.zeros_like(vertices)
    for name, pattern in _PATTERNS.items():
        own = np.isin(owner, [k for k, part in enumerate(PARTS) if part.paint == name])
        colors[own] = pattern(vertices[own], seed)
    hair = 0.66 + 0.62 * fractal_noise(vertices * np.array([18.0, 18.0, 10.0]), seed + 40, 3)
    return np.clip(colors * hair[:, None], 0.0, 0.92)


def _coat(v: np.ndarray, seed: int) -> np.ndarray:
    red, cream, dark = linear(206, 112, 44), linear(246, 226, 190), linear(84, 42, 22)
    base = red + ramp(0.46 - v[:, 1] + 0.10 * fractal_noise(v * 12.0, seed), 0.04, 0.10) * (
        cream - red
    )
    warp = fractal_noise(v * 6.0, seed + 3)
    bands = np.sin(2 * np.pi * (v[:, 2] + 0.12 * warp) / 0.13)
    saddle = ramp(bands, 0.25, 0.55) * ramp(v[:, 1], 0.46, 0.54)
    return base + saddle * (dark - base)


def _head(v: np.ndarray, seed: int) -> np.ndarray:
    red, cream = linear(212, 118, 48), linear(248, 232, 200)
    blaze = np.minimum(np.abs(v[:, 0]) * 1.0, 0.2) + 0.25 * (v[:, 1] - 0.78)
    colors = red + ramp(blaze, 0.035, 0.015) * (cream - red)
    for sign in (-1, 1):
        distance = np.linalg.norm(v - np.array([sign * 0.062, 0.845, 0.590]), axis=1)
        colors = colors + ramp(distance, 0.038, 0.028) * (linear(24, 18, 18) - colors)
    return colors


def _ear(v: np.ndarray, seed: int) -> np.ndarray:
    red, dark = linear(206, 112, 44), linear(60, 34, 24)
    return red + ramp(v[:, 1], 0.94, 0.99) * (dark - red)


def _sock(v: np.ndarray, seed: int) -> np.ndarray:
    red, dark, cream = linear(190, 98, 40), linear(66, 38, 28), linear(240, 222, 190)
    edge = v[:, 1] + 0.05 * fractal_noise(v * 25.0, seed + 11, 2)
    colors = red + ramp(edge, 0.25, 0.21) * (dark - red)
    return colors + ramp(edge, 0.105, 0.085) * (cream - colors)


def _collar(v: np.ndarray, seed: int) -> np.ndarray:
    angle = np.arctan2(v[:, 0], v[:, 2] - 0.39)
    checks = ramp(np.sin(angle * 8), -0.2, 0.2)
    return linear(24, 110, 160) + checks * (linear(240, 214, 90) - linear(24, 110, 160))


_PATTERNS = {
    "coat": _coat,
    "head": _head,
    "nose": lambda v, seed: linear(30, 24, 26) + 0 * v,
    "ear": _ear,
    "sock": _sock,
    "collar": _collar,
    "tip": lambda v, seed: linear(248, 234, 206) + 0 * v,
}
