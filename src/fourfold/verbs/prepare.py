"""The verb prepare: what a method needs beside the frames, made from them, into a new folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import arg

from fourfold.errors import InputError, UsageError
from fourfold.verbs.methods import changed
from fourfold.verbs.options import CaptureOptions

if TYPE_CHECKING:
    import numpy as np

    from fourfold.capture import Capture
    from fourfold.estimators.structure_from_motion import Health, Lens

STEPS = ("sfm",)


@dataclass(frozen=True)
class SfmOptions:
    """How structure from motion is made."""

    intrinsics: Annotated[
        Literal["known", "guess", "refine"] | None, arg(metavar="HOW", help_behavior_hint="")
    ] = None
    """known (kept), refine (a start) or guess; known where the input or you give a lens."""
    focal: Annotated[float | None, arg(metavar="PIXELS", help_behavior_hint="")] = None
    """Focal length in pixels of the frames as stored."""
    fov: Annotated[float | None, arg(metavar="DEGREES", help_behavior_hint="")] = None
    """Vertical field of view in degrees, in the place of the focal length."""
    initial_pair: Annotated[
        tuple[str, ...], arg(metavar="OBJECT=FRAME,FRAME", help_behavior_hint="")
    ] = ()
    """Two frames (by name) to begin an object with, also of "background"; found by itself else."""
    max_tracks: int = 3000
    """Points that are tracked on each body, about."""
    seed: int = 0
    """The same seed gives the same result."""


@dataclass(frozen=True)
class Prepared:
    """What `prepare` wrote: the folder, how well each body went, and frames without a camera."""

    path: Path
    health: tuple[Health, ...]
    unposed: tuple[str, ...]


def prepare(
    what: str,
    capture: Capture | str | Path,
    *,
    out: str | Path,
    options: SfmOptions | None = None,
    overwrite: bool = False,
    capture_options: CaptureOptions | None = None,
    progress: bool = True,
    **changes: Any,
) -> Prepared:
    """Prepare a capture for the method osn: poses, key points and bounds of each rigid body.

    Needs the extra `sfm` (pycolmap). The background and each object are solved as static worlds
    of their own. `out` then holds the folder that `--bodies` reads, `cameras.json` for
    `--cameras`, COLMAP models `sparse{k}/0`, `report.json` and `report.png`.

    Args:
        what: "sfm".
        capture: an open capture, or the path of one, read with `capture_options`.
        out: the folder to write.
        options: how; `changes` are single options given by name.
        overwrite: replace what is there.
        progress: show how far it is.

    Raises:
        InputError: a body cannot be registered; the reason and the mend are named.
        UsageError: `out` is there and not to be overwritten; options that do not fit.
        MissingDependencyError: pycolmap is not installed.
        OutputError: it cannot be written; what was there stays.
    """
    from fourfold.estimators.structure_from_motion import solve_bodies
    from fourfold.training import Progress
    from fourfold.verbs.captures import open_with
    from fourfold.verbs.prepare_writing import write_prepared

    options = changed(SfmOptions() if options is None else options, changes)
    _check(what, options)
    target = Path(out)
    if target.exists() and not overwrite:
        raise UsageError("already there", path=target, mend="Choose another folder, or --overwrite")
    opened, _ = open_with(capture, capture_options)
    _check_capture(opened, target)
    lens, how = choose_lens(opened, options)
    bodies = solve_bodies(
        _Frames(opened),
        _all_masks(opened),
        opened.object_names,
        lens,
        guess_focal=how == "guess",
        refine_focal=how == "refine",
        pairs=initial_pairs(options.initial_pair, opened.frames),
        max_tracks=options.max_tracks,
        seed=options.seed,
        stage=partial(Progress, enabled=progress),
    )
    write_prepared(target, opened, bodies, how)
    posed = bodies[0].mapping.model.registered
    unposed = tuple(name for name, has in zip(opened.frames, posed, strict=True) if not has)
    return Prepared(target, tuple(body.health for body in bodies), unposed)


def choose_lens(capture: Capture, options: SfmOptions) -> tuple[Lens, str]:
    """Give the lens in working pixels, and whether it is known, to be refined or guessed.

    Raises:
        UsageError: it is to be known, but nobody says it; a focal length and a field of view.
    """
    from fourfold.estimators.structure_from_motion import Lens

    width, height = capture.size()
    given = _given_focal(capture, options)
    camera = next((c for t in range(capture.num_frames) if (c := capture.camera(t))), None)
    if given is not None:
        lens = Lens.centred(given, width, height)
    elif camera is not None:
        fx, fy = camera.focal
        cx, cy = (float(value) for value in camera.intrinsics[:2, 2])
        lens = Lens(fx, fy, cx, cy, width, height)
    elif options.intrinsics in (None, "guess"):
        return Lens.centred(float(max(width, height)), width, height), "guess"
    else:
        raise UsageError(
            "the input brings no intrinsics",
            path=capture.path,
            mend="Give --focal or --fov, or let them be found: --intrinsics guess",
        )
    return lens, options.intrinsics or "known"


def _given_focal(capture: Capture, options: SfmOptions) -> float | None:
    """Give the focal length the user named, in working pixels."""
    if options.focal is not None and options.fov is not None:
        raise UsageError("a focal length and a field of view", expected="one of them")
    if options.focal is not None:
        return options.focal * capture.size()[0] / capture.stored_size()[0]
    if options.fov is not None:
        return capture.size()[1] / 2 / math.tan(math.radians(options.fov) / 2)
    return None


def initial_pairs(texts: tuple[str, ...], frames: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """Read initial pairs as "OBJECT=FRAME,FRAME"; frames are named.

    >>> initial_pairs(("duck=003,017",), tuple(f"{t:03d}" for t in range(20)))
    {'duck': (3, 17)}

    Raises:
        UsageError: another form, or a frame that is not there.
    """
    pairs = {}
    for text in texts:
        name, _, both = text.rpartition("=")
        chosen = [frame.strip() for frame in both.split(",")]
        if not name or len(chosen) != 2:
            raise UsageError(f"cannot read {text!r}", expected="OBJECT=FRAME,FRAME")
        unknown = [frame for frame in chosen if frame not in frames]
        if unknown:
            raise UsageError(
                f"there is no frame {unknown[0]!r}",
                expected=f"names from {frames[0]} to {frames[-1]}",
            )
        pairs[name] = (frames.index(chosen[0]), frames.index(chosen[1]))
    return pairs


def _check(what: str, options: SfmOptions) -> None:
    if what == "draw":
        raise UsageError(
            "a drawing is made in the browser", mend="Call fourfold.draw(photo, out=…)"
        )
    if what == "poses":
        raise UsageError(
            "poses have a function of their own", mend="Call fourfold.prepare_poses(…)"
        )
    if what not in STEPS:
        raise UsageError(f"cannot prepare {what!r}", expected=f"one of {', '.join(STEPS)}")
    limits: Mapping[str, tuple[float | None, float, float]] = {
        "focal": (options.focal, 1.0, 1e6),
        "fov": (options.fov, 1.0, 170.0),
        "max_tracks": (options.max_tracks, 50, 100_000),
    }
    for name, (value, low, high) in limits.items():
        if value is not None and not low <= value <= high:
            raise UsageError(f"{name} is {value:g}", expected=f"{low:g} to {high:g}")


def _check_capture(capture: Capture, target: Path) -> None:
    if len(capture.views) > 1:
        raise InputError(
            f"the capture has {len(capture.views)} views",
            path=capture.path,
            expected="one: a moving camera",
            mend=f"Poses of several cameras: fourfold prepare poses {capture.path} --out DIR",
        )
    source, place = capture.path.resolve(), target.resolve()
    if source == place or place in source.parents:
        raise UsageError(
            "the capture itself would be overwritten", path=target, mend="Choose another --out"
        )
    filled = target.exists() and (not target.is_dir() or any(target.iterdir()))
    if filled and not (target / "report.json").is_file():
        raise UsageError(
            "is not a folder of prepared bodies, and is left as it is",
            path=target,
            mend="Choose another --out",
        )
    if capture.object_names and not capture.has("mask"):
        raise InputError("the capture has no masks", path=capture.path, expected="object masks")


def _all_masks(capture: Capture) -> np.ndarray:
    import numpy as np

    return np.stack([capture.masks(t).numpy() for t in range(capture.num_frames)])


class _Frames:
    """The frames of a capture as a sequence."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def __len__(self) -> int:
        return self._capture.num_frames

    def __getitem__(self, index: int) -> Any:
        return self._capture.image(index)
