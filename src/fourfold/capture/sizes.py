"""Scaling of channels to the working size, and taking a lens distortion out of them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float

from fourfold.geometry import Camera, distort

# How a lens's border is looked at: points on each side, and how far outside of the picture they may
# be seen, in pixels (half a pixel is what interpolation repeats anyhow).
_BORDER_POINTS = 33
_UNSEEN = 0.5
# A stronger distortion than this mends is not one of a pinhole. 20 halvings leave 1e-6.
_MOST_ZOOM = 2.0
_HALVINGS = 20


def fit_size(size: tuple[int, int], max_size: int) -> tuple[int, int]:
    """Return the (width, height) whose longer side is at most `max_size`; never larger.

    >>> fit_size((1920, 1080), 720)
    (720, 405)
    >>> fit_size((64, 48), 720)
    (64, 48)
    """
    scale = min(1.0, max_size / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def same_aspect(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Say whether two sizes (width, height) are one picture's, up to a pixel of the smaller.

    >>> same_aspect((1920, 1080), (853, 480)), same_aspect((1920, 1080), (1024, 768))
    (True, False)
    """
    small, large = sorted((size, other))
    return abs(large[1] * small[0] / large[0] - small[1]) <= 1


def scale_image(
    image: Float[np.ndarray, "H W 3"], size: tuple[int, int]
) -> Float[np.ndarray, "h w 3"]:
    """Scale a picture down by area averages; float32."""
    if image.shape[1::-1] == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def scale_mask(mask: Bool[np.ndarray, "H W"], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Scale a mask down: set where more than half of the area is set."""
    if mask.shape[::-1] == size:
        return mask
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5


def scale_depth(depth: Float[np.ndarray, "H W"], size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """Scale a depth map by taking the value under each pixel's centre, so none is made up."""
    height, width = depth.shape
    rows = ((np.arange(size[1]) + 0.5) * height / size[1]).astype(int)
    columns = ((np.arange(size[0]) + 0.5) * width / size[0]).astype(int)
    return depth[rows[:, None], columns[None, :]]


def scale_field(
    field: Float[np.ndarray, "H W 2"], size: tuple[int, int]
) -> Float[np.ndarray, "h w 2"]:
    """Scale a field of vectors in pixels, x then y, to another number of pixels; float32."""
    height, width = field.shape[:2]
    if (width, height) != size:
        shrinking = size[0] < width and size[1] < height
        mode = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        field = cv2.resize(field, size, interpolation=mode)
    return field * np.array((size[0] / width, size[1] / height), np.float32)


def straighten(values: np.ndarray, camera: Camera, *, nearest: bool = False) -> np.ndarray:
    """Show a map of (H, W) or (H, W, 3) as `ideal_camera` sees it; with `nearest` unmixed."""
    if camera.distortion is None:
        return values
    # OpenCV counts pixel centres from 0, we from 0.5.
    stored, ideal = (c.intrinsics.double().numpy().copy() for c in (camera, ideal_camera(camera)))
    stored[:2, 2] -= 0.5
    ideal[:2, 2] -= 0.5
    lens = np.array(camera.distortion)
    size = (values.shape[1], values.shape[0])
    x, y = cv2.initUndistortRectifyMap(stored, lens, np.eye(3), ideal, size, cv2.CV_32FC1)
    mode = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.remap(values, x, y, mode, borderMode=cv2.BORDER_REPLICATE)


def ideal_camera(camera: Camera) -> Camera:
    """Give the camera without lens distortion whose picture the lens saw, from side to side.

    The focal lengths grow as far as that needs, and no pixel has to be made up; where a lens shows
    more than that, they stay.
    """
    if camera.distortion is None:
        return camera
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics.tolist()
    zoom = _zoom(fx, fy, cx, cy, camera.width, camera.height, camera.distortion)
    factors = camera.intrinsics.new_tensor([[zoom, zoom, 1.0], [1.0, zoom, 1.0], [1.0, 1.0, 1.0]])
    return replace(camera, intrinsics=camera.intrinsics * factors, distortion=None)


@lru_cache(maxsize=256)
def _zoom(
    fx: float, fy: float, cx: float, cy: float, width: int, height: int, lens: tuple[float, ...]
) -> float:
    """Find by bisection the least factor of the focal lengths that leaves no border unseen."""
    along = torch.linspace(0, 1, _BORDER_POINTS, dtype=torch.float64)
    zero, one = torch.zeros_like(along), torch.ones_like(along)
    sides = ((along, zero), (along, one), (zero, along), (one, along))
    border = torch.cat([torch.stack(side, dim=1) for side in sides])
    size = torch.tensor([width, height], dtype=torch.float64)
    focal, center = size.new_tensor([fx, fy]), size.new_tensor([cx, cy])
    rays = (border * size - center) / focal

    def is_seen(factor: float) -> bool:
        pixels = distort(rays / factor, lens) * focal + center
        return bool(((pixels >= -_UNSEEN) & (pixels <= size + _UNSEEN)).all())

    low, high = 1.0, _MOST_ZOOM
    if is_seen(low):
        return low
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high
