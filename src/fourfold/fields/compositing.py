"""Emission and absorption along rays: what each piece of a ray adds to what is seen."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from fourfold.fields import reference
from fourfold.fields.samples import Samples


def ray_weights(
    densities: Float[Tensor, " S"], samples: Samples
) -> tuple[Float[Tensor, " S"], Float[Tensor, " R"]]:
    """Give the weight of each piece (S,) and the alpha of each ray (R,), both in [0,1].

    ``a_i = 1 - exp(-density_i width_i)``, ``w_i = a_i prod_{j<i} (1 - a_j)`` (Max 1995, NeRF eq.
    3), and a ray's alpha is the sum of its weights. `densities` are 0 or more. Differentiable in
    the densities.

    >>> import torch
    >>> samples = Samples.of([[1.0, 2.0]])
    >>> weights, alphas = ray_weights(torch.full((2,), 2.0).log(), samples)
    >>> weights, alphas
    (tensor([0.5000, 0.2500]), tensor([0.7500]))
    """
    return reference.ray_weights(densities, samples)


def accumulate(
    weights: Float[Tensor, " S"], values: Float[Tensor, "S C"], samples: Samples
) -> Float[Tensor, "R C"]:
    """Sum weighted values along each ray: ``sum_i w_i v_i``. Differentiable in both."""
    return reference.accumulate(weights, values, samples)
