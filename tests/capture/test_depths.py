"""Depth files, and what in them is unknown."""

from __future__ import annotations

import numpy as np
import pytest

from fourfold.capture import open_capture
from fourfold.capture.depths import read_depth
from fourfold.errors import InputError

DEPTH = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]], np.float32)

SIZE = (3, 2)


def _pfm(values, order):
    scale = -1.0 if order == "<" else 1.0
    rows = values[::-1].astype(f"{order}f4").tobytes()
    return f"Pf\n{values.shape[1]} {values.shape[0]}\n{scale}\n".encode() + rows


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", DEPTH)
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy", SIZE), DEPTH)


def test_npy_with_a_channel(tmp_path):
    np.save(tmp_path / "a.npy", DEPTH[None])
    np.save(tmp_path / "b.npy", DEPTH[..., None])
    np.testing.assert_array_equal(read_depth(tmp_path / "a.npy", SIZE), DEPTH)
    np.testing.assert_array_equal(read_depth(tmp_path / "b.npy", SIZE), DEPTH)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm_has_its_rows_bottom_up(tmp_path, order):
    (tmp_path / "a.pfm").write_bytes(_pfm(DEPTH, order))
    np.testing.assert_array_equal(read_depth(tmp_path / "a.pfm", SIZE), DEPTH)


def test_png_counts_times_the_unit(tmp_path, save):
    save(tmp_path / "a.png", np.array([[0, 500], [1000, 65535]], np.uint16))
    expected = np.array([[np.nan, 0.5], [1.0, 65.535]], np.float32)
    np.testing.assert_allclose(read_depth(tmp_path / "a.png", (2, 2), 0.001), expected, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf, -np.inf, np.nan])
def test_what_is_not_above_zero_and_finite_is_unknown(tmp_path, value):
    np.save(tmp_path / "a.npy", np.array([[1.0, value]]))
    np.testing.assert_array_equal(np.isnan(read_depth(tmp_path / "a.npy", (2, 1))), [[False, True]])


def test_depth_that_is_nan_everywhere_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 2), np.nan))
    with pytest.raises(InputError, match=r"a\.npy, frame 7: .*every value is NaN"):
        read_depth(tmp_path / "a.npy", SIZE, frame="7")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", b"", "damaged"),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "damaged"),
        ("a.pfm", b"Pf\n3 2\n-1.0\n1234", "cut off after 4 of 24 bytes"),
        ("a.pfm", b"PF\n1 1\n-1.0\n" + bytes(12), "not a grey .pfm"),
        ("a.png", b"", r"empty \(0 bytes\)"),
    ],
)
def test_damaged_depth_files(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_depth(tmp_path / name, SIZE)


def test_arrays_that_are_no_map(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 2, 3)))
    with pytest.raises(InputError, match=r"shape \(2, 2, 3\).*\(height, width\)"):
        read_depth(tmp_path / "a.npy", SIZE)


def test_8_bit_pictures_are_no_depth(tmp_path, save):
    save(tmp_path / "a.png", np.ones((2, 2), np.uint8))
    with pytest.raises(InputError, match="mode L; expected 16-bit grey"):
        read_depth(tmp_path / "a.png", SIZE)


def test_a_given_depth_folder_pairs_by_name_and_fits_the_size(tmp_path, clip):
    root = clip(frames=2, width=8, height=6)
    (tmp_path / "depth").mkdir()
    for t in range(2):
        values = np.repeat(np.repeat([[1.0, 2.0], [3.0, 4.0]], 6, 0), 8, 1)[:, :16] + t
        np.save(tmp_path / "depth" / f"{t}.npy", values)
    capture = open_capture(root, depth=tmp_path / "depth")
    depth = capture.depth(1)
    assert depth is not None
    assert depth.shape == (6, 8)
    assert depth[0, 0] == 2.0
    assert depth[5, 7] == 5.0


def test_depth_of_another_aspect_is_refused(tmp_path, clip):
    root = clip(frames=1)
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "00000.npy", np.ones((8, 8)))
    with pytest.raises(
        InputError,
        match=r"00000\.npy, frame 00000: .*8x8 pixels; expected the aspect of its frame, 8x6",
    ):
        open_capture(root, depth=tmp_path / "depth").depth(0)


def test_frames_without_depth_are_refused(tmp_path, clip):
    root = clip(frames=2)
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "00000.npy", np.ones((6, 8)))
    with pytest.raises(InputError, match="frame 00001: 1 of 2 frames have no depth map"):
        open_capture(root, depth=tmp_path / "depth")
