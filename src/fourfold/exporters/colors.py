"""Depth, flow and objects as colours that an eye can read."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# What is unknown is drawn in this grey.
_UNKNOWN = 0.15
# Opposite hues first, so that two or three objects are told apart at a glance; own choice.
_OBJECT_HUES = (0.58, 0.05, 0.33, 0.83, 0.15, 0.48, 0.95, 0.70)
# How much of the picture shines through the colour of an object, and its brightness beside one.
_SHINE, _DIM = 0.45, 0.35


def color_depth(depth: Float[Tensor, "H W"], near: float, far: float) -> Float[Tensor, "H W 3"]:
    """Draw z-depth in the colours of Turbo: near is red, far is blue, unknown (NaN) dark grey.

    The scale is linear in 1 / depth, which shows near things in detail. `near` and `far` are
    in scene units and should stay the same through a video.
    """
    inverse = (1.0 / depth - 1.0 / far) / max(1.0 / near - 1.0 / far, 1e-12)
    known = torch.isfinite(inverse)
    steps = (inverse.nan_to_num(0.0, 1.0, 0.0).clamp(0, 1) * 255).round().to(torch.uint8)
    colors = cv2.applyColorMap(steps.cpu().numpy(), cv2.COLORMAP_TURBO)[..., ::-1]
    image = torch.from_numpy(np.ascontiguousarray(colors)).float() / 255.0
    return torch.where(known.cpu().unsqueeze(-1), image, torch.tensor(_UNKNOWN))


def color_flow(flow: Float[Tensor, "H W 2"], largest: float) -> Float[Tensor, "H W 3"]:
    """Draw flow as hue (direction) and saturation (length): white rests, right is red.

    Lengths from `largest` pixels on have full colour; unknown flow (NaN) is dark grey.

    >>> color_flow(torch.tensor([[[2.0, 0.0], [0.0, 0.0]]]), 2.0).round(decimals=3).tolist()
    [[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]
    """
    hue = torch.atan2(flow[..., 1], flow[..., 0]).nan_to_num() / (2.0 * math.pi) % 1.0
    length = torch.linalg.vector_norm(flow, dim=-1).nan_to_num()
    image = _hsv(hue, (length / max(largest, 1e-6)).clamp(max=1.0))
    known = torch.isfinite(flow).all(-1, keepdim=True)
    return torch.where(known, image, torch.tensor(_UNKNOWN))


def color_objects(
    rgb: Float[Tensor, "H W 3"], weights: Float[Tensor, "H W K"], background: bool
) -> Float[Tensor, "H W 3"]:
    """Draw each object in a colour of its own over the picture; the rest is dimmed.

    Args:
        rgb: the rendered picture, [0, 1].
        weights: each object's share of the pixel, [0, 1].
        background: the first object is the background, which gets no colour.
    """
    shares = weights[..., 1:] if background else weights
    colors = object_colors(shares.shape[-1]).to(shares)
    covered = shares.sum(-1, keepdim=True).clamp(0.0, 1.0)
    tint = shares @ colors / shares.sum(-1, keepdim=True).clamp(min=1e-6)
    lit = _SHINE * rgb + (1.0 - _SHINE) * tint
    return covered * lit + (1.0 - covered) * _DIM * rgb


def object_colors(count: int) -> Float[Tensor, "K 3"]:
    """Choose colours for objects; after eight they come again, paler."""
    hue = torch.tensor([_OBJECT_HUES[i % len(_OBJECT_HUES)] for i in range(count)])
    round_ = torch.tensor([float(i // len(_OBJECT_HUES)) for i in range(count)])
    return _hsv(hue, 0.85 / (1.0 + round_))


def _hsv(hue: Float[Tensor, "*s"], saturation: Float[Tensor, "*s"]) -> Float[Tensor, "*s 3"]:
    # Value 1 throughout; the three ramps of the colour circle are a third of a turn apart.
    ramps = [(hue + shift) % 1.0 for shift in (0.0, 2.0 / 3.0, 1.0 / 3.0)]
    pure = torch.stack([((r - 0.5).abs() * 6.0 - 1.0).clamp(0.0, 1.0) for r in ramps], dim=-1)
    return 1.0 - saturation.unsqueeze(-1) * (1.0 - pure)
