"""The strict view: half-spaces between log scales, tightened by shortest paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.scene.scale_set.contests import NO_LIMIT, Contests, ScaleRange, ratio_limits

# A limit counts as one of its own if it is tighter than what follows from the rest by this much.
_TIGHTER = 1e-6
# Rounds in which the limits of some pairs take up what is left for the others.
_OUTER_ROUNDS = 8


@dataclass(frozen=True, eq=False)
class ScalePolytope:
    """All scales with log s_i - log s_j <= limits[i, j] for every two bodies.

    Own; a system of difference constraints (Cormen et al., Introduction to Algorithms, ch. 24).
    `limits` (K,K) are tightened: the shortest paths of the graph whose edges are `given` (K,K),
    the limits of single pairs and of the box. The background's scale is 1. `conflict` names a
    cycle of limits that contradict each other, first body once more at the end; with it the
    polytope is empty and `limits` are as given.
    """

    names: tuple[str, ...]
    given: np.ndarray
    limits: np.ndarray
    box: np.ndarray
    conflict: tuple[int, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no combination of scales keeps to all limits."""
        return bool(self.conflict)

    def intervals(self) -> dict[str, ScaleRange]:
        """Give for each object the least and greatest scale that some combination has."""
        return {
            name: (float(np.exp(-self.limits[0, k])), float(np.exp(self.limits[k, 0])))
            for k, name in enumerate(self.names)
            if k > 0
        }

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Give the least and greatest scale (K-1,) of each object."""
        return np.exp(-self.limits[0, 1:]), np.exp(self.limits[1:, 0])

    def slack(self, scales: Float[Tensor, "N K-1"]) -> Float[Tensor, " N"]:
        """Give how far combinations are from the nearest limit, in log ratio; outside negative."""
        logs = np.zeros((len(scales), len(self.names)))
        logs[:, 1:] = np.log(torch.as_tensor(scales).detach().cpu().numpy())
        slack = np.full(len(logs), np.inf)
        # limits between objects that the box gives already are met where those of the box are
        binding = self.limits < self.box - _TIGHTER
        binding[0, :] = binding[:, 0] = True
        np.fill_diagonal(binding, False)
        for i, j in zip(*np.nonzero(binding), strict=True):
            slack = np.minimum(slack, self.limits[i, j] - (logs[:, i] - logs[:, j]))
        return torch.from_numpy(slack)

    def orders(self) -> list[tuple[int, int, float]]:
        """List the limits between pairs that the box alone does not give: (i, j, greatest s_i/s_j).

        Those that follow from others are left out.
        """
        found = []
        own = (self.given < self.box - _TIGHTER) & ~np.eye(len(self.names), dtype=bool)
        for i, j in zip(*np.nonzero(own), strict=True):
            if self.given[i, j] <= self.limits[i, j] + _TIGHTER or self.empty:
                found.append((int(i), int(j), float(np.exp(self.given[i, j]))))
        return found

    def unconstrained_pairs(self) -> list[tuple[int, int]]:
        """List the pairs of bodies that limit each other in neither order."""
        free = (self.given >= self.box - _TIGHTER) & (self.given.T >= self.box.T - _TIGHTER)
        return [(i, j) for i in range(len(free)) for j in range(i + 1, len(free)) if free[i, j]]

    def explain_conflict(self) -> str:
        """Name the limits that contradict each other, and the product that shows it."""
        steps, total = [], 0.0
        for i, j in zip(self.conflict, self.conflict[1:], strict=False):
            total += self.given[i, j]
            steps.append(f"{ratio_name(self.names, i, j)} < {np.exp(self.given[i, j]):.3g}")
        return f"{', '.join(steps)}: their product {np.exp(total):.3g} would have to exceed 1"


def ratio_name(names: Sequence[str], i: int, j: int) -> str:
    """Write the ratio of two bodies' scales; the background's is 1.

    >>> ratio_name(("background", "cup"), 1, 0), ratio_name(("background", "cup"), 0, 1)
    ('s(cup)', '1/s(cup)')
    """
    if j == 0:
        return f"s({names[i]})"
    return f"1/s({names[j]})" if i == 0 else f"s({names[i]})/s({names[j]})"


def build_polytope(
    names: Sequence[str], ranges: Sequence[ScaleRange], thresholds: np.ndarray
) -> ScalePolytope:
    """Tighten the thresholds (K,K) of log s_i - log s_j together with the box of scales.

    Shortest paths between all pairs (Floyd and Warshall).
    """
    _, box = ratio_limits(ranges)
    given = np.minimum(thresholds, NO_LIMIT)
    given[:, 0] = np.minimum(given[:, 0], box[:, 0])
    given[0, :] = np.minimum(given[0, :], box[0, :])
    np.fill_diagonal(given, 0.0)
    limits = given.copy()
    for k in range(len(names)):
        limits = np.minimum(limits, limits[:, k : k + 1] + limits[k : k + 1, :])
    if bool((np.diagonal(limits) < -1e-9).any()):
        return ScalePolytope(tuple(names), given, given, box, _negative_cycle(given))
    np.fill_diagonal(limits, 0.0)
    return ScalePolytope(tuple(names), given, limits, box)


def outer_polytope(
    contests: Contests, ranges: Sequence[ScaleRange], tolerance: float
) -> ScalePolytope:
    """Build a polytope that contains every combination whose accuracy exceeds `tolerance`.

    Own. The accuracy is the mean of num_pairs shares, so that no pair can have more than
    num_pairs (1 - tolerance) of its pixels wrong, less what the others have at least. Where it is
    empty, so is the set of valid combinations. Meant is the accuracy of all pixels: what look-ups
    call valid out here, they do by their error.
    """
    allowed = contests.num_pairs * (1.0 - tolerance)
    left = np.full(contests.counts.shape, allowed)
    polytope = build_polytope(contests.names, ranges, NO_LIMIT + 0.0 * left)
    for _ in range(_OUTER_ROUNDS):
        shares = np.unique(left)
        thresholds = np.full(left.shape, NO_LIMIT)
        for share in shares:
            chosen = left == share
            thresholds[chosen] = contests.thresholds(max(float(share), 0.0))[chosen]
        tightened = build_polytope(contests.names, ranges, thresholds)
        if tightened.empty or np.allclose(tightened.limits, polytope.limits, atol=1e-4):
            return tightened
        polytope = tightened
        least = contests.least_wrong(-polytope.limits.T)
        left = allowed - (least.sum() - least)
    return polytope


def _negative_cycle(weights: np.ndarray) -> tuple[int, ...]:
    """Find bodies around which the limits sum to less than zero (Bellman and Ford)."""
    size = len(weights)
    reach, before = np.zeros(size), np.full(size, -1)
    last = -1
    for _ in range(size + 1):
        last = -1
        for i in range(size):
            for j in range(size):
                if reach[i] + weights[i, j] < reach[j] - 1e-12:
                    reach[j], before[j], last = reach[i] + weights[i, j], i, j
    for _ in range(size):
        last = int(before[last])
    cycle = [last]
    while before[cycle[-1]] != last:
        cycle.append(int(before[cycle[-1]]))
    return (last, *reversed(cycle))
