"""From layers, frame by frame, to contests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.scene.scale_set.contested import contested_pixels, pair_counts, pair_weights
from fourfold.scene.scale_set.contests import (
    LEVELS,
    NO_LIMIT,
    Contests,
    ScaleRange,
    ratio_limits,
)
from fourfold.scene.scale_set.lookups import Group, build_lookups


class ContestCollector:
    """Gather what each frame's contested pixels say about scales; see `Contests`.

    Args:
        names: of the bodies, background first; its scale is 1.
        scale_ranges: (low, high) of the others, in their order.

    Raises:
        ValueError: not one range per object, or one that is not positive.
    """

    def __init__(self, names: Sequence[str], scale_ranges: Sequence[ScaleRange]) -> None:
        if len(scale_ranges) != len(names) - 1:
            raise ValueError(f"{len(names)} bodies have {len(scale_ranges)} scale ranges")
        for name, (low, high) in zip(names[1:], scale_ranges, strict=True):
            if not 0.0 < low <= high:
                raise ValueError(f"the scale range ({low:g}, {high:g}) of {name} is not a range")
        self._names = tuple(names)
        self._ranges = tuple((float(low), float(high)) for low, high in scale_ranges)
        self._lowest, self._highest = ratio_limits(self._ranges)
        self._counts = np.zeros((len(names), len(names)), np.int64)
        self._always_wrong = np.zeros(len(names), np.int64)
        self._seen: list[np.ndarray] = [np.zeros(0, np.int64)]
        self._present: list[np.ndarray] = [np.zeros((0, len(names)), bool)]
        self._thresholds: list[np.ndarray] = [np.zeros((0, len(names)), np.float32)]

    def add(self, depths: Float[Tensor, "K H W"], labels: Int[Tensor, "H W"]) -> None:
        """Add a frame.

        Args:
            depths: z-depth of each body alone in body units, also where it is hidden; NaN where
                it has no layer there.
            labels: index of the body seen; -1 where it is not known.

        Raises:
            ValueError: shapes that do not fit, or a depth that is not positive.
        """
        if len(depths) != len(self._names):
            raise ValueError(f"{len(depths)} layers, but {len(self._names)} bodies")
        layers, seen = contested_pixels(depths, labels)
        thresholds = _thresholds(layers, seen)
        # In the corner of the box where the body seen is smallest and the others are largest, a
        # pixel is right if it is right anywhere.
        hopeless = (thresholds <= self._lowest[seen]).any(axis=1)
        self._always_wrong += np.bincount(seen[hopeless], minlength=len(self._names))
        self._keep(~np.isnan(layers[~hopeless]), seen[~hopeless], thresholds[~hopeless])

    def _keep(self, present: np.ndarray, seen: np.ndarray, thresholds: np.ndarray) -> None:
        """Count pixels, and store those that some scales in the box make wrong."""
        self._counts += pair_counts(present, seen)
        idle = ~(thresholds <= self._highest[seen])
        thresholds[idle] = np.inf
        matters = ~idle.all(axis=1)
        self._seen.append(seen[matters])
        self._present.append(present[matters])
        self._thresholds.append(thresholds[matters])

    def finish(self) -> Contests:
        """Condense what was added."""
        seen = np.concatenate(self._seen)
        present = np.concatenate(self._present)
        thresholds = np.concatenate(self._thresholds)
        groups = _group(seen, present, thresholds, pair_weights(self._counts))
        return Contests(
            self._names,
            self._ranges,
            torch.from_numpy(self._counts.copy()),
            torch.from_numpy(self._always_wrong.copy()),
            torch.from_numpy(_quantiles(seen, thresholds, self._counts)),
            build_lookups(groups, self._lowest, self._highest),
        )


def _thresholds(layers: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Give log d_j - log d_i (n,K) of each body j, i being seen; NaN for i and where none is."""
    logs = np.log(layers)
    thresholds = logs - np.take_along_axis(logs, seen[:, None], axis=1)
    thresholds[np.arange(len(seen)), seen] = np.nan
    return thresholds


def _group(
    seen: np.ndarray, present: np.ndarray, thresholds: np.ndarray, pair_weights: np.ndarray
) -> list[Group]:
    """Sort pixels by the body seen and the hidden ones whose thresholds are within reach."""
    if not len(seen):
        return []
    weights = (pair_weights[seen] * present).sum(axis=1)
    kinds, kind_of = np.unique(
        np.column_stack((seen, np.isfinite(thresholds))), axis=0, return_inverse=True
    )
    groups = []
    for number, (body, *active) in enumerate(kinds.tolist()):
        hidden = np.flatnonzero(active)
        chosen = (kind_of.ravel() == number) & (weights > 0)
        if chosen.any():
            rows = np.ascontiguousarray(thresholds[chosen][:, hidden].T)
            groups.append(Group(body, tuple(hidden.tolist()), rows, weights[chosen]))
    return groups


def _quantiles(seen: np.ndarray, thresholds: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Give the threshold of each pair that each share of its pixels lies below."""
    size = len(counts)
    quantiles = np.full((size, size, len(LEVELS)), NO_LIMIT, np.float32)
    for i in range(size):
        of_body = thresholds[seen == i]
        for j in range(size):
            found = np.sort(of_body[:, j][np.isfinite(of_body[:, j])])
            ranks = np.floor(LEVELS * counts[i, j] + 1e-9).astype(np.int64)
            within = ranks < len(found)
            quantiles[i, j, within] = found[ranks[within]]
    return quantiles
