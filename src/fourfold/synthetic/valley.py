"""The scene `valley`: a river through meadows, woods and rocks, mountains, drifting clouds."""

from functools import lru_cache, partial

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.daylight import Ball, Daylight
from fourfold.synthetic.flora import boulder, conifer, placed
from fourfold.synthetic.landscape import Landscape, Surface
from fourfold.synthetic.noise import fractal_noise, value_noise
from fourfold.synthetic.river import River
from fourfold.synthetic.skies import Sky
from fourfold.synthetic.solids import Solid, joined
from fourfold.synthetic.stage import Viewpoint
from fourfold.synthetic.terrain import Grid, heights
from fourfold.synthetic.valley_colors import paint_land, paint_water

_FOV, _PITCH = 45.0, 2.4  # degrees: vertically, and downwards
_NEAR, _FAR, _REACH = 1.45, 420.0, 0.86
# distance, middle, half width of the river
_STATIONS = (
    (1.0, 0.62, 1.15),
    (2.2, 0.55, 1.02),
    (3.2, 0.20, 0.92),
    (4.5, -0.75, 0.88),
    (6.5, -1.75, 0.85),
    (9.0, -0.55, 0.80),
    (13.0, 2.5, 0.85),
    (18.0, 4.4, 0.95),
    (25.0, 2.4, 1.05),
    (34.0, -3.2, 1.10),
    (46.0, -8.5, 1.10),
    (70.0, -12.0, 1.10),
)
_DISCHARGE = 0.034  # units^2 per frame: four pixels per frame at the lower rim of 640x360
_WIND = 0.0042  # per frame: up to 0.9 pixels at the upper rim of 640x360
# bearing, distance, height of the trees in front, and whether they are golden
_TREES = (
    (-0.50, 3.3, 2.05, False),
    (-0.66, 4.3, 1.75, True),
    (-0.42, 5.0, 1.5, True),
    (0.66, 4.6, 1.5, True),
    (0.74, 5.4, 1.9, False),
    (0.55, 7.0, 1.6, False),
)
# bearing, distance, size of the rocks
_ROCKS = (
    (-0.300, 2.75, 0.21),
    (-0.400, 2.55, 0.12),
    (-0.235, 3.15, 0.10),
    (0.655, 2.75, 0.24),
    (0.600, 3.15, 0.11),
    (0.700, 2.45, 0.09),
)
# The woods: between which distances, how many trees are tried, how many grow of each size.
_WOODS = (7.5, 95.0)
_SEEDLINGS, _KINDS = 2600, 5
_LEAST_RINGS, _MOST_RINGS = 5, 170
_BALLS = (Ball((0.0, 0.5, -4.5), 5.5, 1400), Ball((0.0, 1.0, -45.0), 60.0, 1600))
_FAR_BALL = Ball((0.0, 10.0, -180.0), 260.0, 1400)


def valley(seed: int) -> Landscape:
    """Lay out the valley; the seed changes textures, relief and trees, never the river's way."""
    river = River.through(_STATIONS, _DISCHARGE)
    daylight = Daylight()
    return Landscape(
        name="valley",
        viewpoint=Viewpoint(
            (0.0, 1.0, 0.0), (0.0, 1.0 - float(np.tan(np.radians(_PITCH))), -1.0), _FOV
        ),
        river=river,
        sky=Sky(seed + 400, _WIND),
        surface=partial(_surface, river),
        paint=partial(paint_water, river, daylight, seed + 300),
        still=partial(_still, river, daylight, seed),
    )


def _surface(river: River, cell: float) -> Surface:
    """Span the water between its banks and a little under them."""
    rows = Grid.seen(_NEAR, _STATIONS[-1][0], cell, cell).d[:, 0]
    count = int(np.ceil(2.2 * _STATIONS[1][2] / _STATIONS[1][0] / cell)) + 1
    n = np.linspace(-1.1, 1.1, count)
    d = np.repeat(rows[:, None], count, 1)
    x = river.middle(d) + n * river.half_width(d)
    return Surface(x.ravel(), d.ravel(), Grid(x, d).faces)


def _still(river: River, daylight: Daylight, seed: int, cell: float) -> dict[str, Solid]:
    grid = Grid.seen(_NEAR, _FAR, _REACH, cell)
    height = heights(river, grid.x, grid.d, seed)
    points = grid.points(height)
    land = Solid(points, grid.faces, paint_land(river, points, seed + 100))
    plants = {
        "land": land,
        "trees": joined(*_trees(river, seed, cell)),
        "rocks": joined(*_rocks(river, seed, cell)),
        "woods": joined(*_woods(river, seed, cell)),
    }
    scale = min(1.0, 0.0015 / cell)
    balls = [
        Ball(ball.center, ball.radius, max(64, int(ball.pixels * scale)))
        for ball in (*_BALLS, _FAR_BALL)
    ]
    return dict(zip(plants, daylight.bake(list(plants.values()), balls), strict=True))


def _feet(
    river: River, bearing: Float[np.ndarray, "N"], d: Float[np.ndarray, "N"], seed: int
) -> Float[np.ndarray, "N 3"]:
    """Give the points of the stage on the ground at bearings and distances."""
    x = bearing * d
    return np.stack((x, heights(river, x, d, seed), -d), -1)


def _rings(height: float, distance: float, cell: float) -> int:
    """Give how many rings of vertices a plant needs, fewer than one per cell of its height."""
    return int(np.clip(0.7 * height / distance / cell, _LEAST_RINGS, _MOST_RINGS))


def _trees(river: River, seed: int, cell: float) -> list[Solid]:
    bearing, distance, height, golden = np.array(_TREES).T
    feet = _feet(river, bearing, distance, seed)
    return [
        placed(
            conifer(_rings(height[k], distance[k], cell), seed + 17 * k, golden=bool(golden[k])),
            feet[k],
            height[k],
        )
        for k in range(len(_TREES))
    ]


def _rocks(river: River, seed: int, cell: float) -> list[Solid]:
    bearing, distance, size = np.array(_ROCKS).T
    feet = _feet(river, bearing, distance, seed)
    return [
        placed(boulder(_rings(2.5 * size[k], distance[k], cell), seed + 31 * k), feet[k], size[k])
        for k in range(len(_ROCKS))
    ]


def _woods(river: River, seed: int, cell: float) -> list[Solid]:
    """Grow woods on both sides, away from the water: thinned out where noise says meadow."""
    random = np.random.default_rng((seed, 5))
    near, far = _WOODS
    distance = near * (far / near) ** random.random(_SEEDLINGS)
    bearing = random.uniform(-_REACH, _REACH, _SEEDLINGS)
    p = np.stack((bearing * distance, distance), -1)
    wooded = fractal_noise(p / 9.0, seed + 60, 3)
    side = np.abs(p[:, 0] - 0.06 * distance) / (2.0 + 0.28 * distance)
    dry = river.bank_distance(p[:, 0], distance) > 0.8
    size, turn = random.uniform(0.75, 1.5, _SEEDLINGS), random.uniform(0, 6.28, _SEEDLINGS)
    tint = random.uniform(0.75, 1.25, _SEEDLINGS)
    gold = value_noise(p / 4.0, seed + 61) + random.normal(0.0, 0.2, _SEEDLINGS) > 0.62
    feet = _feet(river, bearing, distance, seed)
    grown = lru_cache(_kind_of_tree)
    return [
        placed(
            grown(_step(_rings(size[k], distance[k], cell)), seed + k % _KINDS, bool(gold[k])),
            feet[k],
            size[k],
            turn[k],
            tint[k],
        )
        for k in np.flatnonzero(dry & (wooded + 0.32 * side > 0.72)).tolist()
    ]


def _kind_of_tree(rings: int, seed: int, golden: bool) -> Solid:
    return conifer(rings, seed, golden=golden)


def _step(rings: int) -> int:
    """Round a number of rings so that trees have few of them: by steps of a third."""
    return round(_LEAST_RINGS * 1.33 ** round(np.log(rings / _LEAST_RINGS) / np.log(1.33)))
