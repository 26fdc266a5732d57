"""A body's depth where its key points are far: swept from frames whose poses are known."""

import math
from collections.abc import Mapping

import cv2
import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial import KDTree
from torch import Tensor

from fourfold.estimators import SweptView, smooth_planes, sweep_costs, sweep_pixels
from fourfold.methods.osn.agreement import keep_agreed
from fourfold.methods.osn.footage import Footage

FAR, FAR_PIXELS = 0.02, 3.0
"""Distance to the nearest key point beyond which a depth is doubted: of the longer side, and at
least in pixels."""
MOST_FAR = 0.05
"""Share of a body's pixels that may be doubted; beyond it other frames are asked."""
LONGEST_SIDE = 240
"""Frames are made smaller than this in pixels, by a whole number: for speed."""
MOST_PLANES = 64
WAYS = (0.06, 0.15, 0.4)
"""How far a pixel's place moves over all depths in the partners of a side, of the longer side."""
LEAST_WAY = 2.0
"""Pixels of a way below which a frame says nothing about depth."""
MARGIN = 1.25
"""Depths reach so much nearer and farther than those of key points."""
OUTLIERS = 0.01
"""Share of key points, at either end, that does not count for it."""
POINT_COST, MOST_POINT_COST = 0.5, 2.0
"""Cost of each plane away from a key point in its pixel, and at most."""
AGREES = 0.06
"""Relative difference up to which the depth between key points is kept: it has no planes."""


def mend_depths(
    footage: Footage, index: int, depths: Mapping[int, Float[Tensor, "H W"]]
) -> dict[int, Float[Tensor, "H W"]]:
    """Mend a body's depths, by frame, where those of key points do not carry to.

    Nothing changes where key points are dense, or where the body hardly turns or moves, so that
    no sweep can tell. Otherwise NaN where no other frame confirms a depth.

    Args:
        depths: interpolated between key points, NaN where the body is not seen.
    """
    far = [share_far(footage, index, frame) for frame in depths]
    if not far or sum(far) / len(far) <= MOST_FAR:
        return dict(depths)
    swept = {t: sweep_depth(footage, index, t, depth) for t, depth in depths.items()}
    if all(swept[frame] is depths[frame] for frame in depths):
        return swept
    return keep_agreed(footage, index, swept)


def sweep_depth(
    footage: Footage, index: int, frame: int, depth: Float[Tensor, "H W"]
) -> Float[Tensor, "H W"]:
    """Find a body's depth in a frame from what other frames show.

    Own. Frames before and after, in which the body has moved by several amounts, are compared by a
    plane sweep; key points hold their pixels. Where the smooth choice of planes agrees with the
    given depth, that is kept. So it is where the body never moves.
    """
    reduced = -(-max(depth.shape) // LONGEST_SIDE)
    inverse = _inverse_depths(footage, index)
    sides = _partners(footage, index, frame, inverse, reduced)
    if not sides:
        return depth
    reference = _view(footage, index, frame, reduced)
    partners = [[_view(footage, index, t, reduced) for t in side] for side in sides]
    costs = sweep_costs(reference, partners, inverse)
    _hold_points(costs, footage, index, frame, inverse)
    planes = smooth_planes(costs, reference.image, reference.seen)
    found = 1 / np.interp(planes, np.arange(len(inverse)), inverse)
    size = (depth.shape[1], depth.shape[0])
    swept = torch.from_numpy(cv2.resize(found, size, interpolation=cv2.INTER_NEAREST)).float()
    return torch.where((swept / depth).log().abs() > AGREES, swept, depth)


def share_far(footage: Footage, index: int, frame: int) -> float:
    """Give the share of a body's pixels that are far from all key points of the frame."""
    points = footage.bodies[index].points
    y, x = torch.nonzero(footage.labels[frame] == index, as_tuple=True)
    if not len(x):
        return 0.0
    known = KDTree(points.pixels[points.frames == frame].numpy())
    distance = known.query(torch.stack([x, y], 1).numpy() + 0.5)[0]
    far = max(FAR_PIXELS, FAR * max(footage.labels.shape[1:]))
    return float((distance > far).mean())


def _inverse_depths(footage: Footage, index: int) -> Float[np.ndarray, "D"]:
    """Spread planes over a body's depths, evenly in 1/z."""
    depths = footage.bodies[index].points.depths.numpy()
    near, far = np.quantile(depths, (OUTLIERS, 1 - OUTLIERS))
    return np.linspace(1 / (MARGIN * far), MARGIN / near, MOST_PLANES)


def _partners(
    footage: Footage, index: int, frame: int, inverse: Float[np.ndarray, "D"], reduced: int
) -> list[list[int]]:
    """Choose frames before and after; none where all see the body from about the same place."""
    y, x = torch.nonzero(footage.labels[frame] == index, as_tuple=True)
    middle = (float(x.float().mean()), float(y.float().mean()))
    here = footage.cameras[frame].moved(footage.poses[index, frame])
    ways = {
        t: sweep_pixels(
            here,
            footage.cameras[t].moved(footage.poses[index, t]),
            middle,
            (float(inverse[0]), float(inverse[-1])),
        )
        for t in footage.bodies[index].frames
        if t != frame
    }
    ways = {t: way for t, way in ways.items() if LEAST_WAY * reduced < way < math.inf}
    sides = [t for t in ways if t < frame], [t for t in ways if t > frame]
    wanted = [math.log(share * max(here.width, here.height)) for share in WAYS]
    return [
        sorted({min(side, key=lambda t: abs(math.log(ways[t]) - goal)) for goal in wanted})
        for side in sides
        if side
    ]


def _view(footage: Footage, index: int, frame: int, reduced: int) -> SweptView:
    """Give a frame as one of the body's views, made smaller."""
    camera = footage.cameras[frame].moved(footage.poses[index, frame])
    size = (camera.width // reduced, camera.height // reduced)
    image = cv2.resize(footage.image(frame).numpy(), size, interpolation=cv2.INTER_AREA)
    seen = (footage.labels[frame] == index).numpy().astype(np.float32)
    seen = cv2.resize(seen, size, interpolation=cv2.INTER_AREA) > 0.5
    return SweptView(image, seen, camera.resized(*size))


def _hold_points(
    costs: Float[np.ndarray, "H W D"],
    footage: Footage,
    index: int,
    frame: int,
    inverse: Float[np.ndarray, "D"],
) -> None:
    """Add what it costs to leave the depth of a key point, in its pixel."""
    points = footage.bodies[index].points
    points = points.where(points.frames == frame)
    scale = np.array(costs.shape[1::-1]) / footage.labels.shape[:0:-1]
    places = (points.pixels.numpy() * scale).astype(int)
    x, y = places.clip(0, np.array(costs.shape[1::-1]) - 1).T
    away = np.abs(inverse - 1 / points.depths.numpy()[:, None]) / (inverse[1] - inverse[0])
    costs[y, x] += np.minimum(POINT_COST * away, MOST_POINT_COST)
