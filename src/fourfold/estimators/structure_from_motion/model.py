"""A body's structure from motion as arrays: poses, points, which observations agree with them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from fourfold.estimators.structure_from_motion.tracks import Tracks

_REFERENCE_SIDE = 320  # pixels; up to here a pixel counts as one


@dataclass(frozen=True)
class Lens:
    """A pinhole for all frames: focal lengths and principal point in pixels, and the image size."""

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int

    @staticmethod
    def centred(focal: float, width: int, height: int) -> Lens:
        """Give a lens with square pixels whose axis goes through the middle of the image."""
        return Lens(focal, focal, width / 2, height / 2, width, height)

    @property
    def tolerance(self) -> float:
        """How many pixels count as one: errors grow with the image, though less than its size."""
        return max(1.0, max(self.width, self.height) / _REFERENCE_SIDE) ** 0.5

    def rays(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 3"]:
        """Give the camera-frame points at depth 1 that are seen at pixels."""
        x = (pixels[..., 0] - self.cx) / self.fx
        y = (pixels[..., 1] - self.cy) / self.fy
        return np.stack((x, y, np.ones_like(x)), axis=-1)

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Give the pixels of camera-frame points; NaN for points behind the camera."""
        depth = np.where(points[..., 2] > 0, points[..., 2], np.nan)
        x = self.fx * points[..., 0] / depth + self.cx
        y = self.fy * points[..., 1] / depth + self.cy
        return np.stack((x, y), axis=-1)


@dataclass(frozen=True, eq=False)
class Model:
    """Structure from motion of one body.

    poses: (T, 4, 4) camera_from_object, NaN where the frame is not registered.
    points: (P, 3) in the object's frame, NaN where not triangulated; as the tracks.
    used: (P, T) observations that agree with the model.
    """

    lens: Lens
    poses: Float[np.ndarray, "T 4 4"]
    points: Float[np.ndarray, "P 3"]
    used: Bool[np.ndarray, "P T"]

    @property
    def registered(self) -> Bool[np.ndarray, "T"]:
        """Which frames have a pose."""
        return np.isfinite(self.poses[:, 0, 0])

    @property
    def triangulated(self) -> Bool[np.ndarray, "P"]:
        """Which points have a place."""
        return np.isfinite(self.points[:, 0])

    def with_pose(self, frame: int, pose: Float[np.ndarray, "4 4"]) -> Model:
        """Register a frame."""
        poses = self.poses.copy()
        poses[frame] = pose
        return replace(self, poses=poses)


def in_cameras(model: Model) -> Float[np.ndarray, "P T 3"]:
    """Give all points in all cameras' frames; NaN where either is unknown."""
    rotated = np.einsum("tij,pj->pti", model.poses[:, :3, :3], model.points)
    return rotated + model.poses[None, :, :3, 3]


def residuals(model: Model, tracks: Tracks) -> Float[np.ndarray, "P T"]:
    """Measure reprojection errors in pixels; NaN where there is nothing to measure, inf behind."""
    local = in_cameras(model)
    error = np.linalg.norm(model.lens.project(local) - tracks.pixels, axis=-1)
    return np.where(np.isfinite(tracks.pixels[..., 0]) & (local[..., 2] <= 0), np.inf, error)


def triangulate(
    model: Model, tracks: Tracks, *, min_angle: float, max_error: float, anew: bool = False
) -> Model:
    """Triangulate the tracks that have no place yet from all registered frames they are seen in.

    Linear least squares on normalised rays (Hartley and Zisserman, 12.2). A track is kept when
    two of its rays make an angle of `min_angle` degrees and its mean error is at most
    `max_error` pixels; single observations beyond twice that are left out.

    Args:
        anew: triangulate those that have a place once more.
    """
    seen = tracks.visible & model.registered
    wanted = (seen.sum(axis=1) >= 2) & (anew | ~model.triangulated)
    points = np.where(wanted[:, None], np.nan, model.points)
    index = np.nonzero(wanted)[0]
    points[index] = _intersect(model, tracks.pixels[index], seen[index])
    trial = replace(model, points=points)
    error = residuals(trial, tracks)
    used = seen & (error <= 2 * max_error)
    mean = np.where(used, error, 0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    good = (used.sum(axis=1) >= 2) & (mean <= max_error)
    good &= parallax_angles(replace(trial, used=used)) >= min_angle
    good |= model.triangulated & (not anew)
    used = np.where((model.triangulated & (not anew))[:, None], model.used | used, used)
    points = np.where(good[:, None], points, np.nan)
    return replace(model, points=points, used=used & good[:, None])


def _intersect(model: Model, pixels: np.ndarray, seen: np.ndarray) -> Float[np.ndarray, "M 3"]:
    rays = model.lens.rays(np.where(seen[..., None], pixels, 0.0))
    poses = np.where(model.registered[:, None, None], model.poses, 0.0)
    # x (p3 . X) = p1 . X for each of the two image axes, each ray of weight 1 where seen.
    rows = rays[..., :2, None] * poses[None, :, None, 2] - poses[None, :, :2]
    rows = rows * seen[..., None, None]
    rows = rows / np.maximum(np.linalg.norm(rays, axis=-1), 1e-9)[..., None, None]
    normal = np.einsum("ptai,ptaj->pij", rows, rows)
    right, matrix = -normal[:, :3, 3], normal[:, :3, :3]
    regular = np.linalg.matrix_rank(matrix, tol=1e-12) == 3
    solved = np.full((len(pixels), 3), np.nan)
    solved[regular] = np.linalg.solve(matrix[regular], right[regular, :, None])[..., 0]
    return solved


def centres(model: Model) -> Float[np.ndarray, "T 3"]:
    """Give the camera centres in the object's frame."""
    return -np.einsum("tji,tj->ti", model.poses[:, :3, :3], model.poses[:, :3, 3])


def parallax_angles(model: Model) -> Float[np.ndarray, "P"]:
    """Measure the largest angle between two rays to each point, in degrees; 0 where unknown."""
    offsets = centres(model)[None] - model.points[:, None]
    usable = model.used & np.isfinite(offsets[..., 0])
    rays = offsets / np.maximum(np.linalg.norm(offsets, axis=-1, keepdims=True), 1e-12)
    rays = np.where(usable[..., None], rays, np.nan)
    smallest = np.ones(len(rays))
    for frame in range(rays.shape[1]):
        cosines = np.einsum("pti,pi->pt", rays, rays[:, frame])
        smallest = np.fmin(smallest, np.fmin.reduce(cosines, axis=1, initial=1.0))
    return np.degrees(np.arccos(np.clip(smallest, -1.0, 1.0)))


def keep_agreeing(model: Model, tracks: Tracks, *, max_error: float, min_angle: float) -> Model:
    """Leave out observations beyond `max_error` pixels, and points with too few or no parallax."""
    near = tracks.visible & (residuals(model, tracks) <= max_error)
    used = near & model.registered
    good = used.sum(axis=1) >= 2
    good &= parallax_angles(replace(model, used=used)) >= min_angle
    points = np.where(good[:, None], model.points, np.nan)
    return replace(model, points=points, used=used & good[:, None])


def robust_cost(model: Model, tracks: Tracks) -> float:
    """Measure how badly a model explains all tracks in its frames, per observation, in [0, 1].

    The mean of e² / (e² + scale²), the scale being the lens's tolerance; what is not explained at
    all costs 1, so that a model is not the better for leaving frames out. Points without a place
    get one first, whatever their parallax.
    """
    scale = model.lens.tolerance
    model = triangulate(model, tracks, min_angle=0.0, max_error=10 * scale)
    seen = tracks.visible
    squared = np.nan_to_num(residuals(model, tracks), nan=np.inf, posinf=np.inf)[seen] ** 2
    # 1 - s² / (e² + s²), which is the same and also right for an infinite e.
    cost = 1.0 - scale**2 / (squared + scale**2)
    return float(cost.mean()) if len(cost) else 1.0


def point_errors(model: Model, tracks: Tracks) -> Float[np.ndarray, "P"]:
    """Give the mean reprojection error of each point over its observations; NaN where none."""
    error = np.where(model.used, residuals(model, tracks), 0.0)
    count = model.used.sum(axis=1)
    return np.where(count > 0, error.sum(axis=1) / np.maximum(count, 1), np.nan)
