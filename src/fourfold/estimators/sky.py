"""Where a photo shows the sky.

Own, around GrabCut (Rother, Kolmogorov and Blake, 2004; OpenCV's): what touches the upper border
and is smooth and blue, or bright and pale, starts two colour models, of the sky and of the rest,
which then share out the pixels in between.
"""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.guided_filter import coarse_copy, fine_mask
from fourfold.estimators.mask_parts import connected_parts, large_parts, parts_where

SMOOTH = 0.02  # mean gradient per coarse pixel: clouds lie below, foliage and rock above
BLUENESS = 0.02  # blue above red
DARKEST_BLUE, DARKEST_PALE, PALE_SATURATION = 0.2, 0.6, 0.3
LEAST_SHARE = 0.005  # of the photo: less is a window or a gap in leaves
REACH = 0.1  # of the height: how far below the seeds clouds may still be sky. Haze on mountains has
# the colours of the sky, and without this bound takes them along.
SPECK = 2e-4  # of the photo: a bird
ROUNDS = 4  # of GrabCut


def detect_sky(image: Float[Tensor, "H W 3"]) -> Bool[Tensor, "H W"]:
    """Mark the sky of a landscape photo, clouds included; nothing where no sky is found.

    Args:
        image: in [0, 1].

    Works at 320 pixels of the longer side; the outline is laid onto the edges of the full picture
    by a guided filter. Deterministic.
    """
    nothing = torch.zeros(image.shape[:2], dtype=torch.bool)
    if min(image.shape[:2]) < 16:
        return nothing
    small = coarse_copy(image).numpy()
    seeds = _from_the_top(_looks_like_sky(small))
    if seeds.mean() < LEAST_SHARE:
        return nothing
    out_of_reach = ~_above(seeds, round(REACH * small.shape[0]))
    sky = _from_the_top(split_by_colour(small, seeds, out_of_reach, ROUNDS) | seeds)
    return fine_mask(torch.from_numpy(_without_specks(sky)), image)


def split_by_colour(
    image: np.ndarray, inside: np.ndarray, outside: np.ndarray, rounds: int
) -> np.ndarray:
    """Share out the undecided pixels between two colour models by GrabCut.

    Args:
        image: (h, w, 3) in [0, 1].
        inside, outside: (h, w) bool, pixels that are decided; where both say so, outside counts.
    """
    if not inside.any() or not outside.any() or (inside & ~outside).sum() < 5:
        return inside & ~outside
    labels = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    labels[inside] = cv2.GC_FGD
    labels[outside] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut starts its colour models by random k-means
    pixels = np.ascontiguousarray((image * 255 + 0.5).clip(0, 255).astype(np.uint8))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, labels, (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _looks_like_sky(image: np.ndarray) -> np.ndarray:
    red, blue = image[..., 0], image[..., 2]
    brightest, darkest = image.max(axis=-1), image.min(axis=-1)
    grey = image.mean(axis=-1)
    down, across = np.gradient(grey)
    smooth = cv2.blur(np.hypot(down, across), (5, 5)) < SMOOTH
    is_blue = (blue > red + BLUENESS) & (brightest > DARKEST_BLUE)
    is_pale = (brightest > DARKEST_PALE) & (brightest - darkest < PALE_SATURATION * brightest)
    return smooth & (is_blue | is_pale)


def _above(seeds: np.ndarray, reach: int) -> np.ndarray:
    """Mark in each column what lies above its lowest seed, and everything near a seed."""
    columns = np.logical_or.accumulate(seeds[::-1], axis=0)[::-1]
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.dilate(columns.astype(np.uint8), square) > 0


def _from_the_top(mask: np.ndarray) -> np.ndarray:
    """Keep the connected parts that reach the upper border over a few pixels."""
    parts = connected_parts(mask)
    touching = np.bincount(parts[0], minlength=parts.max() + 1) >= max(mask.shape[1] // 64, 2)
    return parts_where(parts, touching)


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """Fill what the mask leaves out where it is tiny: birds, noise of the colour models."""
    return ~large_parts(~mask, SPECK * mask.size)
