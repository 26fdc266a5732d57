"""Means under the window: by hand, and the fast way against the slow one."""

import pytest
import torch

from fourfold.evaluation.ssim_window import blur, blur_by_torch, gaussian_window


def test_the_window_of_wang():
    window = gaussian_window(torch.zeros(1, dtype=torch.float64))
    assert len(window) == 11
    assert float(window.sum()) == pytest.approx(1.0)
    # exp(-1 / (2 * 1.5^2))
    assert float(window[6] / window[5]) == pytest.approx(0.8007374)


def test_a_single_pixel_becomes_the_window():
    image = torch.zeros(15, 15, 1, dtype=torch.float64)
    image[7, 7] = 1.0
    window = gaussian_window(image)
    expected = window[:, None] * window[None]
    torch.testing.assert_close(blur(image, "zero")[2:13, 2:13, 0], expected)
    # beside the border the outermost pixel is not doubled: its neighbour is seen again
    image = torch.zeros(15, 15, 1, dtype=torch.float64)
    image[1, 7] = 1.0
    assert float(blur(image, "mirrored")[0, 7, 0]) == pytest.approx(
        float(2 * window[4] * window[5])
    )
    assert float(blur(image, "zero")[0, 7, 0]) == pytest.approx(float(window[4] * window[5]))


@pytest.mark.parametrize("border", ["mirrored", "zero"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fast_way_agrees_with_the_slow_one(border, channels, dtype):
    image = torch.rand(17, 23, channels, generator=torch.Generator().manual_seed(0)).to(dtype)
    turned = image.transpose(0, 1)
    for one in (image, turned):
        fast = blur(one, border)
        assert fast.dtype == dtype
        torch.testing.assert_close(fast, blur_by_torch(one, border), atol=1e-6, rtol=0)


@pytest.mark.parametrize("border", ["mirrored", "zero"])
def test_it_is_differentiable(border):
    image = torch.rand(7, 8, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: blur(x, border), image)
