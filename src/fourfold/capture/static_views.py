"""Pictures of a still scene as views of one frame: what a moving camera saw, one after another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from fourfold.capture.source import Source
from fourfold.errors import InputError

Item = TypeVar("Item")

ONLY_FRAME = "00000"
# LLFF's habit (Mildenhall et al. 2019): every eighth picture, the first among them, is for tests.
_EVERY = 8


def every_eighth(views: tuple[str, ...]) -> tuple[str, ...]:
    """Return the views to hold out: the first and every eighth after it, none of a single one."""
    return views[::_EVERY] if len(views) > 1 else ()


def frames_as_views(source: Source, path: Path) -> Source:
    """Turn the frames of the only view into views of one frame, each with its own camera.

    Objects and bodies are left out: they belong to what moves. Frames without a camera are too.

    Raises:
        InputError: fewer than two frames have a camera.
    """
    view = source.views[0]
    posed = [f for f in source.frames if (view, f) in source.cameras]
    posed = [frame for frame in posed if (view, frame) not in source.unposed]
    if len(posed) < 2:
        raise InputError(
            f"{len(posed)} of {len(source.frames)} frames have a camera",
            path=path,
            expected="a camera for two frames or more, to take them for views of a still scene",
            mend="Add cameras with --cameras; fourfold prepare poses makes them",
        )
    views = tuple(posed)
    left_out = len(source.frames) - len(posed)
    notes = (f"{left_out} frames have no camera, and are left out",) if left_out else ()
    return Source(
        layout=source.layout,
        views=views,
        frames=(ONLY_FRAME,),
        timestamps=(0.0,),
        fps=source.fps,
        sizes=dict.fromkeys(views, source.sizes[view]),
        images=_turned(source.images, posed),
        depth=_turned(source.depth, posed),
        cameras=_turned(source.cameras, posed),
        known_frames=frozenset({ONLY_FRAME}),
        held_out_views=every_eighth(views),
        view_choice=source.view_choice,
        image_files=_turned(source.image_files, posed),
        bounds={frame: source.bounds[view] for frame in views if view in source.bounds},
        files=source.files,
        notes=(*source.notes, *notes),
        prescaled=source.prescaled,
        settings=(*source.settings, "frames as views"),
    )


def _turned(
    channel: Mapping[tuple[str, str], Item], frames: list[str]
) -> dict[tuple[str, str], Item]:
    kept = set(frames)
    return {(f, ONLY_FRAME): item for (_, f), item in channel.items() if f in kept}
