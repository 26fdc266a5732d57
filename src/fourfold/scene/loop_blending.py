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
_SHARE_FLOOR = 1e-7
# Where shares sum to the second number or more, what is seen moves; to the first or less, it rests.
_RESTS, _MOVES = 0.02, 0.12


def blend_pictures(
    pictures: Sequence[Float[Tensor, "H W 3"]], shares: Sequence[Float[Tensor, "H W"]]
) -> Float[Tensor, "H W 3"]:
    """Blend pictures by shares >= 0 per pixel so that their detail stays as strong as it was.

    A mean of P unlike pictures has only 1/P of their variance: it looks blurred, and pulses in a
    loop. Own, after the variance-preserving blend of textures (Heitz and Neyret 2018), which
    takes the pictures as independent. Here it is measured how unlike they are: in each band of
    detail and around each pixel, the blend is strengthened by the root of the mean variance of
    the pictures' brightness over that of their mean. Where the pictures agree it is their mean,
    and so it is where shares sum to little: that is what stands still. Differentiable.
    """
    total = torch.stack(list(shares)).sum(0).clamp_min(_SHARE_FLOOR)
    moving = ((total - _RESTS) / (_MOVES - _RESTS)).clamp(0.0, 1.0).unsqueeze(-1)
    weights = [(share / total).unsqueeze(-1) for share in shares]
    blended = mixed = _mean(pictures, weights)
    lights = [picture.mean(-1, keepdim=True) for picture in pictures]
    window = _Box(moving, _WINDOW)
    for width in _WIDTHS:
        box = _Box(moving, width)
        low, lows = box.mean(mixed), [box.mean(light) for light in lights]
        band = mixed - low
        strengths = [(light - dim).square() for light, dim in zip(lights, lows, strict=True)]
        wanted = window.mean(moving * _mean(strengths, weights))
        found = window.mean(moving * band.mean(-1, keepdim=True).square())
        gain = ((wanted + _FAINT) / (found + _FAINT)).clamp(1.0, float(len(pictures))).sqrt()
        blended = torch.addcmul(blended, (gain - 1.0) * moving, band)
        mixed, lights = low, lows
    return blended


def _mean(
    values: Sequence[Float[Tensor, "H W C"]], weights: Sequence[Float[Tensor, "H W 1"]]
) -> Float[Tensor, "H W C"]:
    mean = values[0] * weights[0]
    for value, weight in zip(values[1:], weights[1:], strict=True):
        mean = torch.addcmul(mean, value, weight)
    return mean


class _Box:
    """A box that is moved over pictures of one size."""

    def __init__(self, like: Float[Tensor, "H W C"], width: int) -> None:
        self.width = width
        self._inside = _BoxSum.apply(like.new_ones(*like.shape[:2], 1), width)

    def mean(self, values: Float[Tensor, "H W C"]) -> Float[Tensor, "H W C"]:
        """Give the mean over the box, or what of it is inside the picture; differentiable."""
        return _BoxSum.apply(values, self.width) / self._inside


class _BoxSum(torch.autograd.Function):
    """The sum over a box, zero outside of the picture: its own adjoint. Four times avg_pool2d."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, width: int) -> Tensor:
        ctx.width = width
        array = np.ascontiguousarray(values.detach().cpu().numpy())
        summed = cv2.boxFilter(
            array, -1, (width, width), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return torch.from_numpy(summed.reshape(values.shape)).to(values.device)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _BoxSum.apply(grads[0], ctx.width), None
