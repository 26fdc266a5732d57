"""Scaling to the working size."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourfold.capture.sizes import fit_size, scale_depth, scale_image, scale_mask


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
