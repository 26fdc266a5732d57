"""The virtual camera whose image is the background plate: it covers what all frames see."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, closest_rotation, project_points, unproject_pixels

WIDEST_PLATE = 70.0  # degrees off its axis, where a plane takes 8 times as many pixels per degree
LARGEST_PLATE = 4096  # pixels per side


def plate_view(cameras: Sequence[Camera], near: float | None = None) -> Camera:
    """Lay out a camera in the middle of a path, whose image covers all frames.

    Its pixels are as dense as those of the sharpest frame. What lies more than 70 degrees off its
    axis is left out.

    Args:
        cameras: of the clip.
        near: z-depth of the nearest background; the view then covers what the frames see from
            there to infinity. None when the cameras stand in one place.
    """
    rotations = torch.stack([camera.camera_from_world[:3, :3].double() for camera in cameras])
    middle = cameras[len(cameras) // 2]
    pose = middle.camera_from_world.clone()
    if near is None:
        pose[:3, :3] = closest_rotation(rotations.mean(dim=0)).to(pose)
        pose[:3, 3] = -pose[:3, :3] @ middle.position
    if bool((rotations == rotations[0]).all()):
        pose[:3, :3] = cameras[0].camera_from_world[:3, :3]  # no rounding for a static camera
    focal = torch.tensor([camera.focal for camera in cameras], dtype=torch.float64).amax(dim=0)
    probe = Camera(pose, torch.eye(3).to(pose), 1, 1)
    plane = torch.cat([_border(camera, probe, near) for camera in cameras]).double()
    # A rounding error of the extent must not cost a pixel more.
    low = (focal * plane.amin(dim=0) + 1e-3).floor().clamp(min=-LARGEST_PLATE / 2)
    high = (focal * plane.amax(dim=0) - 1e-3).ceil().clamp(max=LARGEST_PLATE / 2)
    (x0, y0), (x1, y1) = low.int().tolist(), high.int().tolist()
    fx, fy = focal.tolist()
    intrinsics = pose.new_tensor([[fx, 0, -x0], [0, fy, -y0], [0, 0, 1]])
    return Camera(pose, intrinsics, x1 - x0, y1 - y0)


def _border(camera: Camera, probe: Camera, near: float | None) -> Float[Tensor, "B 2"]:
    """Project a frame's border, far away and at `near`, onto the plane z = 1 of the probe."""
    steps = torch.linspace(0, 1, 5)
    border = torch.cartesian_prod(steps * camera.width, steps * camera.height)
    border = border.to(camera.intrinsics)
    turn = probe.camera_from_world[:3, :3] @ camera.camera_from_world[:3, :3].T
    directions = camera.directions(border) @ turn.T
    widest = float(torch.tan(torch.deg2rad(torch.tensor(WIDEST_PLATE))))
    plane = directions[:, :2] / directions[:, 2:].clamp(min=1e-6)
    if near is not None:
        points = unproject_pixels(camera, border, torch.full_like(border[:, 0], near))
        plane = torch.cat([plane, project_points(probe, points)[0]])
    return plane.clamp(-widest, widest)
