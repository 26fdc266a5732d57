"""A closed triangle mesh around where a sampled function is negative."""

import numpy as np
from jaxtyping import Float, Int

_CORNERS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])
# the twelve edges of a cell: pairs of corners that differ in one coordinate
_EDGES = [
    (a, b) for a in range(8) for b in range(a + 1, 8) if abs(_CORNERS[a] - _CORNERS[b]).sum() == 1
]


def surface_nets(
    values: Float[np.ndarray, "X Y Z"],
) -> tuple[Float[np.ndarray, "N 3"], Int[np.ndarray, "F 3"]]:
    """Mesh the zero level of a sampled function by surface nets (Gibson 1998).

    One vertex per cell whose corners differ in sign, at the mean of the crossings on the cell's
    edges; one quad (two triangles) per grid edge that crosses. Vertices are in grid steps; faces
    turn counter-clockwise seen from the positive side (outside). The mesh is closed if the
    function is positive on the grid's border.
    """
    inside = values < 0
    counts = sum(inside[_cell(corner, inside.shape)].astype(np.int8) for corner in _CORNERS)
    cells = np.argwhere((counts > 0) & (counts < 8))  # type: ignore[operator]
    index = np.full(np.array(values.shape) - 1, -1, np.int64)
    index[tuple(cells.T)] = np.arange(len(cells))
    faces = np.concatenate([_quads(inside, index, axis) for axis in range(3)])
    return _vertices(values, cells), faces


def _cell(corner: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(c, n - 1 + c) for c, n in zip(corner, shape, strict=True))


def _vertices(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    corners = np.stack([values[tuple((cells + corner).T)] for corner in _CORNERS])
    total = np.zeros((len(cells), 3))
    crossings = np.zeros((len(cells), 1))
    for a, b in _EDGES:
        crosses = (corners[a] < 0) != (corners[b] < 0)
        start, end = corners[a][crosses], corners[b][crosses]
        # a far sample may be +inf: then the crossing is next to the near one
        share = np.where(np.isfinite(end - start), start / (start - end), np.isinf(start))
        step = (_CORNERS[b] - _CORNERS[a]) * share[:, None]
        total[crosses] += _CORNERS[a] + step
        crossings[crosses] += 1
    return cells + total / crossings


def _quads(inside: np.ndarray, index: np.ndarray, axis: int) -> np.ndarray:
    """Two triangles around every grid edge along `axis` whose ends differ in sign."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    first = np.moveaxis(inside, axis, 0)[:-1]
    second = np.moveaxis(inside, axis, 0)[1:]
    edges = np.argwhere(np.moveaxis(first != second, 0, axis))
    leaving = inside[tuple(edges.T)]
    ring = []
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
        cell = edges.copy()
        cell[:, u] -= du
        cell[:, v] -= dv
        ring.append(index[tuple(cell.T)])
    a, b, c, d = np.where(leaving, ring, ring[::-1])
    return np.concatenate((np.stack((a, b, c), 1), np.stack((a, c, d), 1)))
