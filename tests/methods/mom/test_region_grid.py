import numpy as np

from fourfold.methods.mom.region_grid import grid_of


def _mask(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width), dtype=bool)


def test_a_small_region_has_a_cell_per_pixel() -> None:
    mask = _mask(30, 40)
    mask[10:12, 20:23] = True
    grid = grid_of(mask)
    assert (grid.step, len(grid.cells)) == (1, 6)
    assert grid.centres[0].tolist() == [20.5, 10.5]
    assert len(grid.neighbours(0)) == 4
    assert len(grid.neighbours(1)) == 3
    corners, count = grid.corners()
    assert count == 12
    assert corners[0].tolist() == [0, 1, 4, 5]


def test_a_large_region_has_coarse_cells_that_cover_it() -> None:
    mask = np.ones((50, 70), dtype=bool)
    grid = grid_of(mask, most_cells=100)
    assert len(grid.cells) <= 100
    spread = grid.spread(grid.centres)
    assert spread.shape == (50, 70, 2)
    inner = slice(grid.step, 50 - 2 * grid.step), slice(grid.step, 70 - 2 * grid.step)
    y, x = np.mgrid[:50, :70] + 0.5
    assert np.allclose(spread[inner], np.stack([x, y], axis=-1)[inner], atol=1e-4)


def test_banks_lie_inside_the_chart_only() -> None:
    mask = _mask(20, 30)
    mask[:, :10] = True
    grid = grid_of(mask)
    banks = grid.bank_cells()
    assert set(grid.cells[banks, 1]) == {9}
    assert len(banks) == 20
    assert np.allclose(grid.bank_normals()[banks], [1.0, 0.0])
    assert not grid.island_cells().any()


def test_islands_are_the_banks_of_holes() -> None:
    mask = _mask(30, 30)
    mask[5:25, 5:25] = True
    mask[14:16, 14:16] = False
    grid = grid_of(mask)
    islands = grid.cells[grid.island_cells()]
    # The four sides of a hole of two by two cells.
    assert len(islands) == 8
    assert islands.min() == 13
    assert islands.max() == 16
