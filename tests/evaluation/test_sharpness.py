"""The mean Laplacian of pictures worked out by hand."""

import math

import pytest
import torch

from fourfold.evaluation import sharpness


def test_a_dot_by_hand():
    image = torch.zeros(5, 5, 3)
    image[2, 2] = 1.0
    # 4 at the dot and 1 at each of its four neighbours, over 25 pixels
    assert float(sharpness(image)) == pytest.approx(8.0 / 25.0)


def test_only_the_mask_counts():
    image = torch.zeros(5, 5, 3)
    image[2, 2] = 1.0
    mask = torch.zeros(5, 5, dtype=torch.bool)
    mask[2, 2] = mask[0, 0] = True
    assert float(sharpness(image, mask)) == pytest.approx(2.0)


def test_the_rim_repeats_outside():
    image = torch.zeros(1, 2, 3)
    image[0, 0] = 0.6
    assert float(sharpness(image)) == pytest.approx(0.6)


def test_slopes_have_no_detail_and_contrast_scales_it():
    slope = torch.arange(6.0).expand(6, 6).unsqueeze(-1).expand(6, 6, 3) / 6
    inner = torch.zeros(6, 6, dtype=torch.bool)
    inner[:, 1:-1] = True
    assert float(sharpness(slope, inner)) == pytest.approx(0.0, abs=1e-6)
    noise = torch.rand(6, 6, 3, generator=torch.Generator().manual_seed(0))
    assert float(sharpness(0.5 * noise + 0.2)) == pytest.approx(0.5 * float(sharpness(noise)))


def test_brightness_is_the_mean_of_the_channels():
    image = torch.zeros(5, 5, 3)
    image[2, 2, 1] = 0.9
    assert float(sharpness(image)) == pytest.approx(0.3 * 8.0 / 25.0)


def test_an_empty_mask_has_none():
    assert math.isnan(float(sharpness(torch.rand(4, 4, 3), torch.zeros(4, 4, dtype=torch.bool))))
