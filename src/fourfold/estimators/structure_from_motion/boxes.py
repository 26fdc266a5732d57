"""The smallest oriented box around points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.spatial import ConvexHull, QhullError

# Faces of a hull tried as sides of the box; more are thinned out evenly.
_MOST_FACES = 400


def oriented_box(
    points: Float[np.ndarray, "N 3"],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Find a box of nearly the smallest volume: one side lies on a face of the convex hull.

    Own: for each face the smallest rectangle of the projection (a side of it lies on an edge of
    the projection's hull). Points in one plane or on one line get the box of their principal axes.

    Returns:
        axes (3, 3), rows of a rotation, the longest side first; centre (3,); extent (3,) full
        side lengths.
    """
    try:
        hull = ConvexHull(points)
    except QhullError:
        return _ordered(_principal_axes(points), points)
    corners = points[hull.vertices]
    normals = np.unique(np.round(hull.equations[:, :3], 6), axis=0)
    normals = normals[:: max(len(normals) // _MOST_FACES, 1)]
    best, smallest = _principal_axes(points), np.inf
    for normal in normals:
        axes = _smallest_rectangle(corners, normal / np.linalg.norm(normal))
        volume = float(np.prod(np.ptp(corners @ axes.T, axis=0)))
        if volume < smallest * (1 - 1e-9):
            best, smallest = axes, volume
    return _ordered(best, points)


def _smallest_rectangle(corners: np.ndarray, normal: np.ndarray) -> Float[np.ndarray, "3 3"]:
    """Give axes (rows) with `normal` first, such that the other two span the least area."""
    aside = np.eye(3)[np.argmin(np.abs(normal))]
    first = np.cross(normal, aside)
    first /= np.linalg.norm(first)
    second = np.cross(normal, first)
    flat = corners @ np.stack((first, second), axis=1)
    outline = flat[ConvexHull(flat).vertices]
    edges = np.roll(outline, -1, axis=0) - outline
    angles = np.unique(np.round(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2), 9))
    cosines, sines = np.cos(angles), np.sin(angles)
    along = outline @ np.stack((cosines, sines))
    across = outline @ np.stack((-sines, cosines))
    best = int(np.argmin(np.ptp(along, axis=0) * np.ptp(across, axis=0)))
    turned = cosines[best] * first + sines[best] * second
    return np.stack((normal, turned, np.cross(normal, turned)))


def _principal_axes(points: np.ndarray) -> np.ndarray:
    return np.linalg.eigh(np.cov(points.T, bias=True))[1].T


def _ordered(axes: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    along = points @ axes.T
    order = np.argsort(-np.ptp(along, axis=0), kind="stable")
    axes = axes[order]
    # Each axis points to where its largest component is positive; the last makes it a rotation.
    axes *= np.sign(axes[np.arange(3), np.argmax(np.abs(axes), axis=1)])[:, None]
    axes[2] *= np.sign(np.linalg.det(axes))
    along = points @ axes.T
    low, high = along.min(axis=0), along.max(axis=0)
    return axes, axes.T @ ((low + high) / 2), high - low
