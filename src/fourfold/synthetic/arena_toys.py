"""What is in motion in the scene `arena`: a ball and a spinning top, painted so that turns show."""

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.noise import fractal_noise, linear, ramp
from fourfold.synthetic.patterns import mix
from fourfold.synthetic.solids import Solid, turned
from fourfold.synthetic.toys import CELL

Points = Float[np.ndarray, "N 3"]

_BALL = 0.17  # radius in metres
_GORES = (
    (214, 52, 44),
    (246, 240, 226),
    (40, 92, 176),
    (246, 240, 226),
    (244, 190, 50),
    (52, 150, 96),
)


def ball(seed: int) -> Solid:
    """Build a beach ball, 0.34 m across, of six coloured gores."""
    angle = np.linspace(0, np.pi, 41)[1:-1]
    circle = np.stack((_BALL * np.sin(angle), -_BALL * np.cos(angle)), 1)
    profile = [(0.0, -_BALL), *((float(r), float(y)) for r, y in circle), (0.0, _BALL)]
    return turned(profile, lambda v: _gores(v, seed), CELL).centred()


def _gores(v: Points, seed: int) -> Points:
    share = (np.arctan2(v[:, 0], v[:, 2]) / (2 * np.pi)) % 1.0 * len(_GORES)
    colors = np.array([linear(*tone) for tone in _GORES])[share.astype(int) % len(_GORES)]
    edge = np.minimum(share % 1.0, 1 - share % 1.0) * np.hypot(v[:, 0], v[:, 2])
    colors = mix(linear(60, 40, 40), colors, ramp(edge, 0.005, 0.010))
    cap = np.abs(v[:, 1])
    colors = mix(colors, linear(236, 120, 40), ramp(cap, 0.155, 0.158))
    return colors * (0.80 + 0.35 * fractal_noise(v / 0.08, seed, 2)[:, None])


def top(seed: int) -> Solid:
    """Build a spinning top on its tip, 0.42 m high, in coloured sectors."""
    profile = (
        (0.0, 0.0),
        (0.016, 0.010),
        (0.050, 0.060),
        (0.150, 0.150),
        (0.180, 0.195),
        (0.165, 0.235),
        (0.080, 0.275),
        (0.034, 0.295),
        (0.026, 0.380),
        (0.036, 0.400),
        (0.030, 0.418),
        (0.0, 0.424),
    )
    return turned(profile, lambda v: _sectors(v, seed), CELL).centred()


def _sectors(v: Points, seed: int) -> Points:
    """Three sectors of a colour each, dots on the rim, a red knob."""
    share = (np.arctan2(v[:, 0], v[:, 2]) / (2 * np.pi)) % 1.0 * 3
    tones = np.array([linear(*tone) for tone in ((36, 86, 170), (242, 196, 60), (226, 232, 226))])
    colors = tones[share.astype(int) % 3]
    rim = np.abs(v[:, 1] - 0.195)
    colors = mix(colors, linear(190, 44, 60), ramp(rim, 0.022, 0.018))
    dots = np.hypot(((share * 3) % 1.0 - 0.5) * 0.12, v[:, 1] - 0.195)
    colors = mix(colors, linear(250, 246, 226), ramp(dots, 0.018, 0.013))
    colors = mix(colors, linear(206, 48, 42), ramp(v[:, 1], 0.285, 0.292))
    return colors * (0.78 + 0.4 * fractal_noise(v / 0.06, seed, 2)[:, None])
