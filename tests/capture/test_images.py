"""Pictures of every mode, upright, as float32 RGB."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fourfold.capture.images import image_size, over_white, read_alpha, read_image
from fourfold.errors import InputError


def test_rgb_is_scaled_to_one(tmp_path, save):
    path = save(tmp_path / "a.png", np.array([[[0, 51, 255]]], np.uint8))
    np.testing.assert_allclose(read_image(path), [[[0, 0.2, 1]]], atol=1e-7)
    assert read_image(path).dtype == np.float32


@pytest.mark.parametrize("value", [0, 32768, 65535])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, save, value):
    path = save(tmp_path / "a.png", np.full((2, 3), value, np.uint16))
    np.testing.assert_allclose(read_image(path), np.full((2, 3, 3), value / 65535), atol=1e-6)


def test_16_bit_rgb_keeps_its_upper_bits(tmp_path):
    cv2 = pytest.importorskip("cv2")
    bgr = np.array([[[0, 32768, 65535]]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), bgr)
    np.testing.assert_allclose(read_image(tmp_path / "a.png"), [[[1, 0.5, 0]]], atol=1 / 255)


def test_cmyk_jpeg_becomes_rgb(tmp_path, save):
    color = np.tile(np.array([200, 40, 90], np.uint8), (16, 16, 1))
    path = save(tmp_path / "a.jpg", color, "CMYK", quality=95)
    with Image.open(path) as image:
        assert image.mode == "CMYK"
    np.testing.assert_allclose(read_image(path), color / 255, atol=0.03)


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_and_palette_become_rgb(tmp_path, save, mode):
    path = save(tmp_path / "a.png", np.array([[0, 255]], np.uint8), mode)
    np.testing.assert_allclose(read_image(path), [[[0, 0, 0], [1, 1, 1]]])


def test_transparent_parts_are_white(tmp_path, save):
    path = save(tmp_path / "a.png", np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8))
    np.testing.assert_allclose(read_image(path), [[[1, 1, 1], [0, 0, 0]]])
    np.testing.assert_array_equal(read_alpha(path), [[False, True]])


def test_half_transparent_red_on_white():
    np.testing.assert_allclose(
        over_white(np.array([[[255, 0, 0, 51]]], np.uint8)), [[[1, 0.8, 0.8]]], atol=1e-6
    )


def test_exif_orientation_is_applied(tmp_path, save):
    # 6: stored lying on its left side; the stored first column is the upright first row, mirrored
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.array([[[10] * 3, [20] * 3], [[30] * 3, [40] * 3], [[50] * 3, [60] * 3]], np.uint8)
    path = save(tmp_path / "a.png", stored, exif=exif)
    assert image_size(path) == (3, 2)
    upright = np.round(read_image(path)[..., 0] * 255)
    np.testing.assert_array_equal(upright, [[50, 30, 10], [60, 40, 20]])


def test_alpha_of_an_opaque_picture_is_refused(tmp_path, save):
    path = save(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(InputError, match="no alpha"):
        read_alpha(path)
