"""Tracks drawn over a dimmed picture: a dot for each point that is seen, with its trail."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

# How much of the picture stays under the tracks (DreamScene4D draws them at 0.4 as well).
_DIM = 0.4
# Sub-pixel positions for OpenCV: 3 bits, an eighth of a pixel.
_BITS = 3


def draw_tracks(
    rgb: Float[Tensor, "H W 3"],
    trails: Float[Tensor, "L N 2"],
    seen: Bool[Tensor, " N"],
    colors: Float[Tensor, "N 3"],
) -> Float[Tensor, "H W 3"]:
    """Draw points and where they came from.

    Args:
        rgb: the picture, [0, 1].
        trails: pixels of each point at the last L moments, the present one last, as the present
            camera sees them; NaN where a point was not in front of the camera.
        seen: which points are seen now; only they are drawn.
        colors: one per point, [0, 1].
    """
    image = np.ascontiguousarray((rgb * _DIM).clamp(0, 1).cpu().numpy(), dtype=np.float32)
    radius = max(2, round(max(image.shape[:2]) / 240))
    paths = (trails.cpu().numpy() - 0.5) * 2**_BITS  # OpenCV puts pixel centres at whole numbers
    tones = colors.cpu().numpy().astype(float)
    for point in np.flatnonzero(seen.cpu().numpy()):
        path = paths[:, point]
        path = np.rint(path[np.isfinite(path).all(-1)]).astype(np.int32)
        if len(path):
            tone = tuple(tones[point])
            cv2.polylines(image, [path[:, None]], False, tone, 1, cv2.LINE_AA, _BITS)
            _draw_dot(image, path[-1], radius, tone)
    return torch.from_numpy(image)


def spread_colors(pixels: Float[Tensor, "N 2"]) -> Float[Tensor, "N 3"]:
    """Colour points by where they start, so that neighbours look alike: hue runs top to bottom."""
    height = pixels[:, 1]
    span = (height.max() - height.min()).clamp(min=1.0)
    hues = ((height - height.min()) / span * 0.85).tolist()  # 0.85: red does not come twice
    return torch.tensor([colorsys.hsv_to_rgb(hue, 0.9, 1.0) for hue in hues])


def _draw_dot(image: np.ndarray, center: np.ndarray, radius: int, tone: tuple[float, ...]) -> None:
    where = (int(center[0]), int(center[1]))
    cv2.circle(image, where, radius << _BITS, tone, -1, cv2.LINE_AA, _BITS)
