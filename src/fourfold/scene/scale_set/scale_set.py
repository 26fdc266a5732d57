"""The one object behind which all that is known about the scales of a scene lives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.scene.scale_set.contests import Contests, ScaleRange
from fourfold.scene.scale_set.network import ScaleNetwork
from fourfold.scene.scale_set.polytope import ScalePolytope, build_polytope, outer_polytope
from fourfold.scene.scale_set.samples import Samples
from fourfold.scene.scale_set.sampling import Draw, Score, draw_above, spread_order

Mode = Literal["computed", "polytope", "network"]
MODES: tuple[Mode, ...] = ("computed", "polytope", "network")

SAFE_MARGIN = 0.1
"""For `ScaleSet.sample`: a standard deviation of what noise of the layers does to the accuracy near
the usual tolerance (.0005 to .0013 on the synthetic scenes, see docs/evaluation.md)."""
# Accuracy above which a combination is valid (OSN's own lies from .95 to .995, by scene).
TOLERANCE = 0.99
# Scales given by hand are taken as in their range, or as a pin, up to this ratio.
_ROUNDING = 1e-4
# Combinations that intervals are read off from.
_INTERVAL_SAMPLES = 2000
# Combinations among which the typical one is found.
_TYPICAL_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class ScaleSet:
    """Which combinations of object scales explain the video.

    An object's scale is a factor about the camera centre of each captured frame: its picture
    stays, its depths multiply. The background's is 1 and is left out of all combinations.

    `names` of the bodies, background first; `ranges` (low, high) of the objects, the box;
    `contests`, what occlusion says. `mode`, by which combinations are judged:

    - "computed": the occlusion accuracy of `contests` exceeds `tolerance`;
    - "polytope": no pair of bodies has more than `outliers` of its contested pixels wrong, closed
      under shortest paths;
    - "network": the learned `network` scores above `score_threshold`.

    `pinned`: scales that are known, by name.
    """

    names: tuple[str, ...]
    ranges: tuple[ScaleRange, ...]
    contests: Contests | None = None
    tolerance: float = TOLERANCE
    mode: Mode = "computed"
    network: ScaleNetwork | None = None
    score_threshold: float = 0.5
    pinned: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.ranges) != len(self.names) - 1:
            raise ValueError(f"{len(self.names)} bodies have {len(self.ranges)} scale ranges")
        for low, high in self.ranges:
            if not 0.0 < low <= high < math.inf:
                raise ValueError(f"a scale range from {low} to {high}")
        if strangers := set(self.pinned) - set(self.object_names):
            raise ValueError(f"there is no object {min(strangers)!r} with a known scale")
        if self.mode not in MODES:
            raise ValueError(f"there is no mode {self.mode!r} of a scale set")
        if self.contests is not None and self.contests.names != self.names:
            raise ValueError("the contests are those of other bodies")
        if self.contests is not None and not _inside(self.ranges, self.contests.scale_ranges):
            raise ValueError("a scale range reaches beyond the one its contests were collected for")
        if (self.network if self.mode == "network" else self.contests) is None:
            needed = "network" if self.mode == "network" else "contests"
            raise ValueError(f"a {self.mode} scale set needs its {needed}")
        if self.network is not None and self.network.num_objects != len(self.ranges):
            raise ValueError("the scale network is that of another number of objects")
        if not 0.0 <= self.tolerance < 1.0:
            raise ValueError(f"the tolerance {self.tolerance:g} is not in [0, 1)")

    @property
    def object_names(self) -> tuple[str, ...]:
        """The names of all bodies but the background, in the order of scales."""
        return self.names[1:]

    def using(self, mode: Mode) -> ScaleSet:
        """Judge combinations by another mode.

        Raises:
            ValueError: the set lacks what the mode needs.
        """
        return replace(self, mode=mode)

    @property
    def outliers(self) -> float:
        """The share of a pair's pixels that the polytope takes for outliers.

        Half of what the computed set tolerates in all: room for a noisy silhouette, less than what
        makes a combination invalid by itself.
        """
        return 0.5 * (1.0 - self.tolerance)

    def accuracy(self, scales: Float[Tensor, "N K-1"]) -> Float[Tensor, " N"]:
        """Look up the occlusion accuracy of combinations; see `Contests.accuracy`.

        Raises:
            ValueError: scales outside of their ranges, or no contests to look it up in.
        """
        if self.contests is None:
            raise ValueError("without contests there is no occlusion accuracy")
        return self.contests.accuracy(scales)

    def score(self, scales: Float[Tensor, "N K-1"]) -> Float[Tensor, " N"]:
        """Score combinations in [0, 1] by the mode.

        The occlusion accuracy; the network's score; for the polytope 1 inside, and outside the
        ratio by which the limit that is missed most is missed.
        """
        return self._score(scales, 0.0)

    @property
    def threshold(self) -> float:
        """The score that valid combinations exceed."""
        if self.mode == "polytope":
            return 1.0 - _ROUNDING
        return self.tolerance if self.mode == "computed" else self.score_threshold

    def contains(self, scales: Float[Tensor, "N K-1"]) -> Bool[Tensor, " N"]:
        """Tell which combinations are valid: in their ranges, as pinned, with a score that does."""
        scales = torch.as_tensor(scales).detach()
        low, high = np.array(self._free_ranges()).reshape(-1, 2).T
        given = scales.cpu().numpy()
        valid = (given >= low * (1 - _ROUNDING)) & (given <= high * (1 + _ROUNDING))
        inside = np.flatnonzero(valid.all(axis=1))
        found = torch.zeros(len(scales), dtype=torch.bool)
        found[inside] = self._score(scales[inside], self.threshold) > self.threshold
        return found

    @cached_property
    def polytope(self) -> ScalePolytope:
        """The strict polytope: no pair has more than `outliers` of its pixels wrong."""
        if self.contests is None:
            raise ValueError("without contests there is no polytope")
        thresholds = self.contests.thresholds(self.outliers)
        return build_polytope(self.names, self._free_ranges(), thresholds)

    def sample(
        self, count: int, generator: torch.Generator | None = None, margin: float = 0.0
    ) -> Samples:
        """Draw valid combinations uniformly in linear scale, in farthest-point order.

        Own; see `draw_above`: exact by rejection, and where the valid part of the box is tiny by
        chains, exact in the limit. The computed set is looked for inside a polytope that is known
        to contain it. Where no valid combination is found, what is given are the best-scoring
        ones, marked as not valid, and `note` says so. With a generator in the same state the
        answer is the same; without one it is always the same.

        Args:
            margin: draw only combinations whose score exceeds the threshold by this share of what
                is left above it, where there are any: near the threshold, noise of the layers
                decides what is valid. `share` stays that of the whole set.

        Raises:
            UsageError: a negative count.
        """
        if count < 0:
            raise UsageError(f"{count} samples", expected="a number that is not negative")
        region = self._region()
        low, high = (ends.astype(np.float64) for ends in self._bounds(region))
        if count == 0 or len(low) == 0:
            return self._only(count)
        rng = _numpy_generator(generator)
        score, level = self._scorer(region), self.threshold
        drawn = draw_above(score, low, high, level, count, rng)
        if drawn.valid and margin > 0:
            inner = draw_above(score, low, high, level + margin * (1 - level), count, rng)
            drawn = replace(inner, share=drawn.share) if inner.valid else drawn
        order = spread_order(drawn.points, low, high) if drawn.valid else np.arange(count)
        scales = torch.from_numpy(drawn.points[order].astype(np.float32))
        return Samples(
            self.object_names,
            scales,
            self.score(scales),
            torch.full((count,), drawn.valid),
            drawn.share * self._share_of_box(low, high),
            "" if drawn.valid else self._why_empty(region, drawn),
        )

    def pin(self, name: str, scale: float) -> ScaleSet:
        """Fix an object's scale where it is known.

        Raises:
            UsageError: no such object, or a scale outside of its range.
        """
        if name not in self.object_names:
            known = ", ".join(self.object_names) or "none"
            raise UsageError(f"no object {name!r} has a scale", expected=f"one of {known}")
        low, high = self.ranges[self.object_names.index(name)]
        if not low * (1 - _ROUNDING) <= scale <= high * (1 + _ROUNDING):
            raise UsageError(
                f"the scale {scale:g} of {name} is outside of its range",
                expected=f"{low:g} to {high:g}",
            )
        pinned = min(max(float(scale), low), high)
        return replace(self, pinned={**self.pinned, name: pinned})

    def places(self, scales: Float[Tensor, "N K-1"]) -> Float[Tensor, "N K-1"]:
        """Turn scales into places in their ranges, in [0, 1]."""
        low, high = torch.tensor(self.ranges, dtype=scales.dtype).reshape(-1, 2).T
        return (scales - low) / (high - low).clamp(min=1e-12)

    def scales_at(self, places: Float[Tensor, "N K-1"]) -> Float[Tensor, "N K-1"]:
        """Turn places in their ranges, in [0, 1], into scales."""
        low, high = torch.tensor(self.ranges, dtype=places.dtype).reshape(-1, 2).T
        return low + (high - low) * places

    def intervals(self) -> dict[str, ScaleRange]:
        """Give the least and greatest valid scale of each object.

        In closed form for the polytope, else those of 2000 valid combinations; empty where none
        was found.
        """
        if self.mode == "polytope":
            return {} if self.polytope.empty else self.polytope.intervals()
        drawn = self.sample(_INTERVAL_SAMPLES)
        if not bool(drawn.valid.any()):
            return {}
        least, greatest = drawn.scales.amin(dim=0).tolist(), drawn.scales.amax(dim=0).tolist()
        return dict(zip(self.object_names, zip(least, greatest, strict=True), strict=True))

    def typical(self) -> dict[str, float]:
        """Give one valid combination by object name: of 64 draws the one nearest to their mean.

        Scale 1 is only the middle of a range, and need not be valid. Always the same answer; where
        no combination is valid, the best one.
        """
        return self.typical_samples().mapping(0)

    def typical_samples(self) -> Samples:
        """Draw the combinations of which the first is the typical one."""
        return self.sample(_TYPICAL_SAMPLES)

    def describe(self) -> list[str]:
        """Say in sentences what is known about the scales."""
        from fourfold.scene.scale_set.description import describe

        return describe(self)

    def _free_ranges(self) -> tuple[ScaleRange, ...]:
        return tuple(
            (self.pinned[name], self.pinned[name]) if name in self.pinned else ends
            for name, ends in zip(self.object_names, self.ranges, strict=True)
        )

    def _score(self, scales: Float[Tensor, "N K-1"], least: float) -> Float[Tensor, " N"]:
        """Score combinations; those below `least` may get any number below it."""
        if self.mode == "polytope":
            return self.polytope.slack(scales).clamp(max=0.0).exp().float()
        if self.mode == "computed":
            assert self.contests is not None
            return self.contests.accuracy(scales, max(least, 0.0))
        assert self.network is not None
        with torch.no_grad():
            return self.network(self.places(torch.as_tensor(scales).float()))

    def _region(self) -> ScalePolytope | None:
        """Give a polytope outside of which nothing is valid."""
        if self.mode == "computed":
            assert self.contests is not None
            return outer_polytope(self.contests, self._free_ranges(), self.tolerance)
        return self.polytope if self.mode == "polytope" else None

    def _bounds(self, region: ScalePolytope | None) -> tuple[np.ndarray, np.ndarray]:
        if region is not None and not region.empty:
            return region.bounds()
        low, high = np.array(self._free_ranges()).reshape(-1, 2).T
        return low, high

    def _scorer(self, region: ScalePolytope | None) -> Score:
        """Score points for `draw_above`; those outside of the region are all below 0."""

        def score(points: np.ndarray, least: float) -> np.ndarray:
            scales = torch.from_numpy(points)
            if region is None or region.empty or self.mode == "polytope":
                return self._score(scales, least).double().numpy()
            scores = region.slack(scales).numpy().clip(max=0.0)
            # shortest paths round: between two pins no point would be inside to the last bit
            inside = np.flatnonzero(scores >= -_ROUNDING)
            scores[inside] = self._score(scales[inside], least).numpy()
            return scores

        return score

    def _share_of_box(self, low: np.ndarray, high: np.ndarray) -> float:
        whole = np.array(self._free_ranges())
        free = whole[:, 1] > whole[:, 0]
        return float(np.prod((high - low)[free] / (whole[:, 1] - whole[:, 0])[free]))

    def _only(self, count: int) -> Samples:
        """Give the one combination of no objects, `count` times."""
        nothing = torch.zeros(count, len(self.ranges))
        valid = torch.ones(count, dtype=torch.bool)
        return Samples(self.object_names, nothing, torch.ones(count), valid, 1.0)

    def _why_empty(self, region: ScalePolytope | None, drawn: Draw) -> str:
        best = f"No combination of scales scores above {self.threshold:.4g}"
        best += f": the best scores {drawn.scores.max():.4g}, and these are the best."
        if region is not None and region.empty:
            best += f" The occlusions contradict each other: {region.explain_conflict()}."
        return best


def _inside(ranges: Sequence[ScaleRange], others: Sequence[ScaleRange]) -> bool:
    pairs = zip(ranges, others, strict=True)
    return all(other[0] <= own[0] and own[1] <= other[1] for own, other in pairs)


def _numpy_generator(generator: torch.Generator | None) -> np.random.Generator:
    chosen = torch.Generator().manual_seed(0) if generator is None else generator
    seed = torch.randint(2**62, (1,), generator=chosen)
    return np.random.default_rng(int(seed))
