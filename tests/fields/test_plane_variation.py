"""Differences of neighbours in a plane: by hand, and the slow twin."""

import pytest
import torch

from fourfold.fields.plane_variation import plane_variation, plane_variation_reference


def test_by_hand():
    plane = torch.zeros(3, 2, 16)
    plane[1, 0, 5] = 2.0
    # four of the 2 x 2 steps down and of the 3 x 1 across exist; two and one of them are 2
    expected = 2 * 4 / (2 * 2 * 16) + 4 / (3 * 1 * 16)
    assert plane_variation(plane).item() == pytest.approx(expected)


def test_the_kernel_agrees_with_its_slow_twin():
    plane = torch.randn(9, 7, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    fast, slow = plane_variation(plane), plane_variation_reference(plane)
    assert torch.allclose(fast, slow)
    (one,), (two,) = (torch.autograd.grad(3 * value, plane) for value in (fast, slow))
    assert torch.allclose(one, two, atol=1e-6)


def test_gradients_of_the_twin_are_those_of_finite_differences():
    plane = torch.randn(4, 3, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(plane_variation, plane, fast_mode=True)
