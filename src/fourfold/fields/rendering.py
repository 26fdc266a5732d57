"""Draw fields along rays: the one call that samples, asks the fields and composites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from fourfold.fields.compositing import accumulate, ray_weights
from fourfold.fields.field import Field
from fourfold.fields.merging import merge_samples
from fourfold.fields.rays import Rays
from fourfold.fields.samples import Samples
from fourfold.fields.sampling import Guide, sample_rays
from fourfold.fields.spaces import Space

# Pieces of less weight get no colour (TensoRF's and MixVoxels' rm_weight_mask_thre).
MIN_WEIGHT = 1e-4
# Below this alpha an expected distance is that of nothing, and not divided by it.
MIN_ALPHA = 1e-6

Background = Literal["white", "black"] | Float[Tensor, "R 3"] | Float[Tensor, "3"]


@dataclass(frozen=True, eq=False)
class Part:
    """A field in its space, and the rays in that frame, whose distances are those in the world.

    Colours are asked for as seen along directions in that frame. `step` is the length of a piece in
    voxels of the field.
    """

    field: Field
    space: Space
    occupancy: Bool[Tensor, "X Y Z"] | None
    rays: Rays
    step: float = 0.5


@dataclass(frozen=True, eq=False)
class RayColors:
    """What is seen along R rays through P parts.

    `colors` (R,3) in [0,1] with the background behind, `alphas` (R,), `distances` (R,) the expected
    ones of what is there, 0 where nothing is, `part_alphas` (R,P) how much of alpha each part
    adds. `weights` (S,), `samples` and `owners` (S,), the parts that the pieces belong to, are
    what the depth losses take.
    """

    colors: Float[Tensor, "R 3"]
    alphas: Float[Tensor, " R"]
    distances: Float[Tensor, " R"]
    part_alphas: Float[Tensor, "R P"]
    weights: Float[Tensor, " S"]
    samples: Samples
    owners: Int[Tensor, " S"]


def render_rays(
    parts: Sequence[Part],
    times: Float[Tensor, " R"] | None = None,
    *,
    background: Background = "black",
    jitter: Float[Tensor, " R"] | None = None,
    max_samples: int = 2048,
    guide: Guide | None = None,
) -> RayColors:
    """Draw fields together along the same rays, each ray at its own time in frames.

    The pieces of all parts are interleaved by distance; where parts share a place, their densities
    add up. Differentiable in the fields' parameters and in a background given as a tensor; where
    pieces lie is not. See `sample_rays` for the rest of the arguments.

    Raises:
        ValueError: no part, or parts with different numbers of rays.
    """
    sets = [
        sample_rays(
            part.rays,
            part.space,
            part.field.resolution,
            part.occupancy,
            step=part.step,
            jitter=jitter,
            max_samples=max_samples,
            guide=guide,
        )
        for part in parts
    ]
    samples, order = merge_samples(sets)
    weights, alphas = ray_weights(_densities(parts, sets, times, order), samples)
    owners = _owners(sets, order)
    colors = _colors(parts, samples, owners, weights, times)
    light = (1 - alphas)[:, None] * _background(background, colors)
    distances = accumulate(weights, samples.distances[:, None], samples).squeeze(1)
    return RayColors(
        colors + light,
        alphas,
        distances / alphas.clamp(min=MIN_ALPHA),
        _part_alphas(len(parts), samples, owners, weights, alphas),
        weights,
        samples,
        owners,
    )


def _densities(
    parts: Sequence[Part], sets: Sequence[Samples], times: Tensor | None, order: Tensor
) -> Float[Tensor, " S"]:
    """Ask each field at its own pieces, then bring the answers into the merged order."""
    answers = [
        part.field.density(samples.points, _at_pieces(times, samples))
        for part, samples in zip(parts, sets, strict=True)
    ]
    return answers[0] if len(answers) == 1 else torch.cat(answers).index_select(0, order)


def _at_pieces(values: Tensor | None, samples: Samples) -> Tensor | None:
    return None if values is None else values[samples.rays.long()]


def _owners(sets: Sequence[Samples], order: Tensor) -> Int[Tensor, " S"]:
    counts = [len(samples) for samples in sets]
    device = sets[0].rays.device
    if len(sets) == 1:
        return torch.zeros(counts[0], dtype=torch.int64, device=device)
    numbers = torch.arange(len(sets), device=device)
    return torch.repeat_interleave(numbers, torch.tensor(counts, device=device))[order]


def _colors(
    parts: Sequence[Part],
    samples: Samples,
    owners: Tensor,
    weights: Tensor,
    times: Tensor | None,
) -> Float[Tensor, "R 3"]:
    """Sum the colours of the pieces that can be seen."""
    seen = weights.detach() > MIN_WEIGHT
    total = weights.new_zeros(samples.num_rays, 3)
    for number, part in enumerate(parts):
        keep = seen if len(parts) == 1 else seen & (owners == number)
        pieces = samples.select(keep)
        directions = normalize(part.rays.directions, dim=-1)[pieces.rays.long()]
        values = part.field.colors(pieces.points, _at_pieces(times, pieces), directions)
        total = total + accumulate(weights[keep], values, pieces)
    return total


def _background(background: Background, like: Float[Tensor, "R 3"]) -> Tensor:
    if isinstance(background, Tensor):
        return background.to(like)
    return like.new_full((3,), {"white": 1.0, "black": 0.0}[background])


def _part_alphas(
    count: int, samples: Samples, owners: Tensor, weights: Tensor, alphas: Tensor
) -> Float[Tensor, "R P"]:
    if count == 1:
        return alphas[:, None]
    shares = torch.nn.functional.one_hot(owners.long(), count).to(weights)
    return accumulate(weights, shares, samples)
