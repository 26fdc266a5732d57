"""Where the camera is and what time it is in each frame of a rendering."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fourfold.errors import UsageError
from fourfold.geometry import Camera, interpolate_cameras, orbit_camera
from fourfold.scene import Scene, landscape_path, orbit_pivot, rig_path

SHORTEST_SWEEP_SECONDS = 4.0
"""A sweep shorter than this is too quick for the eye; a short clip then plays slower."""


@dataclass(frozen=True)
class View:
    """One frame of a rendering: the camera, the time (in frames of the capture).

    `next_camera` is where that camera is a frame of the capture later, if it moves by itself.
    """

    camera: Camera
    time: float
    next_camera: Camera | None = None


def input_path(scene: Scene, times: Sequence[float]) -> list[View]:
    """See the scene as the capture's own camera did."""
    last = scene.num_frames - 1.0
    return [
        View(scene.camera_at(time), time, scene.camera_at(min(time + 1.0, last))) for time in times
    ]


def rig_camera_path(scene: Scene, name: str, times: Sequence[float]) -> list[View]:
    """See the scene as a camera of the rig did, by its name."""
    cameras = scene.rig[name]
    return [
        View(interpolate_cameras(cameras, time), time, interpolate_cameras(cameras, time + 1.0))
        for time in times
    ]


def rig_views(scene: Scene, times: Sequence[float], name: str) -> list[View]:
    """Move the camera about the rig; see `rig_path` in `fourfold.scene`."""
    cameras = rig_path(scene, name, times)
    return [View(camera, time) for camera, time in zip(cameras, times, strict=True)]


def sweep_path(scene: Scene, times: Sequence[float], angle: float, axis: str) -> list[View]:
    """Swing about the objects, to one side, to the other and back, while time plays.

    They stay where the capture's own camera saw them at that moment; see `orbit_pivot`.

    Args:
        angle: how far to each side, in degrees.
        axis: "orbit" swings sideways, first to the right; "elevation" first up, then down.
    """
    views = []
    for index, time in enumerate(times):
        degrees = angle * math.sin(2.0 * math.pi * index / len(times))
        elevation, azimuth = (degrees, 0.0) if axis == "elevation" else (0.0, degrees)
        reference = scene.camera_at(time)
        pivot = orbit_pivot(scene, reference, time)
        views.append(View(orbit_camera(reference, pivot, elevation, azimuth, scene.up), time))
    return views


def landscape_views(scene: Scene, times: Sequence[float], name: str, closed: bool) -> list[View]:
    """Move the camera a little; see `landscape_path` in `fourfold.scene`."""
    cameras = landscape_path(scene, name, times, closed)
    return [View(camera, time) for camera, time in zip(cameras, times, strict=True)]


def sweep_times(first: float, last: float, fps: float, seconds: float | None) -> list[float]:
    """Spread the clip's time over a sweep of `seconds`, by default its own length, at least 4 s.

    >>> sweep_times(0.0, 2.0, 1.0, 4.0)
    [0.0, 0.6666666666666666, 1.3333333333333333, 2.0]
    """
    wanted = (last - first + 1.0) / fps if seconds is None else seconds
    length = max(wanted, SHORTEST_SWEEP_SECONDS) if seconds is None else wanted
    count = max(round(length * fps), 2)
    return [first + (last - first) * index / (count - 1) for index in range(count)]


def loop_times(scene: Scene, fps: float, seconds: float | None) -> list[float]:
    """Spread whole loops of a scene over a video, without its last frame, which is the first.

    Args:
        fps: of the video.
        seconds: its length; by default that of one loop. Loops are played a little faster or
            slower to fill it.

    Raises:
        UsageError: the scene does not loop.
    """
    if scene.period is None:
        raise UsageError("--loop for a scene that does not loop", mend="Render it without --loop")
    length = scene.period / scene.fps
    count = max(round((length if seconds is None else seconds) * fps), 2)
    loops = max(round(count / fps / length), 1)
    return [loops * scene.period * index / count for index in range(count)]


def resize_views(views: Sequence[View], size: int) -> list[View]:
    """Give every camera `size` pixels along its longer side, keeping the shape of its picture."""
    return [resize_view(view, size) for view in views]


def resize_view(view: View, size: int) -> View:
    """Give the camera of one view `size` pixels along its longer side."""
    following = view.next_camera
    return replace(
        view,
        camera=_resized(view.camera, size),
        next_camera=None if following is None else _resized(following, size),
    )


def _resized(camera: Camera, size: int) -> Camera:
    return camera.scaled(size / max(camera.width, camera.height))


def parse_times(text: str | None, num_frames: int) -> tuple[float, float]:
    """Read "first:last" or one moment, in frames of the capture; all of it by default.

    >>> parse_times("3:7.5", 10), parse_times("4", 10), parse_times(None, 10), parse_times(":5", 9)
    ((3.0, 7.5), (4.0, 4.0), (0.0, 9.0), (0.0, 5.0))

    Raises:
        UsageError: not numbers, or outside of the clip.
    """
    end = float(num_frames - 1)
    if text is None:
        return 0.0, end
    first, colon, last = text.partition(":")
    try:
        start = float(first) if first else 0.0
        stop = (float(last) if last else end) if colon else start
    except ValueError:
        start = stop = math.nan
    if not 0.0 <= start <= stop <= end:
        raise UsageError(
            f"time {text!r} is not in the clip",
            expected=f"first:last or one number, from 0 to {end:g}",
        )
    return start, stop
