"""A photo of 96x64: sky over a meadow, through which a brook runs towards the viewer.

Level ground below a horizon in row 20, the brook in the columns 32 to 64 below row 32. Two hints
lie in it, one far and one near, of water of one speed: pixels per frame grow with the square of the
rows below the horizon. All textures are smooth noise of a few pixels, the same each time.
"""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Capture, photo_capture

WIDTH, HEIGHT, HORIZON = 96, 64, 20
FAR_HINT = ((48.0, 36.0), (48.0, 40.2))
NEAR_HINT = ((48.0, 46.0), (48.0, 60.0))


def brook_image() -> Float[Tensor, "H W 3"]:
    """Paint the photo."""
    image = _noise(0, (0.30, 0.42, 0.20), 0.10)
    image[brook_mask()] = _noise(1, (0.25, 0.40, 0.50), 0.12)[brook_mask()]
    image[:HORIZON] = _noise(2, (0.62, 0.75, 0.93), 0.02)[:HORIZON]
    return image


def brook_mask() -> Bool[Tensor, "H W"]:
    """Mark the brook."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[32:, 32:64] = True
    return mask


def sky_mask() -> Bool[Tensor, "H W"]:
    """Mark the sky."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[:HORIZON] = True
    return mask


def brook_capture(**changes) -> Capture:
    """Make a capture of the photo; `changes` are arguments of `photo_capture`."""
    arguments = {
        "regions": {"motion": brook_mask(), "sky": sky_mask()},
        "hints": [FAR_HINT, NEAR_HINT],
        "fov": 45.0,
    }
    return photo_capture(brook_image(), **(arguments | changes))


def _noise(seed: int, color: tuple[float, float, float], strength: float) -> Float[Tensor, "H W 3"]:
    random = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(random, (0, 0), 1.2)
    return torch.from_numpy((np.array(color) + strength * smooth / smooth.std()).clip(0, 1)).float()
