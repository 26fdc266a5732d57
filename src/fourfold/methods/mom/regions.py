"""The moving regions of a chart: connected, and each either sky or not. Own."""

import cv2
import numpy as np
from jaxtyping import Bool, Int

# A part of a region that the sky map tells otherwise counts only above this share of the region.
SPLIT_SHARE = 0.1


def label_regions(
    moving: Bool[np.ndarray, "H W"], sky: Bool[np.ndarray, "H W"]
) -> tuple[Int[np.ndarray, "H W"], list[bool]]:
    """Number the moving regions from 1, 0 outside, and tell which are sky.

    A connected part that reaches over the horizon is split there; what is less than a tenth of it
    is taken for a mistake of the sky map.

    >>> moving = np.array([[True, True, False, True]] * 4)
    >>> sky = np.array([[True] * 4] * 2 + [[False] * 4] * 2)
    >>> labels, is_sky = label_regions(moving, sky)
    >>> labels[1].tolist(), labels[2].tolist(), is_sky
    ([1, 1, 0, 2], [3, 3, 0, 4], [True, True, False, False])
    """
    count, parts = _connected(moving)
    sizes = np.bincount(parts.ravel(), minlength=count)
    share = np.bincount(parts.ravel(), sky.ravel(), count) / np.maximum(sizes, 1)
    share = np.where(share < SPLIT_SHARE, 0.0, np.where(share > 1.0 - SPLIT_SHARE, 1.0, share))
    above = moving & ((share[parts] == 1.0) | (sky & (share[parts] > 0.0)))
    uppers, upper = _connected(above)
    lowers, lower = _connected(moving & ~above)
    labels = np.where(lower > 0, lower + uppers - 1, upper)
    return labels, [True] * (uppers - 1) + [False] * (lowers - 1)


def _connected(shape: np.ndarray) -> tuple[int, np.ndarray]:
    """Number the connected parts from 1 (pixels that share a corner are connected).

    Returns:
        How many numbers there are, 0 for outside included, and the number of each pixel.
    """
    return cv2.connectedComponents(shape.astype(np.uint8), connectivity=8)
