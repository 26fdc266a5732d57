"""Structure from motion of one body: tries starts until one explains its tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from fourfold.estimators.structure_from_motion.bundle import adjust
from fourfold.estimators.structure_from_motion.growing import (
    FEWEST_POINTS,
    Limits,
    complete,
    grow,
    register,
)
from fourfold.estimators.structure_from_motion.model import (
    Lens,
    Model,
    in_cameras,
    keep_agreeing,
    robust_cost,
    triangulate,
)
from fourfold.estimators.structure_from_motion.tracks import Tracks
from fourfold.estimators.structure_from_motion.two_views import Pair, rank_pairs, start_model

# Degrees of parallax asked for: of the initial pair (half its points), then of a single point.
LADDER = ((6.0, 2.0), (3.0, 1.0), (1.5, 0.7), (0.7, 0.4))
TRACKS_WHILE_GROWING = 500
STARTS_PER_STEP = 3
# A start is good when it registers this share of the frames and explains this much.
GOOD_SHARE, GOOD_COST = 0.95, 0.1
# With this share no less parallax is tried.
FAIR_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class Mapping:
    """A body's model, how it was found, and what was tried.

    Attributes:
        model: the reconstruction; its points belong to the tracks it was made of.
        pair: the initial pair.
        min_angle: parallax asked of a point, degrees.
        cost: share of the tracks' observations that are not explained (`robust_cost`).
        attempts: starts that were tried.
        reversed_depth: whether the mirrored solution explained the tracks better.
    """

    model: Model
    pair: tuple[int, int]
    min_angle: float
    cost: float
    attempts: int
    reversed_depth: bool


def map_body(
    tracks: Tracks,
    lens: Lens,
    *,
    pair: tuple[int, int] | None = None,
    refine_focal: bool = False,
    max_starts: int = STARTS_PER_STEP,
    seed: int = 0,
) -> Mapping | None:
    """Reconstruct a body from its tracks; None where no start succeeds.

    Own. Initial pairs are tried by their promise (`rank_pairs`), first with much parallax asked
    for, then with less; each is grown over some of the tracks, and the model that explains them
    best is finished with all. Of small bodies, which cameras see nearly in parallel, the model
    mirrored in depth is tried too.

    Args:
        pair: take these two frames as the initial pair, whatever their parallax.
        refine_focal: refine the focal length too.
        max_starts: initial pairs tried for each parallax.
    """
    some = some_tracks(tracks)
    ranked = rank_pairs(some, lens)
    best: Mapping | None = None
    attempts = 0
    for start_angle, min_angle in LADDER:
        limits = Limits(min_angle, refine_focal, seed)
        wanted = start_angle if pair is None else 0.0
        starts = _starts(some, lens, _candidates(ranked, pair), wanted, seed)
        for chosen, started in islice(starts, max_starts):
            attempts += 1
            model = grow(started, some, limits)
            found = Mapping(model, chosen, min_angle, robust_cost(model, some), attempts, False)
            best = found if best is None or found.cost < best.cost else best
            if _registered_share(best, some) >= GOOD_SHARE and best.cost <= GOOD_COST:
                break
        if best is not None and _registered_share(best, some) >= FAIR_SHARE:
            break
    return None if best is None else _finish(best, tracks, some, refine_focal, seed, attempts)


def _starts(
    tracks: Tracks,
    lens: Lens,
    candidates: Iterator[tuple[int, int]],
    min_angle: float,
    seed: int,
) -> Iterator[tuple[tuple[int, int], Model]]:
    """Go through the pairs that a model can start from."""
    for pair in candidates:
        model = start_model(tracks, lens, pair, min_angle=min_angle, seed=seed)
        if model is not None:
            yield pair, model


def _candidates(ranked: list[Pair], pair: tuple[int, int] | None) -> Iterator[tuple[int, int]]:
    """Go through promising pairs, leaving out those that nearly repeat an earlier one."""
    if pair is not None:
        yield pair
        return
    taken: list[Pair] = []
    for candidate in ranked:
        if len(taken) >= 4 * STARTS_PER_STEP:
            return
        close = (abs(candidate.first - p.first) + abs(candidate.second - p.second) for p in taken)
        if all(distance > 2 for distance in close):
            taken.append(candidate)
            yield candidate.first, candidate.second


def _registered_share(found: Mapping, tracks: Tracks) -> float:
    visible = (tracks.visible.sum(axis=0) >= FEWEST_POINTS).sum()
    return float(found.model.registered.sum() / max(visible, 1))


def _finish(
    best: Mapping, tracks: Tracks, some: Tracks, refine_focal: bool, seed: int, attempts: int
) -> Mapping:
    limits = Limits(best.min_angle, refine_focal, seed)
    mirrored = _mirrored(best.model, some, limits)
    flipped = mirrored is not None and _better(mirrored, best.model, some)
    model = mirrored if mirrored is not None and flipped else best.model
    chosen = replace(best, model=model, attempts=attempts, reversed_depth=flipped)
    return finish(chosen, tracks, refine_focal, seed)


def finish(mapping: Mapping, tracks: Tracks, refine_focal: bool = False, seed: int = 0) -> Mapping:
    """Triangulate all tracks from a mapping's poses and adjust everything."""
    model = complete(mapping.model, tracks, Limits(mapping.min_angle, refine_focal, seed))
    return replace(mapping, model=model, cost=robust_cost(model, tracks))


def _mirrored(model: Model, tracks: Tracks, limits: Limits) -> Model | None:
    """Mirror a model in depth, as parallel projection would allow, and adjust it to the tracks."""
    frames = np.nonzero(model.registered)[0]
    middle = int(frames[len(frames) // 2])
    local = in_cameras(model)[:, middle]
    local[:, 2] = 2 * np.nanmedian(local[:, 2]) - local[:, 2]
    if not (local[np.isfinite(local[:, 2]), 2] > 0).all():
        return None  # far from parallel: there is no such ambiguity
    poses = np.full_like(model.poses, np.nan)
    poses[middle] = np.eye(4)
    mirror = replace(model, poses=poses, points=local)
    for frame in sorted(frames, key=lambda f: (abs(int(f) - middle), int(f))):
        if frame != middle:
            pose = register(mirror, tracks, int(frame), limits.seed)
            if pose is None:
                return None
            mirror = mirror.with_pose(int(frame), pose)
    mirror = adjust(keep_agreeing(mirror, tracks, max_error=10.0, min_angle=0.0), tracks)
    mirror = triangulate(mirror, tracks, min_angle=limits.min_angle, max_error=4.0, anew=True)
    return adjust(mirror, tracks)


def _better(mirrored: Model, model: Model, tracks: Tracks) -> bool:
    """Say whether a mirrored model explains the tracks better and really has far and near changed.

    Adjusted, it often comes back to where it was mirrored from.
    """
    middle = int(np.nonzero(model.registered)[0][model.registered.sum() // 2])
    depths = [in_cameras(either)[:, middle, 2] for either in (mirrored, model)]
    both = np.isfinite(depths[0]) & np.isfinite(depths[1])
    changed = both.sum() > 2 and np.corrcoef(depths[0][both], depths[1][both])[0, 1] < 0
    return bool(changed) and robust_cost(mirrored, tracks) < robust_cost(model, tracks)


def some_tracks(tracks: Tracks, most: int = TRACKS_WHILE_GROWING) -> Tracks:
    """Take some tracks, spread evenly over all, the longer halves of neighbours first."""
    if len(tracks) <= most:
        return tracks
    lengths = tracks.visible.sum(axis=1)
    groups = np.array_split(np.arange(len(tracks)), most)
    return tracks.pick(np.array([group[np.argmax(lengths[group])] for group in groups]))
