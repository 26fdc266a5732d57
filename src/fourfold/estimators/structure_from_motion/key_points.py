"""From a reconstruction to a body: depths of key points, canonical frame, units, range of scales.

The numbers are those of OSN's preprocessing (`process_colmap`), whose training relies on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from fourfold.capture.bodies import BACKGROUND, KeyPoints, RigidBody
from fourfold.capture.body_units import (
    BOUNDS_SHARE,
    DEPTH_PERCENTILES,
    background_unit,
    object_unit,
)
from fourfold.estimators.structure_from_motion.boxes import oriented_box
from fourfold.estimators.structure_from_motion.model import Model, in_cameras, point_errors
from fourfold.estimators.structure_from_motion.tracks import Tracks

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

    The units are those of `background_unit` and `object_unit`. Weights are 2 exp(-(e / mean e)²),
    e the mean reprojection error of the point.
    """
    seen, close, far = _within_percentiles(_observations(model))
    if name == BACKGROUND:
        unit, scale_range = background_unit(far), None
    else:
        unit, scale_range = object_unit(close, far)
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
