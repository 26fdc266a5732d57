"""Channels on level ground, seen in perspective, whose incompressible flow is known exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Hint
from fourfold.geometry import Camera, unproject_pixels

WIDTH, HEIGHT, HORIZON = 240, 160, 30.0

# From ground points X, Z (units of the camera's height): is it in the channel, and its velocity.
Flow = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True, eq=False)
class Channel:
    """A channel as `solve_velocity` takes it, and its true velocity in chart pixels per frame."""

    camera: Camera
    depth: Float[Tensor, "H W"]
    mask: Bool[Tensor, "H W"]
    velocity: Float[Tensor, "H W 2"]
    ground: Float[Tensor, "H W 2"]

    def hint(self, x: int, y: int) -> Hint:
        """Draw the true motion about a pixel."""
        step = self.velocity[y, x] * 50.0
        middle = torch.tensor([x + 0.5, y + 0.5])
        start, end = (middle - step / 2).tolist(), (middle + step / 2).tolist()
        return Hint("hint", (start[0], start[1]), (end[0], end[1]))


def see_channel(flow: Flow, speed: float = 0.3) -> Channel:
    """See a channel from a level camera of height 1 with the horizon in row 30.

    The flow is scaled so that its fastest pixel moves `speed` pixels per frame.
    """
    camera = Camera.from_fov(WIDTH, HEIGHT, 60.0)
    intrinsics = camera.intrinsics.clone()
    intrinsics[1, 2] = HORIZON
    camera = Camera(camera.camera_from_world, intrinsics, WIDTH, HEIGHT)
    pixels = camera.pixel_grid()
    focal = camera.focal[1]
    depth = focal / (pixels[..., 1] - HORIZON).clamp(min=1.0)
    points = unproject_pixels(camera, pixels, depth)
    mask, world = flow(points[..., 0], points[..., 2])
    mask = mask & (pixels[..., 1] > HORIZON + 12)
    # x = f X / Z, y = f / Z
    x = (world[..., 0] - world[..., 1] * points[..., 0] / depth) * focal / depth
    y = -focal * world[..., 1] / depth**2
    velocity = torch.stack([x, y], dim=-1) * mask[..., None]
    velocity = velocity * speed / velocity.norm(dim=-1).max()
    return Channel(camera, depth, mask, velocity, points[..., [0, 2]])


def straight(x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """A straight river towards the viewer, one unit wide."""
    along = torch.tensor([0.0, -1.0]).expand(*x.shape, 2)
    return (x - 0.2).abs() < 0.5, along


def bend(x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """A quarter of a ring about (-2, 1.2) from radius 1.2 to 2.4; speed 1 / radius (no eddies)."""
    right, away = x + 2.0, z - 1.2
    radius = torch.hypot(right, away)
    inside = (radius > 1.2) & (radius < 2.4) & (away > 0)
    return inside, torch.stack([-away, right], dim=-1) / radius[..., None] ** 2


def widening(x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """A wedge from a source far behind at (0, 5), towards the viewer; speed 1 / radius."""
    radius = torch.hypot(x, z - 5.0)
    inside = (x.abs() < 0.3 * (5.0 - z)) & (z < 4.0)
    return inside, torch.stack([x, z - 5.0], dim=-1) / radius[..., None] ** 2
