"""Occlusion accuracy by its definition: every contested pixel, for every combination of scales."""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.scene.scale_set._kernels import add_right, in_threads
from fourfold.scene.scale_set.contested import contested_pixels, pair_counts, pair_weights


def brute_force_accuracy(
    layers: Iterable[Float[Tensor, "K H W"]],
    labels: Iterable[Int[Tensor, "H W"]],
    scales: Float[Tensor, "N K-1"],
) -> Float[Tensor, " N"]:
    """Compute the occlusion accuracy of combinations of scales, pixel by pixel.

    Own; the reference that `Contests.accuracy` is judged by, and nothing of it is shared but the
    choice of pixels. A pixel counts when the body seen has a layer there and another body too. It
    is right when the body seen is nearest of all, s_i d_i < s_j d_j. The accuracy is the mean,
    over the ordered pairs (i, j) with at least `MIN_PIXELS` pixels at which i is seen and j has a
    layer, of the share of right pixels; 1 where there is no such pair.

    Args:
        layers: per frame the z-depth of each body alone, background first, NaN where it has none.
        labels: per frame the index of the body seen; -1 where it is not known.
        scales: of the bodies but the background, whose scale is 1.

    Raises:
        ValueError: shapes that do not fit together, scales or depths that are not positive.
    """
    depths, seen = _gather(layers, labels)
    factors = _with_background(scales, depths.shape[1])
    present = ~np.isnan(depths)
    counts = pair_counts(present, seen)
    weights = pair_weights(counts)
    accuracy = np.zeros(len(factors)) if weights.any() else np.ones(len(factors))
    kinds, kind_of = np.unique(np.column_stack((seen, present)), axis=0, return_inverse=True)
    for number, (body, *members) in enumerate(kinds.tolist()):
        others = [other for other, there in enumerate(members) if there and other != body]
        weight = float(weights[body, others].sum())
        if weight == 0.0:
            continue
        bodies = np.array([body, *others])
        rows = np.ascontiguousarray(depths[kind_of.ravel() == number][:, bodies].T)
        in_threads(add_right, len(factors), factors, rows, bodies, weight, accuracy)
    return torch.from_numpy(accuracy)


def _gather(
    layers: Iterable[Float[Tensor, "K H W"]], labels: Iterable[Int[Tensor, "H W"]]
) -> tuple[np.ndarray, np.ndarray]:
    frames = [contested_pixels(*frame) for frame in zip(layers, labels, strict=True)]
    if not frames:
        raise ValueError("no frame to count pixels in")
    return np.concatenate([depths for depths, _ in frames]), np.concatenate([s for _, s in frames])


def _with_background(scales: Float[Tensor, "N K-1"], num_bodies: int) -> np.ndarray:
    given = torch.as_tensor(scales).detach().cpu().to(torch.float32).numpy()
    if given.ndim != 2 or given.shape[1] != num_bodies - 1:
        raise ValueError(f"scales have shape {given.shape}, not (N, {num_bodies - 1})")
    if not bool((given > 0).all()):
        raise ValueError("a scale is not positive")
    return np.column_stack((np.ones(len(given), np.float32), given)).astype(np.float32)
