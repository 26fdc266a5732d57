"""From a reconstruction to a body: depths of key points, canonical frame, units, range of scales.

The numbers are those of OSN's preprocessing (`process_colmap`), whose training relies on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from fourfold.capture.bodies import BACKGROUND, KeyPoints, RigidBody
from fourfold.estimators.structure_from_motion.boxes import oriented_box
from fourfold.estimators.structure_from_motion.model import Model, in_cameras, point_errors
from fourfold.estimators.structure_from_motion.tracks import Tracks

NEAR, FAR = 1.0, 8.0  # depths between which every scale keeps a body
DEPTH_PERCENTILES = (5.0, 95.0)  # of a frame; what lies outside is left out
BOUNDS_SHARE = 0.55  # half the bounds over the full extent of the box
_NEAR_MARGIN, _FAR_MARGIN = 1.05, 0.95
_WEIGHT = 2.0


@dataclass(frozen=True, eq=False)
class _Observations:
    """M observations of triangulated points, depths in units of the model."""

    points: Int[np.ndarray, "M"]
    frames: Int[np.ndarray, "M"]
    depths: Float[np.ndarray, "M"]

    def where(self, kept: np.ndarray) -> _Observations:
        return _Observations(self.points[kept], self.frames[kept], self.depths[kept])


def rigid_body(name: str, model: Model, tracks: Tracks) -> RigidBody:
    """Turn a reconstruction into a rigid body in its canonical frame and units.

    The unit is chosen so that the background's far end is at 0.95 * 8; that of an object so that
    the scales which keep it between the depths 1 and 8 have the mean 1. Weights are
    2 exp(-(e / mean e)²), e the mean reprojection error of the point.
    """
    seen, close, far = _within_percentiles(_observations(model))
    unit, scale_range = _unit(name, close, far)
    axes, centre, extent = oriented_box(_back_projected(model, tracks, seen))
    half = torch.from_numpy(BOUNDS_SHARE * unit * extent).float()
    return RigidBody(
        name=name,
        object_from_camera=_poses(model, axes, centre, unit),
        bounds=torch.stack((-half, half)),
        scale_range=scale_range,
        points=_key_points(model, tracks, seen, unit),
    )


def _observations(model: Model) -> _Observations:
    depths = in_cameras(model)[..., 2]
    with np.errstate(invalid="ignore"):
        points, frames = np.nonzero(model.used & (depths > 0))
    return _Observations(points, frames, depths[points, frames])


def _within_percentiles(seen: _Observations) -> tuple[_Observations, float, float]:
    """Leave out what lies outside the percentiles of its frame; also the least and greatest."""
    kept = np.zeros(len(seen.points), bool)
    spans = []
    for frame in np.unique(seen.frames):
        here = seen.frames == frame
        low, high = np.percentile(seen.depths[here], DEPTH_PERCENTILES)
        kept |= here & (seen.depths >= low) & (seen.depths <= high)
        spans.append((low, high))
    lows, highs = zip(*spans, strict=True)
    return seen.where(kept), float(min(lows)), float(max(highs))


def _unit(name: str, close: float, far: float) -> tuple[float, tuple[float, float] | None]:
    """Give body units per unit of the model, and the range of scales."""
    high = _FAR_MARGIN * FAR / far
    if name == BACKGROUND:
        return high, None
    low = _NEAR_MARGIN * NEAR / close
    unit = (low + high) / 2
    # A body deeper than the whole room between near and far has no such scale: it keeps its own.
    return unit, (min(low, high) / unit, max(low, high) / unit)


def _back_projected(model: Model, tracks: Tracks, seen: _Observations) -> Float[np.ndarray, "M 3"]:
    rays = model.lens.rays(tracks.pixels[seen.points, seen.frames])
    poses = model.poses[seen.frames]
    local = rays * seen.depths[:, None] - poses[:, :3, 3]
    return np.einsum("mji,mj->mi", poses[:, :3, :3], local)


def _poses(
    model: Model, axes: np.ndarray, centre: np.ndarray, unit: float
) -> dict[int, torch.Tensor]:
    poses = {}
    for frame in np.nonzero(model.registered)[0]:
        rotation = model.poses[frame, :3, :3]
        pose = np.eye(4)
        pose[:3, :3] = axes @ rotation.T
        pose[:3, 3] = unit * (axes @ (-rotation.T @ model.poses[frame, :3, 3] - centre))
        poses[int(frame)] = torch.from_numpy(pose).float()
    return poses


def _key_points(model: Model, tracks: Tracks, seen: _Observations, unit: float) -> KeyPoints:
    errors = point_errors(model, tracks)
    ratio = errors / max(float(np.nanmean(errors)), 1e-9)
    weights = _WEIGHT * np.exp(-(ratio**2))
    return KeyPoints(
        pixels=torch.from_numpy(tracks.pixels[seen.points, seen.frames]).float(),
        depths=torch.from_numpy(seen.depths * unit).float(),
        frames=torch.from_numpy(seen.frames).long(),
        weights=torch.from_numpy(weights[seen.points]).float(),
        errors=torch.from_numpy(errors[seen.points]).float(),
    )
