"""A photo's regions and motion drawn as a user would: polygons and hints in labelme's JSON."""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float

# A hint's line is the way of 50 frames (3D-MOM).
HINT_FRAMES = 50
_LABELME_VERSION = "5.5.0"
# Outlines are drawn on pixels so much enlarged, so that they go round them and not through them,
_FINER = 4
# as exactly as this, in pixels, and not round specks smaller than this share of the photo.
_EXACTNESS = 0.5
_SPECK = 1e-4
_POINTS_ON_LINE = 25
# How many middles of a line are tried at most; which share of the highest speed is fast; how much
# more the velocity may change along a line than along the steadiest; below which speed a line is
# too short to draw, in photo widths per frame.
_MOST_TRIED = 2000
_FAST, _STEADY, _SLOWEST = 0.7, 0.05, 1.5e-4

Velocity = Callable[[Float[np.ndarray, "N 2"]], Float[np.ndarray, "N 2"]]
Line = tuple[tuple[float, float], tuple[float, float]]


def labelme(image_name: str, size: tuple[int, int], shapes: list[dict[str, Any]]) -> dict[str, Any]:
    """Put shapes on a photo of (width, height) into the layout of labelme 5."""
    return {
        "version": _LABELME_VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image_name,
        "imageData": None,
        "imageHeight": size[1],
        "imageWidth": size[0],
    }


def outlines(label: str, mask: Bool[np.ndarray, "H W"]) -> Iterator[dict[str, Any]]:
    """Draw polygons round the parts of a mask; holes are filled, specks left out."""
    fine = np.kron(mask, np.ones((_FINER, _FINER), bool)).astype(np.uint8)
    contours, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    for contour in sorted(contours, key=cv2.contourArea, reverse=True):
        if cv2.contourArea(contour) < _SPECK * fine.size:
            break
        points = cv2.approxPolyDP(contour, _EXACTNESS * _FINER, True)[:, 0]
        if len(points) >= 3:
            yield _shape(label, (points + 0.5) / _FINER, "polygon")


def hint(index: int, line: Line) -> dict[str, Any]:
    """Draw a hint."""
    return _shape(f"hint_{index}", np.array(line), "line")


def place_hint(
    mask: Bool[np.ndarray, "H W"], region: Bool[np.ndarray, "H W"], velocity: Velocity
) -> Line | None:
    """Find the line of a hint with its middle in a mask: 50 velocities there long.

    Of the lines that stay in the region, are nearly as fast as any of them, and along which the
    velocity changes nearly as little, it is the one farthest from the rim; None where there is
    none that is long enough to draw.

    Args:
        mask: where the middle may be.
        region: where the whole line must be.
        velocity: of the matter at pixels (x, y), in pixels per frame.
    """
    rows, columns = np.nonzero(mask)
    every = max(1, len(rows) // _MOST_TRIED)
    middles = np.stack((columns, rows), -1)[::every] + 0.5
    moves = velocity(middles)
    share = np.linspace(-0.5, 0.5, _POINTS_ON_LINE)[None, :, None]
    ways = middles[:, None] + share * HINT_FRAMES * moves[:, None]
    speeds = np.linalg.norm(moves, axis=1)
    room = _room(ways, region)
    good = (room > 0) & (speeds >= _SLOWEST * region.shape[1])
    if not good.any():
        return None
    good &= speeds >= _FAST * speeds[good].max()
    ways, moves, speeds, room = (values[good] for values in (ways, moves, speeds, room))
    along = velocity(ways.reshape(-1, 2)).reshape(ways.shape)
    change = np.linalg.norm(along - moves[:, None], axis=-1).mean(1) / speeds
    way = ways[np.argmax(np.where(change <= change.min() + _STEADY, room, -1.0))]
    (x0, y0), (x1, y1) = way[0].tolist(), way[-1].tolist()
    return (x0, y0), (x1, y1)


def _room(
    ways: Float[np.ndarray, "N P 2"], region: Bool[np.ndarray, "H W"]
) -> Float[np.ndarray, "N"]:
    """Measure how far ways keep from the rim of a region, in pixels; 0 where they leave it."""
    framed = np.pad(region.astype(np.uint8), 1)
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    height, width = distance.shape
    x, y = np.clip(np.floor(ways) + 1, 0, (width - 1, height - 1)).astype(int).transpose(2, 0, 1)
    return distance[y, x].min(1)


def _shape(label: str, points: Float[np.ndarray, "P 2"], kind: str) -> dict[str, Any]:
    return {
        "label": label,
        "points": np.round(points, 2).tolist(),
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }
