"""Regions of a photo: what their names mean, and their outlines as masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

MOTION = "motion"
# What a region is: matter that moves, or a part of the scene's geometry.
REGION_KINDS = (MOTION, "sky", "ground", "water", "vertical")
# Fixed-point digits of OpenCV's drawing: 1/16 pixel.
_SHIFT = 4


def region_kind(name: str) -> str | None:
    """Say which kind a region's name begins with; None for other names.

    >>> region_kind("motion_3"), region_kind("water"), region_kind("tree")
    ('motion', 'water', None)
    """
    return next((kind for kind in REGION_KINDS if name.startswith(kind)), None)


@dataclass(frozen=True, eq=False)
class Outline:
    """The closed outline of a region, or an open stroke of some width.

    Attributes:
        points: (P, 2) x and y in pixels, the centre of the first pixel at 0.5; float64.
        stroke: width of an open stroke in pixels; None for an area.
    """

    points: Float[np.ndarray, "P 2"]
    stroke: float | None = None

    def resized(self, factor_x: float, factor_y: float) -> Outline:
        """Give the outline on the same photo with another number of pixels."""
        stroke = None if self.stroke is None else self.stroke * (factor_x * factor_y) ** 0.5
        return Outline(self.points * (factor_x, factor_y), stroke)

    def fill(self, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
        """Mark the pixels whose centres it covers in a picture of (width, height)."""
        if self.stroke is None:
            return fill_polygon(self.points, size)
        return _draw_stroke(self.points, self.stroke, size)


def fill_polygon(
    points: Float[np.ndarray, "P 2"], size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """Mark the pixels whose centres lie inside a closed polygon, by the even-odd rule.

    OpenCV's and Pillow's fills take the pixels of the border too, half a pixel too wide on every
    side; here polygons with a common edge share no pixel and leave none out.

    >>> fill_polygon(np.array([[1.0, 0.0], [3.0, 0.0], [3.0, 1.0], [1.0, 1.0]]), (4, 2)).astype(int)
    array([[0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    width, height = size
    crossings: UInt8[np.ndarray, "H W+1"] = np.zeros((height, width + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        # rows whose centres the edge passes, its lower end left out
        first, last = (np.ceil(np.clip(y, -1, height + 1) - 0.5) for y in sorted((y0, y1)))
        rows = np.arange(max(int(first), 0), min(int(last), height))
        x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
        crossings[rows, columns] += 1
    return np.cumsum(crossings, axis=1, dtype=np.uint8)[:, :width] % 2 == 1


def _draw_stroke(
    points: Float[np.ndarray, "P 2"], stroke: float, size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    canvas = np.zeros((size[1], size[0]), np.uint8)
    # OpenCV counts pixel centres from 0, we from 0.5
    fixed = np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, 1, max(1, round(stroke)), cv2.LINE_8, _SHIFT)
    return canvas > 0
