"""Shares of wrong pixels by look-ups: what makes a million combinations a matter of a second.

Own. A pixel at which body i is seen before the bodies J is right when x_ij < c_ij for all j in J,
with x_ij = log s_i - log s_j and its thresholds c_ij = log d_j - log d_i. Thresholds that no scale
in the box can reach are dropped before. What is left is of three kinds:

- one threshold: sorted, they give the share of wrong pixels as a function of x_ij alone, a
  staircase; of more than `PAIR_STEPS` steps for a pair some are joined;
- two: wrong = [c_ij <= x_ij] + [c_ik <= x_ik] - [both]. The first two join the staircases of the
  pairs, the last is a joint cumulative histogram of `JOINT_CELLS`^2 cells, narrower where
  thresholds are dense. Kinds of pixels that are few are compared one by one instead;
- more: compared one by one, at most `SAMPLED_PIXELS` of them, drawn from equal strata.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from fourfold.scene.scale_set._kernels import in_threads, sum_wrong

PAIR_STEPS = 8192
# Cells in which a step is looked for.
GUIDE_CELLS = 4096
WARP_CELLS = 512
JOINT_CELLS = 128
# Pixels compared one by one for each combination: 8000 cost about a third of a microsecond.
LISTED_PIXELS = 8192
SAMPLED_PIXELS = 8192
# More than float32 loses between a share of wrong pixels and its limit.
_ROUNDING = 1e-6
# Stands for a step that no ratio reaches (files hold finite numbers).
_LAST = np.float32(1e3)
# The bound on what sampling changes holds with this probability, for any one combination.
CONFIDENCE = 0.999


@dataclass(frozen=True, eq=False)
class LookUps:
    """The tables, as `sum_wrong` in `_kernels` reads them, and how far off they can be.

    `error_bound`: no share of wrong pixels is off by more, but for single pixels in which two
    depths tie to the last bits of float32. For staircases it is what joining steps changed, for
    tables the largest rise within a cell, which interpolation cannot leave; for sampled pixels
    Hoeffding's inequality, with a confidence of 99.9 %. Typical errors are some ten times smaller.
    """

    pairs: Tensor
    pair_axes: Tensor
    pair_guides: Tensor
    pair_steps: Tensor
    pair_values: Tensor
    joints: Tensor
    joint_axes: Tensor
    joint_warps: Tensor
    joint_tables: Tensor
    groups: Tensor
    others: Tensor
    thresholds: Tensor
    weights: Tensor
    error_bound: Tensor

    def wrong(self, logs: np.ndarray, limit: float = np.inf) -> np.ndarray:
        """Look up the share of wrong pixels (N,) of combinations, given their logarithms (N,K).

        Beyond `limit` the answer is any number above it.
        """
        tables = [tensor.numpy() for tensor in self.tensors().values()][:-1]
        wrong = np.empty(len(logs), np.float32)
        in_threads(sum_wrong, len(logs), logs, np.float32(limit + _ROUNDING), *tables, wrong)
        return wrong

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors by name, in the order of the kernel's arguments."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Group:
    """Pixels of one kind: the body seen, the hidden ones that matter, thresholds and weights.

    `thresholds` (hidden, n) float32; `weights` (n,), the share of accuracy that each pixel is.
    """

    seen: int
    hidden: tuple[int, ...]
    thresholds: np.ndarray
    weights: np.ndarray

    @property
    def weight(self) -> float:
        return float(self.weights.sum())


def build_lookups(groups: list[Group], lowest: np.ndarray, highest: np.ndarray) -> LookUps:
    """Build the tables of groups of pixels.

    Args:
        groups: what the pixels are, each kind once.
        lowest, highest: (K,K) the least and greatest x_ij in the box of scales.
    """
    few, many = _split([group for group in groups if len(group.hidden) == 2])
    single = [group for group in groups if len(group.hidden) == 1]
    for group in many:
        single += [
            Group(group.seen, (body,), group.thresholds[row : row + 1], group.weights)
            for row, body in enumerate(group.hidden)
        ]
    sampled, sampling_error = _sample([group for group in groups if len(group.hidden) > 2])
    pairs, pair_error = _pair_tables(single, lowest, highest)
    joints, joint_error = _joint_tables(many)
    bound = torch.tensor(pair_error + joint_error + sampling_error)
    return LookUps(**pairs, **joints, **_listing(few + sampled), error_bound=bound)


def _split(groups: list[Group]) -> tuple[list[Group], list[Group]]:
    """Tell groups whose pixels can be listed from those that are tabulated, the smallest first."""
    few, many, listed = [], [], 0
    for group in sorted(groups, key=lambda group: len(group.weights)):
        listed += len(group.weights)
        (few if listed <= LISTED_PIXELS else many).append(group)
    return few, many


def _sample(groups: list[Group]) -> tuple[list[Group], float]:
    """Draw pixels of groups where they are too many; give the error that makes possible."""
    if sum(len(group.weights) for group in groups) <= SAMPLED_PIXELS:
        return groups, 0.0
    rng = np.random.default_rng(0)
    total = sum(group.weight for group in groups)
    drawn, variance = [], 0.0
    for group in groups:
        count = max(1, round(SAMPLED_PIXELS * group.weight / total))
        if count >= len(group.weights):
            drawn.append(group)
            continue
        drawn.append(_strata(group, count, rng))
        variance += group.weight**2 / count
    return drawn, float(np.sqrt(0.5 * np.log(2.0 / (1.0 - CONFIDENCE)) * variance))


def _strata(group: Group, count: int, rng: np.random.Generator) -> Group:
    # In the order in which pixels become wrong, each stratum holds pixels that are alike.
    order = np.argsort(group.thresholds.min(axis=0), kind="stable")
    reached = np.cumsum(group.weights[order])
    wanted = (np.arange(count) + rng.random(count)) * (reached[-1] / count)
    chosen = order[np.minimum(np.searchsorted(reached, wanted, side="right"), len(order) - 1)]
    shares = np.full(count, group.weight / count)
    return Group(group.seen, group.hidden, group.thresholds[:, chosen], shares)


def _pair_tables(
    groups: list[Group], lowest: np.ndarray, highest: np.ndarray
) -> tuple[dict[str, Tensor], float]:
    """Tabulate the share of wrong pixels over x_ij, of both orders of each pair together."""
    keys = sorted({(min(g.seen, g.hidden[0]), max(g.seen, g.hidden[0])) for g in groups})
    axes = np.zeros((len(keys), 2), np.float32)
    guides = np.zeros((len(keys), GUIDE_CELLS + 2), np.int64)
    all_steps, all_values, error, first = [], [], 0.0, 0
    for row, (i, j) in enumerate(keys):
        low, width = lowest[i, j], max(highest[i, j] - lowest[i, j], 1e-6)
        axes[row] = low, GUIDE_CELLS / width
        steps, values, change = _staircase(groups, i, j)
        # a little to the left, so that rounding of a cell cannot step over one
        edges = low + width / GUIDE_CELLS * (np.arange(GUIDE_CELLS + 2) - 0.01)
        guides[row] = first + np.searchsorted(steps, edges)
        guides[row, 0], guides[row, -1] = first, first + len(steps)
        # each staircase has one more value than steps: that of the infinite step at its end
        all_steps += [steps, [np.inf]]
        all_values.append(values)
        error, first = error + change, first + len(steps) + 1
    named = {"pairs": np.array(keys, np.int64).reshape(-1, 2), "pair_axes": axes}
    named |= {"pair_guides": guides, "pair_steps": np.minimum(_joined(all_steps), _LAST)}
    return _tensors(named | {"pair_values": _joined(all_values)}), error


def _staircase(groups: list[Group], i: int, j: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Give the share of wrong pixels of a pair as steps (S,) and the values (S+1,) around them.

    Pixels that see i are wrong from their threshold on, those that see j up to minus theirs. Also
    gives how far off values are where steps were joined.
    """
    one = [group for group in groups if (group.seen, group.hidden[0]) == (i, j)]
    other = [group for group in groups if (group.seen, group.hidden[0]) == (j, i)]
    rising = _joined([group.thresholds[0] for group in one])
    falling = np.nextafter(-_joined([group.thresholds[0] for group in other]), np.float32(np.inf))
    gains = np.concatenate([np.zeros(0), *(group.weights for group in one)])
    losses = np.concatenate([np.zeros(0), *(group.weights for group in other)])
    steps, place = np.unique(np.concatenate((rising, falling)), return_inverse=True)
    heights = np.bincount(place.ravel(), np.concatenate((gains, -losses)), len(steps))
    values = losses.sum() + np.concatenate(([0.0], np.cumsum(heights)))
    if len(steps) <= PAIR_STEPS:
        return steps, values, 0.0
    climbed = np.cumsum(np.abs(heights))
    part = np.minimum((climbed / climbed[-1] * PAIR_STEPS).astype(np.int64), PAIR_STEPS - 1)
    last = np.flatnonzero(np.diff(part, append=PAIR_STEPS))
    joined = np.concatenate((values[:1], values[last + 1]))
    reached = joined[np.searchsorted(last, np.arange(len(steps)), side="right")]
    return steps[last], joined, float(np.abs(reached - values[1:]).max())


def _joint_tables(groups: list[Group]) -> tuple[dict[str, Tensor], float]:
    """Tabulate the share of pixels of which both half-spaces are left, of two hidden bodies."""
    count = len(groups)
    axes = np.zeros((count, 2, 2), np.float32)
    warps = np.zeros((2 * count, WARP_CELLS + 1), np.float32)
    tables = np.zeros((count, JOINT_CELLS + 1, JOINT_CELLS + 1))
    error = 0.0
    for row, group in enumerate(groups):
        places = []
        for side, values in enumerate(group.thresholds.astype(np.float64)):
            axes[row, side], warps[2 * row + side], edges = _warp(values)
            places.append(np.minimum(np.searchsorted(edges, values), JOINT_CELLS))
        np.add.at(tables[row], tuple(places), group.weights)
        tables[row] = tables[row].cumsum(axis=0).cumsum(axis=1)
        error += float((tables[row, 1:, 1:] - tables[row, :-1, :-1]).max())
    bodies = np.array([(g.seen, *g.hidden) for g in groups], np.int64).reshape(-1, 3)
    named = {"joints": bodies, "joint_axes": axes, "joint_warps": warps}
    return _tensors(named | {"joint_tables": tables.astype(np.float32)}), error


def _warp(values: np.ndarray) -> tuple[tuple[float, float], np.ndarray, np.ndarray]:
    """Lay an axis over thresholds: half of its cells by their density, half evenly.

    Returns:
        where it begins and its cells per unit, the place among `JOINT_CELLS` cells at each knot,
        and the thresholds at the edges of those cells.
    """
    low = float(values.min()) - 1e-6
    width = float(values.max()) + 1e-6 - low
    share = np.linspace(0.0, 1.0, WARP_CELLS + 1)
    knots = low + width * share
    density = np.searchsorted(np.sort(values), knots, side="right") / len(values)
    places = JOINT_CELLS * 0.5 * (density + share)
    edges = np.interp(np.arange(JOINT_CELLS + 1), places, knots)
    return (low, WARP_CELLS / width), places.astype(np.float32), edges


def _listing(groups: list[Group]) -> dict[str, Tensor]:
    """Write groups one after the other, as the kernel walks through them."""
    rows = np.zeros((len(groups), 5), np.int64)
    others, pixels = 0, 0
    for row, group in enumerate(groups):
        ends = others + len(group.hidden), pixels + len(group.weights)
        rows[row] = group.seen, others, ends[0], pixels, ends[1]
        others, pixels = ends
    return _tensors(
        {
            "groups": rows,
            "others": np.array([body for g in groups for body in g.hidden], np.int64),
            "thresholds": _joined([g.thresholds.ravel() for g in groups]),
            "weights": _joined([g.weights for g in groups]),
        }
    )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *parts]).astype(np.float32)


def _tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
