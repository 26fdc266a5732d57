"""Losses that pull the surfaces of a field to known depths, in the true distance along rays.

Both are functions of the weights along the very rays that draw the picture, so that their gradients
reach the densities: a depth that was rendered apart from them would pull at nothing. Targets are
distances along the rays (not z-depths); a ray whose target is NaN does not count.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from fourfold.fields.compositing import accumulate
from fourfold.fields.samples import Samples

# Relative errors above this count linearly, so that wrong targets do not outweigh the others.
OUTLIER = 0.05
# What lies behind this many times the target counts as lying there: in a space without an end a
# speck far behind would outweigh the surface, and all before it be pulled up against it.
FARTHEST = 2.0
# Rays of less alpha have no depth of their own yet: they are not divided by it.
_MIN_ALPHA = 1e-2
# Added to weights before the logarithm (DS-NeRF's).
_MIN_WEIGHT = 1e-5
# Beyond this many standard deviations nothing of the target is left.
_REACH = 4.0


def expected_depth_loss(
    weights: Float[Tensor, " S"],
    samples: Samples,
    targets: Float[Tensor, " R"],
    confidences: Float[Tensor, " R"],
) -> Float[Tensor, ""]:
    """Compare the expected distance of each ray, ``sum w t / sum w``, with its target.

    The error is relative to the target, squared where small and linear above 5 % (Huber), times
    the ray's confidence; the mean over the rays that have a target, zero without any. A t beyond
    twice the target counts as that. Own form.
    Differentiable in the weights.

    >>> samples = Samples.of([[1.0, 2.0, 3.0]])
    >>> weights = torch.tensor([0.25, 0.5, 0.0])  # expected at 1.25 / 0.75
    >>> expected_depth_loss(weights, samples, torch.tensor([2.0]), torch.ones(1))
    tensor(0.1417)
    """
    known = torch.isfinite(targets)
    unit = torch.where(known, targets, 1.0)
    relative = (samples.distances / unit[samples.rays.long()]).clamp(max=FARTHEST)
    columns = torch.stack((torch.ones_like(relative), relative), dim=1)
    sums = accumulate(weights, columns, samples)
    errors = sums[:, 1] / sums[:, 0].clamp(min=_MIN_ALPHA)
    losses = smooth_l1_loss(errors, torch.ones_like(errors), reduction="none", beta=OUTLIER)
    return _mean(losses, confidences, known)


def ray_distribution_loss(
    weights: Float[Tensor, " S"],
    samples: Samples,
    targets: Float[Tensor, " R"],
    stds: Float[Tensor, " R"],
    confidences: Float[Tensor, " R"],
) -> Float[Tensor, ""]:
    """Compare where each ray ends with a Gaussian about its target, ``-sum_k p_k log w_k``.

    The divergence of DS-NeRF (Deng et al. 2022, eq. 6). There p is ``exp(-(t - D)^2 / 2 s^2) dt``;
    here it is the exact share of the Gaussian that falls into a piece, which is the same for short
    pieces but for a factor, does not know the unit of the world and holds for pieces longer than
    `stds` (R,). A ray's loss counts by its confidence; the mean over the rays that have a target,
    zero without any. It clears what lies before the target, and leaves what is hidden behind.
    Differentiable in the weights.
    """
    known = torch.isfinite(targets)
    index = samples.rays.long()
    centers, spreads = targets[index], stds[index]
    near = (samples.distances - centers).abs() < _REACH * spreads + samples.lengths / 2
    pieces = samples.select(near)
    offsets, spreads = pieces.distances - centers[near], spreads[near]
    low, high = offsets - pieces.lengths / 2, offsets + pieces.lengths / 2
    shares = torch.special.ndtr(high / spreads) - torch.special.ndtr(low / spreads)
    logarithms = torch.log(weights[near] + _MIN_WEIGHT)
    losses = -accumulate(logarithms, shares[:, None], pieces).squeeze(1)
    return _mean(losses, confidences, known)


def _mean(losses: Tensor, confidences: Tensor, known: Tensor) -> Float[Tensor, ""]:
    counted = torch.where(known, losses * confidences, 0.0)
    return counted.sum() / known.sum().clamp(min=1)
