"""The frames of a video by position, decoded when they are asked for; nothing is kept in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from threading import Lock

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from jaxtyping import Float

from fourfold.capture.decoding import av_errors, decode, is_hdr, opened_video, shown
from fourfold.errors import InputError

_Frames = Generator[tuple[int, VideoFrame], None, None]


class VideoFrames:
    """The frames of a video file, by position from 0.

    Positions that rise are decoded in one pass; others begin at the key frame before them. Only
    the video asked last is open, so that many videos take the memory of one decoder.

    Attributes:
        path: the file.
        size: (width, height) of the first frame, upright.
        seconds: the time stamp of each frame in the file; NaN where it has none.
        is_hdr: whether values follow a curve for high dynamic range.
    """

    def __init__(self, path: Path) -> None:
        """Read the file's index and its first frame.

        Raises:
            InputError: not a video, empty, or damaged at its start.
        """
        self.path = path
        with closing(decode(path)) as frames:
            first = next(frames)
        picture = shown(first)
        self.size = (picture.shape[1], picture.shape[0])
        self.is_hdr = is_hdr(first)
        with av_errors(path, lambda: 1), opened_video(path) as (container, stream):
            packets = [p for p in container.demux(stream) if p.size and not p.is_discard]
            unit = stream.time_base
        self._stamps = _stamps(packets)
        self._keys = sorted(
            bisect_left(self._stamps, p.pts) for p in packets if p.is_keyframe and p.pts is not None
        )
        if self._stamps and unit is not None:
            self.seconds = tuple(float(stamp * unit) for stamp in self._stamps)
        else:
            self.seconds = (float("nan"),) * len(packets)

    def __len__(self) -> int:
        return len(self.seconds)

    def image(self, position: int) -> Float[np.ndarray, "H W 3"]:
        """Decode a frame: float32 in [0, 1], upright, transparent parts on white.

        Raises:
            InputError: the video is damaged there, or has fewer frames than its index says.
        """
        with _LOCK, av_errors(self.path, lambda: position):
            frame = self._pass_to(position).advance(position)
            picture = None if frame is None else shown(frame)
            if picture is None or position == len(self) - 1:
                _switch(None)
        if picture is None:
            raise InputError(
                "the video ends before its index says",
                path=self.path,
                frame=position,
                mend="Choose the frames before it with --frames",
            )
        return picture.astype(np.float32) / 255

    def _pass_to(self, position: int) -> _Pass:
        running = _running
        key = self._keys[max(bisect_right(self._keys, position) - 1, 0)] if self._stamps else 0
        if running is None or running.video is not self or not key <= running.next <= position:
            running = _Pass(self, self.decode_from(position))
            _switch(running)
        return running

    def decode_from(self, position: int) -> _Frames:
        """Yield positions and frames from the key frame at or before a position on."""
        with opened_video(self.path) as (container, stream):
            if self._stamps and position:
                container.seek(self._stamps[position], stream=stream)
            for count, frame in enumerate(container.decode(stream)):
                stamp = frame.pts if self._stamps else None
                yield count if stamp is None else bisect_left(self._stamps, stamp), frame


class _Pass:
    """A decoder on its way through a video; `next` is the position that it comes to."""

    def __init__(self, video: VideoFrames, frames: _Frames) -> None:
        self.video, self._frames, self.next = video, frames, 0

    def advance(self, position: int) -> VideoFrame | None:
        for found, frame in self._frames:
            self.next = found + 1
            if found == position:
                return frame
        return None

    def close(self) -> None:
        self._frames.close()


# The one decoder that is open in this process.
_running: _Pass | None = None
_LOCK = Lock()


def _switch(to: _Pass | None) -> None:
    global _running
    if _running is not None and _running is not to:
        _running.close()
    _running = to


def _stamps(packets: list[Packet]) -> list[int]:
    """Return the presentation times in order; none where a packet has none, or two are the same."""
    stamps = sorted({p.pts for p in packets if p.pts is not None})
    return stamps if len(stamps) == len(packets) else []
