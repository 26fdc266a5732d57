"""Occupied cells: which ones, with their neighbours, at any time."""
# pyright: reportArgumentType=false

import torch
from torch import Tensor

from fourfold.fields import occupied
from fourfold.fields.occupancy import dilated


class Beads:
    """One dense cell of 8 along x at each whole time: cell 2 at time 0, cell 6 at time 1."""

    resolution = (8, 1, 1)

    def tensors(self) -> dict[str, Tensor]:
        return {"none": torch.zeros(1)}

    def density(self, points: Tensor, times: Tensor | None = None) -> Tensor:
        cell = (points[:, 0] * 8).floor()
        moved = 0.0 if times is None else times * 4
        return torch.where(cell == 2 + moved, 8.0, 0.0)


def along_x(cells: Tensor) -> list[int]:
    return cells[:, 0, 0].nonzero().squeeze(1).tolist()


def test_a_cell_and_its_neighbours():
    assert along_x(occupied(Beads(), (8, 1, 1))) == [1, 2, 3]


def test_whatever_is_there_at_any_time():
    assert along_x(occupied(Beads(), (8, 1, 1), [0.0, 1.0])) == [1, 2, 3, 5, 6, 7]


def test_the_threshold_is_an_alpha():
    # a voxel is an eighth of the longest side: alpha = 1 - exp(-8 / 8) = 0.632
    assert along_x(occupied(Beads(), (8, 1, 1), threshold=0.63)) == [1, 2, 3]
    assert along_x(occupied(Beads(), (8, 1, 1), threshold=0.64)) == []


def test_all_26_neighbours():
    cells = torch.zeros(5, 5, 5, dtype=torch.bool)
    cells[2, 2, 2] = True
    assert int(dilated(cells).sum()) == 27
    cells = torch.zeros(5, 5, 5, dtype=torch.bool)
    cells[0, 0, 0] = True
    assert int(dilated(cells).sum()) == 8
