"""A small room with a table in it: the set of the scenes of rigid objects."""

from functools import lru_cache

import numpy as np

from fourfold.synthetic.patterns import (
    boards,
    bricks,
    crate,
    gift,
    landscape,
    mosaic,
    patchwork,
    planks,
    plaster,
    spines,
    wallpaper,
)
from fourfold.synthetic.room import box, panel
from fourfold.synthetic.stage import Lamp, Panel, Viewpoint

LEFT, RIGHT, BACK, HEIGHT = -1.95, 2.05, -1.30, 2.5
FLOOR_FRONT, WALL_FRONT = 1.7, 1.2
# the table's top: its height and half its extents along x and z; its middle is the y axis
TABLE, TABLE_X, TABLE_Z = 0.70, 0.86, 0.68
_THICK, _LEG = 0.06, 0.09
LAMPS = (
    Lamp((-1.9, 3.3, 0.2), (1.5, -0.25, 0), (0, 0, 1.5), (17.0, 15.4, 13.0)),
    Lamp((1.3, 3.0, 1.9), (1.0, 0.4, 0), (0, 0, 1.0), (4.5, 5.0, 6.0)),
)
SKY = (0.50, 0.53, 0.58)


@lru_cache(maxsize=2)
def parlour(seed: int) -> tuple[Panel, ...]:
    """Build the room, 4 m wide and open above and in front, with its table in the origin."""
    width, floor, side = RIGHT - LEFT, FLOOR_FRONT - BACK, WALL_FRONT - BACK
    walls = (
        panel((LEFT, 0, FLOOR_FRONT), (width, 0, 0), (0, 0, -floor), planks, seed),
        panel((LEFT, 0, BACK), (width, 0, 0), (0, HEIGHT, 0), wallpaper, seed + 1),
        panel((LEFT, 0, WALL_FRONT), (0, 0, -side), (0, HEIGHT, 0), bricks, seed + 2),
        panel((RIGHT, 0, BACK), (0, 0, side), (0, HEIGHT, 0), plaster, seed + 3),
    )
    things = (
        panel((-0.95, 0.98, BACK + 0.02), (1.0, 0, 0), (0, 0.75, 0), landscape, seed + 5),
        panel((0.60, 0.92, BACK + 0.02), (0.7, 0, 0), (0, 0.95, 0), mosaic, seed + 6),
        *box((1.38, 0, -1.20), (0.58, 0.62, 0.58), -0.20, crate, seed + 7),
        *box((1.46, 0.62, -1.12), (0.45, 0.45, 0.45), 0.20, gift, seed + 8),
        *box((-1.85, 0, -1.22), (0.72, 1.2, 0.34), 0.12, spines, seed + 9),
    )
    return (*walls, *things, *_table(seed + 20))


def viewpoint(u: float) -> Viewpoint:
    """Give the camera's place on its arc about the table: `u` from 0 to 1 swings it by 54 degrees.

    It rises by six degrees in the middle of its way and comes a little nearer.
    """
    azimuth = np.radians(-27.0 + 54.0 * u)
    elevation = np.radians(17.0 + 6.0 * np.sin(np.pi * u))
    distance = 2.25 - 0.10 * u
    ground = distance * np.cos(elevation)
    target = (0.04 * np.sin(np.pi * u), TABLE + 0.13, 0.0)
    position = (
        float(ground * np.sin(azimuth)),
        float(target[1] + distance * np.sin(elevation)),
        float(ground * np.cos(azimuth)),
    )
    return Viewpoint(position, target, 38.0)


def _table(seed: int) -> tuple[Panel, ...]:
    x, z, top = TABLE_X, TABLE_Z, TABLE
    cloth = panel((-x, top, z), (2 * x, 0, 0), (0, 0, -2 * z), patchwork, seed)
    low = top - _THICK
    edges = [
        panel((-x, low, z), (2 * x, 0, 0), (0, _THICK, 0), boards, seed + 1),
        panel((x, low, z), (0, 0, -2 * z), (0, _THICK, 0), boards, seed + 2),
        panel((x, low, -z), (-2 * x, 0, 0), (0, _THICK, 0), boards, seed + 3),
        panel((-x, low, -z), (0, 0, 2 * z), (0, _THICK, 0), boards, seed + 4),
        panel((-x, low, -z), (2 * x, 0, 0), (0, 0, 2 * z), boards, seed + 5),
    ]
    corners = [(side * (x - 0.12), front * (z - 0.12)) for side in (-1, 1) for front in (-1, 1)]
    legs = [
        piece
        for k, (at_x, at_z) in enumerate(corners)
        for piece in box(
            (at_x - _LEG / 2, 0, at_z - _LEG / 2), (_LEG, low, _LEG), 0.0, boards, seed + 6 + k
        )
    ]
    return (cloth, *edges, *legs)
