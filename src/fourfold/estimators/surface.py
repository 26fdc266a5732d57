"""The smooth surfaces on which a moving region's matter slides. Own."""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.landscape_depth import FARTHEST, SKY_DEPTH, LandscapeDepth
from fourfold.estimators.mask_parts import connected_parts, large_parts, nearest_marked

SMALLEST_PART = 1e-3
"""Share of the photo under which a part of a region lies on the surface of the part next to it."""
SMOOTHING = 0.02
"""Standard deviation, in shares of the longer side, to which a surface follows the depth map."""
REWEIGHTINGS = 8
SAMPLES = 20_000
"""Pixels that a plane is fitted to, evenly taken from the part."""


def surface_depth(landscape: LandscapeDepth, mask: Bool[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """Give the smooth surface that a region lies on, also beyond the region.

    Each connected part of the region has its own surface: a plane, which 1/z is linear on, fitted
    robustly, plus what the part's smoothed depth departs from it, which fades out beyond the part.
    Sky is a surface at SKY_DEPTH. A pixel outside the region has the surface of the nearest part.

    Args:
        mask: the region; it may hold sky and ground.

    Returns:
        z, at most SKY_DEPTH. Level ground is given back exactly, up to FARTHEST at the horizon.
    """
    if not mask.any():
        return landscape.depth.clone()
    result = torch.full_like(landscape.depth, SKY_DEPTH)
    owner = _nearest_part(mask, landscape.sky)
    for part in torch.unique(owner).tolist():
        own = owner == part
        inside = own & mask
        if not bool(landscape.sky[inside].float().mean() > 0.5):
            result[own] = _part_surface(landscape, inside & ~landscape.sky)[own]
    return result


def _nearest_part(mask: Tensor, sky: Tensor) -> Tensor:
    """Number the large connected parts, in the sky and out of it apart; pixels go to the nearest.

    Without any large part all of the mask is one.
    """
    least = SMALLEST_PART * mask.numel()
    seeds = np.zeros(mask.shape, np.int64)
    for side in ((mask & sky).numpy(), (mask & ~sky).numpy()):
        large = large_parts(side, least)
        seeds[large] = connected_parts(large)[large] + seeds.max()
    if not seeds.any():
        seeds[mask.numpy()] = 1
    rows, columns, _ = nearest_marked(seeds > 0)
    return torch.from_numpy(seeds[rows, columns])


def _part_surface(landscape: LandscapeDepth, part: Tensor) -> Tensor:
    inverse = 1 / landscape.depth.double()
    plane = _fit_plane(inverse, part)
    weight = part.double()
    sigma = SMOOTHING * max(part.shape)
    known = _blur(weight, sigma)
    departure = _blur((inverse - plane) * weight, sigma) / known.clamp(min=1e-6)
    fade = (2 * known).clamp(max=1)  # one half at a straight border of the part
    return (1 / (plane + fade * departure).clamp(min=1 / FARTHEST)).float()


def _fit_plane(inverse: Tensor, part: Tensor) -> Tensor:
    """Fit a v u + b v + c to 1/z by iteratively reweighted least absolute differences."""
    height, width = inverse.shape
    places = torch.nonzero(part)
    rows, columns = places[:: len(places) // SAMPLES + 1].unbind(dim=1)
    size = max(height, width)
    terms = torch.stack([columns / size, rows / size, torch.ones_like(rows) * 1.0], dim=1).double()
    values = inverse[rows, columns]
    weights = torch.ones_like(values)
    ridge = 1e-9 * torch.eye(3, dtype=torch.float64)
    plane = torch.zeros(3, dtype=torch.float64)
    for _ in range(REWEIGHTINGS):
        weighted = terms * weights[:, None]
        normal = weighted.T @ terms / len(values)
        plane = torch.linalg.solve(normal + ridge, weighted.T @ values / len(values))
        weights = 1 / (values - terms @ plane).abs().clamp(min=1e-4 * float(values.median()))
        weights = weights / weights.mean()
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return plane[0] * u / size + plane[1] * v / size + plane[2]


def _blur(map_: Tensor, sigma: float) -> Tensor:
    return torch.from_numpy(
        cv2.GaussianBlur(map_.numpy(), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    )
