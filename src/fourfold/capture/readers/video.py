"""Layout "video": a video file or GIF, decoded once.

The selected frames are scaled while decoding and kept in a temporary file without a name, which
the operating system deletes with the process; the video itself is never written to.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from av.video.frame import VideoFrame
from jaxtyping import Float, UInt8

from fourfold.capture.decoding import HDR_NOTE, decode, frame_rate, is_hdr, shown
from fourfold.capture.names import VIDEO_SUFFIXES, list_files
from fourfold.capture.readers.folder import MAIN_VIEW
from fourfold.capture.sizes import fit_size
from fourfold.capture.source import ImageLoader, ReadOptions, Source
from fourfold.errors import InputError
from fourfold.files import writing

LAYOUT = "video"


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
    fps, times, assumed = frame_rate(decoded.seconds, options.fps, options.selection.step)
    images: dict[tuple[str, str], ImageLoader] = {
        (MAIN_VIEW, frame): partial(_frame, pixels, index) for index, frame in enumerate(frames)
    }
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
        notes=(HDR_NOTE,) if decoded.is_hdr else (),
        prescaled=frozenset({"image"}),
    )


def _frame(pixels: UInt8[np.ndarray, "T H W 3"], index: int) -> Float[np.ndarray, "H W 3"]:
    return pixels[index].astype(np.float32) / 255


def _decode(path: Path, options: ReadOptions, file: IO[bytes]) -> _Decoded:
    decoded = _Decoded()
    for index, frame in enumerate(decode(path)):
        decoded.total += 1
        if not options.selection.keeps(index):
            continue
        picture = shown(frame)
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
        decoded.seconds.append(_seconds(frame))
        decoded.is_hdr = is_hdr(frame)
        with writing(tempfile.gettempdir()):
            file.write(_small(picture, options.max_size).tobytes())
            file.flush()
    return decoded


def _small(picture: UInt8[np.ndarray, "H W 3"], max_size: int) -> UInt8[np.ndarray, "h w 3"]:
    size = fit_size((picture.shape[1], picture.shape[0]), max_size)
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _seconds(frame: VideoFrame) -> float:
    return float("nan") if frame.time is None else float(frame.time)
