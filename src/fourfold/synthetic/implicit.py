"""A body as an implicit surface: rounded bones, melted into one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

# Where two bones overlap the skin bulges over both by at most MELT * ln 2, in metres.
MELT = 0.012
# A bone farther away than this many MELTs adds less than exp(-8) of one melt: left out.
_REACH = 8.0


@dataclass(frozen=True)
class Part:
    """One rounded bone of a body at rest: a capsule whose radius runs from one end to the other.

    `bone` names the bone that it follows, `paint` the pattern on it. `start`, `end` (3,) and the
    radii are in metres, in the body's own frame: x to its left, y up, z to its front.
    """

    bone: str
    paint: str
    start: tuple[float, float, float]
    end: tuple[float, float, float]
    start_radius: float
    end_radius: float


def part_coordinates(
    part: Part, points: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N"], Float[np.ndarray, "N 3"]]:
    """Place points relative to a part.

    Returns the signed distance to its surface (metres, negative inside), the position along its
    axis (0 … 1), and the unit direction away from the axis.
    """
    start = np.asarray(part.start, points.dtype)
    axis = np.asarray(part.end, points.dtype) - start
    offset = points - start
    length2 = float(axis @ axis)
    along = np.clip(offset @ axis / length2, 0.0, 1.0) if length2 else np.zeros_like(points[:, 0])
    away = offset - along[:, None] * axis
    distance = np.linalg.norm(away, axis=1)
    radius = part.start_radius + along * (part.end_radius - part.start_radius)
    return distance - radius, along, away / np.maximum(distance, 1e-9)[:, None]


def body_distance(
    parts: Sequence[Part], points: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, "N"], Float[np.ndarray, "N 3"]]:
    """Evaluate the melted union of parts: -MELT log sum exp(-d / MELT), and its gradient.

    Negative inside. Own choice of blend; the exponential one is symmetric in the parts.
    """
    evaluated = [part_coordinates(part, points) for part in parts]
    distances = np.stack([distance for distance, _, _ in evaluated])
    nearest = distances.min(0)
    shares = np.exp((nearest - distances) / MELT)
    total = shares.sum(0)
    slopes = np.stack([direction for _, _, direction in evaluated])
    gradient = (shares[..., None] * slopes).sum(0) / total[:, None]
    return nearest - MELT * np.log(total), gradient


def body_grid(
    parts: Sequence[Part], cell: float
) -> tuple[Float[np.ndarray, "X Y Z"], Float[np.ndarray, "3"]]:
    """Sample the melted union on a grid that encloses the body.

    Returns the values (negative inside, +inf far away) and the position of the first sample;
    samples are `cell` metres apart.
    """
    reach = _REACH * MELT + cell
    low, high = (np.array(bound) for bound in zip(*(_bounds(p, reach) for p in parts), strict=True))
    origin = low.min(0)
    shape = np.ceil((high.max(0) - origin) / cell).astype(int) + 1
    melted = np.zeros(shape, np.float32)
    for part in parts:
        box = _box(part, reach, origin, cell, shape)
        axes = [origin[k] + cell * np.arange(b.start, b.stop) for k, b in enumerate(box)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).astype(np.float32)
        distance, _, _ = part_coordinates(part, points.reshape(-1, 3))
        melted[box] += np.exp(-distance / MELT).reshape(points.shape[:3])
    with np.errstate(divide="ignore"):
        return -MELT * np.log(melted), origin


def _bounds(part: Part, margin: float) -> tuple[np.ndarray, np.ndarray]:
    ends = np.array([part.start, part.end])
    radii = np.array([[part.start_radius], [part.end_radius]]) + margin
    return (ends - radii).min(0), (ends + radii).max(0)


def _box(
    part: Part, margin: float, origin: np.ndarray, cell: float, shape: np.ndarray
) -> tuple[slice, ...]:
    low, high = _bounds(part, margin)
    first = np.maximum(np.floor((low - origin) / cell).astype(int), 0)
    last = np.minimum(np.ceil((high - origin) / cell).astype(int) + 1, shape)
    return tuple(slice(a, b) for a, b in zip(first, last, strict=True))
