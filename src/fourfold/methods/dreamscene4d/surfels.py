"""Gaussians that cover a surface which is sampled on a grid of pixels."""

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import matrix_to_quaternion
from fourfold.scene import Gaussians

FLATNESS = 0.15
"""Thickness of a surface Gaussian over its smaller width."""
OPACITY = 0.9
"""Opacity at the start; an optimiser can still move it both ways."""


def cover_surface(
    points: Float[Tensor, "N 3"],
    step_u: Float[Tensor, "N 3"],
    step_v: Float[Tensor, "N 3"],
    colors: Float[Tensor, "N 3"],
    stretch: float,
    coverage: float,
) -> Gaussians:
    """Lay a flat Gaussian on each sample, as wide as the way to its neighbours along u and v.

    Own: the covariance is the sum of the outer products of the two steps, so sheared and slanted
    grids are covered too. Colours in [0,1]. A Gaussian is at most ``stretch``
    times as long as wide; ``coverage`` is its standard deviation over the way to its neighbour.
    """
    covariance = sum(
        step[:, :, None] * step[:, None, :] for step in (step_u.double(), step_v.double())
    )
    values, axes = torch.linalg.eigh(covariance)
    width = values[:, 1:].clamp_min(1e-18).sqrt()
    narrow = width[:, 0]
    narrow = torch.minimum(narrow, width[:, 1]).clamp_min(1e-9)
    scales = torch.stack(
        [narrow * FLATNESS, narrow, torch.minimum(width[:, 1], narrow * stretch)], 1
    )
    axes = axes * torch.sign(torch.linalg.det(axes))[:, None, None]
    return Gaussians.from_colors(
        points,
        colors,
        (scales * coverage).to(points),
        torch.full((len(points),), OPACITY),
        matrix_to_quaternion(axes).to(points),
    )
