"""Inflated silhouettes: balls, limbs, and nothing."""

import math

import pytest
import torch

from fourfold.methods.dreamscene4d.inflation import inflate
from tests.methods.dreamscene4d.clips import box, disc


def test_a_disc_becomes_a_hemisphere():
    thickness = inflate(disc(30.5, 30.5, 20.0, 61, 61))
    assert float(thickness[30, 30]) == pytest.approx(20.0, abs=1.0)
    # twelve pixels from the middle, by Pythagoras
    assert float(thickness[30, 42]) == pytest.approx(math.sqrt(20**2 - 12**2), abs=1.0)


@pytest.mark.parametrize("width", [7, 12, 21])
def test_a_limb_is_as_thick_as_it_is_wide(width: int):
    thickness = inflate(box(10, 10, 150, 10 + width, 50, 160))
    assert float(thickness[10 + width // 2, 80]) == pytest.approx(width / 2, abs=0.8)


def test_it_is_zero_outside_and_positive_inside():
    mask = disc(20.0, 20.0, 9.0, 40, 50) | box(25, 18, 45, 22, 40, 50)
    thickness = inflate(mask)
    assert (thickness[~mask] == 0).all()
    assert (thickness[mask] > 0).all()


def test_roundness_scales_it():
    mask = disc(20.0, 20.0, 9.0, 40, 40)
    torch.testing.assert_close(inflate(mask, 0.5), inflate(mask) / 2)


def test_an_empty_mask_gives_zeros():
    thickness = inflate(torch.zeros(5, 7, dtype=torch.bool))
    assert thickness.shape == (5, 7)
    assert not thickness.any()


def test_a_mask_that_fills_the_picture_ends_at_its_edge():
    thickness = inflate(torch.ones(21, 21, dtype=torch.bool))
    torch.testing.assert_close(thickness, thickness.flip(0), atol=1e-4, rtol=0)
    assert 0 < float(thickness[0, 10]) < float(thickness[10, 10]) / 1.5


def test_a_single_pixel_has_a_thickness():
    mask = box(3, 2, 4, 3, 6, 6)
    thickness = inflate(mask)
    # four times the value, less four neighbours of 0, is 4
    assert float(thickness[2, 3]) == pytest.approx(1.0)
