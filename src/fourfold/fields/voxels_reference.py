"""Voxel grids in plain torch: the slow twin of the kernels, in any dtype and on any device."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def interpolate_rows(
    index: Int[Tensor, "X Y Z"] | None,
    rows: Float[Tensor, "M T C"],
    points: Float[Tensor, "S 3"],
    keys: tuple[Int[Tensor, " S"], Float[Tensor, " S"]] | None,
    size: tuple[int, int, int],
    empty: float,
) -> Float[Tensor, "S C"]:
    """Interpolate rows; see `fourfold.fields.interpolate_rows`. The gradient is sparse too."""
    vertices, weights = _corners(points.to(rows.dtype), size)
    corner_rows = vertices if index is None else index.flatten()[vertices].long()
    filled = corner_rows >= 0
    weights = weights * filled
    num_keys, channels = rows.shape[1:]
    entries = corner_rows.clamp(min=0) * num_keys
    if keys is not None:
        lower, fraction = keys[0].long()[:, None], keys[1].to(rows.dtype)[:, None]
        entries = torch.cat((entries + lower, entries + lower + 1), dim=1)
        weights = torch.cat((weights * (1 - fraction), weights * fraction), dim=1)
    picked = _Pick.apply(rows, entries.flatten()).view(*entries.shape, channels)
    values = (weights.unsqueeze(-1) * picked).sum(1)
    return torch.where(filled.any(1, keepdim=True), values, empty)


def _corners(
    points: Float[Tensor, "S 3"], size: tuple[int, int, int]
) -> tuple[Int[Tensor, "S 8"], Float[Tensor, "S 8"]]:
    """Give the eight vertices around each point, as places in the flat grid, and their shares."""
    last = torch.tensor(size, device=points.device) - 1
    position = points.nan_to_num(0.0).clamp(0, 1) * last
    low = torch.minimum(position.long(), last - 1)
    share = position - low
    x, y, z = (torch.stack((low[:, axis], low[:, axis] + 1), 1) for axis in range(3))
    wx, wy, wz = (torch.stack((1 - share[:, axis], share[:, axis]), 1) for axis in range(3))
    vertices = (x[:, :, None, None] * size[1] + y[:, None, :, None]) * size[2] + z[:, None, None, :]
    weights = wx[:, :, None, None] * wy[:, None, :, None] * wz[:, None, None, :]
    return vertices.flatten(1), weights.flatten(1)


class _Pick(torch.autograd.Function):
    """rows.flatten(0, 1)[entries], with a sparse gradient over (M,T)."""

    @staticmethod
    def forward(ctx, rows, entries):
        ctx.save_for_backward(entries)
        ctx.shape = rows.shape
        return rows.flatten(0, 1)[entries]

    @staticmethod
    def backward(ctx, gradient):
        (entries,) = ctx.saved_tensors
        place = torch.stack((entries // ctx.shape[1], entries % ctx.shape[1]))
        sparse = torch.sparse_coo_tensor(place, gradient, ctx.shape, check_invariants=False)
        return sparse.coalesce(), None
