"""Videos: times, turned phones, 10 bits, GIFs, masks from beside."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from fourfold.capture import open_capture
from fourfold.errors import InputError

# Left third red, the rest blue; the upper half brighter: every turn and flip shows.
WIDTH, HEIGHT = 48, 32


def _picture() -> np.ndarray:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, :16, 0] = 200
    picture[:, 16:, 2] = 200
    picture[: HEIGHT // 2, :, 1] = 120
    return picture


def _write(path: Path, times: list[int], format_name: str = "yuv444p") -> Path:
    """Write the picture at `times` (in tenths of a second)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, format_name
        stream.codec_context.options = {"crf": "1", "bf": "0"}
        for time in times:
            frame = av.VideoFrame.from_ndarray(_picture(), "rgb24").reformat(format=format_name)
            frame.pts = time
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _turn(path: Path, matrix: tuple[int, ...]) -> None:
    """Put a display matrix (a b c d of the mp4 track header, ISO 14496-12) into the file."""
    data = bytearray(path.read_bytes())
    at = data.find(b"tkhd")
    # version 0: 4 type, 4 flags, 5 x 4 times and ids, 8 reserved, 8 layer to reserved
    a, b, c, d = (value << 16 for value in matrix)
    struct.pack_into(">9i", data, at + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def test_frames_are_named_by_position_and_keep_their_colours(tmp_path):
    capture = open_capture(_write(tmp_path / "a.mp4", [0, 1, 2]))
    assert (capture.layout, capture.frames) == ("video", ("00000", "00001", "00002"))
    assert (capture.width, capture.height) == (WIDTH, HEIGHT)
    np.testing.assert_allclose(capture.image(1).numpy(), _picture() / 255, atol=0.06)


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    capture = open_capture(_write(tmp_path / "a.mp4", [0, 1, 2, 6, 10]))
    np.testing.assert_allclose(capture.timestamps, [0, 0.1, 0.2, 0.6, 1.0], atol=1e-6)
    assert (capture.fps, capture.fps_assumed) == (pytest.approx(4.0), False)


def test_times_count_from_the_first_selected_frame(tmp_path):
    capture = open_capture(_write(tmp_path / "a.mp4", [0, 1, 2, 6, 10]), frames="1:5:2")
    assert capture.frames == ("00001", "00003")
    np.testing.assert_allclose(capture.timestamps, [0, 0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("matrix", "turns"), [((0, 1, -1, 0), -1), ((0, -1, 1, 0), 1), ((-1, 0, 0, -1), 2)]
)
def test_a_turned_phone_is_put_upright(tmp_path, matrix, turns):
    # (x, y) -> (a x + c y, b x + d y): a b c d = 0 1 -1 0 turns clockwise, numpy's -1
    path = _write(tmp_path / "a.mp4", [0, 1])
    _turn(path, matrix)
    capture = open_capture(path)
    expected = np.rot90(_picture(), turns)
    assert (capture.height, capture.width) == expected.shape[:2]
    np.testing.assert_allclose(capture.image(0).numpy(), expected / 255, atol=0.06)


def test_ten_bits(tmp_path):
    path = _write(tmp_path / "a.mp4", [0, 1], "yuv444p10le")
    np.testing.assert_allclose(open_capture(path).image(0).numpy(), _picture() / 255, atol=0.06)


def test_a_video_is_scaled_while_it_is_decoded(tmp_path):
    capture = open_capture(_write(tmp_path / "a.mp4", [0, 1]), max_size=24)
    assert (capture.width, capture.height, capture.stored_size()) == (24, 16, (48, 32))
    expected = _picture().reshape(16, 2, 24, 2, 3).mean((1, 3)) / 255
    np.testing.assert_allclose(capture.image(1).numpy(), expected, atol=0.06)


def test_gif_times_and_transparency(tmp_path):
    frames = [Image.fromarray(_picture()).convert("P") for _ in range(3)]
    frames[1] = Image.fromarray(255 - _picture()).convert("P")
    frames[0].save(
        tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 300, 100]
    )
    capture = open_capture(tmp_path / "a.gif")
    np.testing.assert_allclose(capture.timestamps, [0, 0.1, 0.4], atol=0.011)
    np.testing.assert_allclose(capture.image(0).numpy(), _picture() / 255, atol=0.2)


def test_masks_from_beside_have_the_size_of_the_upright_video(tmp_path, save):
    path = _write(tmp_path / "a.mp4", [0, 1])
    _turn(path, (0, 1, -1, 0))
    for t in range(2):
        mask = np.zeros((WIDTH, HEIGHT), np.uint8)
        mask[: 10 * (t + 1)] = 255
        save(tmp_path / "m" / f"{t:05d}.png", mask)
    capture = open_capture(path, masks=tmp_path / "m", frames="1:2")
    assert capture.areas.tolist() == [[20 * HEIGHT]]


def test_a_folder_with_one_video(tmp_path):
    _write(tmp_path / "a.mp4", [0, 1])
    (tmp_path / "notes.txt").write_text("x")
    assert open_capture(tmp_path).num_frames == 2


@pytest.mark.parametrize(
    ("content", "reason"), [(b"This is text.\n" * 50, "is not a video"), (b"", "is empty")]
)
def test_a_video_that_is_text_or_nothing(tmp_path, content, reason):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.mp4: the file {reason}.*expected a video \(mp4"):
        open_capture(tmp_path / "a.mp4")


def test_a_video_that_is_cut_off(tmp_path):
    data = _write(tmp_path / "a.mp4", list(range(20))).read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.mp4: the file is not a video"):
        open_capture(tmp_path / "a.mp4")


def test_a_selection_beyond_the_end(tmp_path):
    path = _write(tmp_path / "a.mp4", [0, 1])
    with pytest.raises(InputError, match=r"5::1 keeps none of 2 frames; expected positions from 0"):
        open_capture(path, frames="5:")


def test_lady_running(real_capture):
    capture = open_capture(real_capture("lady-running"), frames="0:65:16")
    assert (capture.num_frames, capture.width, capture.height) == (5, 720, 405)
    assert capture.fps == pytest.approx(30 / 16)


def test_gear(real_capture):
    capture = open_capture(real_capture("sv4d_gear") / "gear.gif")
    assert (capture.num_frames, capture.fps, capture.width) == (21, pytest.approx(10), 576)
    # a plain white ground
    assert capture.image(10)[0, 0].min() > 0.98
