"""Matches between the frames of a clip and a first, chained guess of how they lie to each other."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.estimators.features import (
    FEWEST_MATCHES,
    Frame,
    PointMatches,
    find_corners,
    match_sift,
    ransac_homography,
    track_corners,
)
from fourfold.geometry import apply_homography

# Below this share of agreeing KLT tracks the motion was out of reach, and SIFT is asked too.
TRUSTED_INLIER_SHARE = 0.5
LEAST_OVERLAP = 0.25  # of the image, for a distant pair to be worth matching


class PairMatches(NamedTuple):
    """Matches from frame `first` to frame `second`."""

    first: int
    second: int
    points: PointMatches


class Registration(NamedTuple):
    """All matches of a clip, and chained homographies frame_from_first (T, 3, 3), float64."""

    pairs: list[PairMatches]
    homographies: Float[Tensor, "T 3 3"]
    linked: list[bool]


def register_frames(frames: Sequence[Frame]) -> Registration:
    """Match neighbouring frames, chain them, and match distant pairs under that guess.

    Own. The distant pairs (2, 4, 8, ... frames apart, while they overlap) are what keeps a joint
    refinement from drifting. A frame without enough matches to its predecessor is taken to stand
    where that one does, and told in `linked`.
    """
    height, width = frames[0].luminance.shape
    corners = [find_corners(frame) for frame in frames]
    chain = [torch.eye(3, dtype=torch.float64)]
    pairs, linked = [], [True]
    for second in range(1, len(frames)):
        first = second - 1
        points, step = _match_neighbours(frames[first], frames[second], corners[first])
        pairs.append(PairMatches(first, second, points))
        linked.append(step is not None)
        chain.append(chain[-1] if step is None else step @ chain[-1])
    homographies = torch.stack(chain)
    for first, second in _distant_pairs(len(frames)):
        guess = homographies[second] @ torch.linalg.inv(homographies[first])
        if (
            not all(linked[first + 1 : second + 1])
            or _overlap(guess, height, width) < LEAST_OVERLAP
        ):
            continue
        points = track_corners(frames[first], frames[second], corners[first], guess)
        pairs.append(PairMatches(first, second, points))
    return Registration(pairs, homographies, linked)


def _match_neighbours(source: Frame, target: Frame, corners) -> tuple[PointMatches, Tensor | None]:
    points = track_corners(source, target, corners)
    step, inliers = ransac_homography(points)
    if step is not None and inliers.double().mean() >= TRUSTED_INLIER_SHARE:
        return track_corners(source, target, corners, step), step
    rival = match_sift(source, target)
    rival_step, rival_inliers = ransac_homography(rival)
    if rival_step is not None and rival_inliers.sum() > inliers.sum():
        step = rival_step
    if step is None:
        return points, None
    tracked = track_corners(source, target, corners, step)
    return (tracked if len(tracked) >= FEWEST_MATCHES else rival), step


def _distant_pairs(num_frames: int) -> list[tuple[int, int]]:
    pairs, stride = [], 2
    while stride < num_frames:
        spacing = max(stride // 2, 1)
        pairs += [(i, i + stride) for i in range(0, num_frames - stride, spacing)]
        stride *= 2
    return pairs


def _overlap(homography: Tensor, height: int, width: int) -> float:
    y, x = torch.meshgrid(
        (torch.arange(16, dtype=torch.float64) + 0.5) * height / 16,
        (torch.arange(16, dtype=torch.float64) + 0.5) * width / 16,
        indexing="ij",
    )
    points = torch.stack([x, y], dim=-1).reshape(-1, 2)
    behind = points @ homography[2, :2] + homography[2, 2] <= 0
    moved = apply_homography(homography, points)
    size = torch.tensor([width, height], dtype=torch.float64)
    return float(((moved >= 0) & (moved <= size)).all(dim=-1).logical_and(~behind).double().mean())
