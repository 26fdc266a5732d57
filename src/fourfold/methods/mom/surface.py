"""The plane on which a region's matter moves, and velocities on it.

A plane seen by a pinhole camera has an inverse depth that is affine in the pixel: 1/z = m . d with
d = K^-1 (x, y, 1). A velocity u in chart pixels per frame and the world velocity V in the plane's
two tangent directions are tied by V = A u, where A(pixel) is 2x2; det A is the plane's area in one
pixel. Perspective needs no more than that: the same V is fewer pixels far away. Own.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from fourfold.geometry import Camera

# A plane is fitted to so many pixels at most, by so many rounds of least absolute deviation.
FIT_PIXELS = 20_000
FIT_ROUNDS = 8
# The inverse depth is kept above this share of the region's largest: before the horizon.
FARTHEST = 0.01
# A plane whose normal is within this angle of the camera's vertical axis is ground.
GROUND_TILT = 35.0
# Median relative error of the inverse depth above which a region is reported as not flat.
FLAT_ERROR = 0.1


@dataclass(frozen=True, eq=False)
class PlaneSurface:
    """A plane in front of a camera.

    Args:
        coefficients: m (3,) of 1/z = m . d, in camera axes.
        inverse_intrinsics: K^-1 (3,3).
        least: smallest inverse depth; farther pixels count as being there.
        sky: the region is sky: the plane faces the camera and has no banks.
        error: median relative error of 1/z against the given depth.
    """

    coefficients: Float[np.ndarray, "3"]
    inverse_intrinsics: Float[np.ndarray, "3 3"]
    least: float
    sky: bool
    error: float

    @property
    def normal(self) -> Float[np.ndarray, "3"]:
        """The unit normal, pointing away from the camera."""
        return self.coefficients / np.linalg.norm(self.coefficients)

    @property
    def tangents(self) -> Float[np.ndarray, "2 3"]:
        """Two orthonormal directions in the plane, the first as close to x as can be."""
        normal = self.normal
        axis = np.eye(3)[0 if abs(normal[0]) < 0.9 else 1]
        first = axis - normal * (normal @ axis)
        first /= np.linalg.norm(first)
        return np.stack([first, np.cross(normal, first)])

    @property
    def kind(self) -> str:
        """Tell the kind of surface: "sky", "ground" or "upright"."""
        if self.sky:
            return "sky"
        return "ground" if abs(self.normal[1]) > np.cos(np.radians(GROUND_TILT)) else "upright"

    def inverse_depth(self, pixels: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N"]:
        """Give 1/z of the plane at pixels (x, y), never less than `least`."""
        return np.maximum(self._directions(pixels) @ self.coefficients, self.least)

    def world_from_chart(self, pixels: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2 2"]:
        """Give A (N,2,2), the derivative of the plane's point (in its tangents) by the pixel."""
        directions = self._directions(pixels)
        inverse = self.inverse_depth(pixels)[:, None]
        columns = []
        for axis in (0, 1):
            step = self.inverse_intrinsics[:, axis]
            slope = step @ self.coefficients
            columns.append((step - directions * slope / inverse) / inverse)
        return np.stack([column @ self.tangents.T for column in columns], axis=2)

    def _directions(self, pixels: np.ndarray) -> np.ndarray:
        ones = np.ones((len(pixels), 1))
        return np.concatenate([pixels, ones], axis=1) @ self.inverse_intrinsics.T


def fit_surface(
    mask: Bool[np.ndarray, "H W"],
    depth: Float[np.ndarray, "H W"],
    camera: Camera,
    sky: bool,
) -> PlaneSurface:
    """Fit the plane of a region to its depth, by least absolute deviation of the inverse depth.

    Sky is a plane that faces the camera.

    Args:
        mask: the region, at least one pixel.
        depth: z, finite and positive inside the region.
    """
    inverse_intrinsics = np.linalg.inv(camera.intrinsics.double().cpu().numpy())
    rows, columns = np.nonzero(mask)
    chosen = slice(None, None, -(-len(rows) // FIT_PIXELS))
    rows, columns = rows[chosen], columns[chosen]
    inverse = 1.0 / depth[rows, columns].astype(np.float64)
    if sky:
        facing = np.array([0.0, 0.0, float(np.median(inverse))])
        return PlaneSurface(facing, inverse_intrinsics, facing[2], True, 0.0)
    pixels = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], axis=1)
    directions = pixels @ inverse_intrinsics.T
    coefficients = _least_absolute(directions, inverse)
    fitted = directions @ coefficients
    error = float(np.median(np.abs(fitted - inverse) / inverse))
    least = FARTHEST * float(max(fitted.max(), inverse.max()))
    return PlaneSurface(coefficients, inverse_intrinsics, least, False, error)


def _least_absolute(directions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Fit values = m . directions; a region too small to tell a slope gets a facing plane."""
    middle = directions.mean(axis=0)
    centred = (directions - middle)[:, :2]
    design = np.concatenate([centred, np.ones((len(values), 1))], axis=1)
    weights = np.ones(len(values))
    slopes = np.zeros(3)
    for _ in range(FIT_ROUNDS):
        root = np.sqrt(weights)
        slopes = np.linalg.lstsq(design * root[:, None], values * root, rcond=1e-6)[0]
        residual = np.abs(design @ slopes - values)
        weights = 1.0 / np.maximum(residual, 1e-3 * np.median(values))
    return np.array([slopes[0], slopes[1], slopes[2] - slopes[:2] @ middle[:2]])
