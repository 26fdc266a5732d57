"""Small scenes with known answers for the estimators' tests: textures, moved images, a room."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fourfold.geometry import Camera


def texture(height: int, width: int, seed: int = 0, finest: int = 4) -> Tensor:
    """Draw a smooth random texture (height, width, 3) in [0, 1] with detail of `finest` pixels."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(1, 3, height, width)
    for cell in (finest, 2 * finest, 4 * finest, 8 * finest):
        shape = (3, max(height // cell, 2), max(width // cell, 2))
        noise = torch.rand((1, *shape), generator=generator)
        image += F.interpolate(noise, (height, width), mode="bicubic", align_corners=True) - 0.5
    return (0.5 + 0.35 * image[0].permute(1, 2, 0)).clamp(0, 1)


def look(image: Tensor, frame_from_image: Tensor, height: int, width: int) -> Tensor:
    """See a flat picture through a homography: (height, width, 3)."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    pixels = torch.stack([x, y, torch.ones_like(x)], dim=-1).double()
    source = pixels @ torch.linalg.inv(frame_from_image.double()).T
    size = torch.tensor([image.shape[1], image.shape[0]])
    grid = (source[..., :2] / source[..., 2:]) * 2 / size - 1
    planes = image.permute(2, 0, 1)[None].double()
    seen = F.grid_sample(planes, grid[None], mode="bicubic", align_corners=False)
    return seen[0].permute(1, 2, 0).clamp(0, 1).float()


def room(camera: Camera, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Photograph a room, a floor at y = 1 and a wall at z = 6: image and z-depth."""
    origin, rays = camera.position, camera.rays()[1]
    to_floor = (1.0 - origin[1]) / rays[..., 1].clamp(min=1e-6)
    to_wall = (6.0 - origin[2]) / rays[..., 2].clamp(min=1e-6)
    floor = to_floor < to_wall
    points = origin + rays * torch.minimum(to_floor, to_wall)[..., None]
    painted = torch.where(floor[..., None], points[..., [0, 2]], points[..., [0, 1]])
    colours = [_paint(texture(768, 768, seed + k, finest=6), painted) for k in (0, 1)]
    image = torch.where(floor[..., None], colours[0], colours[1])
    depth = (points @ camera.camera_from_world[2, :3]) + camera.camera_from_world[2, 3]
    return image, depth


def _paint(picture: Tensor, places: Tensor) -> Tensor:
    """Read a picture laid over 16x16 scene units about the origin."""
    planes = picture.permute(2, 0, 1)[None]
    seen = F.grid_sample(planes, places[None] / 8, mode="bicubic", align_corners=False)
    return seen[0].permute(1, 2, 0).clamp(0, 1)
