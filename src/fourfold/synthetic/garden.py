"""The figures of the scene `gnome`: a gnome, a toadstool that somebody lives in, a snail."""

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.implicit import Part
from fourfold.synthetic.noise import fractal_noise, linear, ramp, value_noise
from fourfold.synthetic.patterns import mix
from fourfold.synthetic.solids import Paint, Solid, joined, melted, turned
from fourfold.synthetic.toys import CELL, mottled

Points = Float[np.ndarray, "N 3"]


def gnome(seed: int) -> Solid:
    """Build a garden gnome with a striped hat, 0.42 m high, looking along +z."""
    parts = [
        Part("gnome", "coat", (0, 0.085, 0), (0, 0.17, 0), 0.098, 0.086),
        Part("gnome", "boot", (0.052, 0.022, 0.02), (0.058, 0.020, 0.075), 0.040, 0.036),
        Part("gnome", "boot", (-0.052, 0.022, 0.02), (-0.058, 0.020, 0.075), 0.040, 0.036),
        Part("gnome", "sleeve", (0.080, 0.175, 0.0), (0.125, 0.105, 0.055), 0.036, 0.032),
        Part("gnome", "sleeve", (-0.080, 0.175, 0.0), (-0.125, 0.105, 0.055), 0.036, 0.032),
        Part("gnome", "face", (0.128, 0.092, 0.062), (0.130, 0.090, 0.064), 0.030, 0.030),
        Part("gnome", "face", (-0.128, 0.092, 0.062), (-0.130, 0.090, 0.064), 0.030, 0.030),
        Part("gnome", "face", (0, 0.245, 0), (0, 0.25, 0), 0.074, 0.074),
        Part("gnome", "face", (0, 0.236, 0.070), (0, 0.234, 0.084), 0.022, 0.022),
        Part("gnome", "beard", (0, 0.215, 0.045), (0, 0.115, 0.088), 0.056, 0.018),
        Part("gnome", "beard", (0.035, 0.215, 0.040), (0.022, 0.150, 0.078), 0.036, 0.016),
        Part("gnome", "beard", (-0.035, 0.215, 0.040), (-0.022, 0.150, 0.078), 0.036, 0.016),
        Part("gnome", "hat", (0, 0.300, -0.012), (0.008, 0.36, -0.02), 0.078, 0.048),
        Part("gnome", "hat", (0.008, 0.36, -0.02), (0.024, 0.44, -0.045), 0.048, 0.012),
    ]
    paints: dict[str, Paint] = {
        "coat": lambda v: _coat(v, seed),
        "boot": mottled(linear(84, 52, 34), linear(150, 96, 56), seed + 1, 0.04),
        "sleeve": mottled(linear(48, 96, 168), linear(110, 160, 206), seed + 2, 0.05),
        "face": lambda v: _face(v, seed + 3),
        "beard": lambda v: _beard(v, seed + 4),
        "hat": lambda v: _hat(v, seed + 6),
    }
    return melted(parts, paints, CELL).centred()


def _coat(v: Points, seed: int) -> Points:
    """A blue coat with patches, above a belt with a buckle."""
    colors = mottled(linear(40, 84, 160), linear(96, 146, 200), seed, 0.06)(v)
    patch = value_noise(np.floor(v / 0.055) + 0.5, seed + 9)
    colors = mix(colors, linear(214, 172, 70), ramp(patch, 0.72, 0.76))
    colors = mix(colors, linear(70, 40, 26), ramp(np.abs(v[:, 1] - 0.105) - 0.015, 0.003, -0.003))
    buckle = np.maximum(np.abs(v[:, 0]), np.abs(v[:, 1] - 0.105)) + 9.0 * (v[:, 2] < 0.0)
    return mix(colors, linear(246, 206, 84), ramp(buckle, 0.026, 0.021))


def _face(v: Points, seed: int) -> Points:
    colors = mottled(linear(238, 176, 138), linear(214, 130, 104), seed, 0.05)(v)
    for side in (1, -1):
        distance = np.linalg.norm(v - np.array([side * 0.030, 0.262, 0.068]), axis=1)
        colors = mix(colors, linear(252, 250, 244), ramp(distance, 0.019, 0.016))
        colors = mix(colors, linear(24, 22, 30), ramp(distance, 0.011, 0.008))
    return colors


def _beard(v: Points, seed: int) -> Points:
    strands = np.sin(2 * np.pi * (v[:, 0] + 0.012 * fractal_noise(v / 0.03, seed, 2)) / 0.026)
    return mix(linear(190, 184, 176), linear(250, 248, 242), ramp(strands, -0.4, 0.4))


def _hat(v: Points, seed: int) -> Points:
    angle = np.arctan2(v[:, 0], v[:, 2])
    bands = np.sin(2 * np.pi * v[:, 1] / 0.052 + angle)
    colors = mix(linear(196, 38, 40), linear(244, 196, 84), ramp(bands, 0.2, 0.6))
    brim = np.abs(v[:, 1] - 0.282 - 0.25 * v[:, 2] - 0.01)
    colors = mix(colors, linear(250, 240, 214), ramp(brim, 0.020, 0.016))
    return colors * (0.76 + 0.4 * fractal_noise(v / 0.03, seed, 2)[:, None])


def toadstool(seed: int) -> Solid:
    """Build a toadstool with a door and a window, 0.40 m high, its door to +z."""
    profile = (
        (0.0, 0.0),
        (0.098, 0.0),
        (0.104, 0.02),
        (0.090, 0.09),
        (0.078, 0.17),
        (0.076, 0.215),
        (0.150, 0.205),
        (0.188, 0.222),
        (0.190, 0.245),
        (0.168, 0.305),
        (0.122, 0.358),
        (0.062, 0.390),
        (0.0, 0.400),
    )
    return turned(profile, lambda v: _toadstool(v, seed), CELL).centred()


def _toadstool(v: Points, seed: int) -> Points:
    radius, angle = np.hypot(v[:, 0], v[:, 2]), np.arctan2(v[:, 0], v[:, 2])
    cap = ramp(v[:, 1] + 0.25 * (radius - 0.15), 0.210, 0.216)
    stem = mottled(linear(244, 232, 204), linear(206, 178, 136), seed, 0.05)(v)
    stem = mix(stem, linear(96, 140, 66), ramp(v[:, 1], 0.045, 0.02))
    door = np.maximum(np.abs(angle) * 0.085 / 0.034, v[:, 1] / 0.115)
    stem = mix(stem, linear(250, 240, 214), ramp(door, 1.22, 1.12))
    stem = mix(stem, linear(52, 104, 140), ramp(door, 1.02, 0.95))
    for turned_by in (1.25, -1.3, 2.9):
        across = np.angle(np.exp(1j * (angle - turned_by))) * 0.082
        pane = np.hypot(across, v[:, 1] - 0.125)
        stem = mix(stem, linear(120, 70, 40), ramp(pane, 0.036, 0.032))
        stem = mix(stem, linear(250, 222, 130), ramp(pane, 0.026, 0.022))
    red = mottled(linear(204, 40, 36), linear(232, 96, 60), seed + 2, 0.08)(v)
    for place, size in zip(_spots(seed + 3), np.tile((0.036, 0.026, 0.030), 12), strict=False):
        distance = np.linalg.norm(v - place, axis=1)
        red = mix(red, linear(250, 244, 228), ramp(distance, size + 0.003, size - 0.003))
    return mix(stem, red, cap)


def _spots(seed: int) -> Points:
    """Give places on the cap: rings of dots, each turned by its own angle."""
    rings = ((0.182, 0.268, 9), (0.140, 0.338, 6), (0.072, 0.386, 3))
    places = []
    for ring, (radius, height, number) in enumerate(rings):
        angles = 2 * np.pi * (np.arange(number) + 0.37 * ring + 0.01 * (seed % 7)) / number
        circle = (radius * np.sin(angles), np.full(number, height), radius * np.cos(angles))
        places.append(np.stack(circle, 1))
    return np.concatenate(places)


def snail(seed: int) -> Solid:
    """Build a snail with a striped shell, 0.30 m high, creeping along +x."""
    parts = [
        Part("snail", "body", (-0.19, 0.022, 0), (0.06, 0.045, 0), 0.018, 0.050),
        Part("snail", "body", (0.06, 0.045, 0), (0.155, 0.105, 0), 0.050, 0.044),
        Part("snail", "body", (0.155, 0.105, 0), (0.175, 0.165, 0), 0.044, 0.048),
        Part("snail", "horn", (0.185, 0.195, 0.024), (0.215, 0.270, 0.045), 0.015, 0.011),
        Part("snail", "horn", (0.185, 0.195, -0.024), (0.215, 0.270, -0.045), 0.015, 0.011),
        Part("snail", "eye", (0.216, 0.276, 0.046), (0.217, 0.278, 0.046), 0.023, 0.023),
        Part("snail", "eye", (0.216, 0.276, -0.046), (0.217, 0.278, -0.046), 0.023, 0.023),
    ]
    paints: dict[str, Paint] = {
        "body": mottled(linear(206, 178, 96), linear(126, 116, 60), seed, 0.05),
        "horn": mottled(linear(214, 190, 120), linear(150, 130, 80), seed + 1, 0.04),
        "eye": mottled(linear(250, 250, 246), linear(30, 30, 40), seed + 2, 0.035),
    }
    profile = (
        (0.0, -0.088),
        (0.045, -0.082),
        (0.060, -0.060),
        (0.100, -0.054),
        (0.132, -0.020),
        (0.132, 0.020),
        (0.100, 0.054),
        (0.060, 0.060),
        (0.045, 0.082),
        (0.0, 0.088),
    )
    disc = turned(profile, lambda v: _shell(v, seed + 4), CELL)
    # from the axis of revolution, y, to a shell that stands on its edge
    upright = np.stack((disc.vertices[:, 0], disc.vertices[:, 2], disc.vertices[:, 1]), 1)
    shell = Solid(upright + np.array([-0.055, 0.165, 0.0]), disc.faces[:, ::-1], disc.colors)
    return joined(shell, melted(parts, paints, CELL)).centred()


def _shell(v: Points, seed: int) -> Points:
    """A spiral of brown, cream and rose, and spokes along the rim."""
    radius, angle = np.hypot(v[:, 0], v[:, 2]), np.arctan2(v[:, 0], v[:, 2])
    turns = (angle / (2 * np.pi) + radius / 0.062) % 1.0
    colors = mix(linear(244, 220, 176), linear(168, 84, 56), ramp(np.abs(turns - 0.5), 0.22, 0.17))
    spokes = np.sin(9 * angle + 40.0 * np.abs(v[:, 1]))
    rim = mix(linear(214, 96, 110), linear(250, 214, 150), ramp(spokes, -0.25, 0.25))
    colors = mix(colors, rim, ramp(radius, 0.101, 0.107))
    return colors * (0.76 + 0.42 * fractal_noise(v / 0.03, seed, 2)[:, None])
