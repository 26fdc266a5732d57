"""Decoding of videos: pictures as they are to be shown, with errors that name the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.container.input import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from fourfold.capture.images import over_white
from fourfold.errors import InputError

HDR_NOTE = "the video is HDR (PQ or HLG); its values are used as they are, so it looks flat"
_ALPHA_FORMATS = frozenset({"bgra", "rgba", "argb", "abgr", "pal8", "yuva420p", "yuva444p"})
# Codes of ITU-T H.273 for the transfer curves PQ and HLG.
_HDR_CURVES = frozenset({16, 18})
_FALLBACK_FPS = 24.0


def decode(path: Path) -> Generator[VideoFrame, None, None]:
    """Decode a video from its first frame to its last.

    Raises:
        InputError: not a video, damaged, or without frames.
    """
    count = 0
    with av_errors(path, lambda: count), opened_video(path) as (container, stream):
        for frame in container.decode(stream):
            count += 1
            yield frame
    if count == 0:
        raise InputError("the video has no frames", path=path, expected="at least one")


@contextmanager
def opened_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video's file and its first stream of pictures.

    Raises:
        InputError: there is none. What else may be wrong with the file is for `av_errors`.
    """
    with av.open(os.fspath(path)) as container:
        if not container.streams.video:
            raise InputError("there are no pictures in the file", path=path, expected="a video")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield container, stream


@contextmanager
def av_errors(path: Path, count: Callable[[], int]) -> Iterator[None]:
    """Turn what the decoder says inside the block into an `InputError`.

    Args:
        count: how many frames could be decoded so far.
    """
    try:
        yield
    except (FFmpegError, OSError) as error:
        if count():
            raise InputError(
                f"the video is damaged after {count()} frames ({error.strerror})",
                path=path,
                mend=f"Use the part before it (--frames 0:{count()} works on a cut copy)",
            ) from error
        empty = path.stat().st_size == 0
        reason = "the file is empty (0 bytes)" if empty else "the file is not a video"
        raise InputError(
            f"{reason} ({error.strerror})",
            path=path,
            expected="a video (mp4, mov, webm, mkv, avi), a GIF, or a folder of frames",
        ) from error


def shown(frame: VideoFrame) -> UInt8[np.ndarray, "H W 3"]:
    """Return a frame as it is to be shown: RGB, upright, transparent parts on white."""
    layout = "rgba" if frame.format.name in _ALPHA_FORMATS else "rgb24"
    picture = frame.to_ndarray(format=layout)
    # The display matrix turns counter-clockwise by `rotation` degrees, as numpy does.
    picture = np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))
    if picture.shape[2] == 3:
        return picture
    return np.round(over_white(picture) * 255).astype(np.uint8)


def is_hdr(frame: VideoFrame) -> bool:
    """Say whether a frame's values follow a curve for high dynamic range."""
    return frame.color_trc in _HDR_CURVES


def frame_rate(
    seconds: Sequence[float], fps: float | None, step: int
) -> tuple[float, tuple[float, ...], bool]:
    """Return the mean frame rate, times from the first frame on, and whether they are assumed.

    Args:
        seconds: the time stamps of the selected frames, NaN where a frame has none.
        fps: what the user says of all frames, None to go by the time stamps.
        step: one in so many frames is selected.
    """
    stamps = np.array(seconds) - seconds[0]
    increasing = bool(np.isfinite(stamps).all()) and bool((np.diff(stamps) > 0).all())
    if fps is not None or not increasing or len(stamps) < 2:
        rate = (fps or _FALLBACK_FPS) / step
        return rate, tuple(index / rate for index in range(len(stamps))), fps is None
    times = tuple(float(stamp) for stamp in stamps)
    return (len(stamps) - 1) / times[-1], times, False
