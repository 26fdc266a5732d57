"""Blending pictures of moving matter without the blur that a mean of two pictures has."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Widths of the boxes in pixels between which a picture is split into bands of detail.
_WIDTHS = (3, 9)
# Side of the box over which the strength of detail is measured, in pixels.
_WINDOW = 17
BLEND_REACH = _WINDOW // 2 + sum(width // 2 for width in _WIDTHS)
"""A blended pixel depends on pixels as far away as this."""
# Detail weaker than this variance (of colours in [0,1]) is left as it is.
_FAINT = 1e-6
_SHARE_FLOOR = 1e-6


def blend_pictures(
    pictures: Sequence[Float[Tensor, "H W 3"]], shares: Sequence[Float[Tensor, "H W"]]
) -> Float[Tensor, "H W 3"]:
    """Blend pictures by shares >= 0 per pixel so that their detail stays as strong as it was.

    A mean of P unlike pictures has only 1/P of their variance: it looks blurred, and pulses in a
    loop. Own, after the variance-preserving blend of textures (Heitz and Neyret 2018), which
    takes the pictures as independent. Here it is measured how unlike they are: in each band of
    detail and around each pixel, the blend is strengthened by the root of the mean variance of
    the pictures over the variance of the blend. Where the pictures agree it is their mean, and
    so it is where shares sum to little: that is what stands still. Differentiable.
    """
    total = torch.stack(list(shares)).sum(0).clamp_min(_SHARE_FLOOR)
    moving = total.clamp(max=1.0).unsqueeze(-1)
    weights = [(share / total).unsqueeze(-1) for share in shares]
    rests = list(pictures)
    blended = torch.zeros_like(rests[0])
    for width in _WIDTHS:
        smooth = [_box(rest, width) for rest in rests]
        bands = [rest - low for rest, low in zip(rests, smooth, strict=True)]
        blended = blended + _blend_band(bands, weights, moving)
        rests = smooth
    return blended + _mean(rests, weights)


def _blend_band(
    bands: Sequence[Float[Tensor, "H W 3"]],
    weights: Sequence[Float[Tensor, "H W 1"]],
    moving: Float[Tensor, "H W 1"],
) -> Float[Tensor, "H W 3"]:
    mixed = _mean(bands, weights)
    strengths = [band.square().mean(-1, keepdim=True) for band in bands]
    wanted = _box(moving * _mean(strengths, weights), _WINDOW)
    found = _box(moving * mixed.square().mean(-1, keepdim=True), _WINDOW)
    gain = ((wanted + _FAINT) / (found + _FAINT)).clamp(1.0, float(len(bands))).sqrt()
    return (1.0 + (gain - 1.0) * moving) * mixed


def _mean(
    values: Sequence[Float[Tensor, "H W C"]], weights: Sequence[Float[Tensor, "H W 1"]]
) -> Float[Tensor, "H W C"]:
    mean = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        mean = mean + value * weight
    return mean


def _box(values: Float[Tensor, "H W C"], width: int) -> Float[Tensor, "H W C"]:
    """Give the mean over a box, or what of it is inside the picture; differentiable."""
    height, across = values.shape[:2]
    inside = _Box.apply(values.new_ones(height, across, 1), width)
    return _Box.apply(values, width) / inside


class _Box(torch.autograd.Function):
    """The sum over a box, zero outside of the picture: its own adjoint. Four times avg_pool2d."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, width: int) -> Tensor:
        ctx.width = width
        array = np.ascontiguousarray(values.detach().numpy())
        summed = cv2.boxFilter(
            array, -1, (width, width), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return torch.from_numpy(summed.reshape(values.shape))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Box.apply(grads[0], ctx.width), None
