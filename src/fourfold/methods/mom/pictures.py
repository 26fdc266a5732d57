"""Pictures of a photo's depth and motion, for people."""

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.estimators import LandscapeDepth
from fourfold.exporters import color_depth
from fourfold.methods.mom.photo import Photo

ARROWS = 40
"""Arrows along the longer side."""
ARROW_FRAMES = 12.0
"""An arrow is the way of so many frames."""


def show_depth(photo: Photo, landscape: LandscapeDepth) -> Float[Tensor, "H2 W 3"]:
    """Put the photo over its depth map; sky is left white."""
    known = landscape.depth.masked_fill(landscape.sky, torch.nan)
    found = known[known.isfinite()]
    near, far = (float(np.quantile(found, q)) for q in (0.02, 0.95)) if len(found) else (1.0, 2.0)
    picture = color_depth(known, near, max(far, near * 1.01))
    return torch.cat((photo.image, torch.where(landscape.sky.unsqueeze(-1), 1.0, picture)))


def show_motion(photo: Photo, velocity: Float[Tensor, "H W 2"]) -> Float[Tensor, "H W 3"]:
    """Draw arrows along the velocity, where anything moves, and the hints, over the photo."""
    picture = np.ascontiguousarray((photo.image * 255).round().numpy().astype(np.uint8))
    stride = max(max(velocity.shape[:2]) // ARROWS, 4)
    flow = velocity.numpy()
    for y in range(stride // 2, flow.shape[0], stride):
        for x in range(stride // 2, flow.shape[1], stride):
            if flow[y, x].any():
                tip = np.array([x, y]) + ARROW_FRAMES * flow[y, x]
                _arrow(picture, (x, y), tip, (255, 255, 255))
    for hint in photo.hints:
        _arrow(picture, hint.start, np.array(hint.end), (255, 90, 60))
    return torch.from_numpy(picture).float() / 255.0


def _arrow(
    picture: np.ndarray,
    start: tuple[float, float],
    tip: np.ndarray,
    color: tuple[int, int, int],
) -> None:
    first, last = (round(start[0]), round(start[1])), (round(float(tip[0])), round(float(tip[1])))
    cv2.arrowedLine(picture, first, last, (0, 0, 0), 3, cv2.LINE_AA, tipLength=0.3)
    cv2.arrowedLine(picture, first, last, color, 1, cv2.LINE_AA, tipLength=0.3)
