"""Structural dissimilarity as a loss: a fast path beside the metric in `fourfold.evaluation`."""

from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_SIGMA, _TAPS = 1.5, 11
_C1, _C2 = 0.01**2, 0.03**2
_WINDOW = cv2.getGaussianKernel(_TAPS, _SIGMA, cv2.CV_32F)


def ssim_loss(image: Float[Tensor, "H W C"], target: Float[Tensor, "H W C"]) -> Float[Tensor, ""]:
    """Measure 1 - SSIM (Wang et al. 2004) with zeros beyond the borders, as 3D Gaussian splatting.

    Images in [0,1]. Same window and constants as `fourfold.evaluation.ssim`, which mirrors the
    borders instead; this one has a gradient by hand (three blurs, since the window is symmetric)
    and is some ten times faster on a CPU. Differentiable in ``image`` only.
    """
    return _SsimLoss.apply(image, target)  # pyright: ignore[reportReturnType]


class _SsimLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, image: Tensor, target: Tensor) -> Tensor:
        x, y = image.detach().cpu().numpy(), target.detach().cpu().numpy()
        mean_x, mean_y = _blur(x), _blur(y)
        square_x = _blur(x * x) - mean_x * mean_x
        square_y = _blur(y * y) - mean_y * mean_y
        product = _blur(x * y) - mean_x * mean_y
        above_l, below_l = 2 * mean_x * mean_y + _C1, mean_x**2 + mean_y**2 + _C1
        above_s, below_s = 2 * product + _C2, square_x + square_y + _C2
        value = (above_l * above_s) / (below_l * below_s)
        by_square = -value / below_s
        by_product = 2 * above_l / (below_l * below_s)
        # The variance and the covariance hold the mean too.
        by_mean = 2 * mean_y * above_s / (below_l * below_s) - 2 * mean_x * value / below_l
        by_mean -= 2 * mean_x * by_square + mean_y * by_product
        gradient = _blur(by_mean) + 2 * x * _blur(by_square) + y * _blur(by_product)
        ctx.save_for_backward(torch.from_numpy(gradient / -value.size).to(image))
        return image.new_tensor(1.0 - float(value.mean(dtype=np.float64)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return gradients[0] * gradient, None


def _blur(values: np.ndarray) -> np.ndarray:
    blurred = cv2.sepFilter2D(values, cv2.CV_32F, _WINDOW, _WINDOW, borderType=cv2.BORDER_CONSTANT)
    return blurred.reshape(values.shape)
