"""Whether a body's structure from motion can be relied on, in figures and in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from fourfold.errors import InputError
from fourfold.estimators.structure_from_motion.mapping import Mapping
from fourfold.estimators.structure_from_motion.model import Lens, parallax_angles, residuals
from fourfold.estimators.structure_from_motion.tracks import FEWEST_FRAMES, Tracks
from fourfold.estimators.structure_from_motion.two_views import FEWEST_COMMON, measure_pairs

SMALLEST_AREA = 30  # pixels of a body that count as being visible
# Below this motion, px, that no turning of the camera explains, there is no parallax to speak of.
LEAST_MOTION = 0.3
LEAST_PARALLAX = 0.5  # degrees, median over the points
LEAST_REGISTERED = 0.5  # share of the visible frames
LARGEST_ERROR = 1.0  # px, mean
WANTED_REGISTERED = 0.9  # below this the report warns


@dataclass(frozen=True)
class Health:
    """How well a body was reconstructed.

    Attributes:
        visible, registered: numbers of frames.
        points: triangulated points.
        error: mean reprojection error in pixels.
        track_length: mean number of frames a point is used in.
        parallax: median over the points of the largest angle between two rays, degrees.
        unexplained: share of the tracks' observations that the model does not explain.
        pair: the initial pair.
        min_angle: parallax asked of a point, degrees.
        attempts: starts tried.
        mirrored: whether the first solution was the depth-reversed one.
    """

    body: str
    visible: int
    registered: int
    points: int
    error: float
    track_length: float
    parallax: float
    unexplained: float
    pair: tuple[int, int]
    min_angle: float
    attempts: int
    mirrored: bool

    @property
    def warning(self) -> str | None:
        """What a user should look at, None when all is well."""
        if self.registered < WANTED_REGISTERED * self.visible:
            return f"{self.body}: {self.registered} of {self.visible} visible frames registered"
        return None


def visible_frames(regions: Bool[np.ndarray, "T H W"]) -> Bool[np.ndarray, "T"]:
    """Tell in which frames a body shows enough pixels to count as visible."""
    return regions.sum(axis=(1, 2)) >= SMALLEST_AREA


def require_tracks(body: str, tracks: Tracks, visible: Bool[np.ndarray, "T"], lens: Lens) -> None:
    """Refuse a body that cannot be reconstructed whatever is tried.

    Raises:
        InputError: it is seen too briefly, shows too little texture, or no parallax.
    """
    if visible.sum() < FEWEST_FRAMES:
        raise _refused(
            body,
            f"is visible in {visible.sum()} frame{'s' if visible.sum() != 1 else ''}",
            expected=f"{FEWEST_FRAMES} or more",
            mend="Leave its mask out, or film it longer",
        )
    if len(tracks) < FEWEST_COMMON:
        raise _refused(
            body,
            f"shows {len(tracks)} points that can be followed",
            expected=f"{FEWEST_COMMON} or more in {FEWEST_FRAMES} frames",
            mend="It needs texture, sharp frames and more pixels: try a larger --max-size",
        )
    most = 0.0
    for pair in measure_pairs(tracks, lens):
        most = max(most, pair.motion)
        if most >= LEAST_MOTION:  # one pair is enough: where there is parallax this ends soon
            return
    raise _no_parallax(body, f"moves by {most:.2f} px at most beyond what turning explains")


def check_health(health: Health) -> None:
    """Refuse a reconstruction that cannot be relied on.

    Raises:
        InputError: too few frames registered, a high error, or hardly any parallax.
    """
    if health.registered < LEAST_REGISTERED * health.visible:
        raise _refused(
            health.body,
            f"was registered in {health.registered} of {health.visible} visible frames",
            expected=f"at least {LEAST_REGISTERED:.0%}",
            mend=_OTHER_PAIR,
        )
    if not health.error <= LARGEST_ERROR:
        raise _refused(
            health.body,
            f"has a mean reprojection error of {health.error:.2f} px",
            expected=f"at most {LARGEST_ERROR:g} px",
            mend="Is it rigid, and does its mask hold nothing else? " + _OTHER_PAIR,
        )
    if not health.parallax >= LEAST_PARALLAX:
        raise _no_parallax(health.body, f"has a parallax of {health.parallax:.2f} degrees")


def refuse_unmapped(body: str) -> InputError:
    """Say that no start of the reconstruction succeeded."""
    return _refused(
        body,
        "could not be reconstructed from any pair of frames",
        expected="a rigid body seen from different sides",
        mend=_OTHER_PAIR,
    )


def measure_health(
    body: str, mapping: Mapping, tracks: Tracks, visible: Bool[np.ndarray, "T"]
) -> Health:
    """Measure a reconstruction; frames in which the body is not visible do not count."""
    model = mapping.model
    used = model.used
    count = int(model.triangulated.sum())
    errors = residuals(model, tracks)[used]
    angles = parallax_angles(model)[model.triangulated]
    return Health(
        body=body,
        visible=int(visible.sum()),
        registered=int((model.registered & visible).sum()),
        points=count,
        error=float(errors.mean()) if len(errors) else float("inf"),
        track_length=float(used.sum() / count) if count else 0.0,
        parallax=float(np.median(angles)) if count else 0.0,
        unexplained=mapping.cost,
        pair=mapping.pair,
        min_angle=mapping.min_angle,
        attempts=mapping.attempts,
        mirrored=mapping.reversed_depth,
    )


_OTHER_PAIR = "Try other frames to begin with (--initial-pair), another --focal, or mend its masks"


def _no_parallax(body: str, found: str) -> InputError:
    return _refused(
        body,
        f"shows no parallax: it {found}",
        expected="a camera that moves around the body, or a body that turns before it",
        mend="A camera that only turns or stands tells no depth: film from a moving camera, or use "
        "a method that needs none (dreamscene4d)",
    )


def _refused(body: str, what: str, *, expected: str, mend: str) -> InputError:
    return InputError(
        f"structure from motion of {body!r} failed: it {what}", expected=expected, mend=mend
    )
