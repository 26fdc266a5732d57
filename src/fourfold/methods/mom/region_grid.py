"""The grid of cells on which a region's velocity is solved.

Cells are squares of `step` chart pixels; a cell belongs to the region where any of its pixels does.
Corners of cells carry the stream function, centres the velocity. Own.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage

from fourfold.methods.mom.nearest import nearest_pixel

# A region has at most so many cells: a direct solve takes about a tenth of a second.
MOST_CELLS = 12_000
# Banks are read from the region's shape smoothed by so many cells: a slanted bank is no stair.
BANK_BLUR = 2.0


@dataclass(frozen=True, eq=False)
class RegionGrid:
    """Cells of a region, N of them.

    Args:
        step: chart pixels per cell.
        inside: which cells of the window belong to the region.
        index: number of each cell, -1 outside.
        cells: row and column of each cell.
        window: the rows and columns of the chart that the grid covers; a side of it that is not
            the chart's own has no cell of the region.
    """

    step: int
    inside: Bool[np.ndarray, "h w"]
    index: Int[np.ndarray, "h w"]
    cells: Int[np.ndarray, "N 2"]
    window: tuple[slice, slice]

    @property
    def centres(self) -> Float[np.ndarray, "N 2"]:
        """The cells' centres (x, y) in chart pixels."""
        rows, columns = self.window
        return (self.cells[:, ::-1] + 0.5) * self.step + np.array([columns.start, rows.start])

    @property
    def width(self) -> float:
        """The region's typical width in cells: of a channel, its width."""
        return 2.0 * len(self.cells) / max(len(self.bank_cells()), 1)

    def neighbours(self, axis: int) -> Int[np.ndarray, "E 2"]:
        """Give the pairs of cells that follow each other along x (axis 0) or y (axis 1)."""
        grid = self.index if axis == 0 else self.index.T
        pairs = np.stack([grid[:, :-1].ravel(), grid[:, 1:].ravel()], axis=1)
        return pairs[(pairs >= 0).all(axis=1)]

    def corners(self) -> tuple[Int[np.ndarray, "N 4"], int]:
        """Number the cells' corners (top left, top right, bottom left, bottom right).

        Returns:
            The four corners of each cell, and how many corners there are.
        """
        width = self.inside.shape[1] + 1
        row, column = self.cells[:, 0], self.cells[:, 1]
        first = row * width + column
        places = np.stack([first, first + 1, first + width, first + width + 1], axis=1)
        numbers = np.unique(places, return_inverse=True)
        return numbers[1].reshape(places.shape), len(numbers[0])

    def bank_cells(self) -> Int[np.ndarray, "B"]:
        """Find the cells with a side on a bank: where the region ends inside the chart."""
        return np.nonzero(self._at_edge_of(self.inside))[0]

    def island_cells(self) -> Bool[np.ndarray, "N"]:
        """Tell which cells have a side on an island: a hole of the region."""
        outer = self._at_edge_of(np.asarray(ndimage.binary_fill_holes(self.inside)))
        return self._at_edge_of(self.inside) & ~outer

    def _at_edge_of(self, shape: np.ndarray) -> np.ndarray:
        padded = np.pad(shape, 1, mode="edge")
        row, column = self.cells.T + 1
        enclosed = padded[row - 1, column] & padded[row + 1, column]
        return ~(enclosed & padded[row, column - 1] & padded[row, column + 1])

    def bank_normals(self) -> Float[np.ndarray, "N 2"]:
        """Give the outward normal (x, y) in the chart of a smooth bank near each cell.

        Unit length; meaningful in cells at a bank.
        """
        blurred = ndimage.gaussian_filter(self.inside.astype(float), BANK_BLUR, mode="nearest")
        padded = np.pad(blurred, 1, mode="edge")
        down, right = np.gradient(-padded)
        slope = np.stack([right, down], axis=-1)[self.cells[:, 0] + 1, self.cells[:, 1] + 1]
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-12)

    def spread(self, values: Float[np.ndarray, "N C"]) -> Float[np.ndarray, "h w C"]:
        """Bring values of the cells to the window's pixels: bilinear, outside the nearest."""
        _, row, column = nearest_pixel(self.inside)
        filled = values[self.index[row, column]].astype(np.float32)
        height, width = (part.stop - part.start for part in self.window)
        size = (filled.shape[1] * self.step, filled.shape[0] * self.step)
        large = cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR)
        return large.reshape(size[1], size[0], -1)[:height, :width]


def grid_of(mask: Bool[np.ndarray, "H W"], most_cells: int = MOST_CELLS) -> RegionGrid:
    """Lay the finest grid of at most `most_cells` cells over a region of at least a pixel."""
    step = max(1, int(np.sqrt(mask.sum() / most_cells)))
    while True:
        window = _window(mask, step)
        inside = _coarse(mask[window], step)
        if inside.sum() <= most_cells:
            break
        step += 1
    index = np.full(inside.shape, -1)
    index[inside] = np.arange(inside.sum())
    return RegionGrid(step, inside, index, np.argwhere(inside), window)


def _window(mask: np.ndarray, step: int) -> tuple[slice, slice]:
    """Bound a region, with room for the blur of its banks."""
    room = int(4 * BANK_BLUR + 1) * step
    rows, columns = (np.nonzero(mask.any(axis=axis))[0] for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - room), min(mask.shape[0], int(rows[-1]) + 1 + room)),
        slice(max(0, int(columns[0]) - room), min(mask.shape[1], int(columns[-1]) + 1 + room)),
    )


def _coarse(mask: np.ndarray, step: int) -> np.ndarray:
    height, width = (-(-size // step) * step for size in mask.shape)
    padded = np.zeros((height, width), dtype=bool)
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return padded.reshape(height // step, step, width // step, step).max(axis=(1, 3))
