"""Which depths of a body other frames agree with: the rest would float before its surface."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import log_depth_ratio, transform_points
from fourfold.methods.osn.footage import Footage

WITNESSES = 24
"""Frames, evenly spread, that each depth is compared with."""
AGREES = 0.03
"""Relative difference up to which two depths are one surface."""
IN_FRONT = 0.05
"""Relative difference from which on a point lies before a surface that is seen through it."""
WITNESSES_PER_DOUBT = 2
"""Frames that must agree for each one that sees through."""


def keep_agreed(
    footage: Footage, index: int, depths: Mapping[int, Float[Tensor, "H W"]]
) -> dict[int, Float[Tensor, "H W"]]:
    """Take out of a body's depths, by frame, those that others do not confirm; NaN there.

    Own, after the visibility tests of Merrell et al., "Real-time visibility-based fusion of depth
    maps" (2007). A point contradicts a frame in which the body is seen behind it. What no other
    frame agrees with goes too: at the rims of masks and of shadows that move much is made up.
    """
    frames = list(depths)
    witnesses = frames[:: -(-len(frames) // WITNESSES)]
    kept = {}
    for frame, depth in depths.items():
        known = depth.isfinite()
        points = _points(footage, index, frame, depth)
        votes = torch.zeros(len(points))
        for witness in witnesses:
            if witness == frame:
                continue
            camera = footage.cameras[witness].moved(footage.poses[index, witness])
            ratio = log_depth_ratio(camera, depths[witness], points)
            votes += (ratio.abs() < AGREES).float()
            votes -= WITNESSES_PER_DOUBT * (ratio < -IN_FRONT).float()
        kept[frame] = depth.clone()
        kept[frame][known] = depth[known].where(votes > 0, torch.nan)
    return kept


def _points(
    footage: Footage, index: int, frame: int, depth: Float[Tensor, "H W"]
) -> Float[Tensor, "N 3"]:
    """Give the places of all depths of a frame, in the body's frame."""
    camera, known = footage.cameras[frame], depth.isfinite()
    local = camera.directions(camera.pixel_grid()[known]) * depth[known][:, None]
    return transform_points(footage.bodies[index].object_from_camera[frame].float(), local)
