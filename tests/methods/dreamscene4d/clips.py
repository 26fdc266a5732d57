"""Clips small enough to work out by hand: textured shapes that slide over a textured wall."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fourfold.capture import Capture, FilmedView, open_capture, write_capture
from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.clip import Clip
from tests.estimators.scenes import texture

HEIGHT, WIDTH = 48, 64


def tiny_camera(width: int = WIDTH, height: int = HEIGHT, focal: float = 50.0) -> Camera:
    """Give a camera in the origin that looks along +z."""
    matrix = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
    return Camera(torch.eye(4), torch.tensor(matrix), width, height)


def disc(x: float, y: float, radius: float, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Mark the pixels whose centres lie within a circle."""
    rows, columns = torch.meshgrid(
        torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij"
    )
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def box(
    left: int, top: int, right: int, bottom: int, height: int = HEIGHT, width: int = WIDTH
) -> Tensor:
    """Mark the pixels of a rectangle, without its right column and bottom row."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def clip_of(
    masks: Sequence[Sequence[Tensor]],
    images: Sequence[Tensor] | None = None,
    trained: Sequence[int] | None = None,
) -> Clip:
    """Build a clip of the masks of each frame, black where no images are given."""
    stacked = torch.stack([torch.stack(list(of_frame)) for of_frame in masks])
    count, objects, height, width = stacked.shape
    pictures = torch.zeros(count, height, width, 3, dtype=torch.uint8)
    if images is not None:
        pictures = (torch.stack(list(images)) * 255).round().to(torch.uint8)
    names = tuple("abcdefghijklmnop"[:objects])
    seen = tuple(range(count) if trained is None else trained)
    return Clip(pictures, stacked, stacked.sum(1) > 1, seen, names)


def slide_shapes(
    places: Sequence[Sequence[tuple[float, float] | None]],
    radius: float = 8.0,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> tuple[list[Tensor], list[Tensor]]:
    """Film discs with a texture that moves along, later ones in front: images and masks (K,H,W).

    ``places`` are the whole-pixel centres (x, y) of every disc in every frame, None where absent.
    """
    wall = 0.2 + 0.3 * texture(height, width, seed=1)
    images, masks = [], []
    for frame in places:
        image, visible = wall.clone(), []
        for index, place in enumerate(frame):
            mask = torch.zeros(height, width, dtype=torch.bool)
            if place is not None:
                mask = disc(*place, radius, height, width)
                coat = texture(2 * height, 2 * width, seed=10 + index, finest=3)
                coat[..., index % 3] = coat[..., index % 3] * 0.3 + 0.7
                x, y = width - int(place[0]), height - int(place[1])
                image[mask] = coat[y : y + height, x : x + width][mask]
            visible = [each & ~mask for each in visible] + [mask]
        images.append(image)
        masks.append(torch.stack(visible))
    return images, masks


def write_clip(
    folder: Path,
    images: Sequence[Tensor],
    masks: Sequence[Tensor],
    depth: Sequence[Tensor] | None = None,
    cameras: Sequence[Camera] | None = None,
) -> Capture:
    """Write a clip to the disk and open it."""
    names = [f"object{index}" for index in range(len(masks[0]))]
    view = FilmedView(images, masks, depth, cameras)
    write_capture(folder, {"main": view}, fps=10.0, object_names=names)
    return open_capture(folder)
