"""The first two frames of a reconstruction: how frames move against each other, and from where."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from fourfold.estimators.structure_from_motion.bundle import import_pycolmap, pycolmap_camera
from fourfold.estimators.structure_from_motion.model import (
    Lens,
    Model,
    parallax_angles,
    triangulate,
)
from fourfold.estimators.structure_from_motion.tracks import Tracks

FEWEST_COMMON = 20  # tracks that two frames must share
RANSAC_PIXELS = 1.0
_ROTATION_STEPS = 5
# Motion beyond this share of the longer side says no more about which pair is better.
_ENOUGH_MOTION = 0.04
_ALL_PAIRS = 64  # frames of a clip whose pairs are all compared


class Pair(NamedTuple):
    """Two frames, the tracks they share, and the motion (px) that no turn of a camera explains."""

    first: int
    second: int
    common: int
    motion: float


def rank_pairs(tracks: Tracks, lens: Lens) -> list[Pair]:
    """List pairs of frames by their promise as initial pairs: many tracks and much parallax."""
    enough = _ENOUGH_MOTION * max(lens.width, lens.height)
    return sorted(
        measure_pairs(tracks, lens),
        key=lambda pair: (-pair.common * min(pair.motion, enough), pair.first, pair.second),
    )


def measure_pairs(tracks: Tracks, lens: Lens) -> Iterator[Pair]:
    """Measure the motion between frames that share enough tracks, one pair after the other.

    Own. Of each pair the best pure rotation is taken out; the median of what remains is motion
    that only a translation between camera and body makes. Frames are compared over `frame_gaps`.
    """
    visible = tracks.visible
    rays = lens.rays(tracks.pixels)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    for gap in frame_gaps(tracks.num_frames):
        for first in range(tracks.num_frames - gap):
            second = first + gap
            common = visible[:, first] & visible[:, second]
            if common.sum() >= FEWEST_COMMON:
                motion = _unturned(rays[common, first], rays[common, second]) * lens.fx
                yield Pair(first, second, int(common.sum()), motion)


def frame_gaps(num_frames: int) -> list[int]:
    """Give the distances at which frames are compared: in long clips each is 1.2 times the last.

    That makes T log T pairs in the place of T² / 2, and parallax hardly differs between distances
    so near each other.

    >>> frame_gaps(5)
    [1, 2, 3, 4]
    >>> frame_gaps(100)
    [1, 2, 3, 4, 5, 7, 9, 11, 14, 17, 21, 26, 32, 39, 47, 57, 69, 83]
    """
    if num_frames <= _ALL_PAIRS:
        return list(range(1, num_frames))
    gaps = [1]
    while (gap := gaps[-1] * 6 // 5 + 1) < num_frames:
        gaps.append(gap)
    return gaps


def _unturned(source: np.ndarray, target: np.ndarray) -> float:
    """Fit a rotation to unit rays (least absolute errors) and give the median rest, radians."""
    weights = np.ones(len(source))
    rest = np.zeros(len(source))
    for _ in range(_ROTATION_STEPS):
        u, _, vt = np.linalg.svd((target * weights[:, None]).T @ source)
        rotation = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        rest = np.linalg.norm(target - source @ rotation.T, axis=1)
        weights = 1.0 / np.maximum(rest, 1e-5)
    return float(np.median(rest))


def start_model(
    tracks: Tracks, lens: Lens, pair: tuple[int, int], *, min_angle: float, seed: int
) -> Model | None:
    """Register two frames and triangulate what they share; None where that fails.

    Essential matrix by RANSAC and its refinement (pycolmap), unit baseline.

    Args:
        min_angle: degrees that half the triangulated points must reach.
    """
    pycolmap = import_pycolmap()
    first, second = pair
    common = tracks.visible[:, first] & tracks.visible[:, second]
    if common.sum() < FEWEST_COMMON:
        return None
    pixels = tracks.pixels[common]
    camera, error = pycolmap_camera(lens), RANSAC_PIXELS * lens.tolerance
    options = pycolmap.RANSACOptions(max_error=error, random_seed=seed)
    found = pycolmap.estimate_relative_pose(
        camera, pixels[:, first], camera, pixels[:, second], options
    )
    if found is None or found["num_inliers"] < FEWEST_COMMON:
        return None
    model = _of_two(tracks, lens, pair, found["cam2_from_cam1"].matrix())
    model = triangulate(model, tracks, min_angle=min_angle / 2, max_error=error)
    if model.triangulated.sum() < FEWEST_COMMON:
        return None
    angles = parallax_angles(model)[model.triangulated]
    return model if np.median(angles) >= min_angle else None


def _of_two(
    tracks: Tracks, lens: Lens, pair: tuple[int, int], matrix: Float[np.ndarray, "3 4"]
) -> Model:
    poses = np.full((tracks.num_frames, 4, 4), np.nan)
    poses[pair[0]] = poses[pair[1]] = np.eye(4)
    poses[pair[1], :3] = matrix
    shape = (len(tracks), tracks.num_frames)
    return Model(lens, poses, np.full((len(tracks), 3), np.nan), np.zeros(shape, bool))
