"""Scaling to the working size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.capture.sizes import (
    fit_size,
    ideal_camera,
    scale_depth,
    scale_image,
    scale_mask,
    straighten,
)
from fourfold.geometry import Camera


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 2000))
def test_the_longer_side_fits_and_the_aspect_stays(width, height, max_size):
    new = fit_size((width, height), max_size)
    assert max(new) == min(max_size, max(width, height))
    # either side is off by less than a pixel from the exact one
    scale = max(new) / max(width, height)
    assert all(abs(a - b * scale) < 1 for a, b in zip(new, (width, height), strict=True))


def test_a_mask_is_set_where_more_than_half_was():
    mask = np.array([[1, 1, 1, 1, 0, 1], [0, 0, 0, 1, 0, 0]], bool)
    # 2, 3 and 1 of 4 pixels
    assert scale_mask(mask, (3, 1)).tolist() == [[False, True, False]]


def test_an_image_is_averaged():
    image = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    np.testing.assert_allclose(scale_image(image, (1, 1)), [[[4.5, 5.5, 6.5]]])


def test_depth_is_never_mixed():
    depth = np.array([[1, 2, 3, np.nan], [5, 6, 7, 8]], np.float32)
    # the value under the centre of each new pixel: columns 1 and 3, row 1
    assert scale_depth(depth, (2, 1)).tolist() == [[6, 8]]
    assert scale_depth(depth, (8, 2))[0, :4].tolist() == [1, 1, 2, 2]


def _lens(k1):
    matrix = torch.tensor([[20.0, 0, 20], [0, 20.0, 10], [0, 0, 1]])
    return Camera(torch.eye(4), matrix, 40, 20, distortion=(k1, 0.0, 0.0, 0.0))


def test_a_straight_picture_has_no_pixel_that_the_lens_did_not_see():
    # the lens shows what is at x = 1 at 1 + k1 (1 + 0.25) in the corner, so the zoom z solves
    # (1 + 0.1 * 1.25 / z^2) / z = 1 (half a pixel, 0.5 / 20, is left at each side)
    camera = ideal_camera(_lens(0.1))
    zoom = camera.focal[0] / 20
    assert (1 + 0.1 * 1.25 / zoom**2) / zoom == pytest.approx(1 + 0.5 / 20, abs=1e-4)
    assert camera.intrinsics[:2, 2].tolist() == [20, 10]
    assert camera.distortion is None


def test_a_lens_that_shows_more_keeps_its_focal_length():
    assert ideal_camera(_lens(-0.1)).focal == (20, 20)


def test_a_point_is_where_the_ideal_camera_sees_it():
    lens = _lens(0.1)
    columns = np.broadcast_to(np.arange(40) + 0.5, (20, 40)).astype(np.float32)
    straight = straighten(np.stack([columns] * 3, axis=2), lens)
    # column 5's ray, and where the lens shows it
    ray = ideal_camera(lens).directions(torch.tensor([[5.5, 10.5]]))[0, :2]
    x, y = ray.tolist()
    shown = 20 + 20 * x * (1 + 0.1 * (x * x + y * y))
    assert straight[10, 5, 0] == pytest.approx(shown, abs=0.05)
