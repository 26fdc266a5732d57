"""A room in which a red ball flies past: pictures of five cameras, and the exact answers."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from fourfold.geometry import Camera, look_at, unproject_pixels
from fourfold.methods.mixvoxels.gaussian_start import Start
from fourfold.methods.mixvoxels.shots import Shots
from fourfold.scene import Gaussians, SpacetimeMotion
from tests.estimators.scenes import room

NUM_FRAMES = 5
RADIUS = 0.5
RED = torch.tensor([0.9, 0.1, 0.1])
BOUNDS = (1.5, 8.0)


@cache
def cameras() -> tuple[Camera, ...]:
    """Give five cameras on an arc before the wall."""
    target, down = torch.tensor([0.0, 0.0, 4.0]), torch.tensor([0.0, 1.0, 0.0])
    places = torch.tensor([[x, 0.1 * x * x - 0.2, 0.0] for x in (-1.6, -0.8, 0.0, 0.8, 1.6)])
    return tuple(Camera.from_fov(80, 60, 60.0, look_at(place, target, -down)) for place in places)


def ball(frame: float) -> Tensor:
    """Give the ball's centre: it flies across, in one plane."""
    return torch.tensor([-1.2 + 0.6 * frame, 0.0, 3.5])


@cache
def still(view: int) -> tuple[Tensor, Tensor]:
    """Photograph the empty room: image and z-depth."""
    return room(cameras()[view])


def picture(view: int, frame: float) -> Tensor:
    """Photograph the room with the ball in it."""
    origins, directions = cameras()[view].rays()
    offset = origins - ball(frame)
    along = (offset * directions).sum(-1)
    hit = along.square() - offset.square().sum(-1) + RADIUS**2 > 0
    return torch.where(hit[..., None], RED, still(view)[0])


@cache
def _bytes(view: int, frame: int | None) -> np.ndarray:
    image = still(view)[0] if frame is None else picture(view, frame)
    return (image * 255).round().byte().numpy()


def shots(num_frames: int = NUM_FRAMES) -> Shots:
    """Give all cameras' footage."""
    count = len(cameras())
    return Shots(
        cameras(),
        num_frames,
        _bytes,
        [_bytes(view, None) for view in range(count)],
        [BOUNDS] * count,
        [(camera, BOUNDS[0]) for camera in cameras()],
    )


def first_gaussians(stride: int = 4) -> Start:
    """Give Gaussians on the room's true surface, and one grey ball per frame where the ball is."""
    points, colors = [], []
    for view, camera in enumerate(cameras()):
        image, depth = still(view)
        pixels = camera.pixel_grid()[::stride, ::stride].reshape(-1, 2)
        points.append(unproject_pixels(camera, pixels, depth[::stride, ::stride].reshape(-1)))
        colors.append(image[::stride, ::stride].reshape(-1, 3))
    count = sum(map(len, points))
    sizes, opacities = torch.full((count, 1), 0.12), torch.full((count,), 0.7)
    background = Gaussians.from_colors(torch.cat(points), torch.cat(colors), sizes, opacities)
    places = torch.stack([ball(frame) for frame in range(NUM_FRAMES)])
    moving = Gaussians.from_colors(
        places, torch.full((5, 3), 0.5), torch.full((5, 1), 0.25), torch.full((5,), 0.7)
    )
    times = torch.arange(float(NUM_FRAMES))
    still_there = torch.full((5,), 0.5).log(), torch.zeros(5, 3)
    return Start(background, moving, SpacetimeMotion(moving.means, times, *still_there), 1.0)
