"""From a field's features to the colour that is seen from a direction."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.fields.shading import shade

Head = Literal["mlp", "harmonics"]

BASIS = 27
"""What features are mixed down to before the network (TensoRF's data_dim_color)."""
WIDTH = 64
"""Neurons of each hidden layer: half of TensoRF's, a quarter of the time."""
DEGREE = 1
"""Degree of the spherical harmonics of the other head."""


def first_head(head: Head, channels: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Make the tensors of a head for so many features, uniform as torch's linear layers."""
    if head == "harmonics":
        return {"basis": _uniform(3 * (DEGREE + 1) ** 2, channels, generator)}
    return {
        "basis": _uniform(BASIS, channels, generator),
        "first": _uniform(WIDTH, BASIS + 3, generator),
        "first_bias": torch.zeros(WIDTH),
        "second": _uniform(WIDTH, WIDTH, generator),
        "second_bias": torch.zeros(WIDTH),
        "last": _uniform(3, WIDTH, generator),
        "last_bias": torch.zeros(3),
    }


def _uniform(outputs: int, inputs: int, generator: torch.Generator) -> Float[Tensor, "O I"]:
    bound = inputs**-0.5
    return (2 * torch.rand(outputs, inputs, generator=generator) - 1) * bound


def head_colors(
    tensors: dict[str, Tensor], features: Float[Tensor, "S C"], directions: Float[Tensor, "S 3"]
) -> Float[Tensor, "S 3"]:
    """Give the colours in [0,1] of features seen along unit directions.

    Either TensoRF's way (Chen et al. 2022, section 4.2): a linear basis, then a network that also
    sees the direction; or, where the tensors are a basis alone, the sigmoid of the sum of spherical
    harmonics, whose coefficients the basis makes. Differentiable in all.
    """
    mixed = functional.linear(features, tensors["basis"])
    if len(tensors) == 1:
        return shade(mixed, directions)
    hidden = torch.cat((mixed, directions), 1)
    for layer in ("first", "second"):
        hidden = functional.linear(hidden, tensors[layer], tensors[f"{layer}_bias"]).relu()
    return torch.sigmoid(functional.linear(hidden, tensors["last"], tensors["last_bias"]))
