"""Making a depth map from elsewhere complete: its sky, its gaps, its unit. Own."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.guided_filter import coarse_copy, enlarged
from fourfold.estimators.mask_parts import connected_parts, nearest_marked, parts_where
from fourfold.estimators.membrane import fill_membrane

AGREEMENT = 0.5  # share of one sky that must lie in the other, for both to be the same
LARGE = 0.005  # of the photo: smaller gaps at the upper border are faults of a sensor
EDGE_WINDOW = 4  # pixels to each side over which estimated depth smears an edge, at 1280
NARROWEST_WINDOW = 3
EDGE_STEP = 0.07  # of the nearest 1/z, in that window: 2 px where the nearest moves by 30; a plane
# changes by a third of that


def unknown_sky(known: Bool[Tensor, "H W"], detected: Bool[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """Tell the sky of a depth map: what renderers and sensors leave out there, else as detected.

    Left out for the sky are the connected parts without depth that lie mostly in the detected sky,
    or are large and reach the upper border. They count if they make up most of what is detected.

    Args:
        known: where the map has a depth.
        detected: the sky as the photo shows it; may be empty.
    """
    parts = connected_parts(~known.numpy())
    sizes = np.bincount(parts.ravel())
    share = np.bincount(parts.ravel(), weights=detected.numpy().ravel()) / sizes.clip(1)
    at_top = np.bincount(parts[0], minlength=len(sizes)) > 0
    large = sizes >= LARGE * known.numel()
    without = torch.from_numpy(parts_where(parts, (share > AGREEMENT) | (at_top & large)))
    believed = (without & detected).sum() >= AGREEMENT * detected.sum()
    return without if believed and without.any() else detected


def fill_gaps(
    depth: Float[Tensor, "H W"], wanted: Bool[Tensor, "H W"], image: Float[Tensor, "H W 3"]
) -> Float[Tensor, "H W"]:
    """Fill NaN by a membrane in 1/z that tears at the photo's edges; known depths stay.

    Solved at 320 pixels of the longer side: what lies in a gap is a guess at any size.

    Args:
        depth: z > 0 or NaN.
        wanted: where gaps matter; elsewhere they take the nearest depth that is known.
    """
    known = depth.isfinite()
    rows, columns, _ = nearest_marked(known.numpy())
    nearest = depth[rows, columns]
    if bool((known | ~wanted).all()):
        return nearest
    inverse, fixed = 1 / nearest, known | ~wanted
    small = coarse_copy(image)
    size = (small.shape[1], small.shape[0])
    share, total = (
        cv2.resize(x.float().numpy(), size, interpolation=cv2.INTER_AREA)
        for x in (fixed, inverse * fixed)
    )
    coarse = torch.from_numpy(total / np.maximum(share, 1e-6))
    filled = enlarged(fill_membrane(coarse, torch.from_numpy(share), small), image.shape)
    return torch.where(fixed, nearest, 1 / filled.clamp(inverse.min(), inverse.max()))


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
    reach = max(round(EDGE_WINDOW * max(depth.shape) / 1280), NARROWEST_WINDOW)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inverse = (1 / depth).nan_to_num(0.0).numpy()
    nearest = np.quantile(inverse, 0.95)
    near, far = cv2.dilate(inverse, window), cv2.erode(inverse, window)
    step = np.where(near - inverse < inverse - far, near, far)
    sharp = np.where(near - far > EDGE_STEP * nearest, step, inverse)
    return torch.from_numpy(np.where(depth.isfinite(), 1 / np.maximum(sharp, 1e-12), np.nan))
