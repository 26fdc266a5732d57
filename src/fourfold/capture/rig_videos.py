"""A rig's videos, `<camera>.mp4`: which frames show the same instants."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from fourfold.capture.decoding import HDR_NOTE
from fourfold.capture.names import VIDEO_SUFFIXES, list_files
from fourfold.capture.rig_footage import RigFootage, living_cameras, shorter_note
from fourfold.capture.source import ImageLoader
from fourfold.capture.video_frames import VideoFrames
from fourfold.errors import InputError


def videos_of_rig(folder: Path) -> RigFootage:
    """Open `<folder>/<camera>.mp4`; frames belong together by the time from each video's start.

    A video that cannot be read, or with fewer than half as many frames as the others, is left out
    with a note.

    Raises:
        InputError: no video can be read, or they have no frames in common.
    """
    paths = list_files(folder, VIDEO_SUFFIXES)
    opened = {name: _open(path) for name, path in paths.items()}
    readable = {name: video for name, video in opened.items() if video is not None}
    living, notes = living_cameras(list(paths), {n: len(v) for n, v in readable.items()}, folder)
    videos = {name: readable[name] for name in living}
    positions, seconds = synchronised([video.seconds for video in videos.values()])
    if len(positions) < max(len(video) for video in videos.values()):
        notes += (shorter_note({n: len(v) for n, v in videos.items()}, len(positions)),)
    if any(video.is_hdr for video in videos.values()):
        notes += (HDR_NOTE,)
    frames = tuple(f"{index:05d}" for index in range(len(positions)))
    loaders: dict[tuple[str, str], ImageLoader] = {
        (name, frame): partial(video.image, int(row[index]))
        for index, (name, video) in enumerate(videos.items())
        for frame, row in zip(frames, positions, strict=True)
    }
    return RigFootage(
        cameras=tuple(paths),
        frames=frames,
        sizes={name: video.size for name, video in videos.items()},
        loaders=loaders,
        files=tuple(video.path for video in videos.values()),
        seconds=seconds,
        notes=notes,
    )


def synchronised(
    seconds: list[tuple[float, ...]],
) -> tuple[Int[np.ndarray, "T V"], tuple[float, ...] | None]:
    """Find which frames of several videos that began together show the same instants.

    The slowest video gives the instants; where another has no frame within half its interval, the
    instant is left out. Without time stamps frames count by their positions.

    Args:
        seconds: the time stamps of each video.

    Returns:
        The position in each video, and the time of each instant, None without time stamps.
    """
    shortest = min(len(stamps) for stamps in seconds)
    if shortest < 2 or not all(np.isfinite(stamps).all() for stamps in seconds):
        return np.tile(np.arange(shortest)[:, None], (1, len(seconds))), None
    clocks = [np.array(stamps) - stamps[0] for stamps in seconds]
    slowest = max(clocks, key=lambda clock: clock[-1] / (len(clock) - 1))
    half = slowest[-1] / (len(slowest) - 1) / 2
    apart = np.stack([np.abs(clock - slowest[:, None]).min(1) for clock in clocks], 1)
    nearest = np.stack([np.abs(clock - slowest[:, None]).argmin(1) for clock in clocks], 1)
    kept = (apart < half).all(1)
    times = slowest[kept]
    return nearest[kept], tuple(float(time - times[0]) for time in times)


def _open(path: Path) -> VideoFrames | None:
    try:
        return VideoFrames(path)
    except InputError:
        return None  # named by `living_cameras`
