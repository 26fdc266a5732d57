"""Cameras on an orbit: around a pivot, or in DreamScene4D's convention."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.geometry.camera import Camera
from fourfold.geometry.rigid import rigid_matrix
from fourfold.geometry.rotation import axis_angle_to_quaternion, quaternion_to_matrix

# Sine of the angle under which a view counts as parallel to "up": about 0.006 degrees.
_PARALLEL_SINE = 1e-4


def upward_direction(cameras: Sequence[Camera]) -> Float[Tensor, "3"]:
    """Find the pictures' mean upward direction in the world, whose axes may be any; unit."""
    upward = torch.stack([-camera.camera_from_world[1, :3] for camera in cameras]).mean(0)
    return functional.normalize(upward, dim=0)


def look_at(
    position: Float[Tensor, "3"], target: Float[Tensor, "3"], up: Float[Tensor, "3"]
) -> Float[Tensor, "4 4"]:
    """Build `camera_from_world` of a camera that sees `target` in its centre, `up` upwards.

    OpenCV axes. Differentiable in all three.

    Raises:
        ValueError: position and target are one, or the view runs along `up`.
    """
    forward = functional.normalize(target - position, dim=0)
    right = torch.linalg.cross(forward, functional.normalize(up, dim=0))
    if not float(torch.linalg.vector_norm(right.detach())) > _PARALLEL_SINE:
        raise ValueError("cannot look along the up direction, or at the camera's own position")
    right = functional.normalize(right, dim=0)
    rotation = torch.stack((right, torch.linalg.cross(forward, right), forward))
    return rigid_matrix(rotation, -(rotation @ position))


def orbit_camera(
    reference: Camera,
    pivot: Float[Tensor, "3"],
    elevation_degrees: float,
    azimuth_degrees: float,
    up: Float[Tensor, "3"],
) -> Camera:
    """Swing the reference camera about `pivot`, keeping what it shows of the pivot in place.

    Own convention: elevation and azimuth 0 is the reference itself; positive elevation lifts the
    camera towards `up`, positive azimuth moves it to its right, each about the pivot. The camera
    need not look at the pivot. `up` (3,) is a world direction of any length.
    """
    up = functional.normalize(up, dim=0)
    right = torch.linalg.cross(reference.forward, up)
    if float(torch.linalg.vector_norm(right.detach())) < _PARALLEL_SINE:
        right = reference.camera_from_world[0, :3]  # looking straight up or down
    right = functional.normalize(right, dim=0)
    lift = _rotation_about(right, -elevation_degrees)
    swing = _rotation_about(up, azimuth_degrees)
    turn = swing @ lift
    # world -> world swung back -> camera
    back = rigid_matrix(turn.mT, pivot - turn.mT @ pivot)
    return reference.moved(reference.camera_from_world @ back)


def dreamscene4d_orbit(
    elevation_degrees: float, azimuth_degrees: float, radius: float = 2.0
) -> Float[Tensor, "4 4"]:
    """Give `camera_from_world` of DreamScene4D's orbit camera, with our OpenCV axes.

    Its world: y up, z towards the reference camera, which is elevation 0, azimuth 0. The camera
    is at radius * (cos e sin a, -sin e, cos e cos a) and looks at the origin, so **negative
    elevation is above**; azimuth 90 is +x.

    Raises:
        ValueError: elevation +-90 degrees, where the original's camera has no upright either.

    >>> dreamscene4d_orbit(-30.0, 0.0)[2, 1:].round(decimals=4)  # it looks down
    tensor([-0.5000, -0.8660,  2.0000])
    """
    elevation, azimuth = math.radians(elevation_degrees), math.radians(azimuth_degrees)
    position = radius * torch.tensor(
        [
            math.cos(elevation) * math.sin(azimuth),
            -math.sin(elevation),
            math.cos(elevation) * math.cos(azimuth),
        ]
    )
    return look_at(position, torch.zeros(3), torch.tensor([0.0, 1.0, 0.0]))


def _rotation_about(axis: Float[Tensor, "3"], degrees: float) -> Float[Tensor, "3 3"]:
    return quaternion_to_matrix(axis_angle_to_quaternion(axis * math.radians(degrees)))
