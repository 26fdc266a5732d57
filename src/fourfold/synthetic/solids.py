"""Closed meshes of rigid objects: bodies of revolution, melted parts, flat-sided boxes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from fourfold.synthetic.implicit import Part, part_coordinates
from fourfold.synthetic.skinning import skin

# a colour (N,3), linear, for points (N,3) of the solid in its own frame
Paint = Callable[[Float[np.ndarray, "N 3"]], Float[np.ndarray, "N 3"]]
_BRIGHTEST = 0.92


@dataclass(frozen=True)
class Solid:
    """A rigid mesh: vertices (N,3) in metres in its own frame (y up), faces, linear colours.

    It may consist of several closed meshes that reach into one another.
    """

    vertices: Float[np.ndarray, "N 3"]
    faces: Int[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"]

    @property
    def bounds(self) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """The lowest and the highest coordinates."""
        return self.vertices.min(0), self.vertices.max(0)

    def centred(self) -> "Solid":
        """Move the middle of the bounds into the origin."""
        low, high = self.bounds
        return Solid(self.vertices - (low + high) / 2, self.faces, self.colors)

    def resized(self, height: float) -> "Solid":
        """Enlarge it to a height in metres."""
        low, high = self.bounds
        return Solid(self.vertices * (height / (high - low)[1]), self.faces, self.colors)


def joined(*solids: Solid) -> Solid:
    """Put solids into one."""
    starts = np.cumsum([0, *(len(solid.vertices) for solid in solids)])
    faces = [solid.faces + start for solid, start in zip(solids, starts, strict=False)]
    return Solid(
        np.concatenate([solid.vertices for solid in solids]),
        np.concatenate(faces),
        np.concatenate([solid.colors for solid in solids]),
    )


def turned(profile: Sequence[tuple[float, float]], paint: Paint, cell: float) -> Solid:
    """Turn a profile about the y axis.

    `profile` lists (radius, height) from the bottom to the top, in metres; its first and last
    radius are 0, which closes the mesh. `cell` is the greatest length of an edge.
    """
    radius, height = _refined(np.array(profile, float), cell).T
    segments = max(12, int(np.ceil(2 * np.pi * radius.max() / cell)))
    angle = 2 * np.pi * np.arange(segments) / segments
    rings = np.stack(
        (
            radius[1:-1, None] * np.sin(angle),
            np.broadcast_to(height[1:-1, None], (len(radius) - 2, segments)),
            radius[1:-1, None] * np.cos(angle),
        ),
        axis=-1,
    )
    poles = np.array([(0.0, height[0], 0.0), (0.0, height[-1], 0.0)])
    vertices = np.concatenate((rings.reshape(-1, 3), poles))
    return Solid(vertices, _ring_faces(len(rings), segments), _painted(paint, vertices))


def melted(parts: Sequence[Part], paints: dict[str, Paint], cell: float) -> Solid:
    """Mesh rounded parts that melt into one another; each is painted by its `paint`'s name."""
    vertices, faces = skin(parts, cell)
    owner = np.argmin([part_coordinates(part, vertices)[0] for part in parts], axis=0)
    colors = np.zeros_like(vertices)
    for name, paint in paints.items():
        own = np.isin(owner, [k for k, part in enumerate(parts) if part.paint == name])
        colors[own] = paint(vertices[own])
    return Solid(vertices, faces, np.clip(colors, 0.0, _BRIGHTEST))


def folded(sides: Sequence[tuple[np.ndarray, Paint]], cell: float) -> Solid:
    """Build a flat-sided solid from convex quadrilaterals or triangles, each with its paint.

    A side's corners (3 or 4, 3) turn counter-clockwise seen from outside. Sides share no vertices,
    so that edges stay sharp and colours do not run over them.
    """
    return joined(*(_side(np.asarray(corners, float), paint, cell) for corners, paint in sides))


def block(
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    paint: Paint,
    cell: float,
) -> Solid:
    """Build a box between two corners."""
    return folded([(corners, paint) for corners in box_sides(low, high)], cell)


def box_sides(
    low: tuple[float, float, float], high: tuple[float, float, float]
) -> list[Float[np.ndarray, "4 3"]]:
    """Give the corners of a box's sides, counter-clockwise seen from outside."""
    sides = []
    for axis in range(3):
        u, v = (axis + 1) % 3, (axis + 2) % 3
        for at, order in ((high, (0, 1, 2, 3)), (low, (0, 3, 2, 1))):
            corners = np.zeros((4, 3))
            corners[:, axis] = at[axis]
            corners[:, u] = np.array([low[u], high[u], high[u], low[u]])[list(order)]
            corners[:, v] = np.array([low[v], low[v], high[v], high[v]])[list(order)]
            sides.append(corners)
    return sides


def _refined(profile: np.ndarray, cell: float) -> np.ndarray:
    """Put points on the profile's segments so that none is longer than `cell`."""
    pieces = []
    for start, end in pairwise(profile):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / cell)))
        share = np.arange(count)[:, None] / count
        pieces.append(start + share * (end - start))
    return np.concatenate((*pieces, profile[-1:]))


def _ring_faces(rings: int, segments: int) -> Int[np.ndarray, "F 3"]:
    index = np.arange(rings * segments).reshape(rings, segments)
    after = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], after[:-1], after[1:], index[1:]
    bottom, top = rings * segments, rings * segments + 1
    walls = (np.stack((a, b, c), -1), np.stack((a, c, d), -1))
    low = np.stack((np.full(segments, bottom), after[0], index[0]), -1)
    high = np.stack((np.full(segments, top), index[-1], after[-1]), -1)
    return np.concatenate((*(wall.reshape(-1, 3) for wall in walls), low, high))


def _side(corners: np.ndarray, paint: Paint, cell: float) -> Solid:
    a, b, c, d = corners if len(corners) == 4 else (*corners, corners[2])
    columns = max(1, int(np.ceil(max(np.linalg.norm(b - a), np.linalg.norm(c - d)) / cell)))
    rows = max(1, int(np.ceil(max(np.linalg.norm(d - a), np.linalg.norm(c - b)) / cell)))
    u = np.linspace(0, 1, columns + 1)[None, :, None]
    v = np.linspace(0, 1, rows + 1)[:, None, None]
    grid = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)
    index = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape[:2])
    p, q, r, s = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.stack((p, q, r, p, r, s), -1).reshape(-1, 3)
    if len(corners) == 3:
        # the last row ends in the tip: every second triangle of it has no area
        faces = np.delete(faces, np.arange(1, 2 * columns, 2) + 2 * columns * (rows - 1), axis=0)
    vertices = grid.reshape(-1, 3)
    return Solid(vertices, faces, _painted(paint, vertices))


def _painted(paint: Paint, vertices: np.ndarray) -> np.ndarray:
    return np.clip(paint(vertices), 0.0, _BRIGHTEST)
