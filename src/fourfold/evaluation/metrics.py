"""Image, mask and flow metrics, each a plain function of tensors."""

import math
from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.evaluation.ssim_window import SSIM_RADIUS, blur

# Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to
# structural similarity", 2004: K1 = .01, K2 = .03.
SSIM_K1 = 0.01
SSIM_K2 = 0.03


def psnr(
    image: Float[Tensor, "*B H W C"],
    target: Float[Tensor, "*B H W C"],
    mask: Bool[Tensor, "*B H W"] | None = None,
) -> Float[Tensor, ""]:
    """Measure the peak signal-to-noise ratio in dB, over all pixels or those of a mask.

    PSNR = -10 log10(mean((image - target)^2)), the peak being 1. Equal images have an infinite
    PSNR; an empty mask has none (NaN). Differentiable in both images where they differ.

    >>> image, target = torch.full((2, 2, 3), 0.5), torch.full((2, 2, 3), 0.6)
    >>> round(float(psnr(image, target)), 3)
    20.0
    """
    _check_same_shape(image, target)
    squared = (image - target).square()
    if mask is not None:
        squared = squared[mask]
    return -10.0 * torch.log10(squared.mean())


def ssim(image: Float[Tensor, "H W C"], target: Float[Tensor, "H W C"]) -> Float[Tensor, ""]:
    """Measure the structural similarity (Wang et al. 2004) of two images in [0, 1].

    SSIM = (2 mu_a mu_b + C1)(2 s_ab + C2) / ((mu_a^2 + mu_b^2 + C1)(s_a + s_b + C2)) with means,
    variances and covariance under an 11x11 Gaussian window of sigma 1.5 around every pixel, the
    images mirrored at their borders; averaged over pixels and channels. This is the border rule
    of torchmetrics. Differentiable in both.

    Raises:
        ValueError: the images differ in shape or are too small to be mirrored (under 6 pixels).

    >>> image = torch.linspace(0, 1, 16 * 16 * 3).reshape(16, 16, 3)
    >>> round(float(ssim(image, image)), 6)
    1.0
    """
    _check_same_shape(image, target)
    if min(image.shape[:2]) <= SSIM_RADIUS:
        raise ValueError(f"SSIM needs images of at least 6x6 pixels, got {tuple(image.shape)}")
    mean_a, mean_b = blur(image, "mirrored"), blur(target, "mirrored")
    # Rounding can push a variance below zero, where the formula would leave [-1, 1].
    variance_a = (blur(image * image, "mirrored") - mean_a * mean_a).clamp_min(0)
    variance_b = (blur(target * target, "mirrored") - mean_b * mean_b).clamp_min(0)
    covariance = blur(image * target, "mirrored") - mean_a * mean_b
    c1, c2 = SSIM_K1**2, SSIM_K2**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return (luminance * structure).mean()


def iou(predicted: Bool[Tensor, "*S"], target: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Measure the intersection over union |A and B| / |A or B|; NaN where both are empty.

    >>> float(iou(torch.tensor([True, True, False]), torch.tensor([True, False, False])))
    0.5
    """
    _check_same_shape(predicted, target)
    intersection = (predicted & target).sum()
    return intersection / (predicted | target).sum()


def front_most(weights: Float[Tensor, "H W K"]) -> Int[Tensor, "H W"]:
    """Label each pixel with the object that has the largest blending weight, -1 where none shows.

    Own. `weights` are the blending weights `scene.render` gives as `objects`, background
    included; where they add up to less than one half the pixel is mostly empty and gets -1.
    """
    labels = weights.argmax(dim=-1)
    return torch.where(weights.sum(dim=-1) >= 0.5, labels, torch.full_like(labels, -1))


def mask_iou(
    labels: Int[Tensor, "H W"], masks: Bool[Tensor, "K H W"], indices: Iterable[int] | None = None
) -> Float[Tensor, "K"]:
    """Measure per object the IoU of the front-most label and the object's true mask.

    Own. `indices[k]` is the label of mask k in `labels` (by default k). NaN for an object whose
    true mask is empty in this frame: such frames are left out of the mean. Pixels on which true
    masks overlap (amodal masks) say nothing about who is in front, and are not counted.
    """
    counted = masks.sum(dim=0) <= 1
    scores = []
    for mask, index in zip(masks, range(len(masks)) if indices is None else indices, strict=True):
        visible = mask & counted
        scores.append(iou((labels == index) & counted, visible) if visible.any() else _NAN)
    return torch.tensor([float(score) for score in scores], dtype=torch.float32)


def endpoint_error(
    flow: Float[Tensor, "*B 2"],
    target: Float[Tensor, "*B 2"],
    valid: Bool[Tensor, "*B"] | None = None,
) -> Float[Tensor, ""]:
    """Measure the mean Euclidean distance of two flow fields in pixels, over the valid ones.

    EPE = mean(|flow - target|). NaN where nothing is valid.

    >>> float(endpoint_error(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)))
    5.0
    """
    _check_same_shape(flow, target)
    error = (flow - target).norm(dim=-1)
    return error.mean() if valid is None else error[valid].mean()


def mean_over_frames(values: Iterable[float | Tensor]) -> float:
    """Average what could be measured: NaNs (an absent object, an empty mask) are left out.

    An infinite value (a perfect PSNR) stays infinite. NaN when nothing could be measured.

    >>> mean_over_frames([1.0, float("nan"), 3.0])
    2.0
    """
    measured = [float(value) for value in values]
    measured = [value for value in measured if not math.isnan(value)]
    return math.fsum(measured) / len(measured) if measured else math.nan


def mean_of_records(records: Iterable[Mapping[str, float]], prefix: str = "") -> dict[str, float]:
    """Average per-frame records key by key into one flat dictionary, each key with the prefix.

    Keys come in the order in which they are first seen; a record may lack some of them.

    >>> mean_of_records([{"psnr": 30.0}, {"psnr": 32.0}], prefix="heldout_")
    {'heldout_psnr': 31.0}
    """
    columns: dict[str, list[float]] = {}
    for record in records:
        for key, value in record.items():
            columns.setdefault(key, []).append(value)
    return {prefix + key: mean_over_frames(values) for key, values in columns.items()}


_NAN = torch.tensor(math.nan)


def _check_same_shape(a: Tensor, b: Tensor) -> None:
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
