"""Which videos a rendering makes: the camera's way and the time in each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fourfold.errors import UsageError
from fourfold.geometry import Camera
from fourfold.scene import RIG_PATHS, Scene
from fourfold.verbs.camera_file import file_path
from fourfold.verbs.camera_path import (
    SHORTEST_SWEEP_SECONDS,
    View,
    input_path,
    landscape_views,
    loop_times,
    parse_times,
    resize_views,
    rig_camera_path,
    rig_views,
    sweep_path,
    sweep_times,
)

if TYPE_CHECKING:
    from fourfold.verbs.render import RenderOptions

SWEEPS = ("orbit", "elevation")
SHIFTS = ("zoom-in", "side", "up-down", "circle")
PATHS = ("input", *SWEEPS, *SHIFTS, *(name for name in RIG_PATHS if name not in SHIFTS))
ALL_CAMERAS = "all"
# A flight through the cameras takes this long for each, where nobody says: more than 4 s for many.
_FLIGHT_SECONDS = 0.4
# Longer side of a grid's tiles, where nobody says and the frames are larger.
_TILE = 640


@dataclass(frozen=True)
class Shot:
    """One video: its name, and its frames."""

    name: str
    views: Sequence[View]

    @property
    def stands_still(self) -> bool:
        """Whether the camera is the same in all frames."""
        first = self.views[0].camera
        return all(_same(view.camera, first) for view in self.views)


def find_shots(scene: Scene, options: RenderOptions, fps: float, num_tiles: int) -> list[Shot]:
    """Find out what to film: one way of the camera, or what the rig's cameras saw.

    Args:
        fps: of the videos.
        num_tiles: pictures side by side in each frame.

    Raises:
        UsageError: options that do not fit together or do not fit the scene.
        InputError: a camera file that cannot be read.
    """
    options = _with_path(scene, options)
    _check(options, fps)
    if options.camera:
        first, last = parse_times(options.time, scene.num_frames)
        times = _each_frame(first, last)
        names = _camera_names(scene, options.camera)
        shots = [Shot(_file_name(name), rig_camera_path(scene, name, times)) for name in names]
    else:
        name = options.path if options.path in PATHS else "path"
        shots = [Shot(name, _path_views(scene, options, fps))]
    return [replace(shot, views=_sized(shot.views, options.size, num_tiles)) for shot in shots]


def _same(camera: Camera, other: Camera) -> bool:
    return torch.equal(camera.camera_from_world, other.camera_from_world) and torch.equal(
        camera.intrinsics, other.intrinsics
    )


def _path_views(scene: Scene, options: RenderOptions, fps: float) -> list[View]:
    first, last = _span(scene, options)
    seconds = options.seconds
    if seconds is None and options.path == "bullet-time":
        seconds = max(_FLIGHT_SECONDS * len(scene.rig), SHORTEST_SWEEP_SECONDS)
    spread = sweep_times(first, last, fps, seconds)
    times = _each_frame(first, last)
    if options.loop:
        times = spread = loop_times(scene, fps, options.seconds)
    path = options.path
    if path == "input":
        return input_path(scene, times)
    if path in SWEEPS:
        return sweep_path(scene, spread, options.angle, path)
    if path in RIG_PATHS and (scene.rig or path not in SHIFTS):
        return rig_views(scene, spread, path)
    if path in SHIFTS:
        return landscape_views(scene, spread, path, options.loop)
    return file_path(Path(path), scene, times)


def _with_path(scene: Scene, options: RenderOptions) -> RenderOptions:
    if options.path and options.camera:
        raise UsageError("--camera with --path", expected="one of them: a camera has its own place")
    if options.path or options.camera:
        return options
    if scene.rig:
        return replace(options, path="spiral")
    return replace(options, path="orbit" if scene.period is None else "circle")


def _span(scene: Scene, options: RenderOptions) -> tuple[float, float]:
    """Give the first and the last moment; in bullet time they are one."""
    first, last = parse_times(options.time, scene.num_frames)
    if options.path != "bullet-time":
        return first, last
    if options.time is not None and last > first:
        raise UsageError(
            f"bullet-time over the time {options.time}", expected="one moment, which is held"
        )
    middle = (first + last) / 2.0
    return middle, middle


def _each_frame(first: float, last: float) -> list[float]:
    return [first + step for step in range(int(last - first) + 1)]


def _camera_names(scene: Scene, asked: str) -> list[str]:
    if not scene.rig:
        raise UsageError(f"--camera {asked} in a scene that one camera filmed", expected="--path")
    if asked == ALL_CAMERAS:
        return list(scene.rig)
    if asked not in scene.rig:
        raise UsageError(
            f"there is no camera {asked!r}", expected=f"{ALL_CAMERAS}, {', '.join(scene.rig)}"
        )
    return [asked]


def _file_name(camera: str) -> str:
    """Give what a camera's videos are called: its name, without what means something in a path.

    >>> _file_name("left/cam.01")
    'left_cam_01'
    """
    return re.sub(r"[^\w-]", "_", camera)


def _sized(views: Sequence[View], size: int | None, num_tiles: int) -> Sequence[View]:
    if size is None and num_tiles > 1:
        size = min(max(views[0].camera.width, views[0].camera.height), _TILE)
    return views if size is None else resize_views(views, size)


def _check(options: RenderOptions, fps: float) -> None:
    if not options.camera and options.path not in PATHS and not Path(options.path).is_file():
        raise UsageError(
            f"no camera path {options.path!r}", expected=f"{', '.join(PATHS)} or a camera file"
        )
    if options.loop and options.time is not None:
        raise UsageError("--loop with --time", expected="one of them: a loop is all of the time")
    if options.loop and options.camera:
        raise UsageError("--loop with --camera", expected="one of them: a rig's scene has an end")
    if not fps > 0:
        raise UsageError(f"{fps:g} frames per second", expected="a positive number")
    if options.size is not None and options.size < 16:
        raise UsageError(f"a video of {options.size} pixels", expected="16 or more")
    if options.seconds is not None and not options.seconds > 0:
        raise UsageError(f"a video of {options.seconds:g} seconds", expected="a positive number")
    if not 0 < abs(options.angle) <= 180:
        raise UsageError(f"a swing of {options.angle:g} degrees", expected="up to 180")
