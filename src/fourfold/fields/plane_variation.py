"""How much neighbours in a plane differ, with the slopes in the same pass."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourfold.fields import _plane_kernels as kernels
from fourfold.kernels import run_parallel
from fourfold.kernels.simd import LANES


def plane_variation(plane: Float[Tensor, "A B R"]) -> Float[Tensor, ""]:
    """Give the mean squared difference to the next row plus that to the next column.

    Differentiable, once. On the CPU in float32 by an own kernel, if R is a multiple of 16, which
    makes value and gradient in one pass; otherwise by `plane_variation_reference`.
    """
    fast = plane.device.type == "cpu" and plane.dtype == torch.float32
    if fast and plane.shape[2] % LANES == 0 and min(plane.shape[:2]) > 1:
        return _Variation.apply(plane)  # pyright: ignore[reportReturnType]
    return plane_variation_reference(plane)


def plane_variation_reference(plane: Float[Tensor, "A B R"]) -> Float[Tensor, ""]:
    """Compute `plane_variation` in plain torch: its slow twin, and the way on other devices."""
    return plane.diff(dim=0).square().mean() + plane.diff(dim=1).square().mean()


class _Variation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plane: Tensor) -> Tensor:
        plane = plane.detach().contiguous()
        rows, columns, ranks = plane.shape
        gradient, sums = torch.empty_like(plane), np.empty(rows)
        by_row = np.float32(1 / ((rows - 1) * columns * ranks))
        by_column = np.float32(1 / (rows * (columns - 1) * ranks))
        run_parallel(
            kernels.variation, plane.numpy().ravel(), np.uintp(rows), np.uintp(columns),
            np.uintp(ranks), by_row, by_column, sums, gradient.numpy().ravel(),
        )  # fmt: skip
        ctx.save_for_backward(gradient)
        return plane.new_tensor(sums.sum())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (slopes,) = ctx.saved_tensors
        return slopes * gradient
