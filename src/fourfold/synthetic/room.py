"""The room behind the actors: three walls, a floor, a rug, pictures, boxes; each of its texture."""

from functools import lru_cache

import numpy as np

from fourfold.synthetic.patterns import (
    Pattern,
    bricks,
    crate,
    drawers,
    gift,
    landscape,
    mosaic,
    planks,
    plaster,
    rug,
    wallpaper,
)
from fourfold.synthetic.stage import Panel

LEFT, RIGHT, BACK, HEIGHT = -3.3, 3.5, -2.1, 3.2
# the floor reaches to the camera; the side walls end where cameras swung aside look past them
FLOOR_FRONT, WALL_FRONT = 3.0, 1.6
_TEXELS_PER_METRE = 120


@lru_cache(maxsize=2)
def room(seed: int) -> tuple[Panel, ...]:
    """Build the room: open above and in front, 6.8 m wide, so that side views stay inside it."""
    width, floor, side = RIGHT - LEFT, FLOOR_FRONT - BACK, WALL_FRONT - BACK
    walls = (
        panel((LEFT, 0, FLOOR_FRONT), (width, 0, 0), (0, 0, -floor), planks, seed),
        panel((LEFT, 0, BACK), (width, 0, 0), (0, HEIGHT, 0), wallpaper, seed + 1),
        panel((LEFT, 0, WALL_FRONT), (0, 0, -side), (0, HEIGHT, 0), bricks, seed + 2),
        panel((RIGHT, 0, BACK), (0, 0, side), (0, HEIGHT, 0), plaster, seed + 3),
        panel((-1.75, 0.004, 1.05), (3.5, 0, 0), (0, 0, -2.1), rug, seed + 4),
    )
    pictures = (
        panel((-2.35, 1.25, BACK + 0.02), (1.0, 0, 0), (0, 0.75, 0), landscape, seed + 5),
        panel((1.25, 1.15, BACK + 0.02), (0.7, 0, 0), (0, 0.95, 0), mosaic, seed + 6),
    )
    boxes = (
        *box((2.05, 0, -1.75), (0.75, 0.7, 0.75), -0.35, crate, seed + 7),
        *box((2.15, 0.7, -1.62), (0.45, 0.45, 0.45), 0.25, gift, seed + 8),
        *box((-2.75, 0, -1.65), (0.6, 1.05, 0.5), 0.30, drawers, seed + 9),
    )
    return (*walls, *pictures, *boxes)


def panel(corner: tuple, edge_u: tuple, edge_v: tuple, pattern: Pattern, seed: int) -> Panel:
    """Build a flat piece of the room with a pattern painted on it."""
    width, height = (float(np.linalg.norm(edge)) for edge in (edge_u, edge_v))
    columns, rows = (max(8, round(_TEXELS_PER_METRE * size)) for size in (width, height))
    u = (np.arange(columns) + 0.5) / columns * width
    v = (np.arange(rows) + 0.5) / rows * height
    metres = np.stack(np.meshgrid(u, v), -1)
    texture = np.clip(pattern(metres, seed), 0.0, 0.95).astype(np.float32)
    return Panel(corner, edge_u, edge_v, texture)


def box(corner: tuple, size: tuple, yaw: float, pattern: Pattern, seed: int) -> tuple[Panel, ...]:
    """Five sides of a box on its bottom, turned about its left back corner."""
    c, s = np.cos(yaw), np.sin(yaw)
    x = np.array([c, 0.0, -s]) * size[0]
    z = np.array([s, 0.0, c]) * size[2]
    y = np.array([0.0, size[1], 0.0])
    start = np.array(corner, float)
    sides = ((start + z, x, y), (start + z + x, -z, y), (start + x, -x, y), (start, z, y))
    faces = (*sides, (start + y + z, x, -z))
    return tuple(
        panel(tuple(at), tuple(u), tuple(v), pattern, seed + k)
        for k, (at, u, v) in enumerate(faces)
    )
