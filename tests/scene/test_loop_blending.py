"""Blending keeps the strength of detail."""

import torch

from fourfold.scene.loop_blending import blend_pictures


def _noise(seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.5 + 0.1 * torch.randn(64, 64, 3, generator=random)


def test_equal_pictures_stay_as_they_are():
    picture, share = _noise(0), torch.rand(64, 64, generator=torch.Generator().manual_seed(1))
    blended = blend_pictures([picture, picture], [share, 1.0 - share])
    torch.testing.assert_close(blended, picture, atol=1e-5, rtol=0)


def test_a_picture_that_counts_alone_stays_as_it_is():
    one, none = torch.ones(64, 64), torch.zeros(64, 64)
    blended = blend_pictures([_noise(0), _noise(1)], [none, one])
    torch.testing.assert_close(blended, _noise(1), atol=1e-5, rtol=0)


def test_unlike_pictures_keep_their_contrast():
    half = torch.full((64, 64), 0.5)
    blended = blend_pictures([_noise(0), _noise(1)], [half, half])
    plain = 0.5 * (_noise(0) + _noise(1))
    assert abs(float(plain.std()) - 0.0707) < 0.002  # 0.1 / sqrt(2)
    assert abs(float(blended.std()) - 0.1) < 0.004
    torch.testing.assert_close(blended.mean(), plain.mean(), atol=1e-3, rtol=0)


def test_like_pictures_gain_no_contrast():
    """A picture and its negative-free copy of half the detail: the gain follows what is found."""
    picture = _noise(0)
    faint = 0.5 + 0.5 * (picture - 0.5)
    half = torch.full((64, 64), 0.5)
    blended = blend_pictures([picture, faint], [half, half])
    wanted = (0.5 * (0.1**2 + 0.05**2)) ** 0.5
    assert abs(float(blended.std()) - wanted) < 0.002


def test_blending_is_differentiable():
    pictures = [_noise(s)[:20, :20].double().requires_grad_() for s in (0, 1)]
    share = torch.full((20, 20), 0.3, dtype=torch.double)
    blended = blend_pictures(pictures, [share, 1 - share])
    step = 1e-5 * torch.randn(20, 20, 3, generator=torch.Generator().manual_seed(5)).double()
    slope = torch.autograd.grad(blended.square().sum(), pictures[0])[0]
    with torch.no_grad():
        up = blend_pictures([pictures[0] + step, pictures[1]], [share, 1 - share]).square().sum()
        down = blend_pictures([pictures[0] - step, pictures[1]], [share, 1 - share]).square().sum()
    torch.testing.assert_close((slope * step).sum(), 0.5 * (up - down), rtol=1e-4, atol=1e-9)
