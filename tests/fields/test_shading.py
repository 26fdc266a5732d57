"""Colour by harmonics: the kernel against plain torch, values and gradients."""

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from fourfold.fields.shading import shade


def both(harmonics, directions, weights):
    leaf = harmonics.clone().requires_grad_()
    colors = shade(leaf, directions)
    (colors * weights.to(colors)).sum().backward()
    assert leaf.grad is not None
    return colors.detach().float(), leaf.grad.float()


@pytest.mark.parametrize("width", [3, 12])
def test_the_kernel_agrees_with_plain_torch(width):
    generator = torch.Generator().manual_seed(0)
    harmonics = 2 * torch.randn(3000, width, generator=generator)
    directions = normalize(torch.randn(3000, 3, generator=generator), dim=-1)
    weights = torch.randn(3000, 3, generator=generator)
    for fast, slow in zip(
        both(harmonics, directions, weights),
        both(harmonics.double(), directions, weights),
        strict=True,
    ):
        assert_close(fast, slow, rtol=1e-4, atol=1e-6)


def test_values_that_are_far_out_stay_colours():
    harmonics = torch.tensor([[1e4, -1e4, 0.0]])
    colors, gradient = both(harmonics, torch.tensor([[0.0, 0.0, 1.0]]), torch.ones(1, 3))
    assert colors.tolist() == [[1.0, 0.0, 0.5]]
    assert gradient.isfinite().all()
