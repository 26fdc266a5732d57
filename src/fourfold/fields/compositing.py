"""Emission and absorption along rays: what each piece of a ray adds to what is seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourfold.fields import _compositing_kernels as kernels
from fourfold.fields import reference
from fourfold.fields.samples import Samples
from fourfold.kernels import run_parallel


def ray_weights(
    densities: Float[Tensor, " S"], samples: Samples
) -> tuple[Float[Tensor, " S"], Float[Tensor, " R"]]:
    """Give the weight of each piece (S,) and the alpha of each ray (R,), both in [0,1].

    ``a_i = 1 - exp(-density_i width_i)``, ``w_i = a_i prod_{j<i} (1 - a_j)`` (Max 1995, NeRF eq.
    3), and a ray's alpha is the sum of its weights. `densities` are 0 or more. Differentiable in
    the densities.

    >>> samples = Samples.of([[1.0, 2.0]])
    >>> weights, alphas = ray_weights(torch.full((2,), 2.0).log(), samples)
    >>> weights, alphas
    (tensor([0.5000, 0.2500]), tensor([0.7500]))
    """
    if has_kernels(densities):
        return _Weigh.apply(densities, samples.widths, samples.starts)
    return reference.ray_weights(densities, samples)


def accumulate(
    weights: Float[Tensor, " S"], values: Float[Tensor, "S C"], samples: Samples
) -> Float[Tensor, "R C"]:
    """Sum weighted values along each ray: ``sum_i w_i v_i``. Differentiable in both."""
    if has_kernels(weights) and has_kernels(values):
        return _AddUp.apply(weights, values, samples.starts)
    return reference.accumulate(weights, values, samples)


def has_kernels(tensor: Tensor) -> bool:
    """Say whether the kernels take a tensor: float32 on the CPU."""
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().view(-1).numpy()


class _Weigh(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, densities: Tensor, widths: Tensor, starts: Tensor
    ) -> tuple[Tensor, Tensor]:
        weights, alphas = torch.empty(len(densities)), torch.empty(len(starts) - 1)
        inputs = (_flat(tensor) for tensor in (densities, widths, starts))
        run_parallel(kernels.weigh, *inputs, weights.numpy(), alphas.numpy())
        ctx.save_for_backward(widths, starts, weights, alphas)
        return weights, alphas

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = torch.empty(len(ctx.saved_tensors[0]))
        inputs = (_flat(tensor) for tensor in (*ctx.saved_tensors, *gradients))
        run_parallel(kernels.weigh_backward, *inputs, gradient.numpy())
        return gradient, None, None


class _AddUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, values: Tensor, starts: Tensor) -> Tensor:
        channels = values.shape[1]
        sums = torch.empty(len(starts) - 1, channels)
        inputs = (_flat(weights), _flat(values), channels, _flat(starts))
        run_parallel(kernels.add_up, *inputs, sums.view(-1).numpy())
        ctx.save_for_backward(weights, values, starts)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        weights, values, starts = ctx.saved_tensors
        by_weights, by_values = torch.empty(len(weights)), torch.empty(values.shape)
        inputs = (_flat(weights), _flat(values), values.shape[1], _flat(starts))
        outputs = (by_weights.numpy(), by_values.view(-1).numpy())
        run_parallel(kernels.add_up_backward, *inputs, _flat(gradients[0]), *outputs)
        return by_weights, by_values, None
