"""Colour by spherical harmonics of a low degree, for many samples."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourfold.fields import _shading_kernels as kernels
from fourfold.geometry import harmonics_basis
from fourfold.geometry.harmonics import harmonics_degree
from fourfold.kernels import run_parallel


def shade(
    harmonics: Float[Tensor, "S C"], directions: Float[Tensor, "S 3"]
) -> Float[Tensor, "S 3"]:
    """Give the sigmoid of spherical harmonics, in [0,1], at unit directions.

    `harmonics` (S,3*K), three numbers per harmonic, K = 1 or 4. Own kernel on the CPU in float32,
    elsewhere plain torch. Differentiable in the harmonics; in plain torch in the directions too.
    """
    degree = harmonics_degree(harmonics.shape[1] // 3)
    if harmonics.device.type == "cpu" and harmonics.dtype == torch.float32 and degree <= 1:
        return _Shade.apply(harmonics, directions)
    basis = harmonics_basis(directions.to(harmonics), degree)
    return (basis.unsqueeze(2) * harmonics.unflatten(1, (-1, 3))).sum(1).sigmoid()


class _Shade(torch.autograd.Function):
    @staticmethod
    def forward(ctx, harmonics, directions):
        ctx.width, ctx.directions = harmonics.shape[1], _flat(directions)
        ctx.colors = np.empty(3 * len(harmonics), np.float32)
        run_parallel(kernels.shade, _flat(harmonics), ctx.width, ctx.directions, ctx.colors)
        return torch.from_numpy(ctx.colors).view(-1, 3).clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        result = np.empty((len(ctx.colors) // 3, ctx.width), np.float32)
        arrays = ctx.directions, ctx.colors, _flat(gradient), result.reshape(-1)
        run_parallel(kernels.shade_backward, ctx.width, *arrays)
        return torch.from_numpy(result), None


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float32).contiguous().view(-1).numpy()
