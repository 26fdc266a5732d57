"""Tracks: where points of the objects are in every frame, and whether they are seen."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.errors import ResultError
from fourfold.files import write_atomic
from fourfold.geometry import Camera, project_points, transform_points
from fourfold.scene import Scene

# A grid of 48 x 48 over the frame, as DreamScene4D draws its tracks.
_GRID = 48
# A small object has a finer grid, of about this many cells over its visible area.
_FEWEST = 64
# An object's points are picked in its first frame with at least this share of its largest area.
_WELL_SEEN = 0.5
# A point counts as seen where the scene's depth is not nearer by more than this share: the depth
# is an average over overlapping Gaussians, which are about this thick.
_DEPTH_TOLERANCE = 0.05
# An object owns a pixel from this blending weight on.
_OWNS = 0.5


@dataclass(frozen=True)
class ScenePoints:
    """Points fixed to the objects: `canonical` (N,3) in the frame of `objects` (N,)'s geometry."""

    canonical: Float[Tensor, "N 3"]
    objects: Int[Tensor, " N"]

    def __len__(self) -> int:
        return len(self.canonical)


@dataclass(frozen=True)
class PointTracks:
    """Points of the objects over time.

    `points` (T,N,3) in the world, `pixels` (T,N,2) of the frame's camera, `visibility` (T,N),
    `objects` (N,): index of the point's object in `names`.
    """

    points: Float[Tensor, "T N 3"]
    pixels: Float[Tensor, "T N 2"]
    visibility: Bool[Tensor, "T N"]
    objects: Int[Tensor, " N"]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Sight:
    """What is seen at one moment: depth (H,W), NaN for nothing; each object's share (H,W,K)."""

    camera: Camera
    depth: Float[Tensor, "H W"]
    weights: Float[Tensor, "H W K"]


@torch.no_grad()
def track_points(scene: Scene, grid: int = _GRID) -> PointTracks:
    """Follow a grid of points on the objects through the whole clip (own method).

    Each object's points are picked on a grid of `grid` cells along the longer side (finer for a
    small object), in the first frame that shows at least half of its largest visible area: in
    each cell the Gaussian that is seen there. They then follow the object's motion, also where
    they are hidden.

    Raises:
        ResultError: no object is visible in any frame.
    """
    frames = [see(scene, scene.camera_at(float(t)), float(t)) for t in range(scene.num_frames)]
    chosen = pick_points(scene, frames, grid)
    times = torch.arange(scene.num_frames, dtype=torch.float32)
    points = follow(scene, chosen, times)
    views = [
        look(frame, world, chosen.objects) for frame, world in zip(frames, points, strict=True)
    ]
    return PointTracks(
        points=points,
        pixels=torch.stack([pixels for pixels, _ in views]),
        visibility=torch.stack([seen for _, seen in views]),
        objects=chosen.objects,
        names=tuple(item.name for item in scene.objects),
    )


def see(scene: Scene, camera: Camera, time: float) -> Sight:
    """Render what `look` and `pick_points` need to know about a moment."""
    image = scene.render(camera, time, outputs={"depth", "objects"})
    return Sight(camera, image["depth"], image["objects"])


def pick_points(scene: Scene, frames: Sequence[Sight], grid: int = _GRID) -> ScenePoints:
    """Pick canonical points on the visible side of every object but the background.

    Raises:
        ResultError: no object is visible in any of the frames.
    """
    parts = []
    for index, item in enumerate(scene.objects):
        if item.name == "background":
            continue
        area = torch.stack([(f.weights[..., index] > _OWNS).sum() for f in frames])
        if area.max() > 0:
            time = int((area >= _WELL_SEEN * area.max()).nonzero()[0])
            parts.append(_pick(scene, index, frames[time], time, grid))
    if not any(len(part) for part in parts):
        raise ResultError(
            "no object of the scene is visible in any frame: there is nothing to track"
        )
    return ScenePoints(
        torch.cat([part.canonical for part in parts]), torch.cat([part.objects for part in parts])
    )


def follow(scene: Scene, chosen: ScenePoints, times: Float[Tensor, " T"]) -> Float[Tensor, "T N 3"]:
    """Find where the points are in the world at `times` (in frames)."""
    points = chosen.canonical.new_zeros(len(times), len(chosen), 3)
    for index in chosen.objects.unique().tolist():
        own = chosen.objects == index
        points[:, own] = scene.objects[index].motion.trajectory(chosen.canonical[own], times)
    return points


def look(
    frame: Sight, points: Float[Tensor, "N 3"], objects: Int[Tensor, " N"]
) -> tuple[Float[Tensor, "N 2"], Bool[Tensor, " N"]]:
    """Project world points into a frame: pixels (N,2), and which of them (N,) are seen there.

    Seen: in front of the camera, inside the picture, the pixel shows the point's own object, and
    nothing stands nearer by more than the thickness of a Gaussian.
    """
    pixels, depth = project_points(frame.camera, points)
    x, y = pixels.floor().long().unbind(-1)
    height, width = frame.depth.shape
    inside = (depth > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    nearest = frame.depth[y, x]
    owned = frame.weights[y, x, objects] > _OWNS
    return pixels, inside & owned & (depth <= nearest * (1.0 + _DEPTH_TOLERANCE))


def write_tracks(path: Path, tracks: PointTracks, normalization: Float[Tensor, "4 4"]) -> Path:
    """Write tracks as `.npz`, in the coordinates of the capture.

    Arrays: points (T,N,3) float32, pixels (T,N,2) float32, visibility (T,N) bool, objects (N,)
    int32 (index into names), names (K,) str. `normalization` is the scene's `scene_from_capture`,
    which is undone.
    """
    points = transform_points(torch.linalg.inv(normalization), tracks.points)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        points=points.cpu().numpy().astype(np.float32),
        pixels=tracks.pixels.cpu().numpy().astype(np.float32),
        visibility=tracks.visibility.cpu().numpy(),
        objects=tracks.objects.cpu().numpy().astype(np.int32),
        names=np.array(tracks.names),
    )
    return write_atomic(path, buffer.getvalue())


def _pick(scene: Scene, index: int, frame: Sight, time: int, grid: int) -> ScenePoints:
    item = scene.objects[index]
    # where the points are followed to: looping matter is drawn in other places too
    means = item.means_at(float(time))
    _, seen = look(frame, means, torch.full((len(means),), index))
    pixels, depth = project_points(frame.camera, means)
    area = float((frame.weights[..., index] > _OWNS).sum())
    side = max(frame.camera.width, frame.camera.height)
    step = max(min(side / grid, math.sqrt(area / _FEWEST)), 1.0)
    cell = (pixels / step).floor().long()
    key = cell[:, 1] * side + cell[:, 0]
    # The frontmost Gaussian of each cell: sort by depth, then take the first of each key.
    order = torch.argsort(depth, stable=True)
    order = order[seen[order]]
    _, first = np.unique(key[order].cpu().numpy(), return_index=True)
    chosen = order[torch.from_numpy(np.sort(first))]
    return ScenePoints(item.geometry.means[chosen].detach(), torch.full((len(chosen),), index))
