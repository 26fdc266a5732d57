"""What moves, frame by frame: the hull of the pixels that differ from the still pictures."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera, project_points
from fourfold.methods.mixvoxels.shots import Shots, reduction
from fourfold.methods.mixvoxels.voxel_motion import DISSENT, look, pixels_from

LONGEST_SIDE = 320
"""Pictures are made smaller than this, in pixels: for speed."""
DEVIATES = 0.07
"""Difference from the still picture, in its worst channel, from which a pixel shows something."""
SPECK = 3
"""Pixels across a structure that is taken for noise."""
FIRST, LEVELS = 32, 3
"""Cells along the longest side of the coarsest grid, and how often they are halved."""
FEWEST_VIEWS = 2
"""Cameras that must see a place before anything is said about it."""


class Silhouettes:
    """Where one frame differs from the still pictures, in all views, and what hides it."""

    def __init__(
        self, shots: Shots, frame: int, surfaces: Sequence[Float[Tensor, "h w"] | None]
    ) -> None:
        """`surfaces`: each view's still depth in any size, NaN where unknown, None if nowhere."""
        self.cameras: list[Camera] = []
        self.images: list[Float[Tensor, "h w 3"]] = []
        self.distances: list[Float[Tensor, "h w"]] = []
        for view in range(shots.num_views):
            reduced = reduction(shots.cameras[view], LONGEST_SIDE)
            camera, image = shots.seen_by(view, frame, reduced)
            mask = (shots.deviation(view, frame, reduced) > DEVIATES).numpy().astype(np.uint8)
            opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((SPECK, SPECK), np.uint8))
            self.cameras.append(camera)
            self.images.append(image)
            self.distances.append(pixels_from(torch.from_numpy(opened > 0)))
        pairs = zip(surfaces, self.cameras, strict=True)
        self.surfaces = [None if each is None else _sized(each, camera) for each, camera in pairs]

    def holds(
        self, points: Float[Tensor, "N 3"], spacings: Float[Tensor, " N"]
    ) -> Bool[Tensor, " N"]:
        """Say at which points almost every camera that sees them sees something move.

        Pictures are looked at with the width of a point's distance to the next.
        """
        asked, agree = torch.zeros(len(points)), torch.zeros(len(points))
        views = zip(self.cameras, self.distances, self.surfaces, strict=True)
        for camera, distances, surface in views:
            seen, change = look(camera, distances, surface, points, spacings)
            asked += seen
            agree += seen & change
        needed = min(FEWEST_VIEWS, len(self.cameras))
        return (asked >= needed) & (agree >= asked * (1.0 - DISSENT))


def carve(
    silhouettes: Silhouettes, low: Float[Tensor, " 3"], high: Float[Tensor, " 3"]
) -> tuple[Float[Tensor, "N 3"], float]:
    """Find the cells of a box in which something moves, coarse to fine; their centres and size.

    A visual hull (Laurentini 1994) by cells of which almost all cameras say so.
    """
    spacing = float((high - low).max()) / FIRST
    counts = ((high - low) / spacing).ceil().long().clamp_min(1).tolist()
    axes = [torch.arange(count) + 0.5 for count in counts]
    cells = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    points = low + cells * spacing
    points = _held(silhouettes, points, spacing)
    corners = torch.cartesian_prod(*[torch.tensor([-0.25, 0.25])] * 3)
    for _ in range(LEVELS):
        points = (points[:, None] + corners * spacing).reshape(-1, 3)
        spacing /= 2
        points = _held(silhouettes, points, spacing)
    return points, spacing


def _held(
    silhouettes: Silhouettes, points: Float[Tensor, "N 3"], spacing: float
) -> Float[Tensor, "M 3"]:
    return points[silhouettes.holds(points, torch.full((len(points),), spacing))]


def paint(
    silhouettes: Silhouettes, points: Float[Tensor, "N 3"], spacings: Float[Tensor, " N"]
) -> tuple[Float[Tensor, "N 3"], Bool[Tensor, " N"]]:
    """Give each cell the mean colour of the views in which it is in front, and whether any is."""
    total, count = torch.zeros(len(points), 3), torch.zeros(len(points))
    views = zip(silhouettes.cameras, silhouettes.images, silhouettes.distances, strict=True)
    for camera, image, distances in views:
        pixels, depth = project_points(camera, points)
        x, y = pixels.floor().long().unbind(1)
        inside = (depth > 0) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
        index = torch.nonzero(inside)[:, 0]
        x, y, depth = x[index], y[index], depth[index]
        front = _nearest(camera, x, y, depth, spacings[index])[y, x]
        # a cell at the rim of the hull is larger than a pixel, and would take the wall's colour
        shown = (depth <= front + 2 * spacings[index]) & (distances[y, x] < 1)
        total[index[shown]] += image[y[shown], x[shown]]
        count[index[shown]] += 1
    return total / count.clamp_min(1)[:, None], count > 0


def _sized(depth: Float[Tensor, "H W"], camera: Camera) -> Float[Tensor, "h w"]:
    size = (camera.width, camera.height)
    return torch.from_numpy(cv2.resize(depth.numpy(), size, interpolation=cv2.INTER_NEAREST))


def _nearest(
    camera: Camera, x: Tensor, y: Tensor, depth: Float[Tensor, " M"], spacings: Float[Tensor, " M"]
) -> Float[Tensor, "h w"]:
    """Give the depth of the nearest cell in each pixel; cells are as wide as they look."""
    nearest = torch.full((camera.height * camera.width,), 1e9)
    nearest.scatter_reduce_(0, y * camera.width + x, depth, "amin")
    if not len(depth):
        return nearest.reshape(camera.height, camera.width)
    apart = float((spacings / depth).median() * camera.focal[0])
    width = 2 * min(int(0.5 * apart), max(camera.width, camera.height)) + 3
    image = nearest.reshape(camera.height, camera.width).numpy()
    return torch.from_numpy(cv2.erode(image, np.ones((width, width), np.uint8)))
