"""Where the voxels are: which of the spaces fits the cameras."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.errors import InputError
from fourfold.fields import BoxSpace, ContractedSpace, NdcSpace, Space, grid_vertices
from fourfold.geometry import Camera, focus_point, project_points
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
SHIFT = 64.0 / 1008.0
"""Share of a picture's longer side by which things are shifted in that of the camera next to it;
LLFF's advice for taking pictures, at its usual size."""
_PROBES = 48


def nearest_distance(footage: Footage) -> float:
    """Give the distance from the cameras where rays begin."""
    return _bounds(footage)[0]


def clear_distance(footage: Footage) -> float:
    """Give the distance within which nothing is drawn before a camera.

    Rays of training begin at the nearest distance, and what is nearer to all cameras is unknown;
    but a camera may be moved nearer to things: no farther than a tenth of the usual distance.
    """
    return min(nearest_distance(footage), NEAREST * _focus(footage).distance)


def usual_distance(footage: Footage) -> float:
    """Give how far the cameras are from what they look at, in the mean."""
    return _focus(footage).distance


def guessed_distance(footage: Footage) -> float | None:
    """Give how far away things are taken to be, where neither bounds nor axes that meet say it."""
    if bool(torch.isfinite(footage.bounds).all(1).any()):
        return None
    focus = _focus(footage)
    return focus.distance if focus.guessed else None


def choose_space(footage: Footage, asked: str) -> Space:
    """Choose where the voxels are, or make the space that is asked for; own rules."""
    cameras = [row[0] for row in footage.cameras]
    near, far = _bounds(footage)
    bounded = far < BOX_RATIO * near
    faces_forward = _face_forward(cameras, near, PARALLEL if bounded else FORWARD)
    if asked == "ndc" or (asked == "auto" and faces_forward):
        return _frustum(cameras, near)
    if asked == "box" or (asked == "auto" and bounded):
        box = _box(cameras, near, min(far, BOX_RATIO * near))
        longest = float((box.high - box.low).max())
        if asked == "box" or longest < BOX_SIDE * far:
            return box
    return _everything(cameras, looked_at(footage), near)


def _bounds(footage: Footage) -> tuple[float, float]:
    """Give the nearest and the farthest depth that any camera sees."""
    known = footage.bounds[torch.isfinite(footage.bounds).all(1)]
    if len(known):
        return float(known[:, 0].min()) * 0.9, float(known[:, 1].max()) * 1.05
    # nothing says it: what the cameras look at is in reach, and the world goes on behind
    return NEAREST * _focus(footage).distance, math.inf


def _positions(cameras: list[Camera]) -> Float[Tensor, "V 3"]:
    return torch.stack([camera.position for camera in cameras])


def _directions(cameras: list[Camera]) -> Float[Tensor, "V 3"]:
    return torch.stack([camera.forward for camera in cameras])


def looked_at(footage: Footage) -> Float[Tensor, " 3"]:
    """Find what the cameras look at: where their axes meet, or ahead of them where they do not.

    Of cameras that look to all sides it is their own middle.

    Raises:
        InputError: the cameras stand in one place.
    """
    return _focus(footage).point


@dataclass(frozen=True)
class _Focus:
    """What cameras look at, how far it is in the mean, and whether that is but a guess."""

    point: Float[Tensor, " 3"]
    distance: float
    guessed: bool


def _focus(footage: Footage) -> _Focus:
    """Find where the axes of the cameras meet, or guess it ahead of them.

    Of parallel cameras nothing but the way to the next one says how large the scene is: it is
    taken to be as far as LLFF advises (Mildenhall et al. 2019), see `SHIFT`.
    """
    cameras = [row[0] for row in footage.cameras]
    point, positions = focus_point(cameras), _positions(cameras)
    if point is not None:
        return _Focus(point, float((point - positions).norm(dim=1).mean()), guessed=False)
    ways = torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist")
    # to the next camera in another place: some rigs have two in one
    ways = torch.where(ways > 0, ways, torch.inf).amin(1)
    focal = [max(camera.focal) / max(camera.width, camera.height) for camera in cameras]
    distance = float((ways * torch.tensor(focal)).median()) / SHIFT
    if not 0.0 < distance < math.inf:
        raise InputError(
            "the cameras stand in one place",
            path=footage.capture.path,
            expected="cameras beside one another: without a way between them there is no depth",
        )
    ahead = distance * _directions(cameras).mean(0)
    return _Focus(positions.mean(0) + ahead, distance, guessed=True)


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
    points = low + grid_vertices([_PROBES] * 3).view(-1, 3) * (high - low)
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


def _everything(cameras: list[Camera], center: Float[Tensor, " 3"], near: float) -> ContractedSpace:
    """Make a cube whose inner half reaches from what cameras look at halfway to the cameras."""
    distances = (_positions(cameras) - center).norm(dim=1)
    half = 0.5 * max(float(distances.median()), 2.0 * near)
    return ContractedSpace(center, torch.full((3,), half))
