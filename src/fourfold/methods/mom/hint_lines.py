"""Which hint counts for which region, and what it says there. Own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from fourfold.methods.mom.nearest import nearest_pixel
from fourfold.methods.mom.region_grid import RegionGrid
from fourfold.methods.mom.surface import PlaneSurface

if TYPE_CHECKING:
    from fourfold.capture import Hint

# A hint drawn beside all regions counts for one within this share of the chart's longer side.
REACH = 0.03


@dataclass(frozen=True, eq=False)
class HintData:
    """What the hints of a region ask of its cells, S samples in all.

    Args:
        cells: the cell of each sample.
        hint: the number of its hint within the region.
        world: V (S,2), the velocity asked for in the plane's tangents.
    """

    cells: Int[np.ndarray, "S"]
    hint: Int[np.ndarray, "S"]
    world: Float[np.ndarray, "S 2"]


def line_pixels(hint: "Hint") -> Float[np.ndarray, "S 2"]:
    """Give points (x, y) along a hint's line, about one per pixel, both ends included."""
    start, end = np.array(hint.start, dtype=float), np.array(hint.end, dtype=float)
    count = max(2, int(np.ceil(np.linalg.norm(end - start))) + 1)
    return start + np.linspace(0.0, 1.0, count)[:, None] * (end - start)


def assign_hints(
    labels: Int[np.ndarray, "H W"], hints: Sequence["Hint"]
) -> dict[int, tuple[int, ...]]:
    """Find the region of each hint: where most of its line lies, or else the nearest in reach.

    Args:
        labels: number of each pixel's region, from 1; 0 outside.

    Returns:
        The hints' numbers by region; hints out of every region's reach are missing.
    """
    if not hints or not labels.any():
        return {}
    reach = REACH * max(labels.shape)
    away, nearest_row, nearest_column = nearest_pixel(labels > 0)
    found: dict[int, tuple[int, ...]] = {}
    for number, hint in enumerate(hints):
        rows, columns = _pixels_of(line_pixels(hint), labels.shape)
        near = labels[nearest_row[rows, columns], nearest_column[rows, columns]]
        for allowed in (0.0, reach):
            votes = near[away[rows, columns] <= allowed]
            if len(votes):
                region = int(np.bincount(votes).argmax())
                found[region] = (*found.get(region, ()), number)
                break
    return found


def hint_data(grid: RegionGrid, surface: PlaneSurface, hints: Sequence["Hint"]) -> HintData:
    """Say what hints ask of a region's cells.

    A hint's velocity holds at the middle of the part of its line that lies in the region; along
    the line the matter moves evenly on the surface, so in pixels it is slower far away.

    Args:
        hints: those of this region, at least one.
    """
    _, nearest_row, nearest_column = nearest_pixel(grid.inside)
    cells, numbers, world = [], [], []
    for number, hint in enumerate(hints):
        rows, columns = _cells_of(line_pixels(hint), grid)
        within = grid.index[rows, columns] >= 0
        if within.any():
            rows, columns = rows[within], columns[within]
        own = grid.index[nearest_row[rows, columns], nearest_column[rows, columns]]
        middle = grid.centres[own[len(own) // 2]][None]
        velocity = surface.world_from_chart(middle)[0] @ np.array(hint.velocity, dtype=float)
        own = np.unique(own)
        cells.append(own)
        numbers.append(np.full(len(own), number))
        world.append(np.tile(velocity, (len(own), 1)))
    return HintData(np.concatenate(cells), np.concatenate(numbers), np.concatenate(world))


def _pixels_of(points: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    columns, rows = np.floor(points).astype(int).T
    return rows.clip(0, shape[0] - 1), columns.clip(0, shape[1] - 1)


def _cells_of(points: np.ndarray, grid: RegionGrid) -> tuple[np.ndarray, np.ndarray]:
    corner = np.array([grid.window[1].start, grid.window[0].start])
    return _pixels_of((points - corner) / grid.step, grid.inside.shape)
