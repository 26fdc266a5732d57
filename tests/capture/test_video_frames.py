"""Frames of videos by position: in order, backwards, far ahead, and what is damaged."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from fourfold.capture import video_frames
from fourfold.capture.video_frames import VideoFrames
from fourfold.errors import InputError


def write_greys(path: Path, greys: list[int], keys_every: int = 4, rate: int = 10) -> Path:
    """Write a video of 48x32 whose frame t is grey `greys[t]`, with B frames and few key frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv444p"
        stream.codec_context.options = {"crf": "1", "bf": "2", "g": str(keys_every)}
        for grey in greys:
            # a little noise, so that every frame takes some bytes
            picture = grey + np.random.default_rng(grey).integers(-6, 7, (32, 48, 3))
            picture = picture.astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path


GREYS = list(range(10, 250, 20))


@pytest.fixture
def video(tmp_path: Path) -> VideoFrames:
    return VideoFrames(write_greys(tmp_path / "a.mp4", GREYS))


@pytest.mark.parametrize(
    "order", [range(12), range(11, -1, -1), (0, 9, 1, 11, 11, 3, 4, 10), range(1, 12, 3)]
)
def test_any_order_gives_the_right_frames(video, order):
    found = [video.image(position).mean() * 255 for position in order]
    np.testing.assert_allclose(found, [GREYS[position] for position in order], atol=2)


def test_index(video):
    assert (len(video), video.size, video.is_hdr) == (12, (48, 32), False)
    np.testing.assert_allclose(np.diff(video.seconds), 0.1, atol=1e-6)


def test_rising_positions_are_one_pass(video, monkeypatch):
    passes = []
    start = video.decode_from

    def decode_from(position):
        passes.append(position)
        return start(position)

    monkeypatch.setattr(video, "decode_from", decode_from)
    for position in range(12):
        video.image(position)
    assert passes == [0]
    video.image(9)
    video.image(1)
    assert passes == [0, 9, 1]


def test_one_decoder_is_open_at_a_time(tmp_path):
    videos = [VideoFrames(write_greys(tmp_path / f"{i}.mp4", GREYS)) for i in range(2)]
    videos[0].image(0)
    assert video_frames._running is not None
    assert video_frames._running.video is videos[0]
    videos[1].image(2)
    assert video_frames._running.video is videos[1]
    videos[1].image(11)
    assert video_frames._running is None


def test_a_video_that_breaks_off(tmp_path):
    # in a stream of packets, unlike in an mp4, the part before the break can be read
    whole = write_greys(tmp_path / "a.mkv", GREYS, keys_every=1).read_bytes()
    (tmp_path / "a.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    video = VideoFrames(tmp_path / "a.mkv")
    assert 2 < len(video) < 12
    assert video.image(1).mean() * 255 == pytest.approx(GREYS[1], abs=2)


def test_what_is_no_video(tmp_path):
    (tmp_path / "a.mp4").write_text("text")
    with pytest.raises(InputError, match=r"a\.mp4: the file is not a video"):
        VideoFrames(tmp_path / "a.mp4")
