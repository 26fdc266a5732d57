"""The first Gaussians of a body: its surface, where key points know its depth."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import Delaunay, KDTree
from torch import Tensor
from torch.nn import functional

from fourfold.geometry import matrix_to_quaternion, project_points, transform_points
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.sweep import mend_depths
from fourfold.scene import Gaussians

START_FRAMES = 60
"""Frames, evenly spread, whose pixels become Gaussians; the rest adds little but time."""
FLATNESS = 0.2
"""Thickness of a Gaussian over its width on the surface."""
COVERAGE = 0.6
"""Standard deviation of a Gaussian over the distance to its neighbours."""
OPACITY = 0.7
"""Opacity at the start; an optimiser can still move it both ways."""
NEIGHBORS = 9
"""Points that tell the direction of a surface, the point itself included."""
STEEPEST = 1.15
"""Ratio of depths over a triangle of key points beyond which it is a gap, not a surface."""
WIDENING = 4.0
"""A Gaussian in a sparse place is at most this much wider than in others."""
ROUNDING = 1e-9
"""Weight of a corner by which a pixel on a triangle's edge may lie outside of it."""
SAME_SURFACE = 0.03
"""Relative difference of depths up to which two frames show one surface."""


def first_gaussians(footage: Footage, index: int, most: int) -> tuple[Gaussians, float]:
    """Cover the surface of a body with flat Gaussians, in the body's frame.

    Own. In each of some frames the key points' depths are interpolated over the body's pixels
    (linear in 1/z on Delaunay triangles: exact on planes), and mended from other frames where
    key points are far (`mend_depths`); each pixel whose surface no frame
    before has shown becomes a Gaussian. Where those would be more than `most`, every second
    (third, ...) row and column is taken.

    Returns:
        the Gaussians and the length in body units that one pixel covers, at the median depth.
    """
    depths, stride = frame_depths(footage, index), 1
    while True:
        points, colors, widths = surface_points(footage, index, stride, depths)
        if len(points) <= most:
            return cover_points(points, colors, widths), float(widths.median()) / stride
        stride += 1


def frame_depths(footage: Footage, index: int) -> dict[int, Float[Tensor, "H W"]]:
    """Give a body's depth in some frames that have key points of it; NaN where it is not known."""
    body = footage.bodies[index]
    frames = [t for t in body.frames if bool((body.points.frames == t).any())]
    chosen = _spread(frames, START_FRAMES)
    depths = {frame: _depth_of_frame(footage, index, frame) for frame in chosen}
    return mend_depths(footage, index, depths)


def surface_points(
    footage: Footage,
    index: int,
    stride: int,
    depths: Mapping[int, Float[Tensor, "H W"]] | None = None,
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"], Float[Tensor, " N"]]:
    """Give points of a body's surface in its frame, their colours, and their distances.

    Of `stride` rows and columns one is taken. `depths`: `frame_depths`, where they are known.
    """
    body = footage.bodies[index]
    points, colors, widths = torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0)
    for frame, depth in (frame_depths(footage, index) if depths is None else depths).items():
        new = depth.isfinite() & ~_shown_before(footage, index, frame, depth, points)
        new[torch.arange(len(new)) % stride != 0] = False
        new[:, torch.arange(new.shape[1]) % stride != 0] = False
        camera, z = footage.cameras[frame], depth[new]
        local = camera.directions(camera.pixel_grid()[new]) * z[:, None]
        pose = body.object_from_camera[frame].float()
        points = torch.cat([points, transform_points(pose, local)])
        colors = torch.cat([colors, footage.image(frame)[new]])
        widths = torch.cat([widths, stride * z / (sum(camera.focal) / 2)])
    return points, colors, widths


def _depth_of_frame(footage: Footage, index: int, frame: int) -> Float[Tensor, "H W"]:
    """Give a body's depth in all pixels in which it is seen; NaN in others."""
    points = footage.bodies[index].points
    mine = points.frames == frame
    seen = footage.labels[frame] == index
    depth = interpolate_depth(
        points.pixels[mine].numpy(), points.depths[mine].numpy(), seen.numpy()
    )
    return torch.from_numpy(depth)


def _shown_before(
    footage: Footage,
    index: int,
    frame: int,
    depth: Float[Tensor, "H W"],
    points: Float[Tensor, "N 3"],
) -> Bool[Tensor, "H W"]:
    """Mark the pixels near which one of the points lies on the surface that is seen there."""
    camera = footage.cameras[frame].moved(footage.poses[index, frame])
    pixels, z = project_points(camera, points)
    x, y = pixels.floor().long().unbind(1)
    inside = (z > 0) & (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
    x, y, z = x[inside], y[inside], z[inside]
    same = (depth[y, x] / z).log().abs() < SAME_SURFACE
    marked = torch.zeros_like(depth)
    marked[y[same], x[same]] = 1.0
    return functional.max_pool2d(marked[None], 3, stride=1, padding=1)[0] > 0


def interpolate_depth(
    pixels: Float[np.ndarray, "M 2"],
    depths: Float[np.ndarray, "M"],
    seen: Bool[np.ndarray, "H W"],
) -> Float[np.ndarray, "H W"]:
    """Spread the depths of key points over the pixels where their body is seen; NaN elsewhere.

    Own: linear in 1/z on Delaunay triangles. Pixels outside all triangles take the nearest key
    point; those of a triangle that spans a gap in depth, and where it does not belong, too.
    """
    rows, columns = np.nonzero(seen)
    inverse = np.full(seen.shape, np.nan)
    if not len(rows):
        return inverse.astype(np.float32)
    known = 1.0 / depths.astype(np.float64)
    inverse[rows, columns] = known[KDTree(pixels).query(np.stack([columns, rows], 1) + 0.5)[1]]
    triangles = _triangulate(pixels)
    if triangles is not None:
        inside, corners, weights = _barycentric(triangles, seen)
        values = known[corners]
        whole = values.max(1) <= STEEPEST * values.min(1)
        inverse.flat[inside[whole]] = (weights * values).sum(1)[whole]
    return (1.0 / inverse).astype(np.float32)


def _triangulate(pixels: Float[np.ndarray, "M 2"]) -> Delaunay | None:
    """Triangulate, if the points are not all on a line."""
    centered = pixels - pixels.mean(0)
    if len(pixels) < 3 or np.linalg.matrix_rank(centered, tol=1e-3 * np.abs(centered).max()) < 2:
        return None
    return Delaunay(pixels.astype(np.float64))


def _barycentric(
    triangles: Delaunay, seen: Bool[np.ndarray, "H W"]
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Find which seen pixels (counted row by row) lie in a triangle, its corners, their weights.

    Each triangle is compared with the pixels of its box. `Delaunay.find_simplex` would invert a
    matrix for each triangle in LAPACK, whose threads wait for each other on a busy machine.
    """
    height, width = seen.shape
    corners = triangles.points[triangles.simplices]
    solid = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) != 0
    simplices, corners = triangles.simplices[solid], corners[solid]
    low = np.ceil(corners.min(1) - 0.5).astype(int).clip(0)
    high = np.floor(corners.max(1) - 0.5).astype(int).clip(max=(width - 1, height - 1))
    size = (high - low + 1).clip(0)
    count = size.prod(1)
    owner = np.repeat(np.arange(len(corners)), count)
    place = np.arange(len(owner)) - np.repeat(count.cumsum() - count, count)
    x, y = low[owner, 0] + place % size[owner, 0], low[owner, 1] + place // size[owner, 0]
    owner, x, y = (each[seen[y, x]] for each in (owner, x, y))
    a, b, c = np.moveaxis(corners[owner] - np.stack([x, y], 1)[:, None] - 0.5, 1, 0)
    areas = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], 1)
    weights = areas / areas.sum(1, keepdims=True)
    inside = weights.min(1) >= -ROUNDING
    return (y * width + x)[inside], simplices[owner[inside]], weights[inside]


def _cross(a: Float[np.ndarray, "N 2"], b: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, " N"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def cover_points(
    points: Float[Tensor, "N 3"], colors: Float[Tensor, "N 3"], widths: Float[Tensor, " N"]
) -> Gaussians:
    """Lay a flat Gaussian on each point, along the plane through its neighbours.

    `widths`: the distance of neighbours where the surface faces the camera.
    """
    count = min(NEIGHBORS, len(points))
    distances, neighbors = KDTree(points.numpy()).query(points.numpy(), k=count)
    around = points[torch.from_numpy(neighbors).reshape(len(points), count)].double()
    offsets = around - around.mean(1, keepdim=True)
    axes = torch.linalg.eigh(offsets.mT @ offsets)[1]  # the normal first
    axes = axes * torch.sign(torch.linalg.det(axes))[:, None, None]
    near = torch.from_numpy(distances).reshape(len(points), count)[:, 1:5].float()
    width = near.mean(1) if near.shape[1] else widths
    width = COVERAGE * torch.minimum(torch.maximum(width, 0.5 * widths), WIDENING * widths)
    return Gaussians.from_colors(
        points,
        colors,
        torch.stack([FLATNESS * width, width, width], 1),
        torch.full((len(points),), OPACITY),
        matrix_to_quaternion(axes).float(),
    )


def _spread(frames: list[int], most: int) -> list[int]:
    """Pick at most so many frames, evenly."""
    if len(frames) <= most:
        return frames
    return [frames[round(i * (len(frames) - 1) / (most - 1))] for i in range(most)]
