"""Which column of a file's rotations is right, down, forward: the file does not say, pictures do.

LLFF's columns are down, right, back; NeRF's are right, up, back. Both are right-handed, and differ
only in how each camera is turned about its axis. Points that are seen by two cameras tell them
apart: under the right reading they lie on their epipolar lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

# Pictures are matched at this longer side. A match fits within so many pixels of it, and no better
# than SIFT is in smaller pictures.
STILL_SIZE = 640
_FITTING = 2.0
_LEAST_FITTING = 0.5
# Lowe's ratio (IJCV 2004) between the nearest and the next nearest descriptor.
_RATIO = 0.75
# A reading is taken when so many matches fit it and not another, so many times as many as the other
# way round. Points without parallax fit both, and say nothing.
_LEAST_MATCHES = 20
_MARGIN = 4.0
_MOST_PAIRS = 6

Matrix = Float[np.ndarray, "3 3"]
# places (M,2) and descriptors (M,128)
_Features = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Axes:
    """One reading: right, down, forward = world @ columns @ camera."""

    name: str
    camera: Matrix
    # turns a world in which right and left have changed places
    world: Matrix

    def read(
        self, columns: Float[np.ndarray, "N 3 3"], positions: Float[np.ndarray, "N 3"]
    ) -> Float[np.ndarray, "N 4 4"]:
        """Return camera_from_world, OpenCV axes."""
        world_from_camera = np.tile(np.eye(4), (len(columns), 1, 1))
        world_from_camera[:, :3, :3] = self.world @ columns @ self.camera
        world_from_camera[:, :3, 3] = positions @ self.world.T
        return np.linalg.inv(world_from_camera)


def _axes(name: str, right: str, down: str, forward: str, *, mirrored: bool = False) -> Axes:
    """Name for each axis the column it is, "-" before it where the column points the other way."""
    camera = np.zeros((3, 3))
    for axis, column in enumerate((right, down, forward)):
        camera[int(column[-1]), axis] = -1 if column[0] == "-" else 1
    return Axes(name, camera, np.diag([1.0, 1.0, -1.0 if mirrored else 1.0]))


LLFF = _axes("down, right, back (LLFF's)", "1", "0", "-2")
# Right-handed columns; then left-handed ones, of a mirrored world or with one column turned round.
RIGHT_HANDED = (
    LLFF,
    _axes("right, up, back (NeRF's)", "0", "-1", "-2"),
    _axes("right, down, forward (OpenCV's)", "0", "1", "2"),
)
LEFT_HANDED = (
    _axes("down, right, back, of a mirrored world", "1", "0", "-2", mirrored=True),
    _axes("right, up, back, of a mirrored world", "0", "-1", "-2", mirrored=True),
    _axes("right, down, forward, of a mirrored world", "0", "1", "2", mirrored=True),
    _axes("up, right, back", "1", "-0", "-2"),
    _axes("right, down, back", "0", "1", "-2"),
    _axes("right, up, forward", "0", "-1", "2"),
)


@dataclass(frozen=True)
class Still:
    """A grey picture of a camera, and its intrinsics in its pixels."""

    grey: UInt8[np.ndarray, "H W"]
    intrinsics: Matrix


def choose_axes(
    readings: tuple[Axes, ...],
    columns: Float[np.ndarray, "N 3 3"],
    positions: Float[np.ndarray, "N 3"],
    still: Callable[[int], Still],
) -> Axes | None:
    """Return the reading under which neighbouring cameras agree; None if none stands out.

    Own method: SIFT matches of at most six pairs of cameras, counted where both points lie within
    2 pixels (at a longer side of 640) of their epipolar lines.

    Args:
        readings: to choose from.
        columns, positions: of the cameras, as the file has them.
        still: gives a camera's picture.
    """
    poses = [reading.read(columns, positions) for reading in readings]
    seen: dict[int, tuple[Still, _Features]] = {}
    fits = np.zeros((len(readings), 0), bool)
    for a, b in islice(_pairs(columns, positions), _MOST_PAIRS):
        for camera in {a, b} - seen.keys():
            picture = still(camera)
            seen[camera] = picture, _features(picture.grey)
        points = _matches(seen[a][1], seen[b][1])
        stills = seen[a][0], seen[b][0]
        found = [_fitting(p[b] @ np.linalg.inv(p[a]), *stills, *points) for p in poses]
        fits = np.concatenate([fits, np.array(found)], axis=1)
        best = fits[int(fits.sum(1).argmax())]
        more, fewer = (best & ~fits).sum(1), (fits & ~best).sum(1)
        stands_out = (more >= _LEAST_MATCHES) & (more >= _MARGIN * fewer)
        if stands_out.sum() == len(readings) - 1:
            return readings[int(fits.sum(1).argmax())]
    return None


def _pairs(
    columns: Float[np.ndarray, "N 3 3"], positions: Float[np.ndarray, "N 3"]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of cameras, those first that look the same way; each camera once, then again."""
    count = len(columns)
    # the third column is the viewing axis in all readings
    angle = np.arccos(np.clip(columns[:, :, 2] @ columns[:, :, 2].T, -1, 1))
    apart = np.linalg.norm(positions[:, None] - positions[None], axis=2) > 0
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count) if apart[a, b]]
    pairs.sort(key=lambda pair: angle[pair])
    while pairs:
        used: set[int] = set()
        later = []
        for pair in pairs:
            if used.isdisjoint(pair):
                used.update(pair)
                yield pair
            else:
                later.append(pair)
        pairs = later


def _features(grey: UInt8[np.ndarray, "H W"]) -> _Features:
    points, descriptors = cv2.SIFT.create(2000).detectAndCompute(grey, None)  # pyright: ignore
    # OpenCV counts pixel centres from 0, we from 0.5
    places = np.array([point.pt for point in points]).reshape(-1, 2) + 0.5
    return places, np.zeros((0, 128), np.float32) if descriptors is None else descriptors


def _matches(
    one: _Features, other: _Features
) -> tuple[Float[np.ndarray, "M 2"], Float[np.ndarray, "M 2"]]:
    kept = []
    if min(len(one[0]), len(other[0])) > 1:
        found = cv2.BFMatcher().knnMatch(one[1], other[1], k=2)
        kept = [first for first, second in found if first.distance < _RATIO * second.distance]
    return one[0][[m.queryIdx for m in kept]], other[0][[m.trainIdx for m in kept]]


def _fitting(
    b_from_a: Float[np.ndarray, "4 4"],
    still_a: Still,
    still_b: Still,
    in_a: Float[np.ndarray, "M 2"],
    in_b: Float[np.ndarray, "M 2"],
) -> Bool[np.ndarray, "M"]:
    """Say which matches lie near their epipolar lines in both pictures."""
    x, y, z = b_from_a[:3, 3] / np.linalg.norm(b_from_a[:3, 3])
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ b_from_a[:3, :3]
    a = np.hstack([in_a, np.ones((len(in_a), 1))])
    b = np.hstack([in_b, np.ones((len(in_b), 1))])
    between = np.linalg.inv(still_b.intrinsics).T @ essential @ np.linalg.inv(still_a.intrinsics)
    lines_in_b, lines_in_a = a @ between.T, b @ between
    steepest = np.minimum(
        np.linalg.norm(lines_in_b[:, :2], axis=1), np.linalg.norm(lines_in_a[:, :2], axis=1)
    )
    allowed = max(_FITTING * max(still_a.grey.shape) / STILL_SIZE, _LEAST_FITTING)
    return np.abs((b * lines_in_b).sum(1)) < allowed * steepest
