"""The structural similarity of a part of two images, without a trace of what lies outside."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.evaluation.metrics import SSIM_K1, SSIM_K2
from fourfold.evaluation.ssim_window import blur


def masked_ssim(
    image: Float[Tensor, "H W C"], target: Float[Tensor, "H W C"], mask: Bool[Tensor, "H W"]
) -> Float[Tensor, ""]:
    """Measure the structural similarity of two images in [0, 1] inside a mask.

    SSIM of Wang et al. 2004 at every pixel p of the mask, with means, variances and covariance
    under the weights g(p - q) m(q) / sum_q g(p - q) m(q), where g is the 11x11 Gaussian window of
    sigma 1.5 and m the mask, 0 beyond the image; averaged over the mask's pixels and the channels
    (normalised convolution, Knutsson and Westin 1993). Pixels outside have no influence, and the
    part of the image that the mask leaves out does not count as a match. More than 5 pixels from
    the image's border and the mask's, the value of a pixel is that of `ssim`.

    Returns:
        NaN for an empty mask. Differentiable in both images.

    Raises:
        ValueError: the images or the mask differ in shape.

    >>> image = torch.linspace(0, 1, 8 * 8 * 3).reshape(8, 8, 3)
    >>> mask = torch.zeros(8, 8, dtype=torch.bool)
    >>> mask[2:6, 3:] = True
    >>> round(float(masked_ssim(image, image * mask[..., None], mask)), 6)
    1.0
    """
    if image.shape != target.shape or mask.shape != image.shape[:2]:
        shapes = [tuple(part.shape) for part in (image, target, mask)]
        raise ValueError(f"images and mask have the shapes {shapes}")
    inside = mask[..., None]
    a, b = (
        image.where(inside, torch.zeros_like(image)),
        target.where(inside, torch.zeros_like(target)),
    )
    weight = blur(inside.to(image.dtype), "zero")[mask]
    mean_a, mean_b = blur(a, "zero")[mask] / weight, blur(b, "zero")[mask] / weight
    # Rounding can push a variance below zero, where the formula would leave [-1, 1].
    variance_a = (blur(a * a, "zero")[mask] / weight - mean_a**2).clamp_min(0)
    variance_b = (blur(b * b, "zero")[mask] / weight - mean_b**2).clamp_min(0)
    covariance = blur(a * b, "zero")[mask] / weight - mean_a * mean_b
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).mean()
