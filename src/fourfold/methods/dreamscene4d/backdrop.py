"""The background as Gaussians: many where it is detailed, few where it is plain."""

import cv2
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from fourfold.geometry import Camera, unproject_pixels
from fourfold.methods.dreamscene4d.surfels import cover_surface
from fourfold.scene import Gaussians

LARGEST_CELL = 16
"""Pixels; the width of a cell where the background is plain."""
BORDER = 0.8
"""The plate is continued by this share of its size on each side, mirrored, for other views."""
BORDER_BLUR = 15
"""Pixels over which the continuation is blurred: it is a guess, and should look like one."""
FLANK = 1.0
"""Left and right it is continued once more by this share of the plate's width: views at 45 degrees
to the filmed one look there."""
FLANK_BLUR = 61
"""Pixels over which the flanks are blurred."""
COVERAGE = 0.7
"""Standard deviation over spacing: plain parts, which nothing refines, should show no grid."""
STRETCH = 12.0
"""A ground seen at a flat angle needs Gaussians this many times as long as wide."""


def split_by_detail(image: Float[Tensor, "H W 3"], most: int) -> Float[Tensor, "N 3"]:
    """Cut an image into square cells of 1 to 16 pixels, smaller where colours vary more.

    Own: a quadtree whose threshold is found by bisection, so that there are at most ``most`` cells.
    Returns the centres (x, y) and the width of each cell, in pixels.
    """
    levels = _block_errors(image)
    low, high = 0.0, 1.0
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if _count(levels, middle) > most else (low, middle)
    return torch.cat([_cells(leaf, size) for size, leaf in _leaves(levels, high)])


def _block_errors(image: Tensor) -> list[tuple[int, Tensor]]:
    """Standard deviation of colour in each block, from the largest blocks to pairs of pixels."""
    height, width = image.shape[:2]
    padded = torch.nn.functional.pad(
        image.permute(2, 0, 1)[None],
        (0, -width % LARGEST_CELL, 0, -height % LARGEST_CELL),
        "replicate",
    )
    levels, size = [], LARGEST_CELL
    while size > 1:
        variance = avg_pool2d(padded**2, size) - avg_pool2d(padded, size) ** 2
        levels.append((size, variance.clamp_min(0).amax(1)[0].sqrt()))
        size //= 2
    return levels


def _leaves(levels: list[tuple[int, Tensor]], threshold: float) -> list[tuple[int, Tensor]]:
    """Mark the blocks of each size that are plain enough, and whose parents were not."""
    reached = torch.ones_like(levels[0][1], dtype=torch.bool)
    leaves = []
    for size, error in levels:
        plain = reached & (error <= threshold)
        leaves.append((size, plain))
        reached = (reached & ~plain).repeat_interleave(2, 0).repeat_interleave(2, 1)
    return [*leaves, (1, reached)]


def _count(levels: list[tuple[int, Tensor]], threshold: float) -> int:
    return sum(int(leaf.sum()) for _, leaf in _leaves(levels, threshold))


def _cells(leaf: Bool[Tensor, "h w"], size: int) -> Float[Tensor, "N 3"]:
    y, x = torch.nonzero(leaf, as_tuple=True)
    return torch.stack([(x + 0.5) * size, (y + 0.5) * size, torch.full_like(x, size)], 1).float()


def continue_plate(
    plate: Float[Tensor, "H W 3"], camera: Camera
) -> tuple[Float[Tensor, "H W 3"], Camera]:
    """Continue a background beyond what was filmed, mirrored and blurred, with its camera."""
    height, width = plate.shape[:2]
    side, above = int(width * BORDER), int(height * BORDER)
    wide, larger = _mirror_around(plate, camera, side, above, BORDER_BLUR)
    return _mirror_around(wide, larger, int(width * FLANK), 0, FLANK_BLUR)


def _mirror_around(
    plate: Float[Tensor, "H W 3"], camera: Camera, side: int, above: int, blur: int
) -> tuple[Float[Tensor, "h w 3"], Camera]:
    """Add mirrored, blurred margins to a picture, ``side`` pixels wide and ``above`` high."""
    height, width = plate.shape[:2]
    margins = (above, above, side, side)
    wide = cv2.blur(
        cv2.copyMakeBorder(plate.numpy(), *margins, cv2.BORDER_REFLECT_101), (blur, blur)
    )
    wide[above : above + height, side : side + width] = plate.numpy()
    larger = camera.cropped(-side, -above, width + 2 * side, height + 2 * above)
    return torch.from_numpy(wide), larger


def background_gaussians(
    plate: Float[Tensor, "H W 3"], depth: Float[Tensor, "H W"], camera: Camera, most: int
) -> Gaussians:
    """Cover a background, placed at ``depth`` before its camera, with Gaussians.

    Shapes: plate in [0,1], depth in scene units.
    """
    cells = split_by_detail(plate, most)
    cells = cells[(cells[:, 0] < camera.width) & (cells[:, 1] < camera.height)]
    pixels, width = cells[:, :2], cells[:, 2:]
    colors = _mean_colors(plate, pixels, width[:, 0])
    across = torch.tensor([0.5, 0.0]) * width
    down = torch.tensor([0.0, 0.5]) * width
    step_u = _unproject(camera, depth, pixels + across) - _unproject(camera, depth, pixels - across)
    step_v = _unproject(camera, depth, pixels + down) - _unproject(camera, depth, pixels - down)
    center = _unproject(camera, depth, pixels)
    return cover_surface(center, step_u, step_v, colors, STRETCH, COVERAGE)


def _unproject(camera: Camera, depth: Tensor, pixels: Tensor) -> Tensor:
    return unproject_pixels(camera, pixels, _sample(depth[..., None], pixels)[:, 0])


def _sample(image: Tensor, pixels: Tensor) -> Tensor:
    """Read an image between its pixels' centres."""
    size = torch.tensor([image.shape[1], image.shape[0]])
    grid = (pixels / size * 2 - 1)[None, None]
    found = torch.nn.functional.grid_sample(
        image.permute(2, 0, 1)[None], grid, padding_mode="border", align_corners=False
    )
    return found[0, :, 0].T


def _mean_colors(plate: Tensor, pixels: Tensor, width: Tensor) -> Tensor:
    colors = torch.empty(len(pixels), 3)
    for size in width.unique().tolist():
        of_size = width == size
        smooth = plate
        if size > 1:
            pooled = avg_pool2d(
                plate.permute(2, 0, 1)[None], int(size), 1, int(size) // 2, count_include_pad=False
            )
            smooth = pooled[0, :, : plate.shape[0], : plate.shape[1]].permute(1, 2, 0)
            x, y = pixels[of_size].long().unbind(1)
            colors[of_size] = smooth[
                y.clamp_max(plate.shape[0] - 1), x.clamp_max(plate.shape[1] - 1)
            ]
        else:
            colors[of_size] = _sample(smooth, pixels[of_size])
    return colors
