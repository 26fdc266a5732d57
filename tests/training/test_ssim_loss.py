"""The structural loss: its value against torchmetrics, its gradient by hand against autograd."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d
from torchmetrics.functional.image import structural_similarity_index_measure

from fourfold.training import ssim_loss


def pair(height: int, width: int, channels: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * width)
    image = torch.rand(height, width, channels, generator=generator)
    noise = 0.2 * torch.randn(image.shape, generator=generator)
    return image, (image + noise).clamp(0, 1)


def reference(image: Tensor, target: Tensor) -> Tensor:
    """1 - SSIM after the paper, in plain torch; zeros beyond the borders."""
    offsets = torch.arange(-5, 6, dtype=image.dtype)
    line = torch.exp(-0.5 * (offsets / 1.5) ** 2)
    window = torch.outer(line, line)[None, None] / line.sum() ** 2
    x, y = (each.permute(2, 0, 1)[:, None] for each in (image, target))

    def blur(values: Tensor) -> Tensor:
        return conv2d(values, window, padding=5)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    both = blur(x * y) - mean_x * mean_y
    value = (2 * mean_x * mean_y + 0.01**2) * (2 * both + 0.03**2)
    value = value / ((mean_x**2 + mean_y**2 + 0.01**2) * (var_x + var_y + 0.03**2))
    return 1 - value.mean()


def test_equal_images_have_no_loss():
    image, _ = pair(16, 20)
    assert float(ssim_loss(image, image)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("shape", [(24, 31), (11, 11), (5, 40), (1, 1)])
def test_value_and_gradient_are_those_of_autograd_in_float64(shape: tuple[int, int]):
    image, target = pair(*shape)
    exact = image.double().requires_grad_()
    expected = reference(exact, target.double())
    expected.backward()
    leaf = image.clone().requires_grad_()
    loss = ssim_loss(leaf, target)
    (3.0 * loss).backward()  # what comes after it counts too
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), abs=1e-5)
    assert leaf.grad is not None
    assert exact.grad is not None
    error = (leaf.grad.double() - 3.0 * exact.grad).norm() / (3.0 * exact.grad).norm()
    assert float(error) < 1e-3


def test_away_from_the_borders_it_is_torchmetrics():
    inner, other = pair(40, 40)
    image, target = torch.zeros(60, 60, 3), torch.zeros(60, 60, 3)
    image[10:50, 10:50], target[10:50, 10:50] = inner, other  # the rest is equal: SSIM 1
    planes = [each.permute(2, 0, 1)[None].double() for each in (image, target)]
    oracle = structural_similarity_index_measure(planes[0], planes[1], data_range=1.0)
    assert isinstance(oracle, Tensor)
    assert float(ssim_loss(image, target)) == pytest.approx(1 - float(oracle), abs=1e-4)


def test_one_channel_is_enough():
    image, target = pair(20, 20, 1)
    expected = reference(image.double(), target.double())
    assert float(ssim_loss(image, target)) == pytest.approx(float(expected), abs=1e-5)


def test_the_target_gets_no_gradient():
    image, target = pair(12, 12)
    image.requires_grad_()
    target.requires_grad_()
    ssim_loss(image, target).backward()
    assert image.grad is not None
    assert target.grad is None
