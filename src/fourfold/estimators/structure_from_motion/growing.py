"""From two frames to all: register the best-connected frame, triangulate, adjust, repeat."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from fourfold.estimators.structure_from_motion.bundle import (
    adjust,
    import_pycolmap,
    pycolmap_camera,
)
from fourfold.estimators.structure_from_motion.model import (
    Lens,
    Model,
    keep_agreeing,
    residuals,
    triangulate,
)
from fourfold.estimators.structure_from_motion.tracks import Tracks

FEWEST_POINTS = 12  # points that a frame must show to be registered
POSE_ERROR = 2.0  # px within which a point supports a pose
LEAST_SUPPORT = 0.4  # share of a frame's points that must support its pose
# All is adjusted again when the frames have become this much more.
_GROWTH = 1.25
_STEPS = 20  # of an adjustment while growing
_LOOSE, _TIGHT = 4.0, 2.0  # reprojection errors kept, px: while growing and at the end


@dataclass(frozen=True)
class Limits:
    """What a reconstruction must keep to: the smallest parallax of a point, degrees."""

    min_angle: float
    refine_focal: bool = False
    seed: int = 0


def grow(model: Model, tracks: Tracks, limits: Limits) -> Model:
    """Register as many frames as possible, starting from a model of two frames.

    Own, in the manner of COLMAP's incremental mapper (Schönberger and Frahm, CVPR 2016); videos
    are short enough to adjust everything each time.
    """
    model = adjust(model, tracks)
    refused: set[int] = set()
    adjusted = int(model.registered.sum())
    while (frame := _next_frame(model, tracks, refused)) is not None:
        pose = register(model, tracks, frame, limits.seed)
        if pose is None:
            refused.add(frame)
            continue
        model = model.with_pose(frame, pose)
        model = _supported(model, tracks, frame)
        model = triangulate(
            model, tracks, min_angle=limits.min_angle, max_error=POSE_ERROR * model.lens.tolerance
        )
        count = int(model.registered.sum())
        if count < 6 or count >= adjusted * _GROWTH:
            model = _adjusted(model, tracks, limits, _LOOSE, _STEPS)
            adjusted, refused = count, set()
    return _adjusted(model, tracks, limits, _LOOSE)


def complete(model: Model, tracks: Tracks, limits: Limits, *, rounds: int = 2) -> Model:
    """Bring a grown model to its end: all tracks, frames that were refused, outliers out.

    Args:
        model: poses count; the points are triangulated anew from `tracks`, which may be others
            than the model was grown from.
    """
    shape = (len(tracks), tracks.num_frames)
    model = replace(model, points=np.full((len(tracks), 3), np.nan), used=np.zeros(shape, bool))
    for _ in range(rounds):
        model = triangulate(
            model,
            tracks,
            min_angle=limits.min_angle,
            max_error=POSE_ERROR * model.lens.tolerance,
            anew=True,
        )
        model = _adjusted(model, tracks, limits, _TIGHT)
        for frame in np.nonzero(~model.registered)[0]:
            pose = register(model, tracks, int(frame), limits.seed)
            if pose is not None:
                model = _supported(model.with_pose(int(frame), pose), tracks, int(frame))
    return _adjusted(model, tracks, limits, _TIGHT)


def _adjusted(
    model: Model, tracks: Tracks, limits: Limits, max_error: float, steps: int = 50
) -> Model:
    # A focal length cannot be told from two or three neighbouring frames.
    refine = limits.refine_focal and int(model.registered.sum()) >= 4
    model = adjust(model, tracks, refine_focal=refine, max_iterations=steps)
    return keep_agreeing(
        model, tracks, max_error=max_error * model.lens.tolerance, min_angle=limits.min_angle
    )


def _next_frame(model: Model, tracks: Tracks, refused: set[int]) -> int | None:
    """Choose the unregistered frame that shows most points, the first of equals."""
    counts = (tracks.visible & model.triangulated[:, None]).sum(axis=0)
    counts[model.registered] = 0
    counts[list(refused)] = 0
    best = int(np.argmax(counts))
    return best if counts[best] >= FEWEST_POINTS else None


def register(
    model: Model, tracks: Tracks, frame: int, seed: int = 0
) -> Float[np.ndarray, "4 4"] | None:
    """Find the pose of a frame from the points it shows; None where too few agree.

    Two starts are refined and the one with more support kept: the nearest registered frame's
    pose (frames of a video differ little), and P3P by RANSAC.
    """
    seen = tracks.visible[:, frame] & model.triangulated
    if seen.sum() < FEWEST_POINTS:
        return None
    pixels, points = tracks.pixels[seen, frame], model.points[seen]
    trials = [_from_neighbour(model, pixels, points, frame), _p3p(model, pixels, points, seed)]
    best, support = None, max(FEWEST_POINTS, int(LEAST_SUPPORT * len(points))) - 1
    for pose in trials:
        count = 0 if pose is None else _support(model, pose, pixels, points)
        if count > support:
            best, support = pose, count
    return best


def _from_neighbour(
    model: Model, pixels: np.ndarray, points: np.ndarray, frame: int
) -> np.ndarray | None:
    known = np.nonzero(model.registered)[0]
    if len(known) == 0:
        return None
    start = model.poses[known[np.argmin(np.abs(known - frame))]]
    error = POSE_ERROR * model.lens.tolerance
    return pose_from(model.lens, pixels, points, start, error)[0]


def pose_from(
    lens: Lens,
    pixels: Float[np.ndarray, "N 2"],
    points: Float[np.ndarray, "N 3"],
    start: Float[np.ndarray, "4 4"],
    error: float,
) -> tuple[Float[np.ndarray, "4 4"] | None, int]:
    """Refine a pose from a start that is roughly right, and count the points within `error` px.

    None where fewer than 12 points agree.
    """
    pycolmap = import_pycolmap()
    pose, near = start, _errors(lens, start, pixels, points)
    # The start may be off by the motion of a frame: whoever is not far beyond the rest takes part.
    inliers = near <= 3 * np.median(near) + error
    for _ in range(3):
        if inliers.sum() < FEWEST_POINTS:
            return None, 0
        found = pycolmap.refine_absolute_pose(
            pycolmap.Rigid3d(pose[:3]), pixels, points, inliers, pycolmap_camera(lens)
        )
        if found is None:
            return None, 0
        pose = _matrix(found["cam_from_world"])
        inliers = _errors(lens, pose, pixels, points) <= error
    count = int(inliers.sum())
    return (pose, count) if count >= FEWEST_POINTS else (None, 0)


def _p3p(model: Model, pixels: np.ndarray, points: np.ndarray, seed: int) -> np.ndarray | None:
    pycolmap = import_pycolmap()
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = POSE_ERROR * model.lens.tolerance
    options.ransac.random_seed = seed
    options.ransac.max_num_trials = 2000
    found = pycolmap.estimate_and_refine_absolute_pose(
        pixels, points, pycolmap_camera(model.lens), options
    )
    return None if found is None else _matrix(found["cam_from_world"])


def _support(model: Model, pose: np.ndarray, pixels: np.ndarray, points: np.ndarray) -> int:
    error = _errors(model.lens, pose, pixels, points)
    return int((error <= POSE_ERROR * model.lens.tolerance).sum())


def _errors(
    lens: Lens, pose: np.ndarray, pixels: np.ndarray, points: np.ndarray
) -> Float[np.ndarray, "N"]:
    local = points @ pose[:3, :3].T + pose[:3, 3]
    error = np.linalg.norm(lens.project(local) - pixels, axis=-1)
    return np.where(np.isfinite(error), error, np.inf)


def _supported(model: Model, tracks: Tracks, frame: int) -> Model:
    """Use the observations of a newly registered frame that agree with it."""
    used = model.used.copy()
    used[:, frame] = residuals(model, tracks)[:, frame] <= _LOOSE * model.lens.tolerance
    return replace(model, used=used)


def _matrix(rigid: object) -> Float[np.ndarray, "4 4"]:
    pose = np.eye(4)
    pose[:3] = rigid.matrix()  # type: ignore[attr-defined]
    return pose
