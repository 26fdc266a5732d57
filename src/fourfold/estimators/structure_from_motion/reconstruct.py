"""All bodies of a capture: each is tracked and solved as a static world of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Table
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Bool

from fourfold.capture.bodies import BACKGROUND
from fourfold.errors import UsageError
from fourfold.estimators.frame_sequence import FrameSequence
from fourfold.estimators.structure_from_motion.bundle import import_pycolmap
from fourfold.estimators.structure_from_motion.clip_flow import (
    ClipFlow,
    background_flow,
    clip_flow,
)
from fourfold.estimators.structure_from_motion.guided import retrack
from fourfold.estimators.structure_from_motion.health import (
    Health,
    check_health,
    measure_health,
    refuse_unmapped,
    require_tracks,
    visible_frames,
)
from fourfold.estimators.structure_from_motion.mapping import (
    Mapping,
    finish,
    map_body,
    some_tracks,
)
from fourfold.estimators.structure_from_motion.model import Lens
from fourfold.estimators.structure_from_motion.object_motion import object_flow
from fourfold.estimators.structure_from_motion.tracks import Tracks, count_references, track_body

# Focal lengths over the longer side of the image from which a guess is refined: fields of view of
# 80, 58, 42 and 28 degrees.
GUESSES = (0.6, 0.9, 1.3, 2.0)
# Rounds of tracking again with the geometry as a guide: small images need every bit of precision.
GUIDED_ROUNDS_SMALL, GUIDED_ROUNDS_LARGE = 2, 1
SMALL_SIDE = 320
# For the tracks masks are narrower by this share of the longer side: borders mix two bodies.
_EROSION = 1 / 320


class Bar(Protocol):
    """What a progress bar has to offer."""

    def advance(self) -> None:
        """Say that one more step is done."""
        ...


Stage = Callable[[int, str], AbstractContextManager[Bar]]


@dataclass(frozen=True, eq=False)
class SolvedBody:
    """A body's tracks and its reconstruction."""

    name: str
    tracks: Tracks
    mapping: Mapping
    health: Health


def solve_bodies(
    images: FrameSequence,
    masks: Bool[np.ndarray, "T K H W"],
    object_names: Sequence[str],
    lens: Lens,
    *,
    guess_focal: bool = False,
    refine_focal: bool = False,
    pairs: Table[str, tuple[int, int]] | None = None,
    max_tracks: int = 3000,
    seed: int = 0,
    stage: Stage,
) -> tuple[SolvedBody, ...]:
    """Reconstruct the background and each object from images and masks.

    Args:
        images: T frames, RGB in [0, 1].
        masks: of the objects; where two overlap, neither is tracked.
        lens: of all frames.
        guess_focal: try several focal lengths on the background, refine the best and keep it.
        refine_focal: refine the lens's focal length on the background, then keep it.
        pairs: initial pair of frames by body name, in the place of the automatic choice.
        max_tracks: points per body, about.
        seed: of RANSAC; the same seed gives the same result.
        stage: makes a progress bar of so many steps for a part of the work.

    Returns:
        The bodies, the background first.

    Raises:
        InputError: a body that cannot be reconstructed, with the reason and the mend.
        UsageError: an initial pair of a body or frame that is not there.
        MissingDependencyError: pycolmap is not installed.
    """
    import_pycolmap()
    cv2.setRNGSeed(seed)
    names = (BACKGROUND, *object_names)
    pairs = _checked_pairs(pairs or {}, names, len(images))
    with stage(len(images), "matching frames") as bar:
        clip = clip_flow(images, advance=bar.advance)
    regions = body_regions(masks)
    with stage(len(names) * count_references(clip.num_frames), "tracking points") as bar:
        tracks = [
            _tracked(clip, regions[:, k], k, max_tracks, bar.advance) for k in range(len(names))
        ]
    visible = [visible_frames(region) for region in np.moveaxis(regions, 1, 0)]
    for k, name in enumerate(names):
        require_tracks(name, tracks[k], visible[k], lens)
    solved: list[SolvedBody] = []
    with stage(len(names) * (1 + guided_rounds(clip)), "structure from motion") as bar:
        for k, name in enumerate(names):
            own = lens if k == 0 else solved[0].mapping.model.lens
            if k == 0 and guess_focal:
                own = guess_lens(tracks[0], lens, pairs.get(name), seed)
            refine = k == 0 and (refine_focal or guess_focal)
            mapping = map_body(tracks[k], own, pair=pairs.get(name), refine_focal=refine, seed=seed)
            if mapping is None:
                raise refuse_unmapped(name)
            bar.advance()
            body = _guided(clip, regions[:, k], tracks[k], mapping, refine, seed, bar.advance)
            health = measure_health(name, body[1], body[0], visible[k])
            check_health(health)
            solved.append(SolvedBody(name, *body, health))
    return tuple(solved)


def guided_rounds(clip: ClipFlow) -> int:
    """Count the rounds of guided tracking that a clip gets."""
    small = max(clip.images.shape[1:3]) <= SMALL_SIDE
    return GUIDED_ROUNDS_SMALL if small else GUIDED_ROUNDS_LARGE


def _guided(
    clip: ClipFlow,
    regions: np.ndarray,
    tracks: Tracks,
    mapping: Mapping,
    refine_focal: bool,
    seed: int,
    advance: Callable[[], None],
) -> tuple[Tracks, Mapping]:
    """Track and adjust again with the geometry as a guide."""
    for _ in range(guided_rounds(clip)):
        tracks, model = retrack(clip, regions, tracks, mapping.model)
        mapping = finish(replace(mapping, model=model), tracks, refine_focal, seed)
        advance()
    return tracks, mapping


def body_regions(masks: Bool[np.ndarray, "T K H W"]) -> Bool[np.ndarray, "T B H W"]:
    """Give the pixels of the background and of each object, slightly narrower than they are."""
    covered = masks.sum(axis=1, keepdims=True)
    alone = np.concatenate((covered == 0, masks & (covered == 1)), axis=1)
    radius = max(1, round(max(masks.shape[2:]) * _EROSION))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    flat = alone.reshape(-1, *masks.shape[2:])
    narrow = [cv2.erode(mask.astype(np.uint8), kernel) > 0 for mask in flat]
    return np.stack(narrow).reshape(alone.shape)


def guess_lens(tracks: Tracks, lens: Lens, pair: tuple[int, int] | None, seed: int) -> Lens:
    """Find the focal length that explains some of the tracks best; the lens's own if none does."""
    some = some_tracks(tracks)
    longer = max(lens.width, lens.height)
    best, least = lens, np.inf
    for share in GUESSES:
        trial = replace(lens, fx=share * longer, fy=share * longer)
        mapping = map_body(some, trial, pair=pair, refine_focal=True, max_starts=1, seed=seed)
        if mapping is not None and mapping.cost < least:
            best, least = mapping.model.lens, mapping.cost
    return best


def _tracked(
    clip: ClipFlow, regions: np.ndarray, body: int, max_tracks: int, advance: Callable[[], None]
) -> Tracks:
    own = background_flow(clip, regions) if body == 0 else object_flow(clip, regions)
    return track_body(own, regions, max_tracks=max_tracks, advance=advance)


def _checked_pairs(
    pairs: Table[str, tuple[int, int]], names: Sequence[str], num_frames: int
) -> dict[str, tuple[int, int]]:
    for name, (first, second) in pairs.items():
        if name not in names:
            raise UsageError(f"an initial pair for {name!r}", expected=f"one of {', '.join(names)}")
        if first == second or not (min(first, second) >= 0 and max(first, second) < num_frames):
            raise UsageError(
                f"the frames {first} and {second} as initial pair of {name!r}",
                expected=f"two frames from 0 to {num_frames - 1}",
            )
    return {name: (min(pair), max(pair)) for name, pair in pairs.items()}
