"""The land of the valley: banks, meadows, wooded sides, a range of mountains."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from fourfold.synthetic.noise import fractal_noise, ramp, value_noise
from fourfold.synthetic.river import River

# From here on the land is mountains, which need rows as close as columns.
_UPRIGHT = 50.0
Values = Float[np.ndarray, "*batch"]


def heights(river: River, x: Values, d: Values, seed: int) -> Values:
    """Give the land's height above the water; below 0 under it, 0 exactly at the banks."""
    shore = river.bank_distance(x, d)
    channel = np.maximum(0.7 * np.minimum(shore, 0.0), -0.25)
    outside = np.maximum(shore, 0.0)
    p = np.stack((x, d), -1)
    # what is multiplied with the distance to the bank moves no waterline
    bank = 0.13 * (1 - np.exp(-outside / 0.13)) * (0.4 + 1.2 * value_noise(p / 1.7, seed))
    swell = 0.22 * _rise(outside, 0.1, 2.5) * fractal_noise(p / 2.8, seed + 1, 5)
    return channel + bank + swell + _sides(x, d, p, seed) + _mountains(x, d, p, seed)


def _sides(x: Values, d: Values, p: np.ndarray, seed: int) -> Values:
    """Rise to both sides of the valley floor."""
    floor = 3.4 + 0.30 * d
    beyond = np.maximum(np.abs(x - 0.06 * d) - floor, 0.0)
    steep = 0.10 + 0.34 * fractal_noise(p / 11.0, seed + 10, 5)
    return beyond * steep * _rise(beyond, 0.0, 4.0)


def _mountains(x: Values, d: Values, p: np.ndarray, seed: int) -> Values:
    """Raise a ridged range far away, lower where the valley opens."""
    bearing = x / d - 0.12
    open_valley = 1.0 - 0.72 * np.exp(-((bearing / 0.13) ** 2))
    crest = ridged_noise(p / 74.0, seed + 20, 8)
    return 58.0 * crest * open_valley * _rise(d, 55.0, 210.0)


def ridged_noise(points: Float[np.ndarray, "*batch D"], seed: int, octaves: int) -> Values:
    """Sum octaves of noise folded at its middle, in [0,1]: sharp crests, gentle valleys.

    Musgrave's ridged multifractal, simplified: each octave counts where those before are high.
    """
    total, weight, sum_of_amplitudes = np.zeros(points.shape[:-1]), 1.0, 0.0
    for k in range(octaves):
        fold = 1.0 - np.abs(2.0 * value_noise(points * 2.03**k, seed + k) - 1.0)
        total = total + 0.5**k * weight * fold**2
        weight = np.clip(1.6 * fold**2, 0.0, 1.0)
        sum_of_amplitudes += 0.5**k
    return total / sum_of_amplitudes


def _rise(value: Values, low: float, high: float) -> Values:
    return ramp(value, low, high)[..., 0]


@dataclass(frozen=True)
class Grid:
    """A mesh over the plan as the camera sees it: columns are bearings, rows are distances.

    Attributes:
        x, d: (R, C) the plan's coordinates of its vertices.
    """

    x: Float[np.ndarray, "R C"]
    d: Float[np.ndarray, "R C"]

    @staticmethod
    def seen(near: float, far: float, reach: float, cell: float) -> "Grid":
        """Spread vertices over bearings up to `reach` (tangent) and distances from near to far.

        Neighbours are about `cell` apart on the image plane at distance 1, seen from height 1;
        farther away, where land is upright, by shares of the distance.
        """
        distances = [near]
        while distances[-1] < far:
            d = distances[-1]
            distances.append(d + cell * d * (min(d, 6.0) if d < _UPRIGHT else 2.5))
        bearings = np.linspace(-reach, reach, int(np.ceil(2 * reach / cell)) + 1)
        d = np.repeat(np.array(distances)[:, None], len(bearings), 1)
        return Grid(d * bearings, d)

    @property
    def faces(self) -> Int[np.ndarray, "F 3"]:
        """Two triangles per cell, facing up."""
        rows, columns = self.d.shape
        index = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, e = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        triangles = ((a, b, c), (a, c, e))
        return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in triangles])

    def points(self, height: Float[np.ndarray, "R C"]) -> Float[np.ndarray, "N 3"]:
        """Give the vertices on the stage (y up, z towards the viewer)."""
        return np.stack((self.x, height, -self.d), -1).reshape(-1, 3)
