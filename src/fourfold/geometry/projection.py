"""From the world to pixels and back, and cameras between the frames."""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry.camera import Camera
from fourfold.geometry.distortion import distort
from fourfold.geometry.rigid import invert_rigid, rigid_matrix
from fourfold.geometry.rotation import (
    matrix_to_quaternion,
    quaternion_slerp,
    quaternion_to_matrix,
)

# Points nearer to the camera plane than this share of a scene unit would divide by nearly zero.
_MIN_DEPTH = 1e-8


def project_points(
    camera: Camera, points: Float[Tensor, "*batch 3"]
) -> tuple[Float[Tensor, "*batch 2"], Float[Tensor, "*batch"]]:
    """Project world points to pixels (x, y) and z-depth.

    A point is in front of the camera where its depth is positive; pixels of other points have no
    meaning, but are finite. Differentiable in the points, the pose and the intrinsics.
    """
    pose = camera.camera_from_world
    local = points @ pose[:3, :3].mT + pose[:3, 3]
    depth = local[..., 2]
    tiny = torch.full_like(depth, _MIN_DEPTH)
    divisor = torch.where(depth.abs() < _MIN_DEPTH, torch.copysign(tiny, depth), depth)
    plane = local[..., :2] / divisor.unsqueeze(-1)
    if camera.distortion is not None:
        plane = distort(plane, camera.distortion)
    matrix = camera.intrinsics
    return plane @ matrix[:2, :2].mT + matrix[:2, 2], depth


def log_depth_ratio(
    camera: Camera, depth: Float[Tensor, "H W"], points: Float[Tensor, "N 3"]
) -> Float[Tensor, " N"]:
    """Compare points with a depth map: the logarithm of their z over the map's; NaN where not seen.

    Below 0 a point lies before what the camera sees there.
    """
    pixels, z = project_points(camera, points)
    x, y = pixels.floor().long().unbind(1)
    inside = (z > 0) & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    ratio = torch.full_like(z, torch.nan)
    ratio[inside] = (z[inside] / depth[y[inside], x[inside]]).log()
    return ratio


def unproject_pixels(
    camera: Camera, pixels: Float[Tensor, "*batch 2"], depth: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch 3"]:
    """Find the world points seen at `pixels` (x, y) at z-depth `depth`; NaN stays NaN.

    Differentiable in the pixels, the depth, the pose and the intrinsics.

    >>> camera = Camera.from_fov(200, 100, 90.0)
    >>> unproject_pixels(camera, torch.tensor([150.0, 50.0]), torch.tensor(2.0))
    tensor([2., 0., 2.])
    """
    local = camera.directions(pixels) * depth.unsqueeze(-1)
    pose = camera.world_from_camera
    return local @ pose[:3, :3].mT + pose[:3, 3]


def interpolate_cameras(cameras: Sequence[Camera], time: float) -> Camera:
    """Find the camera of a path at a time between its frames.

    Slerp of the orientation, linear in the position and the intrinsics. Integer times give the
    path's own cameras; times before the first or after the last frame give that one.

    Raises:
        ValueError: the path is empty, `time` is not finite, or two neighbours differ in size or
            lens.
    """
    if not cameras or not math.isfinite(time):
        raise ValueError(f"no camera at time {time} on a path of {len(cameras)} frames")
    time = min(max(time, 0.0), len(cameras) - 1.0)
    index = int(time)
    fraction = time - index
    before = cameras[index]
    if fraction == 0.0:
        return before
    after = cameras[index + 1]
    image = (before.width, before.height, before.distortion)
    if image != (after.width, after.height, after.distortion):
        raise ValueError(f"the cameras {index} and {index + 1} differ in size or lens")
    return replace(
        before.moved(_blend_poses(before, after, fraction)),
        intrinsics=torch.lerp(before.intrinsics, after.intrinsics, fraction),
    )


def _blend_poses(before: Camera, after: Camera, fraction: float) -> Float[Tensor, "4 4"]:
    start, end = before.world_from_camera, after.world_from_camera
    quaternion = quaternion_slerp(
        matrix_to_quaternion(start[:3, :3]), matrix_to_quaternion(end[:3, :3]), fraction
    )
    position = torch.lerp(start[:3, 3], end[:3, 3], fraction)
    return invert_rigid(rigid_matrix(quaternion_to_matrix(quaternion), position))
