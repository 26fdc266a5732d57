"""Filling a map from scattered values by an edge-aware membrane.

After Levin, Lischinski and Weiss, "Colorization using Optimization" (2004): the quadratic energy
sum_i w_i (x_i - v_i)^2 + sum_ij e_ij (x_i - x_j)^2, its links e_ij weak across colour edges.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

STIFFNESS = 0.5  # of a link in even colour, against a weight of one
EDGE_CONTRAST = 0.05  # colour difference (root mean square) at which a link is worth 1/e
WEAKEST_LINK = 0.02  # nothing is cut off altogether: the system stays regular
TOLERANCE = 1e-5
MOST_STEPS = 400


def fill_membrane(
    values: Float[Tensor, "H W"],
    weights: Float[Tensor, "H W"],
    guide: Float[Tensor, "H W 3"] | None = None,
) -> Float[Tensor, "H W"]:
    """Fill and smooth a map.

    Args:
        values: what is known; ignored where the weight is 0.
        weights: trust in [0, 1]; at least one must be positive.
        guide: colours in [0, 1] whose edges the membrane may tear at.

    Solved by conjugate gradients from a coarse-to-fine start, float64.
    """
    known = (values.nan_to_num() * (weights > 0)).double()
    weights = weights.double()
    across, down = _links(guide, values.shape)
    start = _coarse_start(known, weights)
    return _conjugate_gradients(start, known, weights, across, down).to(values.dtype)


def _links(guide: Tensor | None, shape: torch.Size) -> tuple[Tensor, Tensor]:
    height, width = shape
    if guide is None:
        across = torch.full((height, width - 1), STIFFNESS, dtype=torch.float64)
        return across, torch.full((height - 1, width), STIFFNESS, dtype=torch.float64)

    def strength(difference: Tensor) -> Tensor:
        contrast = difference.double().square().mean(dim=-1)
        return STIFFNESS * torch.exp(-contrast / EDGE_CONTRAST**2).clamp(min=WEAKEST_LINK)

    return strength(guide.diff(dim=1)), strength(guide.diff(dim=0))


def _apply(x: Tensor, weights: Tensor, across: Tensor, down: Tensor) -> Tensor:
    result = weights * x
    flow = across * x.diff(dim=1)
    result[:, :-1] -= flow
    result[:, 1:] += flow
    flow = down * x.diff(dim=0)
    result[:-1] -= flow
    result[1:] += flow
    return result


def _conjugate_gradients(
    x: Tensor, values: Tensor, weights: Tensor, across: Tensor, down: Tensor
) -> Tensor:
    diagonal = weights.clone()
    diagonal[:, :-1] += across
    diagonal[:, 1:] += across
    diagonal[:-1] += down
    diagonal[1:] += down
    residual = weights * values - _apply(x, weights, across, down)
    goal = TOLERANCE * float((weights * values).norm())
    scaled = residual / diagonal
    direction, energy = scaled, (residual * scaled).sum()
    for _ in range(MOST_STEPS):
        if float(residual.norm()) <= goal:
            break
        image = _apply(direction, weights, across, down)
        length = energy / (direction * image).sum()
        x = x + length * direction
        residual = residual - length * image
        scaled = residual / diagonal
        energy, before = (residual * scaled).sum(), energy
        direction = scaled + energy / before * direction
    return x


def _coarse_start(values: Tensor, weights: Tensor) -> Tensor:
    """Solve the same without edges at half the size; at the bottom take the mean."""
    height, width = values.shape
    if min(height, width) <= 4:
        mean = (values * weights).sum() / weights.sum()
        return mean.expand(height, width).clone()
    total = F.avg_pool2d(weights[None, None], 2, ceil_mode=True)[0, 0]
    summed = F.avg_pool2d((values * weights)[None, None], 2, ceil_mode=True)[0, 0]
    small = summed / total.clamp(min=1e-12)
    links = _links(None, small.shape)
    solved = _conjugate_gradients(_coarse_start(small, total), small, total, *links)
    wide = F.interpolate(solved[None, None], (height, width), mode="bilinear", align_corners=False)
    return wide[0, 0]
