"""Parts of an object that its reference frame does not show, taken from the frames that do."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.body import COVERAGE
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.inflation import inflate
from fourfold.methods.dreamscene4d.nodes import NodeGraph
from fourfold.methods.dreamscene4d.register import Body, ImageTracks, hang_on_nodes, pose_body, turn
from fourfold.methods.dreamscene4d.surfels import cover_surface
from fourfold.scene import Gaussians

STRIDE = 2
"""Pixels between samples."""
REACH = 3
"""Pixels around a sample that count as covered: registration is no more exact."""
LEAST_SHARE = 0.005
"""Uncovered parts smaller than this share of the mask are left to the optimisation."""


def merge_frames(
    clip: Clip,
    index: int,
    reference: int,
    graph: NodeGraph,
    tracks: ImageTracks,
    camera: Camera,
    depth: float,
    center: Float[Tensor, " 2"],
) -> Gaussians | None:
    """Find what other frames show beyond the registered body, and carry it to the object's frame.

    Own. From the frame nearest to the reference outwards: mask pixels that no known part covers
    are taken back along the motion of the nearest known point, coloured from that frame and
    inflated. Returns their Gaussians, or None where the reference frame shows everything.
    """
    y, x = torch.nonzero(clip.masks[reference, index], as_tuple=True)
    inner = (y % STRIDE == 0) & (x % STRIDE == 0)
    known = torch.stack([x[inner], y[inner]], 1) + 0.5
    found = []
    for frame in sorted(clip.visible_frames(index), key=lambda t: abs(t - reference)):
        body = hang_on_nodes(known, graph)
        shown = pose_body(
            body, graph, tracks.pixels[frame], tracks.angles[frame], tracks.sizes[frame]
        )
        missing = _uncovered(clip.masks[frame, index], shown)
        if missing.sum() < LEAST_SHARE * clip.areas[frame, index]:
            continue
        points, cells = _sample(missing)
        home = _take_home(points, body, shown, tracks, frame)
        thickness = inflate(missing)[cells[:, 1], cells[:, 0]]
        found.append((home, clip.image(frame)[cells[:, 1], cells[:, 0]], thickness))
        known = torch.cat([known, home])
    if not found:
        return None
    points, colors, thickness = (torch.cat(parts) for parts in zip(*found, strict=True))
    return _cover(points, colors, thickness, camera, depth, center)


def _uncovered(mask: Bool[Tensor, "H W"], shown: Float[Tensor, "N 2"]) -> Bool[Tensor, "H W"]:
    """Mark mask pixels that no shown point is near, without slivers along the outline."""
    height, width = mask.shape
    covered = np.zeros((height, width), np.uint8)
    x, y = shown.long().unbind(1)
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    covered[y[inside].numpy(), x[inside].numpy()] = 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * REACH + 1,) * 2)
    missing = mask.numpy().astype(np.uint8) & (1 - cv2.dilate(covered, disc))
    return torch.from_numpy(cv2.morphologyEx(missing, cv2.MORPH_OPEN, disc) > 0)


def _sample(missing: Bool[Tensor, "H W"]) -> tuple[Tensor, Tensor]:
    """Return every other pixel each way of a mask: its centre, and its column and row."""
    y, x = torch.nonzero(missing, as_tuple=True)
    chosen = (y % STRIDE == 0) & (x % STRIDE == 0)
    cells = torch.stack([x[chosen], y[chosen]], 1)
    return cells + 0.5, cells


def _take_home(
    points: Float[Tensor, "N 2"],
    body: Body,
    shown: Float[Tensor, "M 2"],
    tracks: ImageTracks,
    frame: int,
) -> Float[Tensor, "N 2"]:
    """Move pixels of a frame into the reference frame's plane, rigidly with the nearest point."""
    nearest = torch.cdist(points, shown).argmin(1)
    angles = body.turn(tracks.angles[frame])[nearest]
    return body.points[nearest] + turn(points - shown[nearest], -angles) / tracks.sizes[frame]


def _cover(
    points: Float[Tensor, "N 2"],
    colors: Float[Tensor, "N 3"],
    thickness: Float[Tensor, " N"],
    camera: Camera,
    depth: float,
    center: Float[Tensor, " 2"],
) -> Gaussians:
    """Lay Gaussians on pixels of the reference frame, before the middle of the object."""
    focal = sum(camera.focal) / 2
    nearer = depth * (1 - thickness / focal)[:, None]
    placed = camera.directions(points) * nearer - camera.directions(center[None]) * depth
    right = torch.tensor([STRIDE * depth / camera.focal[0], 0.0, 0.0]).expand(len(points), 3)
    down = torch.tensor([0.0, STRIDE * depth / camera.focal[1], 0.0]).expand(len(points), 3)
    return cover_surface(placed, right, down, colors, stretch=1.0, coverage=COVERAGE)
