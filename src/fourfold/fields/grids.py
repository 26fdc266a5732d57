"""The vertices of a grid over the unit cube."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def grid_vertices(
    resolution: Sequence[int], device: torch.device | None = None
) -> Float[Tensor, "X Y Z 3"]:
    """Give the vertices of a grid over the cube, from face to face.

    >>> grid_vertices((1, 1, 3))[0, 0]
    tensor([[0.0000, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.5000],
            [0.0000, 0.0000, 1.0000]])
    """
    axes = [torch.linspace(0.0, 1.0, count, device=device) for count in resolution]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
