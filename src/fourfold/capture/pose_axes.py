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
from jaxtyping import Float, UInt8

# Pictures are matched at this longer side, and a match fits within this many pixels of it.
STILL_SIZE = 640
_FITTING = 2.0
# Lowe's ratio (IJCV 2004) between the nearest and the next nearest descriptor.
_RATIO = 0.75
# A reading is taken when so many matches fit, and at least so many times as many as under another.
_LEAST_MATCHES = 20
_MARGIN = 2.0
_MOST_PAIRS = 6

Matrix = Float[np.ndarray, "3 3"]


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
    fitting = np.zeros(len(readings))
    features: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for a, b in islice(_pairs(columns, positions), _MOST_PAIRS):
        stills = {camera: still(camera) for camera in (a, b)}
        for camera in stills.keys() - features.keys():
            features[camera] = _features(stills[camera].grey)
        points = _matches(features[a], features[b])
        for index, pose in enumerate(poses):
            relative = pose[b] @ np.linalg.inv(pose[a])
            lines = _fundamental(relative, stills[a].intrinsics, stills[b].intrinsics)
            fitting[index] += _count_fitting(lines, *points)
        best, *others = np.sort(fitting)[::-1]
        if best >= _LEAST_MATCHES and best >= _MARGIN * others[0]:
            return readings[int(fitting.argmax())]
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


def _features(grey: UInt8[np.ndarray, "H W"]) -> tuple[np.ndarray, np.ndarray]:
    points, descriptors = cv2.SIFT.create(2000).detectAndCompute(grey, None)  # pyright: ignore
    places = np.array([point.pt for point in points]).reshape(-1, 2) + 0.5
    return places, np.zeros((0, 128), np.float32) if descriptors is None else descriptors


def _matches(
    one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[Float[np.ndarray, "M 2"], Float[np.ndarray, "M 2"]]:
    none = np.zeros((0, 2))
    if min(len(one[0]), len(other[0])) < 2:
        return none, none
    found = cv2.BFMatcher().knnMatch(one[1], other[1], k=2)
    kept = [first for first, second in found if first.distance < _RATIO * second.distance]
    if not kept:
        return none, none
    return one[0][[m.queryIdx for m in kept]], other[0][[m.trainIdx for m in kept]]


def _fundamental(b_from_a: Float[np.ndarray, "4 4"], in_a: Matrix, in_b: Matrix) -> Matrix:
    x, y, z = b_from_a[:3, 3] / np.linalg.norm(b_from_a[:3, 3])
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.linalg.inv(in_b).T @ cross @ b_from_a[:3, :3] @ np.linalg.inv(in_a)


def _count_fitting(
    fundamental: Matrix, in_a: Float[np.ndarray, "M 2"], in_b: Float[np.ndarray, "M 2"]
) -> int:
    """Count the matches whose points both lie near their epipolar lines."""
    ones = np.ones((len(in_a), 1))
    a, b = np.hstack([in_a, ones]), np.hstack([in_b, ones])
    in_b_lines, in_a_lines = a @ fundamental.T, b @ fundamental
    residual = np.abs((b * in_b_lines).sum(1))
    with np.errstate(divide="ignore", invalid="ignore"):
        worst = residual / np.minimum(
            np.linalg.norm(in_b_lines[:, :2], axis=1), np.linalg.norm(in_a_lines[:, :2], axis=1)
        )
    return int((worst < _FITTING).sum())
