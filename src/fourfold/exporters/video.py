"""Frames to a video file: mp4, gif, or a folder of PNG files.

A file appears under its name only when it is whole: mp4 and gif are made in memory (some
megabytes) and written at once, PNG files in a folder that is swapped in at the end.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

import av
import av.container
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.files import replace_folder, write_atomic

VideoFormat = Literal["mp4", "gif", "png"]

# x264's scale of quality: 0 is lossless, 18 looks so, 23 is its default, 51 is the worst.
_CRF = 18
# GIF counts in hundredths of a second, and browsers slow down what asks for less than two.
_GIF_TICK_MS, _GIF_SHORTEST_MS = 10, 20


class VideoWriter(Protocol):
    """Take the frames of a video, one after the other."""

    def add(self, frame: Float[Tensor, "H W 3"]) -> None:
        """Append a frame: sRGB in [0, 1]; what is outside is clamped, NaN is black."""
        ...


@contextmanager
def open_video(path: Path, fps: float) -> Iterator[VideoWriter]:
    """Open a video for writing; it is there, whole, when the block ends without an error.

    Args:
        path: `.mp4` (H.264, plays everywhere), `.gif` (256 colours a frame), or a name without
            ending: a folder of `00000.png` and so on.
        fps: frames per second; a gif has it rounded to hundredths of a second.

    Raises:
        UsageError: an ending that is none of these, or no frame was added.
        OutputError: it cannot be written; what was there is still there.
    """
    if not fps > 0:
        raise UsageError(f"{fps} frames per second", expected="a positive number", path=path)
    writers = {".mp4": _write_mp4, ".gif": _write_gif, "": _write_png}
    if path.suffix not in writers:
        raise UsageError("unknown kind of video", path=path, expected=".mp4, .gif or a folder")
    with writers[path.suffix](path, fps) as writer:
        yield writer
        if not writer.count:
            raise UsageError("no frame to write", path=path)


def write_video(path: Path, frames: Iterable[Float[Tensor, "H W 3"]], fps: float) -> Path:
    """Write frames as a video; see `open_video`."""
    with open_video(path, fps) as video:
        for frame in frames:
            video.add(frame)
    return path


def to_bytes(frame: Float[Tensor, "H W 3"]) -> np.ndarray:
    """Round a frame in [0, 1] to uint8 (H, W, 3); NaN becomes 0.

    >>> to_bytes(torch.tensor([[[0.0, 0.5, 2.0]]])).tolist()
    [[[0, 128, 255]]]
    """
    clean = frame.detach().nan_to_num(0.0).clamp(0.0, 1.0)
    return (clean * 255.0).round().to(torch.uint8).cpu().numpy()


class _Mp4:
    def __init__(self, container: av.container.OutputContainer, fps: float) -> None:
        self.container = container
        self.rate = Fraction(fps).limit_denominator(1001)
        self.stream: av.VideoStream | None = None
        self.count = 0

    def add(self, frame: Float[Tensor, "H W 3"]) -> None:
        pixels = _even(to_bytes(frame))
        if self.stream is None:
            self.stream = _h264_stream(self.container, self.rate, pixels.shape)
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        # Say which of the YUV matrices was used, or players guess and shift the colours.
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
        picture.pts = self.count
        self.container.mux(self.stream.encode(picture))
        self.count += 1


class _Gif:
    def __init__(self) -> None:
        self.frames: list[Image.Image] = []

    @property
    def count(self) -> int:
        return len(self.frames)

    def add(self, frame: Float[Tensor, "H W 3"]) -> None:
        self.frames.append(Image.fromarray(to_bytes(frame)).quantize(256, dither=Image.Dither.NONE))


class _Png:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def add(self, frame: Float[Tensor, "H W 3"]) -> None:
        Image.fromarray(to_bytes(frame)).save(self.folder / f"{self.count:05d}.png")
        self.count += 1


@contextmanager
def _write_mp4(path: Path, fps: float) -> Iterator[_Mp4]:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        writer = _Mp4(container, fps)
        yield writer
        if writer.stream is not None:
            container.mux(writer.stream.encode(None))
    write_atomic(path, buffer.getvalue())


@contextmanager
def _write_gif(path: Path, fps: float) -> Iterator[_Gif]:
    writer = _Gif()
    yield writer
    ticks = max(round(1000.0 / fps / _GIF_TICK_MS) * _GIF_TICK_MS, _GIF_SHORTEST_MS)
    buffer = io.BytesIO()
    first, *rest = writer.frames
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=ticks, loop=0)
    write_atomic(path, buffer.getvalue())


@contextmanager
def _write_png(path: Path, fps: float) -> Iterator[_Png]:
    with replace_folder(path) as folder:
        yield _Png(folder)


def _h264_stream(
    container: av.container.OutputContainer, rate: Fraction, shape: tuple[int, ...]
) -> av.VideoStream:
    stream = container.add_stream("libx264", rate=rate, options={"crf": str(_CRF)})
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = 1  # ITU-R BT.709
    return stream


def _even(pixels: np.ndarray) -> np.ndarray:
    # H.264 with shared chroma needs even sides: an odd one gets its last row or column twice.
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(pixels)
