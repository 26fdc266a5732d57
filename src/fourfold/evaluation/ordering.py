"""Which object is nearer: the part of depth that a video of several objects must get right."""

from collections.abc import Mapping, Sequence
from itertools import combinations

from jaxtyping import Float, Int
from torch import Tensor


def median_depths(
    depth: Float[Tensor, "H W"], labels: Int[Tensor, "H W"], names: Sequence[str]
) -> dict[str, float]:
    """Give the median depth of each object where it is in front; objects not seen are left out.

    `labels` as `front_most` makes them, index k standing for `names[k]`.
    """
    medians = {}
    for index, name in enumerate(names):
        seen = depth[labels == index]
        seen = seen[~seen.isnan()]
        if len(seen):
            medians[name] = float(seen.median())
    return medians


def count_ordered_pairs(depths: Mapping[str, float], true_order: Sequence[str]) -> tuple[int, int]:
    """Count the pairs of objects of a frame in the right depth order, and all pairs.

    `true_order` begins with the nearest. A pair with an object that is missing in `depths`, or
    with equal depths, is wrong.

    >>> count_ordered_pairs({"dog": 2.0, "cat": 3.0, "owl": 1.0}, ["dog", "cat", "owl"])
    (1, 3)
    """
    pairs = list(combinations(true_order, 2))
    right = sum(
        near in depths and far in depths and depths[near] < depths[far] for near, far in pairs
    )
    return right, len(pairs)


def depth_order_accuracy(counts: Sequence[tuple[int, int]]) -> float:
    """Give the share of right pairs over frames; NaN when no frame has two objects.

    >>> depth_order_accuracy([(1, 1), (0, 1), (3, 3)])
    0.8
    """
    total = sum(pairs for _, pairs in counts)
    return sum(right for right, _ in counts) / total if total else float("nan")
