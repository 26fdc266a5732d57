"""Where the voxels are: which of the spaces fits the cameras."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.fields import BoxSpace, ContractedSpace, NdcSpace, Space
from fourfold.geometry import Camera, project_points
from fourfold.methods.mixvoxels.footage import Footage

FORWARD, PARALLEL = 35.0, 5.0
"""Cameras face forward when none turns farther than this from their mean direction, in degrees;
where a box could hold the scene, only when they are nearly parallel ..."""
FORWARD_SPREAD = 0.7
"""... and none is farther from their middle than this share of the nearest depth."""
BOX_RATIO = 12.0
"""A scene whose farthest depth is fewer times its nearest is held by a box."""
BOX_SIDE = 2.0
"""... unless its longest side is more times the farthest depth: cameras look to all sides."""
MARGIN = 1.05
"""By how much the frustum of forward-facing cameras is widened."""

NEAREST = 0.1
"""Nearest depth where none is known, in distances to what all cameras look at."""
_PROBES = 48


def nearest_distance(footage: Footage) -> float:
    """Give the distance from the cameras where rays begin."""
    return _bounds(footage.bounds, [row[0] for row in footage.cameras])[0]


def clear_distance(footage: Footage) -> float:
    """Give the distance within which nothing is drawn before a camera.

    Rays of training begin at the nearest distance, and what is nearer to all cameras is unknown;
    but a camera may be moved nearer to things: no farther than a tenth of the usual distance.
    """
    cameras = [row[0] for row in footage.cameras]
    distance = float((focus_point(cameras) - _positions(cameras)).norm(dim=1).mean())
    return min(nearest_distance(footage), NEAREST * distance)


def choose_space(footage: Footage, asked: str) -> Space:
    """Choose where the voxels are, or make the space that is asked for; own rules."""
    cameras = [row[0] for row in footage.cameras]
    near, far = _bounds(footage.bounds, cameras)
    bounded = far < BOX_RATIO * near
    faces_forward = _face_forward(cameras, near, PARALLEL if bounded else FORWARD)
    if asked == "ndc" or (asked == "auto" and faces_forward):
        return _frustum(cameras, near)
    if asked == "box" or (asked == "auto" and bounded):
        box = _box(cameras, near, min(far, BOX_RATIO * near))
        longest = float((box.high - box.low).max())
        if asked == "box" or longest < BOX_SIDE * far:
            return box
    return _everything(cameras, near)


def _bounds(bounds: Float[Tensor, "V 2"], cameras: list[Camera]) -> tuple[float, float]:
    """Give the nearest and the farthest depth that any camera sees."""
    known = bounds[torch.isfinite(bounds).all(1)]
    if len(known):
        return float(known[:, 0].min()) * 0.9, float(known[:, 1].max()) * 1.05
    # nothing says it: what the cameras look at is in reach, and the world goes on behind
    distance = float((focus_point(cameras) - _positions(cameras)).norm(dim=1).mean())
    return NEAREST * distance, math.inf


def _positions(cameras: list[Camera]) -> Float[Tensor, "V 3"]:
    return torch.stack([camera.position for camera in cameras])


def _directions(cameras: list[Camera]) -> Float[Tensor, "V 3"]:
    return torch.stack([camera.forward for camera in cameras])


def focus_point(cameras: list[Camera]) -> Float[Tensor, " 3"]:
    """Find the point that is nearest to all optical axes, in the least squares."""
    along = _directions(cameras).double()
    across = torch.eye(3, dtype=torch.float64) - along[:, :, None] * along[:, None, :]
    positions = _positions(cameras).double()
    right = (across @ positions.unsqueeze(-1)).sum(0)
    # parallel axes leave the distance open: a weak pull to the cameras keeps it finite
    weak = 1e-6 * torch.eye(3, dtype=torch.float64)
    return torch.linalg.solve(across.sum(0) + weak, right + weak @ positions.mean(0)[:, None])[
        :, 0
    ].float()


def _face_forward(cameras: list[Camera], near: float, most: float) -> bool:
    """Say whether cameras stand side by side and turn at most so many degrees from their mean."""
    directions, positions = _directions(cameras), _positions(cameras)
    mean = functional.normalize(directions.mean(0), dim=0)
    spread = (positions - positions.mean(0)).norm(dim=1).max()
    turned = (directions @ mean).min()
    return bool(turned > math.cos(math.radians(most))) and float(spread) < FORWARD_SPREAD * near


def _frustum(cameras: list[Camera], near: float) -> NdcSpace:
    """Make the frustum of a camera amid the others that holds what all of them see."""
    middle = _mean_pose(cameras)
    corners = _frustum_corners(cameras, near, 1e4 * near)
    seen = corners @ middle[:3, :3].T + middle[:3, 3]
    depths = seen[:, 2].clamp_min(1e-3 * near)
    slopes = (seen[:, :2].abs() / depths[:, None])[seen[:, 2] > 0.5 * near].amax(0) * MARGIN
    nearest = min(near, float(seen[:, 2].clamp_min(0.25 * near).min()))
    return NdcSpace(middle, slopes, torch.tensor(nearest))


def _mean_pose(cameras: list[Camera]) -> Float[Tensor, "4 4"]:
    """Give a camera_from_world amid the cameras: their mean place and mean axes."""
    z = functional.normalize(_directions(cameras).mean(0), dim=0)
    down = torch.stack([camera.camera_from_world[1, :3] for camera in cameras]).mean(0)
    x = functional.normalize(torch.linalg.cross(down, z), dim=0)
    rotation = torch.stack((x, torch.linalg.cross(z, x), z))
    pose = torch.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -rotation @ _positions(cameras).mean(0)
    return pose


def _frustum_corners(cameras: list[Camera], near: float, far: float) -> Float[Tensor, "P 3"]:
    points = []
    for camera in cameras:
        w, h = camera.width, camera.height
        edges = torch.tensor([[0.0, 0], [w, 0], [0, h], [w, h]]).to(camera.intrinsics)
        seen = camera.directions(edges)
        pose = camera.world_from_camera
        for depth in (near, far):
            points.append(depth * seen @ pose[:3, :3].T + pose[:3, 3])
    return torch.cat(points)


def _box(cameras: list[Camera], near: float, far: float) -> BoxSpace:
    """Make the smallest upright box around all places that two cameras or more see."""
    corners = _frustum_corners(cameras, near, far)
    low, high = corners.amin(0), corners.amax(0)
    axes = [torch.linspace(0.0, 1.0, _PROBES)] * 3
    cube = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = low + cube * (high - low)
    seen = torch.zeros(len(points), dtype=torch.int32)
    for camera in cameras:
        pixels, depth = project_points(camera, points)
        size = pixels.new_tensor([camera.width, camera.height])
        inside = ((pixels >= 0) & (pixels <= size)).all(1)
        seen += inside & (depth > near) & (depth < far)
    shared = points[seen >= 2]
    if not len(shared):
        return BoxSpace(low, high)
    cell = (high - low) / (_PROBES - 1)
    return BoxSpace(shared.amin(0) - cell, shared.amax(0) + cell)


def _everything(cameras: list[Camera], near: float) -> ContractedSpace:
    """Make a cube whose inner half reaches from what cameras look at halfway to the cameras."""
    center = focus_point(cameras)
    distances = (_positions(cameras) - center).norm(dim=1)
    half = 0.5 * max(float(distances.median()), 2.0 * near)
    return ContractedSpace(center, torch.full((3,), half))
