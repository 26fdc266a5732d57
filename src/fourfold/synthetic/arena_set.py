"""The set of the scene `arena`: a floor of patches in a bay of five walls, pictures, boxes."""

from functools import lru_cache
from itertools import pairwise

import numpy as np

from fourfold.synthetic.patterns import (
    Pattern,
    bricks,
    crate,
    gift,
    landscape,
    mix,
    mosaic,
    patchwork,
    plaster,
    rug,
    spines,
    wallpaper,
)
from fourfold.synthetic.room import box, panel
from fourfold.synthetic.stage import Lamp, Panel

# More than half of the light throws no shadow: what moves is to be found, not its shade.
SKY, FILL = (0.25, 0.26, 0.28), (0.52, 0.50, 0.47)
LAMP = Lamp((-1.8, 3.6, -1.2), (3.6, 0, 0), (0, 0, 2.8), (1.25, 1.2, 1.1))
# the bay's corners (x, z) from the left front round the back to the right front
_CORNERS = (
    (-3.05, 1.05),
    (-2.30, -0.95),
    (-1.35, -1.95),
    (1.35, -1.95),
    (2.30, -0.95),
    (3.05, 1.05),
)
_HEIGHT = 2.2
_SOFTNESS = 0.35
_FLOOR_SIDE, _FLOOR_FRONT = 3.1, 1.9
_BACK = _CORNERS[2][1]


@lru_cache(maxsize=2)
def arena_set(seed: int) -> tuple[Panel, ...]:
    """Build the set, 4.7 m wide and 3 m deep, open above and in front.

    Its patterns are larger than life: their details are some pixels wide in small pictures.
    """
    papers = (
        _calm(bricks, 2.2),
        _calm(plaster, 1.6),
        _calm(_flowers, 2.2),
        _calm(spines, 2.6),
        _calm(rug, 2.0),
    )
    walls = [
        panel((a[0], 0, a[1]), (b[0] - a[0], 0, b[1] - a[1]), (0, _HEIGHT, 0), paper, seed + k)
        for k, ((a, b), paper) in enumerate(zip(pairwise(_CORNERS), papers, strict=True))
    ]
    depth = _FLOOR_FRONT - _BACK
    floor = panel(
        (-_FLOOR_SIDE, 0, _FLOOR_FRONT),
        (2 * _FLOOR_SIDE, 0, 0),
        (0, 0, -depth),
        _calm(patchwork, 2.9),
        seed + 5,
    )
    things = (
        panel(
            (-1.10, 0.90, _BACK + 0.02),
            (1.3, 0, 0),
            (0, 0.975, 0),
            _calm(landscape, 1.3),
            seed + 6,
        ),
        panel(
            (0.42, 0.72, _BACK + 0.02), (0.91, 0, 0), (0, 1.235, 0), _calm(mosaic, 1.3), seed + 7
        ),
        *box((1.18, 0, -1.62), (0.56, 0.56, 0.56), -0.30, _calm(crate, 1.4), seed + 8),
        *box((1.28, 0.56, -1.52), (0.45, 0.45, 0.45), 0.15, _calm(gift, 1.0), seed + 9),
    )
    return (floor, *walls, *things)


def _flowers(points: np.ndarray, seed: int) -> np.ndarray:
    """The wallpaper above its rail."""
    return wallpaper(points + np.array([0.0, 0.84]), seed)


def _calm(pattern: Pattern, factor: float) -> Pattern:
    """Enlarge a pattern and soften its contrast: what moves has to stand out."""

    def calmed(points: np.ndarray, seed: int) -> np.ndarray:
        colors = pattern(points / factor, seed)
        return mix(colors, colors.mean((0, 1)), np.array(_SOFTNESS))

    return calmed
