"""Depth of what stands still, swept through the neighbouring cameras and confirmed by others."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.estimators import SweptView, fill_membrane, smooth_planes, sweep_costs
from fourfold.methods.mixvoxels.consensus import confirmed
from fourfold.methods.mixvoxels.shots import Shots, reduction, smaller
from fourfold.training import Progress

LONGEST_SIDE = 240
"""Pictures are swept at no more than this, in pixels: for speed."""
PLANES = 64
SIDE = 3
"""Cameras that a view is compared with at a time: the nearest three, and the next three."""
UNSEEN_COST = 2.0
"""Cost of a depth at which no camera sees the pixel: as bad as unrelated pictures. Where cameras
look at each other it is common near the lens, and must not be the easy way out."""
FEWEST_WITNESSES = 2
"""Other cameras that must confirm a depth, where there are so many."""


def sweep_depths(shots: Shots, progress: Progress) -> list[Float[Tensor, "h w"]]:
    """Find each view's depth without what moves; NaN where no other camera confirms it.

    Own: plane sweep with semi-global matching per view, then a vote of all other views.
    """
    views = [_swept_view(shots, view) for view in range(shots.num_views)]
    depths = []
    for view in range(shots.num_views):
        depths.append(_sweep(views, view, shots.bounds[view]))
        progress.advance()
    sure = _confirmed(views, depths)
    return _confirmed(views, [_filled(*pair) for pair in zip(views, sure, strict=True)])


def _confirmed(
    views: Sequence[SweptView], depths: Sequence[Float[Tensor, "h w"]]
) -> list[Float[Tensor, "h w"]]:
    cameras = [each.camera for each in views]
    return [confirmed(cameras, depths, view, FEWEST_WITNESSES) for view in range(len(views))]


def _swept_view(shots: Shots, view: int) -> SweptView:
    camera = shots.cameras[view]
    camera = smaller(camera, reduction(camera, LONGEST_SIDE))
    size = (camera.width, camera.height)
    image = cv2.resize(shots.still[view], size, interpolation=cv2.INTER_AREA)
    return SweptView(image.astype(np.float32) / 255, np.ones(size[::-1], bool), camera)


def _sweep(
    views: Sequence[SweptView], view: int, bounds: tuple[float, float]
) -> Float[Tensor, "h w"]:
    reference = views[view]
    places = torch.stack([each.camera.position for each in views])
    near = torch.argsort((places - places[view]).norm(dim=1), stable=True).tolist()
    near.remove(view)
    sides = [[views[v] for v in near[first : first + SIDE]] for first in (0, SIDE)]
    inverse = np.linspace(1 / bounds[1], 1 / bounds[0], PLANES)
    costs = sweep_costs(reference, sides, inverse, unseen_cost=UNSEEN_COST)
    planes = smooth_planes(costs, reference.image, reference.seen)
    return torch.from_numpy(1 / np.interp(planes, np.arange(PLANES), inverse)).float()


def _filled(view: SweptView, depth: Float[Tensor, "h w"]) -> Float[Tensor, "h w"]:
    """Span even surfaces between sure depths; in 1/z, in which planes are straight."""
    known = depth.isfinite()
    if not bool(known.any()):
        return depth
    inverse = fill_membrane((1 / depth).nan_to_num(), known.float(), torch.from_numpy(view.image))
    return 1 / inverse
