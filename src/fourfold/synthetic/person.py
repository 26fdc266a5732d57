"""The juggler: a figure in a striped shirt that swings two clubs."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.implicit import Part, part_coordinates
from fourfold.synthetic.limbs import Transform, about, moved, reach, turn
from fourfold.synthetic.noise import fractal_noise, linear, ramp
from fourfold.synthetic.skinning import Body, bone_weights, skin

_PELVIS, _WAIST, _NECK = np.array([0, 0.92, 0]), np.array([0, 1.08, 0]), np.array([0, 1.42, 0])
_CELL = 0.010


def _arm(side: str, sign: float) -> list[Part]:
    shoulder, elbow, wrist, hand = _arm_joints(sign)
    club = [tuple(hand + np.array([0, y, 0])) for y in (-0.10, 0.10, 0.20, 0.33, 0.42)]
    return [
        Part(f"upper_arm.{side}", "shirt", tuple(shoulder), tuple(elbow), 0.070, 0.056),
        Part(f"forearm.{side}", "sleeve", tuple(elbow), tuple(wrist), 0.054, 0.040),
        Part(f"hand.{side}", "skin", tuple(wrist), tuple(hand), 0.042, 0.056),
        Part(f"hand.{side}", "club", club[0], club[1], 0.024, 0.024),
        Part(f"hand.{side}", "club", club[1], club[2], 0.026, 0.056),
        Part(f"hand.{side}", "club", club[2], club[3], 0.058, 0.060),
        Part(f"hand.{side}", "club", club[3], club[4], 0.060, 0.034),
    ]


def _arm_joints(sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    joints = ((0.19, 1.355, 0), (0.44, 1.27, 0), (0.68, 1.18, 0), (0.745, 1.155, 0))
    shoulder, elbow, wrist, hand = (np.array([sign * x, y, z]) for x, y, z in joints)
    return shoulder, elbow, wrist, hand


def _leg(side: str, sign: float) -> list[Part]:
    hip, knee, ankle = (tuple(joint) for joint in _leg_joints(sign))
    toe = (sign * 0.17, 0.055, 0.17)
    return [
        Part(f"thigh.{side}", "trousers", hip, knee, 0.098, 0.074),
        Part(f"shin.{side}", "trousers", knee, ankle, 0.072, 0.060),
        Part(f"foot.{side}", "shoe", ankle, toe, 0.066, 0.054),
    ]


def _leg_joints(sign: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joints = ((0.10, 0.87, 0), (0.13, 0.47, 0.01), (0.145, 0.08, 0))
    hip, knee, ankle = (np.array([sign * x, y, z]) for x, y, z in joints)
    return hip, knee, ankle


_TRUNK = [
    Part("pelvis", "trousers", (-0.07, 0.93, 0), (0.07, 0.93, 0), 0.125, 0.125),
    Part("chest", "shirt", (-0.06, 1.08, 0), (-0.10, 1.31, 0), 0.115, 0.110),
    Part("chest", "shirt", (0.06, 1.08, 0), (0.10, 1.31, 0), 0.115, 0.110),
    Part("chest", "skin", (0, 1.38, 0), (0, 1.46, 0.01), 0.066, 0.062),
    Part("head", "face", (0, 1.585, 0.01), (0, 1.63, 0.0), 0.140, 0.145),
    Part("head", "skin", (0, 1.585, 0.155), (0, 1.59, 0.165), 0.028, 0.026),
    Part("head", "hat", (0, 1.69, -0.01), (0, 1.73, -0.02), 0.140, 0.112),
    Part("head", "bobble", (0, 1.87, -0.03), (0, 1.88, -0.03), 0.056, 0.056),
]
PARTS = (*_TRUNK, *_arm("l", 1), *_arm("r", -1), *_leg("l", 1), *_leg("r", -1))


@lru_cache(maxsize=2)
def person(seed: int) -> Body:
    """Build the figure at rest: 1.9 m tall with its hat, arms stretched out, looking along +z."""
    vertices, faces = skin(PARTS, _CELL)
    bones, weights = bone_weights(PARTS, vertices)
    return Body(vertices, faces, bones, weights, _paint(vertices, seed))


def person_pose(phase: float, look: float) -> dict[str, Transform]:
    """Pose the figure at a phase of its swing (radians, period 2 pi), standing in the origin.

    Feet stay where they are, knees give way, the trunk turns against the arms; `look` turns the
    head (radians, positive to its left).
    """
    sway, bounce = np.sin(phase), np.cos(2 * phase)
    hips = turn("y", 0.12 * sway) @ turn("z", -0.05 * sway)
    pelvis = about(_PELVIS, hips, _PELVIS + np.array([0.05 * sway, -0.055 + 0.02 * bounce, 0.0]))
    trunk = turn("y", -0.30 * np.sin(phase + 0.3)) @ turn("x", 0.06) @ turn("z", 0.09 * sway)
    chest = about(_WAIST, trunk, moved(pelvis, _WAIST))
    nod = turn("y", look) @ turn("x", 0.10 + 0.05 * bounce) @ turn("z", -0.06 * sway)
    pose = {"pelvis": pelvis, "chest": chest, "head": about(_NECK, nod, moved(chest, _NECK))}
    for side, sign, own in (("l", 1.0, phase), ("r", -1.0, phase + np.pi)):
        pose |= _pose_leg(side, sign, pelvis)
        pose |= _pose_arm(side, sign, chest, own)
    return pose


def _pose_leg(side: str, sign: float, pelvis: Transform) -> dict[str, Transform]:
    joints = _leg_joints(sign)
    ahead = np.array([sign * 0.35, 0.0, 1.0])
    thigh, shin, ankle = reach(pelvis, joints, joints[2], ahead)
    foot = about(joints[2], turn("y", sign * 0.15), ankle)
    return {f"thigh.{side}": thigh, f"shin.{side}": shin, f"foot.{side}": foot}


def _pose_arm(side: str, sign: float, chest: Transform, phase: float) -> dict[str, Transform]:
    shoulder, elbow, wrist, _ = _arm_joints(sign)
    circle = [
        0.30 + 0.13 * np.cos(phase),
        -0.06 + 0.27 * np.sin(phase),
        0.20 + 0.07 * np.cos(phase),
    ]
    target = moved(chest, shoulder + circle * np.array([sign * 0.72, 1.0, 1.0]))
    pole = chest[:3, :3] @ np.array([sign * 0.8, -1.0, -0.35])
    upper, lower, end = reach(chest, (shoulder, elbow, wrist), target, pole)
    wave = turn("z", -sign * (0.30 + 0.35 * np.cos(phase))) @ turn("x", 0.25 + 0.35 * np.sin(phase))
    # the hand at rest points outwards; turned about the club it points half forwards
    hand = about(wrist, chest[:3, :3] @ wave @ turn("y", -sign * 0.6), end)
    return {f"upper_arm.{side}": upper, f"forearm.{side}": lower, f"hand.{side}": hand}


def _paint(vertices: Float[np.ndarray, "N 3"], seed: int) -> Float[np.ndarray, "N 3"]:
    evaluated = [part_coordinates(part, vertices)[0] for part in PARTS]
    owner = np.argmin(evaluated, axis=0)
    colors = np.zeros_like(vertices)
    for name, pattern in _PATTERNS.items():
        own = np.isin(owner, [k for k, part in enumerate(PARTS) if part.paint == name])
        colors[own] = pattern(vertices[own], seed)
    # cloth and skin are never of one tone: grain gives optical flow something to hold on to
    grain = 0.72 + 0.5 * fractal_noise(vertices * 22.0, seed + 90, 3)
    return np.clip(colors * grain[:, None], 0.0, 0.92)


def _stripes(v: np.ndarray, seed: int) -> np.ndarray:
    wave = np.sin(2 * np.pi * (v[:, 1] + 0.35 * np.abs(v[:, 0])) / 0.085)
    return linear(238, 232, 216) + ramp(wave, -0.25, 0.25) * (
        linear(200, 44, 40) - linear(238, 232, 216)
    )


def _sleeve(v: np.ndarray, seed: int) -> np.ndarray:
    wave = np.sin(2 * np.pi * np.abs(v[:, 0]) / 0.07)
    return linear(238, 232, 216) + ramp(wave, -0.25, 0.25) * (
        linear(32, 70, 120) - linear(238, 232, 216)
    )


def _dots(v: np.ndarray, seed: int) -> np.ndarray:
    grid = np.stack((np.arctan2(v[:, 2], np.abs(v[:, 0]) - 0.12) * 0.085, v[:, 1]), 1) / 0.075
    grid[:, 0] += 0.5 * (np.floor(grid[:, 1]) % 2)
    distance = np.linalg.norm(grid - np.floor(grid) - 0.5, axis=1)
    cloth = linear(36, 78, 140) + ramp(fractal_noise(v * 9.0, seed), 0.35, 0.65) * linear(
        20, 40, 70
    )
    return cloth + ramp(distance, 0.30, 0.22) * (linear(244, 200, 70) - cloth)


def _skin(v: np.ndarray, seed: int) -> np.ndarray:
    return linear(224, 168, 132) + ramp(fractal_noise(v * 14.0, seed + 5), 0.3, 0.8) * (
        linear(206, 130, 104) - linear(224, 168, 132)
    )


def _face(v: np.ndarray, seed: int) -> np.ndarray:
    colors = _skin(v, seed)
    for spot, radius, color in _FACE:
        distance = np.linalg.norm(v - np.array(spot), axis=1)
        colors = colors + ramp(distance, radius, radius * 0.7) * (linear(*color) - colors)
    hair = ramp(v[:, 2] + 0.35 * (1.60 - v[:, 1]), 0.02, -0.02)
    return colors + hair * (linear(92, 52, 30) * (0.5 + _strands(v, seed)) - colors)


def _strands(v: np.ndarray, seed: int) -> np.ndarray:
    return fractal_noise(v * np.array([60.0, 12.0, 60.0]), seed + 6, 2)[:, None]


def _hat(v: np.ndarray, seed: int) -> np.ndarray:
    angle = np.arctan2(v[:, 0], v[:, 2])
    zigzag = np.abs((angle * 5 / np.pi) % 1.0 - 0.5) * 0.09
    band = ramp(np.abs(v[:, 1] - 1.735 - zigzag + 0.02), 0.026, 0.018)
    wool = linear(36, 140, 130)
    return wool + band * (linear(244, 226, 150) - wool)


def _bobble(v: np.ndarray, seed: int) -> np.ndarray:
    tufts = ramp(fractal_noise(v * 45.0, seed + 8, 2), 0.35, 0.65)
    return linear(250, 244, 226) + tufts * (linear(220, 96, 60) - linear(250, 244, 226))


def _shoe(v: np.ndarray, seed: int) -> np.ndarray:
    leather = linear(170, 70, 36) + 0 * v
    return leather + ramp(v[:, 1], 0.035, 0.028) * (linear(240, 236, 226) - leather)


def _club(v: np.ndarray, seed: int) -> np.ndarray:
    height = v[:, 1] - 1.155
    angle = np.arctan2(v[:, 2], np.abs(v[:, 0]) - 0.745)
    spiral = ramp(np.sin(angle * 2 + height * 40), -0.2, 0.2)
    bulb = linear(250, 176, 40) + spiral * (linear(120, 52, 150) - linear(250, 176, 40))
    return bulb + ramp(height, 0.12, 0.09) * (linear(60, 50, 52) - bulb)


_FACE = (
    ((0.052, 1.635, 0.140), 0.026, (30, 24, 24)),
    ((-0.052, 1.635, 0.140), 0.026, (30, 24, 24)),
    ((0.085, 1.565, 0.125), 0.040, (226, 110, 96)),
    ((-0.085, 1.565, 0.125), 0.040, (226, 110, 96)),
    ((0.028, 1.515, 0.142), 0.016, (150, 40, 40)),
    ((0.0, 1.508, 0.148), 0.018, (150, 40, 40)),
    ((-0.028, 1.515, 0.142), 0.016, (150, 40, 40)),
)
_PATTERNS = {
    "shirt": _stripes,
    "sleeve": _sleeve,
    "trousers": _dots,
    "skin": _skin,
    "face": _face,
    "hat": _hat,
    "bobble": _bobble,
    "shoe": _shoe,
    "club": _club,
}
