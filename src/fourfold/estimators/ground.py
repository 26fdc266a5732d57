"""The ground: a plane through triangulated points, and the depth of what stands on it."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera

RANSAC_DRAWS = 500
LARGEST_TILT = 30.0  # degrees between a ground's normal and up
LEAST_SHARE = 0.1  # of the points, for a plane to be called the ground
PLANE_TOLERANCE = 0.01  # distance from the plane over distance from the camera
REFINEMENT = (1.0, 1.0, 0.5)  # times the tolerance: walls meeting the ground drop out
CONTACT_QUANTILE = 0.98  # of the mask's rows: a few stray pixels below are not the foot


class GroundPlane(NamedTuple):
    """Points X with normal . X = offset; the normal points up; share of points that lie on it."""

    normal: Float[Tensor, "3"]
    offset: float
    share: float


def fit_ground_plane(
    points: Float[Tensor, "N 3"],
    up: Float[Tensor, "3"],
    origin: Float[Tensor, "3"],
    *,
    seed: int = 0,
) -> GroundPlane | None:
    """Find the plane below the camera that most points lie on, within 30 degrees of level.

    RANSAC (Fischler and Bolles 1981) with a tolerance that grows with the distance from the
    camera, as the error of triangulated points does; refined by least squares.

    Args:
        points: background points in the world.
        up: unit, roughly.
        origin: position of the camera, which is above the ground.
        seed: of the draws.

    Returns:
        None when less than a tenth of the points agree on such a plane.
    """
    if len(points) < 3:
        return None
    generator = torch.Generator().manual_seed(seed)
    tolerance = PLANE_TOLERANCE * (points - origin).norm(dim=-1)
    draws = torch.randint(len(points), (RANSAC_DRAWS, 3), generator=generator)
    a, b, c = points[draws].unbind(dim=1)
    normals = torch.linalg.cross(b - a, c - a)
    normals = normals / normals.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    normals = normals * torch.sign(normals @ up)[:, None]
    offsets = (normals * a).sum(dim=-1)
    level = normals @ up > torch.cos(torch.deg2rad(up.new_tensor(LARGEST_TILT)))
    level &= normals @ origin > offsets
    scores = ((points @ normals.T - offsets).abs() <= tolerance[:, None]).sum(dim=0) * level
    best = int(scores.argmax())
    if int(scores[best]) < max(3, LEAST_SHARE * len(points)):
        return None
    return _refined(points, tolerance, normals[best], float(offsets[best]))


def up_from_horizon(camera: Camera, row: float) -> Float[Tensor, "3"]:
    """Give the world's up direction for a camera without roll that sees the horizon at a row.

    Args:
        row: y of the horizon in pixels at the image's middle column; may lie outside the image.
    """
    tilt = (row - float(camera.intrinsics[1, 2])) / camera.focal[1]
    in_camera = camera.intrinsics.new_tensor([0.0, -1.0, tilt])
    return camera.camera_from_world[:3, :3].T @ (in_camera / in_camera.norm())


def contact_depth(
    mask: Bool[Tensor, "H W"],
    camera: Camera,
    up: Float[Tensor, "3"],
    camera_height: float = 1.0,
) -> float | None:
    """Give the z-depth of an object standing on level ground, from its lowest pixels.

    Along the ray d (z = 1) of the contact pixel the ground is met at z = height / (-d . up): for
    a level camera, height * fy / (y_bottom - y_horizon).

    Args:
        mask: the object's visible pixels.
        up: world, unit.
        camera_height: above the ground, in scene units; 1 gives depths up to a common factor.

    Returns:
        None when that does not tell: the mask is empty, is cut by the image's bottom, or ends
        above the horizon.
    """
    rows, columns = torch.nonzero(mask, as_tuple=True)
    if len(rows) == 0 or int(rows.max()) >= mask.shape[0] - 1:
        return None
    bottom = torch.quantile(rows.float(), CONTACT_QUANTILE)
    x = columns[rows >= bottom].float().mean() + 0.5
    contact = torch.stack([x, rows.max() + 1.0]).to(camera.intrinsics)
    ray = camera.camera_from_world[:3, :3].T @ camera.directions(contact)
    descent = -float(ray @ up.to(ray))
    return camera_height / descent if descent > 1e-6 else None


def _refined(points: Tensor, tolerance: Tensor, normal: Tensor, offset: float) -> GroundPlane:
    for narrower in REFINEMENT:
        near = (points @ normal - offset).abs() <= narrower * tolerance
        middle = points[near].mean(dim=0)
        direction = torch.linalg.svd(points[near] - middle, full_matrices=False).Vh[2]
        normal = direction * torch.sign(direction @ normal)
        offset = float(normal @ middle)
    near = (points @ normal - offset).abs() <= tolerance
    return GroundPlane(normal, offset, float(near.double().mean()))
