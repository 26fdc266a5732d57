"""Spherical harmonics of degree 0 to 3, in the order and signs of 3D Gaussian splatting.

K = (degree + 1)^2 coefficients per colour channel. The first is the constant one.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry.rotation import quaternion_to_matrix

# The value of the constant harmonic, 1 / (2 sqrt(pi)): colour = 0.5 + DC_BASIS * coefficient.
DC_BASIS = 0.28209479177387814
# The other normalisations, in the order they are used (Sloan 2008, "Stupid spherical harmonics
# tricks", appendix A2).
DEGREE1_BASIS = math.sqrt(3.0 / (4.0 * math.pi))
_C2 = (math.sqrt(15.0 / math.pi) / 2.0, math.sqrt(5.0 / math.pi) / 4.0)
_C3 = (
    math.sqrt(35.0 / (2.0 * math.pi)) / 4.0,
    math.sqrt(105.0 / math.pi) / 2.0,
    math.sqrt(21.0 / (2.0 * math.pi)) / 4.0,
    math.sqrt(7.0 / math.pi) / 4.0,
)
# Enough directions, spread evenly, to fit the seven functions of degree 3 well conditioned.
_FIT_DIRECTIONS = 32


def harmonics_degree(num_coefficients: int) -> int:
    """Give the degree of K = 1, 4, 9 or 16 coefficients.

    Raises:
        ValueError: another number of coefficients.
    """
    degree = math.isqrt(num_coefficients) - 1
    if (degree + 1) ** 2 != num_coefficients or not 0 <= degree <= 3:
        raise ValueError(f"{num_coefficients} harmonics are not those of degree 0, 1, 2 or 3")
    return degree


def harmonics_basis(
    directions: Float[Tensor, "*batch 3"], degree: int
) -> Float[Tensor, "*batch K"]:
    """Evaluate all harmonics up to `degree` (0 to 3) at unit directions. Differentiable.

    >>> harmonics_basis(torch.tensor([0.6, 0.48, 0.64]), 1)
    tensor([ 0.2821, -0.2345,  0.3127, -0.2932])
    """
    x, y, z = directions.unbind(-1)
    values = [torch.full_like(x, DC_BASIS)]
    if degree >= 1:
        values += [-DEGREE1_BASIS * y, DEGREE1_BASIS * z, -DEGREE1_BASIS * x]
    if degree >= 2:
        a, b = _C2
        values += [a * x * y, -a * y * z, b * (3 * z * z - 1), -a * x * z, a / 2 * (x * x - y * y)]
    if degree >= 3:
        a, b, c, d = _C3
        values += [
            -a * y * (3 * x * x - y * y),
            b * x * y * z,
            -c * y * (5 * z * z - 1),
            d * z * (5 * z * z - 3),
            -c * x * (5 * z * z - 1),
            b / 2 * z * (x * x - y * y),
            -a * x * (x * x - 3 * y * y),
        ]
    return torch.stack(values, dim=-1)


def rotate_harmonics(
    harmonics: Float[Tensor, "N K 3"], quaternions: Float[Tensor, "*batch 4"]
) -> Float[Tensor, "N K 3"]:
    """Turn view-dependent colour with the Gaussians: the new colour at R d is the old one at d.

    `quaternions` (4,) or (N,4), wxyz of any length. Own: harmonics of one degree turn among
    themselves, so each degree's matrix is fitted (exactly) to its values at fixed directions.
    Differentiable in both.
    """
    degree = harmonics_degree(harmonics.shape[-2])
    if degree == 0:
        return harmonics
    directions = _spread_directions(_FIT_DIRECTIONS).to(harmonics)
    fit = torch.linalg.pinv(harmonics_basis(directions, degree))
    turned_back = directions @ quaternion_to_matrix(quaternions)
    turn = fit @ harmonics_basis(turned_back, degree)
    parts = [harmonics[:, :1]]
    for level in range(1, degree + 1):
        block = slice(level * level, (level + 1) ** 2)
        parts.append(turn[..., block, block] @ harmonics[:, block])
    return torch.cat(parts, dim=-2)


def _spread_directions(count: int) -> Float[Tensor, "count 3"]:
    # the Fibonacci sphere
    steps = torch.arange(count, dtype=torch.float64) + 0.5
    z = 1.0 - 2.0 * steps / count
    angle = steps * math.pi * (3.0 - math.sqrt(5.0))
    radius = torch.sqrt(1.0 - z * z)
    return torch.stack((radius * torch.cos(angle), radius * torch.sin(angle), z), dim=-1)
