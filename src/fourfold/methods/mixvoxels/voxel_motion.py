"""Which voxels move: those where every camera that sees them sees change."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.fields import Space, grid_vertices
from fourfold.geometry import Camera, project_points

DISSENT = 0.15
"""Share of the cameras that may see no change at a voxel that moves: they film through glass, a
mover has the colour of what it hides, or the chosen depth is wrong."""
BEHIND = 0.1
"""A camera says nothing about a voxel that lies behind its still surface by more than this share
of the depth."""
_CHUNK = 1 << 18


def voxel_centers(space: Space, resolution: Sequence[int]) -> Float[Tensor, "X Y Z 3"]:
    """Give the world places of the vertices of a grid over the cube."""
    cube = grid_vertices(resolution)
    return space.to_world(cube.reshape(-1, 3)).reshape(cube.shape)


def project_motion(
    space: Space,
    resolution: tuple[int, int, int],
    cameras: Sequence[Camera],
    changing: Sequence[Bool[Tensor, "H W"]],
    surfaces: Sequence[Float[Tensor, "H W"] | None],
) -> Bool[Tensor, "X Y Z"]:
    """Find the voxels that move by looking at each from every camera; own.

    A voxel moves if at least two cameras see it and all of them see change there, but for a share
    `DISSENT`. Pictures are looked at with the width of a voxel. A camera that sees a still surface
    (depth z in `surfaces`, NaN or None where unknown) before the voxel is not asked.
    """
    distances = [pixels_from(mask) for mask in changing]
    slabs = []
    for places, spacing in _slabs(space, resolution):
        points, spacings = places.reshape(-1, 3), spacing.reshape(-1)
        asked = torch.zeros(len(points), dtype=torch.int16)
        agree = torch.zeros(len(points), dtype=torch.int16)
        for camera, far, surface in zip(cameras, distances, surfaces, strict=True):
            seen, change = look(camera, far, surface, points, spacings)
            asked += seen
            agree += seen & change
        moving = (asked >= min(2, len(cameras))) & (agree >= asked * (1.0 - DISSENT))
        slabs.append((moving & (agree > 0)).reshape(spacing.shape))
    return torch.cat(slabs)


def _slabs(
    space: Space, resolution: tuple[int, int, int]
) -> Iterator[tuple[Float[Tensor, "x Y Z 3"], Float[Tensor, "x Y Z"]]]:
    """Give a grid's places and spacings some planes at a time: all at once would fill memory."""
    axes = [torch.linspace(0.0, 1.0, count) for count in resolution]
    planes = max(_CHUNK // (resolution[1] * resolution[2]), 1)
    for first in range(0, resolution[0], planes):
        begin, end = max(first - 1, 0), min(first + planes + 1, resolution[0])
        cube = torch.stack(torch.meshgrid(axes[0][begin:end], *axes[1:], indexing="ij"), -1)
        places = space.to_world(cube.reshape(-1, 3)).reshape(cube.shape)
        own = slice(first - begin, first - begin + planes)
        yield places[own], voxel_spacing(places)[own]


def look(
    camera: Camera,
    distances: Float[Tensor, "H W"],
    surface: Float[Tensor, "H W"] | None,
    points: Float[Tensor, "N 3"],
    spacing: Float[Tensor, " N"],
) -> tuple[Bool[Tensor, " N"], Bool[Tensor, " N"]]:
    """Say which points a camera has in view, and at which of them it sees change."""
    pixels, depth = project_points(camera, points)
    x, y = pixels.floor().long().unbind(1)
    inside = (depth > 1e-6) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    x, y = x.clamp(0, camera.width - 1), y.clamp(0, camera.height - 1)
    if surface is not None:
        hidden = depth > surface[y, x] * (1.0 + BEHIND)
        inside &= ~hidden
    radius = 0.5 * spacing * camera.focal[0] / depth.clamp_min(1e-6)
    return inside, distances[y, x] <= radius.clamp_min(0.5)


def pixels_from(mask: Bool[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """Give each pixel's distance to the nearest one in the mask, in pixels."""
    if not bool(mask.any()):
        return torch.full(mask.shape, torch.inf)
    outside = (~mask.numpy()).astype(np.uint8)
    return torch.from_numpy(cv2.distanceTransform(outside, cv2.DIST_L2, 3))


def voxel_spacing(places: Float[Tensor, "X Y Z 3"]) -> Float[Tensor, "X Y Z"]:
    """Give the longest distance from each vertex to a neighbour along the axes."""
    longest = torch.zeros(places.shape[:3])
    for axis in range(3):
        steps = places.diff(dim=axis).norm(dim=-1)
        first, last = steps.narrow(axis, 0, 1), steps.narrow(axis, steps.shape[axis] - 1, 1)
        before, after = torch.cat((first, steps), axis), torch.cat((steps, last), axis)
        # far away in an unbounded space neighbours are at any distance
        longest = torch.maximum(longest, torch.minimum(before, after))
    return longest
