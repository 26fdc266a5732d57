"""Rigid bodies as a perfect structure from motion would give them, in OSN's units."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.capture import BACKGROUND, KeyPoints, RigidBody
from fourfold.capture.body_units import (
    BOUNDS_SHARE,
    DEPTH_PERCENTILES,
    background_unit,
    object_unit,
)
from fourfold.errors import UsageError
from fourfold.geometry import Camera, invert_rigid, unproject_pixels


@dataclass(frozen=True, eq=False)
class Seen:
    """What the training frames show: cameras in the world, labels, true z of what is seen."""

    cameras: Sequence[Camera]
    labels: Sequence[Int[Tensor, "H W"]]
    depth: Sequence[Float[Tensor, "H W"]]


def exact_bodies(
    seen: Seen,
    names: Sequence[str],
    world_from_object: Float[Tensor, "T K 4 4"],
    extents: Float[Tensor, "K 3"],
    points_across: int,
) -> tuple[list[RigidBody], list[float]]:
    """Build the bodies of a capture from its truth, with key points as dense tracks give them.

    After OSN's process_colmap; units and scales are those of `background_unit` and `object_unit`.

    Args:
        names: of the objects, without the background.
        world_from_object: true poses, the background first; the frames' middles are the bodies'.
        extents: true sizes of the bodies in their frames.
        points_across: about how many key points a row of pixels has; at most every second pixel.

    Returns:
        the bodies, the background first, and how many true units a unit of each has.

    Raises:
        UsageError: a body that is in no frame.
    """
    bodies, scales = [], []
    for k, name in enumerate((BACKGROUND, *names)):
        points = _key_points(seen, k, points_across)
        if not len(points):
            raise UsageError(
                f"{name} is not seen in any of {len(seen.cameras)} frames of "
                f"{seen.cameras[0].width}x{seen.cameras[0].height}",
                mend="Film more or larger frames: --frames, --width, --height",
            )
        close, far = _closest_and_farthest(points)
        unit, scale_range = object_unit(close, far) if k else (background_unit(far), None)
        half = BOUNDS_SHARE * extents[k] * unit
        bodies.append(
            RigidBody(
                name=name,
                object_from_camera=_poses(seen, points, world_from_object[:, k], unit),
                bounds=torch.stack((-half, half)).float(),
                scale_range=scale_range,
                points=replace(points, depths=points.depths * unit),
            )
        )
        scales.append(1.0 / unit)
    return bodies, scales


def observed_bounds(seen: Seen) -> Float[Tensor, "2 3"]:
    """Give the lowest and highest world coordinates of the background that frames show."""
    lows, highs = [], []
    for camera, labels, depth in zip(seen.cameras, seen.labels, seen.depth, strict=True):
        shown = (labels == 0) & depth.isfinite()
        points = unproject_pixels(camera, camera.pixel_grid()[shown], depth[shown])
        lows.append(points.amin(0))
        highs.append(points.amax(0))
    return torch.stack((torch.stack(lows).amin(0), torch.stack(highs).amax(0)))


def _key_points(seen: Seen, body: int, points_across: int) -> KeyPoints:
    pixels, depths, frames = [], [], []
    for frame, camera in enumerate(seen.cameras):
        stride = max(2, round(camera.width / points_across))
        depth = seen.depth[frame]
        chosen = torch.zeros_like(depth, dtype=torch.bool)
        chosen[::stride, ::stride] = True
        chosen &= (seen.labels[frame] == body) & depth.isfinite()
        pixels.append(camera.pixel_grid()[chosen])
        depths.append(depth[chosen])
        frames.append(torch.full((int(chosen.sum()),), frame))
    ones = torch.ones(sum(len(part) for part in depths))
    return KeyPoints(torch.cat(pixels), torch.cat(depths), torch.cat(frames), ones, ones)


def _closest_and_farthest(points: KeyPoints) -> tuple[float, float]:
    """Give the least and greatest depth, those beyond the percentiles of a frame left out."""
    shares = torch.tensor(DEPTH_PERCENTILES, dtype=torch.float64) / 100
    of_frames = [points.depths[points.frames == f].double() for f in points.frames.unique()]
    close, far = torch.stack([depths.quantile(shares) for depths in of_frames]).T
    return float(close.min()), float(far.max())


def _poses(
    seen: Seen, points: KeyPoints, world_from_object: Float[Tensor, "T 4 4"], unit: float
) -> dict[int, Float[Tensor, "4 4"]]:
    """Give the camera in the body's frame and units, where the body is seen at all."""
    poses = {}
    for frame in points.frames.unique().tolist():
        world_from_camera = invert_rigid(seen.cameras[frame].camera_from_world.double())
        pose = invert_rigid(world_from_object[frame].double()) @ world_from_camera
        pose[:3, 3] *= unit
        poses[frame] = pose.float()
    return poses
