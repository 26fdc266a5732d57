"""Uniform samples of the part of a box where a score is high, however small that part is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Scores (n,) of points (n,D); those below the second argument may be any number below it.
Score = Callable[[np.ndarray, float], np.ndarray]

# Combinations that rejection may look at before it gives way to the chains, in all or for each
# one that is asked for, and at a time.
_PROPOSALS, _PROPOSALS_EACH, _BATCH = 1 << 18, 64, 1 << 14
# The chains: how many at least, the share that each level keeps, sweeps at each level, sweeps
# between two draws from a chain, tries of a slice, levels.
_CHAINS, _KEPT, _SWEEPS, _LAST_SWEEPS, _TRIES, _LEVELS = 1024, 0.3, 1, 4, 8, 60
# So many levels without a better score end the search.
_PATIENCE = 6
# Farthest-point order takes count^2 distances; beyond this many the rest stays in random order.
_SPREAD = 4096


@dataclass(frozen=True)
class Draw:
    """Points (n,D), their scores (n,), whether they exceed the level, and the share that does.

    `share` of the box, an estimate; 0 where none was found: the points are then the best ones.
    """

    points: np.ndarray
    scores: np.ndarray
    valid: bool
    share: float


def draw_above(
    score: Score,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
    count: int,
    rng: np.random.Generator,
) -> Draw:
    """Draw points of a box uniformly from those whose score exceeds a level.

    Own combination. First by rejection, which is exact. Where that finds too few, by subset
    simulation (Au and Beck, 2001): many chains that start uniformly in the box climb from level
    to level; each time those below are replaced by copies of those above, and all move by slice
    sampling with shrinkage (Neal, 2003) along one principal axis of them after the other, which
    keeps the uniform distribution above the level: exact in the limit of many points and sweeps.

    Args:
        score: of points (n,D), and how low a score can be told from still lower ones.
        low, high: the box (D,); where they are equal the coordinate is fixed.
        level: only scores above it are valid.
        count: how many points.
    """
    points, scores, looked = _reject(score, low, high, level, count, rng)
    if len(points) >= count:
        return Draw(points[:count], scores[:count], True, len(points) / looked)
    return _climb(score, low, high, level, count, rng)


def spread_order(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Order points so that the first n of them are spread out, for every n.

    Farthest-point order in the box scaled to a cube: first the point nearest to the mean of all,
    then always the one farthest from those before. Beyond 4096 points the rest keeps its order.
    """
    if len(points) == 0 or points.shape[1] == 0:
        return np.arange(len(points))
    places = ((points - low) / np.maximum(high - low, 1e-12))[:_SPREAD]
    order = np.empty(len(places), np.int64)
    order[0] = np.square(places - places.mean(axis=0)).sum(axis=1).argmin()
    distances = np.full(len(places), np.inf)
    for index in range(1, len(places)):
        step = np.square(places - places[order[index - 1]]).sum(axis=1)
        distances = np.minimum(distances, step)
        distances[order[index - 1]] = -1.0
        order[index] = distances.argmax()
    return np.concatenate((order, np.arange(len(places), len(points))))


def _reject(
    score: Score,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
    count: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Keep what exceeds the level of uniform proposals, until there are enough or too many."""
    kept: list[np.ndarray] = []
    kept_scores: list[np.ndarray] = []
    looked = found = 0
    while found < count:
        proposals = low + (high - low) * rng.random((_BATCH, len(low)))
        scores = score(proposals, level)
        good = scores > level
        kept.append(proposals[good])
        kept_scores.append(scores[good])
        looked, found = looked + _BATCH, found + int(good.sum())
        needed = looked * max(count - found, 0) / max(found, 1)
        if needed > max(_PROPOSALS, _PROPOSALS_EACH * count):
            break
    return np.concatenate(kept), np.concatenate(kept_scores), looked


def _climb(
    score: Score,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
    count: int,
    rng: np.random.Generator,
) -> Draw:
    """Raise many points from level to level; see `draw_above`."""
    size = min(max(_CHAINS, count), _SPREAD)
    points = low + (high - low) * rng.random((size, len(low)))
    scores = score(points, -np.inf)
    share, best, waited = 1.0, -np.inf, 0
    for _ in range(_LEVELS):
        above = scores > level
        if above.mean() >= _KEPT:
            points, scores = _continue(score, low, high, level, points, scores, above, count, rng)
            return Draw(points, scores, True, share * float(above.mean()))
        reached = min(float(np.quantile(scores, 1.0 - _KEPT)), level)
        strictly = scores > reached
        kept = strictly if strictly.any() else scores >= reached
        share *= float(kept.mean())
        points, scores = _refill(points, scores, kept, rng)
        least = float(scores.min())
        for _ in range(_SWEEPS):
            points, scores = _sweep(score, low, high, least, points, scores, rng)
        waited = 0 if scores.max() > best else waited + 1
        best = max(best, float(scores.max()))
        if waited >= _PATIENCE:
            break
    return _best(level, points, scores, share, count, rng)


def _continue(
    score: Score,
    low: np.ndarray,
    high: np.ndarray,
    level: float,
    points: np.ndarray,
    scores: np.ndarray,
    above: np.ndarray,
    count: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Let the chains above the final level run until there are enough draws."""
    points, scores = _refill(points, scores, above, rng)
    least = float(scores.min())
    drawn, drawn_scores, total = [], [], 0
    while total < count:
        for _ in range(_LAST_SWEEPS):
            points, scores = _sweep(score, low, high, least, points, scores, rng, level)
        drawn.append(points)
        drawn_scores.append(scores)
        total += len(points)
    chosen = rng.permutation(total)[:count]
    return np.concatenate(drawn)[chosen], np.concatenate(drawn_scores)[chosen]


def _refill(
    points: np.ndarray, scores: np.ndarray, kept: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Replace the points that are not kept by copies of those that are, each as often."""
    alive = rng.permutation(np.flatnonzero(kept))
    chosen = np.resize(alive, len(points))
    return points[chosen], scores[chosen]


def _sweep(
    score: Score,
    low: np.ndarray,
    high: np.ndarray,
    least: float,
    points: np.ndarray,
    scores: np.ndarray,
    rng: np.random.Generator,
    above: float = -np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Move all points once along each principal axis of them, over slices of the valid part.

    Scores stay at `least` or more, and over `above`.
    """
    points, scores = points.copy(), scores.copy()
    for direction in rng.permutation(_axes(points, low, high)):
        left, right = _slice_ends(points, direction, low, high)
        open_ = np.arange(len(points))
        for _ in range(_TRIES):
            step = left[open_] + (right[open_] - left[open_]) * rng.random(len(open_))
            proposals = (points[open_] + step[:, None] * direction).clip(low, high)
            values = score(proposals, max(least, above))
            good = (values >= least) & (values > above)
            left[open_[~good & (step < 0)]] = step[~good & (step < 0)]
            right[open_[~good & (step >= 0)]] = step[~good & (step >= 0)]
            points[open_[good]], scores[open_[good]] = proposals[good], values[good]
            open_ = open_[~good]
            if not len(open_):
                break
    return points, scores


def _axes(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Give the principal axes (M,D) of the points in the cube, over the coordinates that are free.

    A thin valid part runs along them, so that steps can be long.
    """
    free = np.flatnonzero(high > low)
    width = (high - low)[free]
    _, turned = np.linalg.eigh(np.atleast_2d(np.cov(points[:, free] / width, rowvar=False)))
    axes = np.zeros((len(free), len(low)))
    axes[:, free] = turned.T * width
    return axes


def _slice_ends(
    points: np.ndarray, direction: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give how far points can go back and forth along a direction until they leave the box."""
    moving = np.abs(direction) > 1e-12 * np.abs(direction).max()
    ends = np.stack((low - points, high - points))[:, :, moving] / direction[moving]
    return ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)


def _best(
    level: float,
    points: np.ndarray,
    scores: np.ndarray,
    share: float,
    count: int,
    rng: np.random.Generator,
) -> Draw:
    """Take what there is: valid points if the chains found a few, else the best ones."""
    above = scores > level
    if above.any():
        points, scores = points[above], scores[above]
        chosen = np.resize(rng.permutation(len(points)), count)
        return Draw(points[chosen], scores[chosen], True, share * float(above.mean()))
    order = np.argsort(-scores, kind="stable")
    chosen = np.resize(order, count) if count > len(order) else order[:count]
    return Draw(points[chosen], scores[chosen], False, 0.0)
