"""One step of the fields: draw rays of a few frames, compare, and improve.

As the original (Song et al. 2024, section 3 and its program): each body alone, then all together at
one combination of scales, along the same rays, their pieces interleaved by distance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.fields import Part, RayColors, accumulate, ray_weights, render_rays, sample_rays
from fourfold.fields.depth_losses import expected_depth_loss, ray_distribution_loss
from fourfold.methods.osn.config import TensorConfig
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.layers import COVERED, misordered
from fourfold.methods.osn.step import BEHIND, SMALLEST_WEIGHT
from fourfold.methods.osn.tensorf_body import TensorBody, TensorFit
from fourfold.methods.osn.tensorf_rays import (
    Batch,
    choose_pixels,
    free_masks,
    key_depths,
    known_masks,
    make_batch,
    seen_masks,
    start_depths,
)

STEP = 1.0
"""Length of a piece of a ray in voxels; jittered."""
SEEN_SHARE = 2 / 3
"""Share of the rays of the bootstrap on which the body is seen; on the others it is not."""
KEY_SHARE = 0.25
"""Share of the rays of a round that go through key points."""
DEPTH_STD = 0.02
"""Standard deviation of known depths, relative."""
DISTRIBUTION_SHARE = 0.1
"""Weight of where a ray ends, relative to that of its expected depth."""


def bootstrap_step(
    fit: TensorFit,
    footage: Footage,
    config: TensorConfig,
    depths: Sequence[Mapping[int, Float[Tensor, "H W"]]],
    frames: Sequence[int],
    random: torch.Generator,
) -> dict[str, float]:
    """Draw each body alone and compare it where it is seen; move every body a little.

    `depths`: of each body by frame, what it starts from. As for Gaussians, nothing is asked where
    another object is seen: it may be hidden there.
    """
    terms: dict[str, Tensor] = {}
    count = config.rays // len(fit.bodies)
    for index, body in enumerate(fit.bodies):
        seen = choose_pixels(seen_masks(footage, index, frames), int(SEEN_SHARE * count), random)
        if not len(seen):
            continue
        free = choose_pixels(
            free_masks(footage, index, frames, body.space), count - len(seen), random
        )
        start = start_depths(depths[index], frames, footage.labels.shape[1:])
        batch = make_batch(footage, frames, torch.cat([seen, free]), start)
        _add(terms, _alone_terms(body, index, batch, config, random))
    return _improve(fit, terms)


def _alone_terms(
    body: TensorBody, index: int, batch: Batch, config: TensorConfig, random: torch.Generator
) -> dict[str, Tensor]:
    seen = batch.labels == index
    backdrop = torch.rand(batch.colors.shape, generator=random)  # no colour can stand in for alpha
    drawn = render_rays(
        [body.part(batch.rays, batch.frames, 1.0, STEP)],
        background=backdrop,
        jitter=torch.rand(len(seen), generator=random),
    )
    color = (drawn.colors - batch.colors).square().mean(1)
    empty = drawn.alphas[~seen].sum()
    return {
        "color": color[seen].mean(),
        "mask": config.mask_weight * ((1 - drawn.alphas[seen]).sum() + empty) / len(seen),
        "depth": config.depth_weight * _depth_term(drawn, drawn.weights, batch, batch.distances),
        "variation": config.variation_weight * body.field.total_variation(),
    }


def round_step(
    fit: TensorFit,
    footage: Footage,
    config: TensorConfig,
    scales: Float[Tensor, " K"],
    frames: Sequence[int],
    random: torch.Generator,
) -> dict[str, float]:
    """Draw all bodies together at one combination of scales, compare, and move them a little.

    As for Gaussians: the background lies behind all objects, and what the masks contradict at these
    scales is left out, on the same rays.
    """
    keys = key_depths(footage, frames)
    at_keys = choose_pixels(keys[0].isfinite(), int(KEY_SHARE * config.rays), random)
    anywhere = choose_pixels(known_masks(footage, frames), config.rays - len(at_keys), random)
    if not len(anywhere):
        return {"loss": 0.0}
    batch = make_batch(footage, frames, torch.cat([at_keys, anywhere]), keys)
    layers = _layers(fit, footage, batch)
    wrong = misordered(layers[:, None], batch.labels[None], scales)[0]
    factors = torch.cat([BEHIND * scales[:1], scales[1:]])
    drawn = render_rays(
        _parts(fit, footage, batch, factors),
        background=footage.background_color,
        jitter=torch.rand(len(batch.frames), generator=random),
    )
    return _improve(fit, _together_terms(fit, drawn, batch, ~wrong, factors, config))


def _together_terms(
    fit: TensorFit,
    drawn: RayColors,
    batch: Batch,
    sure: Bool[Tensor, " R"],
    factors: Float[Tensor, " K"],
    config: TensorConfig,
) -> dict[str, Tensor]:
    labels, count = batch.labels.clamp_min(0), sure.sum().clamp_min(1)
    color = (drawn.colors - batch.colors).square().mean(1)
    shares = drawn.part_alphas.gather(1, labels[:, None])[:, 0].clamp_min(SMALLEST_WEIGHT)
    owners = drawn.owners.long()
    mine = owners == labels[drawn.samples.rays.long()]
    unscaled = replace(
        drawn.samples,
        distances=drawn.samples.distances / factors[owners],
        lengths=drawn.samples.lengths / factors[owners],
    )
    own = replace(drawn, samples=unscaled)
    wanted = torch.where(sure, batch.distances, torch.nan)
    variation = torch.stack([body.field.total_variation() for body in fit.bodies]).sum()
    return {
        "color": (color * sure).sum() / count,
        "mask": -config.mask_weight * (shares.log() * sure).sum() / count,
        "depth": config.depth_weight * _depth_term(own, drawn.weights * mine, batch, wanted),
        "variation": config.variation_weight * variation,
    }


def _depth_term(
    drawn: RayColors,
    weights: Float[Tensor, " S"],
    batch: Batch,
    wanted: Float[Tensor, " R"],
) -> Float[Tensor, ""]:
    """Pull where rays end to their known distances: the mean, and the whole distribution."""
    stds = DEPTH_STD * wanted
    mean = expected_depth_loss(weights, drawn.samples, wanted, batch.weights)
    whole = ray_distribution_loss(weights, drawn.samples, wanted, stds, batch.weights)
    return mean + DISTRIBUTION_SHARE * whole


def _parts(
    fit: TensorFit, footage: Footage, batch: Batch, factors: Float[Tensor, " K"]
) -> list[Part]:
    """Carry rays to every body; those of frames in which it is not registered end at once."""
    parts = []
    for index, (body, factor) in enumerate(zip(fit.bodies, factors.tolist(), strict=True)):
        known = footage.known[batch.frames, index]
        rays = replace(batch.rays, far=torch.where(known, batch.rays.far, 0.0))
        parts.append(body.part(rays, batch.frames, factor, STEP))
    return parts


@torch.no_grad()
def _layers(fit: TensorFit, footage: Footage, batch: Batch) -> Float[Tensor, "K R"]:
    """Give the distance of every body alone, at scale 1; NaN where it is not."""
    layers = []
    for part in _parts(fit, footage, batch, torch.ones(len(fit.bodies))):
        samples = sample_rays(
            part.rays, part.space, part.field.resolution, part.occupancy, step=part.step
        )
        weights, alphas = ray_weights(part.field.density(samples.points), samples)
        sums = accumulate(weights, samples.distances[:, None], samples)[:, 0]
        layers.append((sums / alphas).masked_fill(alphas <= COVERED, torch.nan))
    return torch.stack(layers)


def _add(terms: dict[str, Tensor], more: Mapping[str, Tensor]) -> None:
    for name, value in more.items():
        terms[name] = terms[name] + value if name in terms else value


def _improve(fit: TensorFit, terms: dict[str, Tensor]) -> dict[str, float]:
    if not terms:
        return {"loss": 0.0}
    loss = torch.stack(list(terms.values())).sum()
    loss.backward()
    for body in fit.bodies:
        body.step()
    return {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}
