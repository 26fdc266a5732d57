"""The scene `tabletop`: teapot, house and duck go round on a table, each hiding the others."""

import numpy as np

from fourfold.synthetic.parlour import LAMPS, SKY, TABLE, parlour, viewpoint
from fourfold.synthetic.rigid import Prop, RigidStage, standing
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Stage
from fourfold.synthetic.toys import duck, house, teapot

SECONDS = 2.4
_RADII = (0.46, 0.36)  # half axes of the ellipse on which they go round, along x and z, in metres
_SWEEP = np.radians(-210.0)  # they go round against the camera's turn
# height of the toys in metres
_HEIGHT = 0.42
# angle on the ellipse at the start, yaw at the start and at the end, in degrees
_TEAPOT, _HOUSE, _DUCK = (138.0, 30.0, -25.0), (23.0, 25.0, -20.0), (249.0, 20.0, -30.0)
_HOPS, _HOP = 3, 0.13


def tabletop(seed: int) -> RigidStage:
    """Set the stage. The seed changes the textures, never the geometry."""
    pot, home, bird = (
        solid.resized(_HEIGHT) for solid in (teapot(seed), house(seed + 30), duck(seed + 60))
    )
    props = (
        Prop("teapot", pot, lambda t: _pose(pot, _TEAPOT, t / SECONDS)),
        Prop("house", home, lambda t: _pose(home, _HOUSE, t / SECONDS)),
        Prop("duck", bird, lambda t: _hop(bird, t / SECONDS)),
    )
    stage = Stage(
        name="tabletop",
        seconds=SECONDS,
        actors=(),
        room=parlour(seed + 90),
        lamps=LAMPS,
        sky=SKY,
        viewpoint_at=lambda t: viewpoint(t / SECONDS),
        pivot=(0.0, TABLE + 0.13, 0.0),
    )
    return RigidStage.of(props, stage)


def _pose(solid: Solid, way: tuple[float, float, float], u: float) -> np.ndarray:
    start, yaw, turned = way
    spot = _spot(np.radians(start) + _SWEEP * u)
    return standing(solid, spot, np.radians(yaw + (turned - yaw) * u))


def _hop(solid: Solid, u: float) -> np.ndarray:
    start, yaw, turned = _DUCK
    beat = _HOPS * u
    spot = _spot(np.radians(start) + _SWEEP * u)
    spot[1] += _HOP * abs(np.sin(np.pi * beat))
    tilt = 0.16 * np.sin(2 * np.pi * beat)
    return standing(solid, spot, np.radians(yaw + (turned - yaw) * u), tilt)


def _spot(angle: float) -> np.ndarray:
    """Give the point of the table at an angle: 0 is to the right, 90 degrees in front."""
    return np.array([_RADII[0] * np.cos(angle), TABLE, _RADII[1] * np.sin(angle)])
