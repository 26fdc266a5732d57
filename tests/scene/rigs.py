"""Rigs of cameras about a ball of Gaussians, with places that are easily worked out."""

import math
from collections.abc import Sequence

import torch

from fourfold.geometry import Camera, look_at
from fourfold.scene import Gaussians, Scene, SceneObject, StaticMotion

UP = torch.tensor([0.0, -1.0, 0.0])
WIDTH, HEIGHT, FOCAL = 64, 48, 48.0


def camera_at(position: Sequence[float], target: Sequence[float] = (0.0, 0.0, 0.0)) -> Camera:
    """Stand a camera somewhere, looking at a point."""
    matrix = [[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]]
    pose = look_at(torch.tensor(position), torch.tensor(target), UP)
    return Camera(pose, torch.tensor(matrix), WIDTH, HEIGHT)


def on_globe(azimuth: float, elevation: float, distance: float = 4.0) -> list[float]:
    """Give a place about the origin; azimuth 0 is -z, 90 degrees is +x, up is -y."""
    turn, rise = math.radians(azimuth), math.radians(elevation)
    flat = distance * math.cos(rise)
    return [flat * math.sin(turn), -distance * math.sin(rise), -flat * math.cos(turn)]


def rig_scene(cameras: Sequence[Camera], num_frames: int = 4) -> Scene:
    """Build a scene of a grey disc in the origin that faces -z, filmed by these cameras."""
    x, y = torch.meshgrid(torch.linspace(-3, 3, 31), torch.linspace(-3, 3, 31), indexing="ij")
    means = torch.stack((x.flatten(), y.flatten(), torch.zeros(x.numel())), dim=1)
    disc = Gaussians.from_colors(
        means,
        torch.full((len(means), 3), 0.5),
        torch.full((len(means), 1), 0.2),
        torch.full((len(means),), 0.95),
    )
    rig = {f"cam{index:02d}": [camera] for index, camera in enumerate(cameras)}
    objects = [SceneObject("background", disc, StaticMotion())]
    return Scene(objects, [cameras[0]] * num_frames, fps=10.0, up=UP, rig=rig)
