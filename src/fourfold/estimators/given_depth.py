"""Making a depth map from elsewhere complete: its sky, its gaps, its unit. Own."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.membrane import fill_membrane

AGREEMENT = 0.5  # of the detected sky that must be unknown depth, for unknown depth to be the sky
EDGE_WINDOW = 4  # pixels to each side over which estimated depth smears an edge, at 1280
EDGE_RATIO = 1.15  # of the farthest to the nearest depth in that window, for it to be an edge


def unknown_sky(known: Bool[Tensor, "H W"], detected: Bool[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """Tell the sky of a depth map: what renderers and sensors leave out there, else as detected.

    Args:
        known: where the map has a depth.
        detected: the sky as the photo shows it.
    """
    without = ~known
    both = float((without & detected).sum())
    believed = both > AGREEMENT * float(detected.sum()) and both > AGREEMENT * float(without.sum())
    return without if believed else detected


def fill_gaps(
    depth: Float[Tensor, "H W"], wanted: Bool[Tensor, "H W"], image: Float[Tensor, "H W 3"]
) -> Float[Tensor, "H W"]:
    """Fill NaN by a membrane in 1/z that tears at the photo's edges; known depths stay.

    Args:
        depth: z > 0 or NaN.
        wanted: where gaps matter; elsewhere any depth is put in.
    """
    known = depth.isfinite()
    if bool((known | ~wanted).all()):
        return depth.nan_to_num(float(depth[known].max()))
    inverse = torch.where(known, 1 / depth, 0.0)
    filled = fill_membrane(inverse, known.float(), image)
    return torch.where(known, depth, 1 / filled.clamp(min=float(inverse[known].min())))


def scale_to(
    depth: Float[Tensor, "H W"],
    target: Float[Tensor, "H W"],
    ground: Bool[Tensor, "H W"],
    elsewhere: Bool[Tensor, "H W"],
) -> float:
    """Give the median factor from a depth map to another on the ground, or all over without one."""
    where = ground if ground.any() else elsewhere
    return float((target[where] / depth[where]).median()) if where.any() else 1.0


def sharpen_edges(depth: Float[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """Turn the ramps that networks draw at depth edges into steps; leave surfaces as they are.

    A shock filter (Osher and Rudin 1990) in one step: on a ramp each pixel takes the nearest or
    the farthest depth of its window, whichever is closer to its own in 1/z.
    """
    reach = max(round(EDGE_WINDOW * max(depth.shape) / 1280), 1)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inverse = (1 / depth).nan_to_num(0.0).numpy()
    near, far = cv2.dilate(inverse, window), cv2.erode(inverse, window)
    step = np.where(near - inverse < inverse - far, near, far)
    sharp = np.where(near > EDGE_RATIO * far, step, inverse)
    return torch.from_numpy(np.where(depth.isfinite(), 1 / np.maximum(sharp, 1e-12), np.nan))
