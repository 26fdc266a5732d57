"""What one gets without reconstructing anything: the marks that a method has to beat."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


class WarpedFrame(NamedTuple):
    """An image (H,W,3) made by warping others, and where it puts the objects (K,H,W)."""

    image: Float[Tensor, "H W 3"]
    masks: Bool[Tensor, "K H W"]


class _Sighting(NamedTuple):
    frame: int
    box: Float[Tensor, "4"]


def warp_nearest_frame(
    frame: int,
    trained: Sequence[int],
    image: Callable[[int], Float[Tensor, "H W 3"]],
    masks: Callable[[int], Bool[Tensor, "K H W"]],
) -> WarpedFrame:
    """Guess a held-out frame from the trained ones, in the image alone.

    Own. The background is the nearest trained frame. Over it comes each object, cut from the
    nearest trained frame in which it is visible and stretched from its mask's box to the box at
    `frame`, which is interpolated linearly between the trained frames around it (held constant
    before the first and after the last). An object that no trained frame shows stays away. Of two
    equally near frames the earlier is taken.

    Args:
        frame: the held-out frame; its own image and masks are not read.
        trained: the frames that may be used, increasing.
        image: gives the image of a trained frame, in [0, 1].
        masks: gives the object masks of a trained frame.

    Raises:
        ValueError: there are no trained frames, or `frame` is one of them.
    """
    if not trained or frame in trained:
        raise ValueError(f"frame {frame} must be none of the trained frames {list(trained)}")
    # Each object asks for the same few frames, which are read from files.
    image, masks = cache(image), cache(masks)
    canvas = image(_nearest(frame, trained)).clone()
    count = len(masks(trained[0]))
    guessed = torch.zeros(count, *canvas.shape[:2], dtype=torch.bool, device=canvas.device)
    for index in range(count):
        found = _sightings_around(frame, trained, lambda t, index=index: masks(t)[index])
        if not found:
            continue
        nearest = min(found, key=lambda sighting: abs(sighting.frame - frame))
        grid = _sampling_grid(_interpolate_box(frame, found), nearest.box, guessed.shape[1:])
        visible = masks(nearest.frame)[index].to(canvas)
        guessed[index] = _sample(visible[..., None], grid)[..., 0] >= 0.5
        warped = _sample(image(nearest.frame), grid)
        canvas = torch.where(guessed[index, ..., None], warped, canvas)
    return WarpedFrame(canvas, guessed)


def mask_box(mask: Bool[Tensor, "H W"]) -> Float[Tensor, "4"] | None:
    """Find the box (left, top, right, bottom) around a mask, in pixel edges; None when empty.

    >>> mask = torch.zeros(4, 6, dtype=torch.bool)
    >>> mask[1:3, 2:6] = True
    >>> mask_box(mask).tolist()
    [2.0, 1.0, 6.0, 3.0]
    """
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    if not len(rows):
        return None
    edges = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return torch.cat(edges).to(torch.float32)


def _nearest(frame: int, trained: Sequence[int]) -> int:
    return min(trained, key=lambda other: abs(other - frame))


def _sightings_around(
    frame: int, trained: Sequence[int], mask: Callable[[int], Bool[Tensor, "H W"]]
) -> list[_Sighting]:
    """Find the last trained frame before and the first after `frame` that show the object."""
    middle = bisect_left(trained, frame)
    found = []
    for side in (reversed(trained[:middle]), trained[middle:]):
        boxes = ((other, mask_box(mask(other))) for other in side)
        sighting = next((_Sighting(other, box) for other, box in boxes if box is not None), None)
        if sighting is not None:
            found.append(sighting)
    return found


def _interpolate_box(frame: int, found: list[_Sighting]) -> Float[Tensor, "4"]:
    first, last = found[0], found[-1]
    if first.frame == last.frame:
        return first.box
    share = (frame - first.frame) / (last.frame - first.frame)
    return torch.lerp(first.box, last.box, share)


def _sampling_grid(
    target: Float[Tensor, "4"], source: Float[Tensor, "4"], size: Sequence[int]
) -> Float[Tensor, "H W 2"]:
    """Give for each pixel where the stretch from box `source` to box `target` takes it from.

    In the coordinates of `grid_sample`: -1 and 1 are the outer edges of the image.
    """
    height, width = size
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    relative = (torch.stack([x, y], dim=-1) - target[:2]) / (target[2:] - target[:2])
    pixels = source[:2] + relative * (source[2:] - source[:2])
    return 2.0 * pixels / torch.tensor([width, height]) - 1.0


def _sample(values: Float[Tensor, "H W C"], grid: Float[Tensor, "H W 2"]) -> Float[Tensor, "H W C"]:
    """Read an image at the places of a grid, bilinearly; zero outside."""
    planes = values.permute(2, 0, 1)[None]
    sampled = F.grid_sample(planes, grid[None].to(values), align_corners=False)
    return sampled[0].permute(1, 2, 0)
