"""The first two frames of a reconstruction: how frames move against each other, and from where."""

from __future__ import annotations

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


class Pair(NamedTuple):
    """Two frames, the tracks they share, and the motion (px) that no turn of a camera explains."""

    first: int
    second: int
    common: int
    motion: float


def rank_pairs(tracks: Tracks, lens: Lens) -> list[Pair]:
    """List pairs of frames by their promise as initial pairs: many tracks and much parallax.

    Own. Of each pair the best pure rotation is taken out; the median of what remains is motion
    that only a translation between camera and body makes.
    """
    visible = tracks.visible
    rays = lens.rays(tracks.pixels)
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    pairs = []
    for first in range(tracks.num_frames):
        for second in range(first + 1, tracks.num_frames):
            common = visible[:, first] & visible[:, second]
            if common.sum() >= FEWEST_COMMON:
                motion = _unturned(rays[common, first], rays[common, second]) * lens.fx
                pairs.append(Pair(first, second, int(common.sum()), motion))
    enough = _ENOUGH_MOTION * max(lens.width, lens.height)
    return sorted(pairs, key=lambda p: (-p.common * min(p.motion, enough), p.first, p.second))


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
