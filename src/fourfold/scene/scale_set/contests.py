"""What contested pixels say about scales, and the accuracy of any combination by look-ups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.scene.scale_set.contested import MIN_PIXELS, log_scales
from fourfold.scene.scale_set.lookups import LookUps
from fourfold.scene.scale_set.table_checks import check_tables

ScaleRange = tuple[float, float]

# Shares of outliers at which thresholds are kept, dense where tolerances are.
LEVELS = np.concatenate(
    (np.arange(100) * 0.0005, 0.05 + np.arange(90) * 0.005, 0.5 + np.arange(25) * 0.02)
)
# Stands for "no limit" among logarithms of scale ratios (files hold finite numbers).
NO_LIMIT = 100.0
# Rounding of scales that lie on the border of the box.
_BORDER = 1e-4


@dataclass(frozen=True, eq=False)
class Contests:
    """Contested pixels of a capture, condensed; made by `ContestCollector`.

    `names` of the bodies, background first; `scale_ranges` (low, high) of all but the background,
    the box of scales that is meant throughout. `counts` (K,K): pixels at which body i is seen and
    body j has a layer too. `always_wrong` (K,): pixels of body i that no combination in the box
    makes right (a silhouette a pixel too fat): they say nothing about scales and count nowhere
    else. `quantiles` (K,K,L): the threshold of log s_i - log s_j that the share `LEVELS` of the
    pixels of a pair lies below.
    """

    names: tuple[str, ...]
    scale_ranges: tuple[ScaleRange, ...]
    counts: Int[Tensor, "K K"]
    always_wrong: Int[Tensor, " K"]
    quantiles: Float[Tensor, "K K L"]
    lookups: LookUps

    @property
    def error_bound(self) -> float:
        """How far an accuracy can be off; see `LookUps`."""
        return float(self.lookups.error_bound)

    @property
    def num_pairs(self) -> int:
        """The number of ordered pairs with at least `MIN_PIXELS` contested pixels."""
        return int((self.counts >= MIN_PIXELS).sum())

    def accuracy(
        self, scales: Float[Tensor, "N K-1"], at_least: float = 0.0
    ) -> Float[Tensor, " N"]:
        """Look up the occlusion accuracy of combinations of scales.

        Own. As `brute_force_accuracy` defines it, without the pixels that are always wrong, and
        off by at most `error_bound`. About a second per million combinations of three objects.

        Args:
            scales: of the bodies but the background, whose scale is 1.
            at_least: combinations below this accuracy may be given any number below it, sooner.

        Raises:
            ValueError: scales outside of their ranges.
        """
        logs = log_scales(scales, len(self.names))
        self._check_ranges(logs)
        wrong = self.lookups.wrong(logs, 1.0 - at_least)
        return torch.from_numpy(np.clip(1.0 - wrong, 0.0, 1.0))

    def thresholds(self, outliers: float) -> np.ndarray:
        """Give the threshold (K,K) of log s_i - log s_j that `outliers` of its pixels lie below.

        Beyond it, more than that share of the pixels where i is seen before j is wrong. Rounded
        up to the next of `LEVELS`; `NO_LIMIT` for pairs with too few pixels.
        """
        level = int(np.searchsorted(LEVELS, outliers - 1e-9))
        limits = np.full(self.counts.shape, NO_LIMIT)
        if level < len(LEVELS):
            enough = (self.counts >= MIN_PIXELS).numpy()
            limits[enough] = self.quantiles[:, :, level].numpy()[enough]
        return limits

    def least_wrong(self, ratios: np.ndarray) -> np.ndarray:
        """Bound from below the share of wrong pixels (K,K) of pairs, at ratios (K,K) or above."""
        enough = (self.counts >= MIN_PIXELS).numpy()
        reached = (self.quantiles.numpy() <= ratios[:, :, None]).sum(axis=-1)
        return np.where(enough & (reached > 0), LEVELS[np.maximum(reached - 1, 0)], 0.0)

    def tensors(self) -> dict[str, Tensor]:
        """Give everything but names and ranges as tensors, by name."""
        own = {"counts": self.counts, "always_wrong": self.always_wrong}
        return own | {"quantiles": self.quantiles} | self.lookups.tensors()

    @staticmethod
    def restore(
        names: Sequence[str], ranges: Sequence[ScaleRange], tensors: Mapping[str, Tensor]
    ) -> Contests:
        """Rebuild contests from what `tensors` gave.

        Raises:
            KeyError, TypeError, ValueError: tensors that are missing, of another number of
                bodies, or that do not fit together.
        """
        size = len(names)
        rest = dict(tensors)
        shapes = {"counts": (size, size), "always_wrong": (size,)}
        shapes["quantiles"] = (size, size, len(LEVELS))
        own = {name: rest.pop(name) for name in shapes}
        if len(ranges) != size - 1 or any(own[name].shape != shapes[name] for name in shapes):
            raise ValueError(f"the contests are not those of {size} bodies")
        lookups = LookUps(**rest)
        check_tables(lookups, size)
        return Contests(tuple(names), tuple(ranges), **own, lookups=lookups)

    def _check_ranges(self, logs: np.ndarray) -> None:
        for number, (low, high) in enumerate(self.scale_ranges, start=1):
            column = logs[:, number]
            outside = (column < np.log(low) - _BORDER) | (column > np.log(high) + _BORDER)
            if bool(outside.any()):
                scale = float(np.exp(column[outside][0]))
                name = self.names[number]
                raise ValueError(f"the scale {scale:g} of {name} is outside of {low:g} to {high:g}")


def ratio_limits(ranges: Sequence[ScaleRange]) -> tuple[np.ndarray, np.ndarray]:
    """Give the least and greatest log s_i - log s_j (K,K) in a box; the background's scale is 1."""
    low = np.log([1.0, *(low for low, _ in ranges)])
    high = np.log([1.0, *(high for _, high in ranges)])
    return low[:, None] - high[None, :], high[:, None] - low[None, :]
