"""Sums over products of two interpolated grids: what TensoRF-VM and HexPlane are made of.

TensoRF (Chen et al. 2022), equation 4, multiplies planes by lines; HexPlane (Cao and Johnson 2023),
equation 4, planes by planes. A line is a plane one cell wide, so both are the same here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from fourfold.fields import _product_kernels as kernels
from fourfold.kernels import run_parallel
from fourfold.kernels.simd import LANES

BLOCKS = 16
"""A grid's gradient is added up in at most so many blocks, half of them at a time."""


@dataclass(frozen=True, eq=False)
class Factor:
    """One grid (A,B,R) and the two coordinates that it lies along; B is 1 in a line.

    Corners lie at the ends of the unit interval and evenly between. Channels are last, and R is
    a multiple of 16; A is 2 or more.
    """

    grid: Float[Tensor, "A B R"]
    axes: tuple[int, int]

    def __post_init__(self) -> None:
        if self.grid.ndim != 3 or self.grid.shape[0] < 2 or self.grid.shape[2] % LANES:
            raise ValueError(
                f"a grid is (2 or more, 1 or more, a multiple of {LANES}), "
                f"not {tuple(self.grid.shape)}"
            )


Product = tuple[Factor, Factor]
"""Two grids with the same channels, multiplied channel by channel."""
_Flat = tuple[np.ndarray, tuple[np.uintp, ...]]
"""A grid as the kernels take it: its numbers in a row; (A, B, axis of A, axis of B)."""


def product_sum(
    products: Sequence[Product], coordinates: Float[Tensor, "S D"]
) -> Float[Tensor, " S"]:
    """Sum all channels of all products at samples in the unit cube.

    Coordinates outside of [0,1] are clamped. Differentiable in the grids, once. On the CPU in
    float32 by own Numba kernels, the same to the bit with any number of threads; otherwise by
    `product_features_reference`.
    """
    if not _is_fast(products, coordinates):
        return product_features_reference(products, coordinates).sum(1)
    return _apply(products, coordinates, summed=True)


def product_features(
    products: Sequence[Product], coordinates: Float[Tensor, "S D"]
) -> Float[Tensor, "S C"]:
    """Give the channels of all products, one product after another, at samples in the unit cube.

    As `product_sum` otherwise.
    """
    if not _is_fast(products, coordinates):
        return product_features_reference(products, coordinates)
    return _apply(products, coordinates, summed=False)


def product_features_reference(
    products: Sequence[Product], coordinates: Float[Tensor, "S D"]
) -> Float[Tensor, "S C"]:
    """Compute `product_features` in plain torch: its slow twin, and the way on other devices."""
    columns = [
        _interpolate(first, coordinates) * _interpolate(second, coordinates)
        for first, second in products
    ]
    return torch.cat(columns, 1)


def _interpolate(factor: Factor, coordinates: Float[Tensor, "S D"]) -> Float[Tensor, "S R"]:
    places = coordinates[None, None, :, factor.axes[::-1]] * 2 - 1  # grid_sample: B first
    picture = factor.grid.permute(2, 0, 1)[None]
    values = functional.grid_sample(picture, places, padding_mode="border", align_corners=True)
    return values[0, :, 0].T


def _is_fast(products: Sequence[Product], coordinates: Tensor) -> bool:
    grids = [factor.grid for product in products for factor in product]
    return all(t.device.type == "cpu" and t.dtype == torch.float32 for t in (coordinates, *grids))


def _apply(products: Sequence[Product], coordinates: Tensor, summed: bool) -> Tensor:
    grids = [factor.grid for product in products for factor in product]
    axes = [factor.axes for product in products for factor in product]
    return _Products.apply(coordinates, axes, summed, *grids)  # pyright: ignore[reportReturnType]


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, coordinates: Tensor, axes: list[tuple[int, int]], summed: bool, *grids: Tensor
    ) -> Tensor:
        coordinates = coordinates.detach().contiguous()
        grids = tuple(grid.detach().contiguous() for grid in grids)
        channels = sum(grid.shape[2] for grid in grids[::2])
        out = coordinates.new_zeros((len(coordinates),) if summed else (len(coordinates), channels))
        places, width = coordinates.numpy().ravel(), np.uintp(coordinates.shape[1])
        order = np.arange(len(coordinates), dtype=np.uint32)
        column = 0
        for number in range(0, len(grids), 2):
            pair = [_flat(grids[k], axes[k]) for k in (number, number + 1)]
            ranks = grids[number].shape[2]
            run_parallel(
                kernels.multiply, places, width, order, *pair[0], *pair[1],
                np.uintp(ranks // LANES), out.numpy().ravel(), np.uintp(column),
                np.uintp(0 if summed else channels),
            )  # fmt: skip
            column += ranks
        ctx.save_for_backward(coordinates, *grids)
        ctx.axes, ctx.summed = axes, summed
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        coordinates, *grids = ctx.saved_tensors
        gradient = gradient.contiguous()
        lists = _Lists(coordinates.numpy(), gradient.numpy() if ctx.summed else None)
        row, column = 0 if ctx.summed else gradient.shape[1], 0
        results = []
        for number in range(0, len(grids), 2):
            pair = [_flat(grids[k], ctx.axes[k]) for k in (number, number + 1)]
            results += _backward(lists, gradient, row, column, pair, grids[number : number + 2])
            column += grids[number].shape[2]
        return None, None, None, *results


def _flat(grid: Tensor, axes: tuple[int, int]) -> _Flat:
    return grid.numpy().ravel(), tuple(np.uintp(k) for k in (*grid.shape[:2], *axes))


def _backward(
    lists: _Lists,
    gradient: Tensor,
    row: int,
    column: int,
    pair: list[_Flat],
    grids: Sequence[Tensor],
) -> list[Tensor]:
    """Add up the gradients of two grids that were multiplied."""
    first, second = grids
    order, starts = lists.of(int(pair[0][1][2]), first.shape[0] - 1)
    result = _zeros_beside(first, 1)[0]
    parts = _zeros_beside(second, len(starts) - 1)
    for parity in (0, 1):
        run_parallel(
            kernels.multiply_backward, np.uintp(parity), order, starts,
            lists.coordinates.ravel(), np.uintp(lists.coordinates.shape[1]),
            gradient.numpy().ravel(), np.uintp(column), np.uintp(row),
            *pair[0], *pair[1], np.uintp(first.shape[2] // LANES), result, parts,
        )  # fmt: skip
    sums = (result, parts.sum(0))
    return [torch.from_numpy(each).view(grid.shape) for each, grid in zip(sums, grids, strict=True)]


def _zeros_beside(grid: Tensor, rows: int) -> Float[np.ndarray, "rows size"]:
    """Make rows of zeros, as large as a grid, half a page off from where the grid lies in pages.

    A load waits for a store to the same place of another page, and large tensors begin with a page.
    """
    page, size = 1024, grid.numel()  # floats
    room = np.zeros(rows * size + page, np.float32)
    apart = (grid.data_ptr() - room.ctypes.data) // 4
    first = (apart + page // 2) % page
    return room[first : first + rows * size].reshape(rows, size)


class _Lists:
    """The samples listed by block of cells, along each axis when it is first asked for."""

    def __init__(
        self, coordinates: Float[np.ndarray, "S D"], gradient: Float[np.ndarray, " S"] | None
    ) -> None:
        self.coordinates = coordinates
        self._gradient = np.zeros(0, np.float32) if gradient is None else gradient
        self._made: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def of(self, axis: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
        """Give the order of the samples and where each block starts in it."""
        if (axis, cells) not in self._made:
            self._made[axis, cells] = self._make(axis, cells)
        return self._made[axis, cells]

    def _make(self, axis: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
        samples, width = self.coordinates.shape
        blocks = min(BLOCKS, cells)
        block_of_cell = (np.arange(cells) * blocks // cells).astype(np.uint8)
        marks = np.empty(samples, np.uint8)
        counts = np.zeros((-(-samples // kernels.CHUNK), blocks + 1), np.int64)
        run_parallel(
            kernels.mark_blocks, self.coordinates.ravel(), np.uintp(width), np.uintp(axis),
            block_of_cell, self._gradient, marks, counts,
        )  # fmt: skip
        ends = counts.T.cumsum().reshape(blocks + 1, -1).T  # blocks in turn, chunks within
        order = np.empty(samples, np.uint32)
        starts = np.append(0, ends[-1, :-1]) if len(ends) else np.zeros(blocks + 1, np.int64)
        run_parallel(kernels.list_by_block, marks, np.ascontiguousarray(ends - counts), order)
        return order, starts
