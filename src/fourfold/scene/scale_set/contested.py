"""Contested pixels: where at least two bodies have a surface, and one of them is seen."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

# An ordered pair of bodies with fewer contested pixels than this does not count: noise at
# silhouettes would weigh as much as a whole object (own choice).
MIN_PIXELS = 20


def contested_pixels(
    depths: Float[Tensor, "K H W"], labels: Int[Tensor, "H W"]
) -> tuple[np.ndarray, np.ndarray]:
    """Pick the pixels where the body seen has a layer and so has another.

    Args:
        depths: z-depth of each body alone in body units, also where it is hidden; NaN where it
            has no layer.
        labels: index of the body seen; -1 where it is not known.

    Returns:
        the depths (n,K) float32 and the index of the body seen (n,) of those pixels.

    Raises:
        ValueError: shapes that do not fit, a depth that is not positive, a label without a body.
    """
    layers = torch.as_tensor(depths).detach().cpu().to(torch.float32).numpy()
    seen = torch.as_tensor(labels).detach().cpu().to(torch.int64).numpy()
    if layers.ndim != 3 or seen.shape != layers.shape[1:]:
        raise ValueError(f"layers {layers.shape} and labels {seen.shape} do not fit together")
    if bool((seen >= len(layers)).any()):
        raise ValueError(f"a label is {seen.max()}, but there are {len(layers)} bodies")
    present = ~np.isnan(layers)
    if bool((layers[present] <= 0).any()) or bool(np.isinf(layers[present]).any()):
        raise ValueError("a layer's depth is not a positive number")
    visible = np.take_along_axis(present, np.maximum(seen, 0)[None], axis=0)[0] & (seen >= 0)
    chosen = visible & (present.sum(axis=0) >= 2)
    return np.ascontiguousarray(layers[:, chosen].T), seen[chosen]


def pair_counts(present: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Count the pixels (K,K) at which body i is seen and body j has a layer too.

    Args:
        present: (n,K) whether a body has a layer.
        seen: (n,) index of the body seen.
    """
    size = present.shape[1]
    counts = np.zeros((size, size), np.int64)
    for body in range(size):
        counts[body] = present[seen == body].sum(axis=0)
    np.fill_diagonal(counts, 0)
    return counts


def pair_weights(counts: np.ndarray) -> np.ndarray:
    """Give what a pixel weighs in an ordered pair (K,K): one over pixels and over pairs."""
    enough = counts >= MIN_PIXELS
    weights = np.zeros(counts.shape)
    weights[enough] = 1.0 / (counts[enough] * enough.sum())
    return weights


def log_scales(scales: Float[Tensor, "N K-1"], num_bodies: int) -> np.ndarray:
    """Take the logarithms (N,K) float32 of scales, the background's zero first.

    Raises:
        ValueError: the wrong number of scales, or one that is not positive.
    """
    given = torch.as_tensor(scales).detach().cpu().to(torch.float64).numpy()
    if given.ndim != 2 or given.shape[1] != num_bodies - 1:
        raise ValueError(f"scales have shape {given.shape}, not (N, {num_bodies - 1})")
    if not bool((given > 0).all()):
        raise ValueError("a scale is not positive")
    logs = np.zeros((len(given), num_bodies), np.float32)
    logs[:, 1:] = np.log(given)
    return logs
