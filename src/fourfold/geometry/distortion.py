"""Lens distortion: the radial and tangential model of Brown (1966), in OpenCV's form."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# The inverse has no closed form. Each fixed-point step shrinks the error by about the strength of
# the distortion (< 0.3 for lenses without fisheye), so 20 steps reach float32.
_INVERSE_STEPS = 20


def distort(
    points: Float[Tensor, "*batch 2"], coefficients: Sequence[float]
) -> Float[Tensor, "*batch 2"]:
    """Move ideal image points to where the lens shows them.

    `points` are x/z, y/z in the camera's frame (no unit); `coefficients` are k1, k2, p1, p2 and
    perhaps k3, as OpenCV orders them. Differentiable in the points.
    """
    k1, k2, p1, p2, *rest = coefficients
    k3 = rest[0] if rest else 0.0
    x, y = points.unbind(-1)
    radius2 = x * x + y * y
    radial = 1.0 + radius2 * (k1 + radius2 * (k2 + radius2 * k3))
    return torch.stack(
        (
            x * radial + 2.0 * p1 * x * y + p2 * (radius2 + 2.0 * x * x),
            y * radial + p1 * (radius2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        ),
        dim=-1,
    )


def undistort(
    points: Float[Tensor, "*batch 2"], coefficients: Sequence[float]
) -> Float[Tensor, "*batch 2"]:
    """Invert `distort` by fixed-point iteration."""
    ideal = points
    for _ in range(_INVERSE_STEPS):
        ideal = ideal + (points - distort(ideal, coefficients))
    return ideal
