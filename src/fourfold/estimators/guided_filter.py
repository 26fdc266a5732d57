"""The guided filter, and masks whose outlines it lays onto the edges of the picture."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

EVENNESS = 1e-4
"""Variance of colour, of [0, 1]^2, under which the guide counts as even: He et al. use .01^2."""
COARSE_SIDE = 320
"""Pixels of the longer side at which pictures are taken apart: what matters there is large."""


def guided_filter(
    values: Float[Tensor, "H W"],
    guide: Float[Tensor, "H W 3"],
    radius: int,
    evenness: float = EVENNESS,
) -> Float[Tensor, "H W"]:
    """Smooth a map so that it follows the edges of a picture.

    He, Sun and Tang, "Guided Image Filtering" (ECCV 2010), with a guide of three colours: in every
    window the map is taken for a linear function of the colour; a pixel gets the mean of what the
    windows over it say. The functions are found at half size ("Fast Guided Filter", 2015).

    Args:
        values: any range, finite.
        guide: in [0, 1].
        radius: of the square window, in pixels.
        evenness: added to the variance of the colours in a window.
    """
    height, width = values.shape
    half = (max(width // 2, 1), max(height // 2, 1))
    colours = cv2.resize(guide.numpy(), half, interpolation=cv2.INTER_AREA).astype(np.float64)
    map_ = cv2.resize(values.numpy(), half, interpolation=cv2.INTER_AREA).astype(np.float64)

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (2 * (radius // 2) + 1,) * 2, borderType=cv2.BORDER_REFLECT)

    middle, level = mean(colours), mean(map_)
    pairs = (colours[..., :, None] * colours[..., None, :]).reshape(*map_.shape, 9)
    square = np.dstack([mean(pairs[..., k]) for k in range(9)]).reshape(*map_.shape, 3, 3)
    spread = square - middle[..., :, None] * middle[..., None, :] + evenness * np.eye(3)
    shared = mean(colours * map_[..., None]) - middle * level[..., None]
    slope = np.linalg.solve(spread, shared[..., None])[..., 0]
    offset = level - (slope * middle).sum(axis=-1)
    lines = np.dstack([mean(slope), mean(offset)])
    lines = cv2.resize(lines, (width, height), interpolation=cv2.INTER_LINEAR)
    result = (lines[..., :3] * guide.numpy()).sum(axis=-1) + lines[..., 3]
    return torch.from_numpy(result.astype(np.float32))


def snap_mask(
    mask: Bool[Tensor, "H W"], image: Float[Tensor, "H W 3"], reach: int
) -> Bool[Tensor, "H W"]:
    """Move the outline of a mask onto the nearest edges of the picture, at most `reach` pixels.

    The mask is guided by the picture and cut at one half, so the outline stays sharp.
    """
    if reach < 1 or mask.all() or not mask.any():
        return mask
    binary = mask.numpy().astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    doubtful = torch.from_numpy(cv2.dilate(binary, disc) != cv2.erode(binary, disc))
    return torch.where(doubtful, guided_filter(mask.float(), image, reach) > 0.5, mask)


def coarse_copy(image: Float[Tensor, "H W 3"]) -> Float[Tensor, "h w 3"]:
    """Shrink a picture to COARSE_SIDE pixels, by the mean of what falls into a pixel."""
    height, width = image.shape[:2]
    factor = min(1.0, COARSE_SIDE / max(height, width))
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    return torch.from_numpy(cv2.resize(image.numpy(), size, interpolation=cv2.INTER_AREA))


def coarse_mask(mask: Bool[Tensor, "H W"], shape: tuple[int, int]) -> Bool[Tensor, "h w"]:
    """Shrink a mask: a pixel belongs to it when most of what falls into it does."""
    share = cv2.resize(mask.float().numpy(), shape[::-1], interpolation=cv2.INTER_AREA)
    return torch.from_numpy(share > 0.5)


def enlarged(
    values: Float[Tensor, "h w"], shape: tuple[int, ...] | torch.Size
) -> Float[Tensor, "H W"]:
    """Enlarge a map to the height and width of a picture, linearly."""
    size = (shape[1], shape[0])
    wide = cv2.resize(values.numpy(), size, interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(wide)


def fine_mask(mask: Bool[Tensor, "h w"], image: Float[Tensor, "H W 3"]) -> Bool[Tensor, "H W"]:
    """Enlarge a mask to a picture's size and lay its outline onto the picture's edges."""
    reach = 2 * round(max(image.shape[:2]) / max(mask.shape))
    return snap_mask(enlarged(mask.float(), image.shape) > 0.5, image, reach)
