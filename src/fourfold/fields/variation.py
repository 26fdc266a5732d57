"""How much a voxel grid varies between neighbours, and its gradient for the rows of a step."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.fields import _voxel_kernels as kernels
from fourfold.fields.row_adam import sparse_rows
from fourfold.kernels import run_parallel


def voxel_variation(
    index: Int[Tensor, "X Y Z"], rows: Float[Tensor, "M T C"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Give the total variation in space and in time; in plain torch, differentiable.

    Squared differences between filled vertices next to each other, and between keys, summed over
    all pairs and channels and divided by M * T.
    """
    space = rows.new_zeros(())
    for axis in range(3):
        size = index.shape[axis]
        low, high = index.narrow(axis, 0, size - 1), index.narrow(axis, 1, size - 1)
        both = (low >= 0) & (high >= 0)
        space = space + (rows[high[both].long()] - rows[low[both].long()]).square().sum()
    time = rows.diff(dim=1).square().sum()
    count = max(rows.shape[0] * rows.shape[1], 1)
    return space / count, time / count


def add_voxel_variation(
    index: Int[Tensor, "X Y Z"],
    vertices: Int[Tensor, " M"],
    rows: Float[Tensor, "M T C"],
    space_weight: float,
    time_weight: float = 0.0,
) -> None:
    """Add the gradient of `voxel_variation`, weighted, to `rows.grad`, for the rows it has.

    As in DVGO (Sun et al. 2022), which leaves rows no ray has met alone: a step then costs what
    the rays cost. `vertices` are the places of the rows in the flat grid. `rows.grad` is the sparse
    gradient `interpolate_rows` leaves; it is changed in place, or replaced where an entry stood
    there twice. Own kernel; CPU and float32 (elsewhere in plain torch, over all rows).
    """
    if rows.grad is None or not (space_weight or time_weight):
        return
    entries, values = sparse_rows(rows.grad)
    if rows.device.type != "cpu" or rows.dtype != torch.float32:
        values += _slow_gradient(index, rows, space_weight, time_weight)[entries]
    else:
        count = max(rows.shape[0] * rows.shape[1], 1)
        scales = (np.float32(2 * weight / count) for weight in (space_weight, time_weight))
        run_parallel(
            kernels.add_variation,
            *(index.flatten().numpy(), *index.shape, vertices.numpy()),
            *(rows.detach().view(-1).numpy(), *rows.shape[1:], entries.numpy(), *scales),
            values.view(-1).numpy(),
        )
    num_keys = rows.shape[1]
    place = torch.stack((entries // num_keys, entries % num_keys))
    rows.grad = torch.sparse_coo_tensor(place, values, rows.shape, check_invariants=False)


def _slow_gradient(
    index: Int[Tensor, "X Y Z"], rows: Float[Tensor, "M T C"], *weights: float
) -> Float[Tensor, "E C"]:
    leaf = rows.detach().requires_grad_()
    with torch.enable_grad():
        space, time = voxel_variation(index, leaf)
        total = weights[0] * space + weights[1] * time
    return torch.autograd.grad(total, leaf)[0].flatten(0, 1)
