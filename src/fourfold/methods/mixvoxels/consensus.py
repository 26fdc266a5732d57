"""Do cameras agree on the depth of a place: what no other camera confirms may be made up."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, log_depth_ratio, unproject_pixels

AGREES = 0.04
"""Relative difference up to which two depths are one surface."""
IN_FRONT = 0.08
"""Relative difference from which on a point lies before a surface that is seen through it."""

APART = 1e-3
"""Cameras nearer to each other than this share of the depth are in one place."""


def confirmed(
    cameras: Sequence[Camera], depths: Sequence[Float[Tensor, "h w"]], view: int, witnesses: int
) -> Float[Tensor, "h w"]:
    """Keep the depth z of a view where enough others agree, and more of them than see through it.

    NaN elsewhere; after the visibility tests of Merrell et al., "Real-time visibility-based fusion
    of depth maps" (2007). `depths` are as large as the pictures of the `cameras`, and may be NaN.
    """
    camera, depth = cameras[view], depths[view]
    # from one and the same place all depths are alike, the false ones too
    least = APART * float(depth.nanmedian())
    others = [
        other
        for other, each in enumerate(cameras)
        if float((each.position - camera.position).norm()) > least
    ]
    points = unproject_pixels(camera, camera.pixel_grid(), depth).reshape(-1, 3)
    agree, through = torch.zeros(len(points)), torch.zeros(len(points))
    for other in others:
        ratio = log_depth_ratio(cameras[other], depths[other], points)
        agree += (ratio.abs() < AGREES).float()
        through += (ratio < -IN_FRONT).float()
    kept = (agree >= min(witnesses, len(others))) & (agree > through)
    return depth.where(kept.reshape(depth.shape), torch.nan)
