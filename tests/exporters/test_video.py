"""Videos: what is read back is what was written, and nothing half-written stays."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.errors import UsageError
from fourfold.exporters import to_bytes, write_video


def _frames(count: int = 3, height: int = 32, width: int = 48) -> list[torch.Tensor]:
    """Plain frames, each of another grey: 0.2, 0.4, ..."""
    return [torch.full((height, width, 3), 0.2 * (index + 1)) for index in range(count)]


def _broken_off() -> Iterator[torch.Tensor]:
    yield _frames(1)[0]
    raise RuntimeError("stop")


def test_bytes_are_rounded_and_clamped() -> None:
    frame = torch.tensor([[[0.0, 0.5, 1.0], [-1.0, 2.0, float("nan")]]])
    # 0.5 * 255 = 127.5, which rounds to the even 128
    assert to_bytes(frame).tolist() == [[[0, 128, 255], [0, 255, 0]]]


def test_mp4_keeps_frames_rate_and_colour(tmp_path: Path) -> None:
    color = torch.tensor([0.8, 0.2, 0.1])
    path = write_video(tmp_path / "a.mp4", [color.expand(32, 48, 3)] * 5, fps=24000 / 1001)
    with av.open(path) as video:
        stream = video.streams.video[0]
        assert stream.average_rate == Fraction(24000, 1001)
        decoded = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
    assert len(decoded) == 5
    assert decoded[0].shape == (32, 48, 3)
    # 8-bit YUV with shared chroma: a few steps of 255 off at most
    assert np.abs(decoded[2][16, 24].astype(int) - [204, 51, 26]).max() <= 4


def test_mp4_of_odd_size_repeats_its_border(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", _frames(2, 31, 47), fps=10)
    with av.open(path) as video:
        frame = next(video.decode(video=0))
    assert (frame.height, frame.width) == (32, 48)


def test_gif_has_all_frames_and_their_duration(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.gif", _frames(3), fps=12.5)
    with Image.open(path) as gif:
        assert gif.n_frames == 3  # pyright: ignore[reportAttributeAccessIssue]
        assert gif.info["duration"] == 80  # 1000 / 12.5 ms
        assert gif.info["loop"] == 0
        gif.seek(2)
        assert np.asarray(gif.convert("RGB"))[0, 0].tolist() == [153, 153, 153]  # 0.6 * 255


def test_png_folder_holds_exact_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "frames", _frames(3), fps=10)
    names = sorted(file.name for file in path.iterdir())
    assert names == ["00000.png", "00001.png", "00002.png"]
    assert np.asarray(Image.open(path / "00001.png")).tolist()[0][0] == [102, 102, 102]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames"])
def test_what_was_there_survives_an_error(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, _frames(2), fps=10)
    before = sorted(tmp_path.rglob("*"))
    content = {file: file.read_bytes() for file in before if file.is_file()}
    with pytest.raises(RuntimeError, match="stop"):
        write_video(path, _broken_off(), fps=10)
    assert sorted(tmp_path.rglob("*")) == before
    assert {file: file.read_bytes() for file in before if file.is_file()} == content


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "frames"])
def test_a_video_without_frames_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no frame"):
        write_video(tmp_path / name, [], fps=10)
    assert list(tmp_path.iterdir()) == []


def test_unknown_endings_and_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown kind of video"):
        write_video(tmp_path / "a.xyz", _frames(1), fps=10)
    with pytest.raises(UsageError, match="frames per second"):
        write_video(tmp_path / "a.mp4", _frames(1), fps=0)
