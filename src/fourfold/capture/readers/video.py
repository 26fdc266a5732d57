"""Layout "video": a video file or GIF, decoded once.

The selected frames are scaled while decoding and kept in a temporary file without a name, which
the operating system deletes with the process; the video itself is never written to.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame
from jaxtyping import Float, UInt8

from fourfold.capture.images import over_white
from fourfold.capture.names import VIDEO_SUFFIXES, list_files
from fourfold.capture.readers.folder import MAIN_VIEW
from fourfold.capture.sizes import fit_size
from fourfold.capture.source import ImageLoader, ReadOptions, Source
from fourfold.errors import InputError
from fourfold.files import writing

LAYOUT = "video"
_ALPHA_FORMATS = frozenset({"bgra", "rgba", "argb", "abgr", "pal8", "yuva420p", "yuva444p"})
# Codes of ITU-T H.273 for the transfer curves PQ and HLG.
_HDR_CURVES = frozenset({16, 18})
_FALLBACK_FPS = 24.0


def recognises(path: Path) -> bool:
    """Say whether the path is a file (what no other reader takes), or a folder with one video."""
    return path.is_file() or len(list_files(path, VIDEO_SUFFIXES)) == 1


@dataclass
class _Decoded:
    """What one pass over the video found."""

    size: tuple[int, int] = (0, 0)
    total: int = 0
    seconds: list[float] = field(default_factory=list)
    is_hdr: bool = False


def read(path: Path, options: ReadOptions) -> Source:
    """Decode a video: real time stamps, any frame rate, upright, 10 bits as 8.

    Frames are named by their position, 00000, 00001, ...

    Raises:
        InputError: not a video, or damaged.
    """
    if path.is_dir():
        path = next(iter(list_files(path, VIDEO_SUFFIXES).values()))
    # The mapping keeps the file's content until nobody needs it any more.
    with tempfile.TemporaryFile(prefix="fourfold-") as file:
        decoded = _decode(path, options, file)
        names = [f"{index:05d}" for index in range(decoded.total)]
        frames = options.selection.pick(names, path)
        width, height = fit_size(decoded.size, options.max_size)
        pixels = np.memmap(file, np.uint8, "r", shape=(len(frames), height, width, 3))
    fps, times, assumed = _rate(decoded.seconds, options)
    images: dict[tuple[str, str], ImageLoader] = {
        (MAIN_VIEW, frame): partial(_frame, pixels, index) for index, frame in enumerate(frames)
    }
    note = "the video is HDR (PQ or HLG); its values are used as they are, so it looks flat"
    return Source(
        layout=LAYOUT,
        views=(MAIN_VIEW,),
        frames=frames,
        timestamps=times,
        fps=fps,
        fps_assumed=assumed,
        sizes={MAIN_VIEW: decoded.size},
        images=images,
        known_frames=frozenset(names),
        files=(path,),
        notes=(note,) if decoded.is_hdr else (),
        prescaled=frozenset({"image"}),
    )


def _frame(pixels: UInt8[np.ndarray, "T H W 3"], index: int) -> Float[np.ndarray, "H W 3"]:
    return pixels[index].astype(np.float32) / 255


def _decode(path: Path, options: ReadOptions, file: IO[bytes]) -> _Decoded:
    decoded = _Decoded()
    for index, frame in enumerate(_frames(path)):
        decoded.total += 1
        if not options.selection.keeps(index):
            continue
        picture = _upright(frame)
        size = picture.shape[1], picture.shape[0]
        if decoded.seconds and size != decoded.size:
            raise InputError(
                f"the picture changes to {size[0]}x{size[1]} pixels",
                path=path,
                frame=f"{index:05d}",
                expected=f"{decoded.size[0]}x{decoded.size[1]}, as before",
                mend="Cut the video there, or choose frames with --frames",
            )
        decoded.size = size
        decoded.seconds.append(_seconds(frame, index))
        decoded.is_hdr = frame.color_trc in _HDR_CURVES
        with writing(tempfile.gettempdir()):
            file.write(_small(picture, options.max_size).tobytes())
            file.flush()
    return decoded


def _frames(path: Path) -> Iterator[VideoFrame]:
    count = 0
    with _av_errors(path, lambda: count), av.open(os.fspath(path)) as container:
        if not container.streams.video:
            raise InputError("there are no pictures in the file", path=path, expected="a video")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            count += 1
            yield frame
    if count == 0:
        raise InputError("the video has no frames", path=path, expected="at least one")


@contextmanager
def _av_errors(path: Path, count: Callable[[], int]) -> Iterator[None]:
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


def _upright(frame: VideoFrame) -> UInt8[np.ndarray, "H W C"]:
    """Return the frame as it is to be shown: RGB or, with transparency, RGBA."""
    layout = "rgba" if frame.format.name in _ALPHA_FORMATS else "rgb24"
    picture = frame.to_ndarray(format=layout)
    # The display matrix turns counter-clockwise by `rotation` degrees, as numpy does.
    return np.rot90(picture, round(frame.rotation / 90) % 4)


def _small(picture: UInt8[np.ndarray, "H W C"], max_size: int) -> UInt8[np.ndarray, "h w 3"]:
    if picture.shape[2] == 4:
        picture = np.round(over_white(picture) * 255).astype(np.uint8)
    size = fit_size((picture.shape[1], picture.shape[0]), max_size)
    if size == (picture.shape[1], picture.shape[0]):
        return np.ascontiguousarray(picture)
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)


def _seconds(frame: VideoFrame, index: int) -> float:
    return float("nan") if frame.time is None else float(frame.time)


def _rate(seconds: list[float], options: ReadOptions) -> tuple[float, tuple[float, ...], bool]:
    """Return the mean frame rate, times from the first frame on, and whether they are assumed."""
    stamps = np.array(seconds) - seconds[0]
    increasing = bool(np.isfinite(stamps).all()) and bool((np.diff(stamps) > 0).all())
    if options.fps is not None or not increasing or len(stamps) < 2:
        fps = (options.fps or _FALLBACK_FPS) / options.selection.step
        return fps, tuple(index / fps for index in range(len(stamps))), options.fps is None
    times = tuple(float(stamp) for stamp in stamps)
    return (len(stamps) - 1) / times[-1], times, False
