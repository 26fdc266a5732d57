"""An object at rest: the side that one frame shows, from its mask and image."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.inflation import inflate
from fourfold.methods.dreamscene4d.surfels import cover_surface
from fourfold.scene import Gaussians

STRETCH = 4.0
"""The rim of a body is steep; longer Gaussians would stick out beyond it."""
COVERAGE = 0.55
"""Standard deviation over spacing: just without holes, since silhouettes should stay sharp."""


def lift_silhouette(
    image: Float[Tensor, "H W 3"],
    mask: Bool[Tensor, "H W"],
    camera: Camera,
    depth: float,
    center: Float[Tensor, " 2"],
    count: int,
    roundness: float,
) -> Gaussians:
    """Inflate a silhouette and cover its front with Gaussians coloured from the image.

    The object's own frame has the camera's axes; its origin is the pixel ``center`` (x, y) at
    ``depth`` (scene units along the camera's axis). About ``count`` Gaussians make it.
    """
    stride = max(1.0, float(mask.sum() / count) ** 0.5)
    thickness = inflate(mask, roundness)
    pixels, inside = _grid_inside(mask, stride)
    colors = image[inside[:, 1], inside[:, 0]]

    def surface(at: Tensor) -> Tensor:
        return _surface_points(camera, thickness, at, depth)

    half = torch.eye(2) * stride / 2
    return cover_surface(
        surface(pixels) - surface_origin(camera, center, depth),
        surface(pixels + half[0]) - surface(pixels - half[0]),
        surface(pixels + half[1]) - surface(pixels - half[1]),
        colors,
        STRETCH,
        COVERAGE,
    )


def surface_origin(
    camera: Camera, center: Float[Tensor, " 2"], depth: float
) -> Float[Tensor, " 3"]:
    """Return the point at a pixel and a depth, in the camera's own axes."""
    return camera.directions(center[None])[0] * depth


def _grid_inside(mask: Tensor, stride: float) -> tuple[Tensor, Tensor]:
    """Sample points of a square grid that fall into the mask, and the pixels they fall into."""
    height, width = mask.shape
    x = torch.arange(stride / 2, width, stride)
    y = torch.arange(stride / 2, height, stride)
    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    cells = points.long()
    kept = mask[cells[:, 1], cells[:, 0]]
    return points[kept], cells[kept]


def _surface_points(camera: Camera, thickness: Tensor, pixels: Tensor, depth: float) -> Tensor:
    """Put pixels on the front of the inflated surface, in the camera's own axes."""
    x = pixels[:, 0].long().clamp(0, thickness.shape[1] - 1)
    y = pixels[:, 1].long().clamp(0, thickness.shape[0] - 1)
    focal = sum(camera.focal) / 2
    return camera.directions(pixels) * (depth * (1 - thickness[y, x] / focal))[:, None]
