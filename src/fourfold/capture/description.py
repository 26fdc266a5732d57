"""What a capture holds, and what it lacks for which method."""

from __future__ import annotations

from dataclasses import dataclass

from fourfold.capture.capture import Capture
from fourfold.capture.mask_files import LAYOUT_OF_MASKS
from fourfold.capture.regions import MOTION, region_kind
from fourfold.errors import InputError

_MIN_FRAMES = 2
_MIN_VIEWS = 2
_ONE_CAMERA = "a capture of one camera"


@dataclass(frozen=True)
class ObjectDescription:
    """One object in the first view.

    Attributes:
        name: of the object.
        num_frames: in how many frames it is seen.
        first, last: names of the first and the last of them, None if it is never seen.
        area: mean share of the picture that it covers where it is seen, in [0, 1].
    """

    name: str
    num_frames: int
    first: str | None
    last: str | None
    area: float


@dataclass(frozen=True)
class Description:
    """What `fourfold info` says about a capture.

    Attributes:
        path, layout, views, train_views, held_out_views, frames, fps, fps_assumed,
            poses_from, channels, notes: as in `Capture`.
        seconds: from the first frame to the last.
        width, height: working size of the first view; stored_*: its size on disk.
        objects: what the masks show.
        hint_speeds: of each motion hint, working pixels per frame at 30 per second.
        missing: method -> what it needs and the capture lacks, phrases; empty if it can run.
    """

    path: str
    layout: str
    views: tuple[str, ...]
    train_views: tuple[str, ...]
    held_out_views: tuple[str, ...]
    frames: tuple[str, ...]
    fps: float
    fps_assumed: bool
    poses_from: str | None
    seconds: float
    width: int
    height: int
    stored_width: int
    stored_height: int
    channels: tuple[str, ...]
    objects: tuple[ObjectDescription, ...]
    hint_speeds: tuple[float, ...]
    missing: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]
    has_truth: bool


def describe(capture: Capture) -> Description:
    """Look through a capture: all masks of the first view, and its first picture.

    Raises:
        InputError: a file is damaged.
    """
    capture.image(0)
    stored = capture.stored_size()
    return Description(
        path=str(capture.path),
        layout=capture.layout,
        views=capture.views,
        train_views=capture.train_views,
        held_out_views=capture.held_out_views,
        frames=capture.frames,
        fps=capture.fps,
        fps_assumed=capture.fps_assumed,
        poses_from=capture.poses_from,
        seconds=float(capture.timestamps[-1]),
        width=capture.width,
        height=capture.height,
        stored_width=stored[0],
        stored_height=stored[1],
        channels=tuple(sorted(capture.channels)),
        objects=_objects(capture),
        hint_speeds=tuple(hint.speed for hint in capture.hints),
        missing={
            "dreamscene4d": _missing_for_dreamscene4d(capture),
            "osn": _missing_for_osn(capture),
            "mom": _missing_for_mom(capture),
            "mixvoxels": _missing_for_mixvoxels(capture),
        },
        notes=capture.notes,
        has_truth=any(
            truth is not None for truth in (capture.truth, capture.rigid_truth, capture.rig_truth)
        ),
    )


def _objects(capture: Capture) -> tuple[ObjectDescription, ...]:
    found = []
    pixels = capture.width * capture.height
    for index, name in enumerate(capture.object_names):
        areas = capture.areas[:, index]
        seen = areas.nonzero().flatten().tolist()
        found.append(
            ObjectDescription(
                name=name,
                num_frames=len(seen),
                first=capture.frames[seen[0]] if seen else None,
                last=capture.frames[seen[-1]] if seen else None,
                area=float(areas[seen].float().mean()) / pixels if seen else 0.0,
            )
        )
    return tuple(found)


def _missing_for_dreamscene4d(capture: Capture) -> tuple[str, ...]:
    if len(capture.views) > 1:
        return (_ONE_CAMERA,)
    missing = []
    if not capture.has("mask"):
        missing.append("object masks (--masks DIR)")
    elif not capture.areas.any():
        missing.append("masks that are not empty")
    if capture.num_frames < _MIN_FRAMES:
        missing.append("a second frame")
    return tuple(missing)


def _missing_for_osn(capture: Capture) -> tuple[str, ...]:
    if len(capture.views) > 1:
        return (_ONE_CAMERA,)
    missing = []
    if not capture.bodies:
        missing.append("rigid bodies (fourfold prepare sfm CAPTURE --out DIR, then --bodies DIR)")
    if capture.num_frames < _MIN_FRAMES:
        missing.append("a second frame")
    return tuple(missing)


def _missing_for_mom(capture: Capture) -> tuple[str, ...]:
    missing = []
    if capture.layout != "photo":
        missing.append("a photo (give one picture, or the JSON of the drawing on it)")
    kinds = [region_kind(name) for name in capture.object_names]
    moving = capture.areas[0][[kind == MOTION for kind in kinds]] if kinds else None
    if moving is None or not moving.any():
        missing.append(
            "a region that moves (fourfold prepare draw PHOTO --out DIR, or --masks FILE)"
        )
    if not capture.hints and not capture.has("motion"):
        missing.append("motion hints (fourfold prepare draw), or --motion-field FILE")
    return tuple(missing)


def _missing_for_mixvoxels(capture: Capture) -> tuple[str, ...]:
    missing = []
    if not capture.has("camera"):
        missing.append("cameras (fourfold prepare poses CAPTURE --out DIR)")
    if len(capture.train_views) < _MIN_VIEWS:
        if len(capture.views) == 1 and capture.num_frames >= _MIN_VIEWS:
            missing.append("a second camera (of a still scene filmed by one: --static)")
        else:
            missing.append("a second camera to train on")
    elif capture.num_frames < _MIN_FRAMES:
        missing.append("a second frame (of a still scene: --static)")
    return tuple(missing)


def require_one_view(capture: Capture) -> None:
    """Refuse a capture of several cameras, and say which method is for them.

    Raises:
        InputError: there are several views.
    """
    if len(capture.views) > 1:
        raise InputError(
            f"this has {len(capture.views)} views",
            path=capture.path,
            expected=_ONE_CAMERA,
            mend="The method for several cameras is mixvoxels: "
            f"fourfold train mixvoxels {capture.path} --out RUN",
        )


def require_masks(capture: Capture) -> None:
    """Refuse a capture without object masks, and say what to give.

    Raises:
        InputError: there are no masks, or all are empty.
    """
    if not capture.has("mask"):
        raise InputError(
            "this capture has no object masks",
            path=capture.path,
            expected=f"a mask of every moving object: {LAYOUT_OF_MASKS}; the first frame's name "
            f"is {capture.frames[0]}",
            mend="Give the folder with --masks FOLDER (any segmentation tool can make them)",
        )
    if not capture.areas.any():
        raise InputError(
            f"all masks are empty in all {capture.num_frames} frames",
            path=capture.path,
            expected="at least one object, white or coloured on black",
            mend="Give other masks with --masks, or other frames with --frames",
        )


def require_frames(capture: Capture, minimum: int = _MIN_FRAMES) -> None:
    """Refuse a capture with fewer frames than a method needs.

    Raises:
        InputError: there are fewer than `minimum`.
    """
    if capture.num_frames < minimum:
        raise InputError(
            f"there is only {capture.num_frames} frame",
            path=capture.path,
            expected=f"at least {minimum} frames",
            mend="Give a longer clip, or more frames with --frames",
        )
