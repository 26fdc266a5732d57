"""Relative error, SSIMAE and its square: numbers by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.evaluation import depth_error, ssimae, ssimse


def test_relative_error_by_hand():
    # 10 % too far, 20 % too near, a hole; what is not known does not count
    depth = torch.tensor([2.2, 0.8, math.nan, 5.0, 1.0])
    target = torch.tensor([2.0, 1.0, 3.0, math.nan, math.inf])
    assert float(depth_error(depth, target)) == pytest.approx((0.1 + 0.2 + 1.0) / 3)
    assert math.isnan(float(depth_error(depth[3:], target[3:])))
    with pytest.raises(ValueError, match="shapes differ"):
        depth_error(depth, target[:4])


def test_by_hand():
    # medians 3 and 2, mean deviations (2+1+0+1+6)/5 = 2 and (2+1+0+1+2)/5 = 6/5
    depth = torch.tensor([[1.0, 2.0, 3.0, 4.0, 9.0]])
    target = torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0]])
    # (x - 3) * .6 + 2 = .8, 1.4, 2, 2.6, 5.6; errors .8, .4, 0, .4, 1.6
    assert float(ssimae(depth, target)) == pytest.approx(3.2 / 5)
    assert float(ssimse(depth, target)) == pytest.approx((0.64 + 0.16 + 0.16 + 2.56) / 5)


@given(st.floats(0.01, 100), st.floats(-50, 50), st.integers(0, 99))
def test_scale_and_shift_of_the_depth_do_not_matter(scale, shift, seed):
    depth, target = torch.rand(
        2, 5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    expected = float(ssimae(depth, target))
    assert float(ssimae(scale * depth + shift, target)) == pytest.approx(expected, rel=1e-6)
    # the error is in the target's units
    assert float(ssimae(depth, scale * target)) == pytest.approx(scale * expected, rel=1e-6)


def test_only_known_pixels_of_the_mask_count():
    target = torch.tensor([[0.0, 1, 2, 3, 4, math.nan, 99]])
    depth = torch.tensor([[1.0, 2, 3, 4, 9, 5, -7]])
    mask = torch.tensor([[True] * 6 + [False]])
    assert float(ssimae(depth, target, mask)) == pytest.approx(3.2 / 5)


def test_a_missing_depth_is_a_guess_of_the_median():
    target = torch.tensor([[0.0, 1, 2, 3, 4]])
    depth = torch.tensor([[1.0, 2, 3, 4, math.nan]])
    # the median of 1, 2, 3, 4 is 2.5
    filled = torch.tensor([[1.0, 2, 3, 4, 2.5]])
    assert float(ssimae(depth, target)) == pytest.approx(float(ssimae(filled, target)))
    assert float(ssimae(depth, target)) > 0


def test_a_flat_depth_says_the_median_everywhere():
    target = torch.tensor([[0.0, 1, 2, 3, 4]])
    assert float(ssimae(torch.ones(1, 5), target)) == pytest.approx(6 / 5)


def test_nothing_to_measure():
    nothing = torch.full((2, 2), math.nan)
    assert math.isnan(float(ssimae(torch.ones(2, 2), nothing)))
    assert math.isnan(float(ssimae(nothing, torch.ones(2, 2))))
    assert math.isnan(float(ssimae(torch.ones(1, 1), torch.ones(1, 1), torch.tensor([[False]]))))
    with pytest.raises(ValueError, match="shapes differ"):
        ssimae(torch.ones(2, 2), torch.ones(2, 3))
