"""What every body looks like alone in a frame, also where another hides it: its layer of depth."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from fourfold.estimators import grow_mask
from fourfold.methods.osn.body import Fit
from fourfold.methods.osn.footage import Footage
from fourfold.scene import ContestCollector, Contests
from fourfold.scene.scale_set.contested import MIN_PIXELS, pair_counts

Layers = tuple[list[Float[Tensor, "K H W"]], list[Int[Tensor, "H W"]]]
"""Of each frame the depth of every body, NaN where it is not, and who is seen."""

COVERED = 0.5
"""Alpha above which a body is there."""
RIM, THINNEST_RIM = 1 / 80, 2
"""Share of the picture's width, and least pixels, of the rim around the visible part of an object
in which its own layer is doubted."""
WEAK = 0.02
"""Share of the pixels in which j hides i, below which pixels in which i hides j are stray ones."""
DEEPER = 0.5
"""Share of the rim's pixels that must lie beyond it for the rim to be believed."""
CLEARANCE = 1.02
"""Ratio of depths from which on the Gaussians of two surfaces do not mix."""
SOFT_PIXELS = 1024
"""Contested pixels that a soft Z-buffer is blended on."""


@torch.no_grad()
def draw_layers(fit: Fit, footage: Footage, frame: int) -> Float[Tensor, "K H W"]:
    """Give the z-depth of every body at scale 1, also where it is hidden; NaN where it is not.

    A body has a surface only where one was seen in some frame.
    """
    camera = footage.cameras[frame]
    layers = torch.full((footage.num_bodies, camera.height, camera.width), torch.nan)
    for index, body in enumerate(fit.bodies):
        if footage.known[frame, index]:
            drawing = body.draw_alone(camera, frame)
            layers[index] = drawing.depth.masked_fill(drawing.alpha <= COVERED, torch.nan)
    return layers


def trusted_layers(
    layers: Float[Tensor, "K H W"], labels: Int[Tensor, "H W"]
) -> Float[Tensor, "K H W"]:
    """Leave out the layer of an object in the rim of its visible part, where nothing confirms it.

    In the rim it may be hidden, or its Gaussians may reach a little too far. It is hidden behind
    a body if its layer goes on behind that body beyond the rim, over DEEPER times as many pixels.
    """
    trusted = layers.clone()
    width = max(THINNEST_RIM, round(RIM * labels.shape[1]))
    for index in range(1, len(layers)):
        visible = labels == index
        if not visible.any():
            continue
        there = layers[index].isfinite()
        rim = there & grow_mask(visible, width) & ~visible
        for other in labels[rim].unique().tolist():
            doubted = rim & (labels == other)
            beyond = there & (labels == other) & ~doubted
            if int(beyond.sum()) < DEEPER * int(doubted.sum()):
                trusted[index, doubted] = torch.nan
    return trusted


def misordered(
    layers: Float[Tensor, "K H W"], labels: Int[Tensor, "H W"], scales: Float[Tensor, " K"]
) -> Bool[Tensor, "H W"]:
    """Mark where the masks contradict objects at these scales, drawn before all of the background.

    Where another object lies before the one that is seen, or less than CLEARANCE behind it, so
    that their Gaussians mix; and where the background hides an object.
    """
    scaled = (layers * scales[:, None, None]).nan_to_num(torch.inf)
    index = labels.clamp_min(0)[None]
    seen = scaled.gather(0, index)[0]
    others = scaled.scatter(0, index, torch.inf)
    nearest = others[1:].amin(0) if len(others) > 1 else torch.full_like(seen, torch.inf)
    hidden = (labels == 0) & nearest.isfinite() & (nearest > seen)
    return hidden | ((labels > 0) & seen.isfinite() & (nearest < CLEARANCE * seen))


def believed_layers(fit: Fit, footage: Footage) -> Layers:
    """Draw the layers of all frames, and leave out what is doubted.

    Stray Gaussians make up pairs of bodies of which one seems to hide the other in a few pixels,
    which would count as much as any pair: see WEAK.
    """
    labels = [footage.labels[frame] for frame in footage.frames]
    layers = [
        trusted_layers(draw_layers(fit, footage, frame), seen)
        for frame, seen in zip(footage.frames, labels, strict=True)
    ]
    counts = sum(
        (_count_pairs(depths, seen) for depths, seen in zip(layers, labels, strict=True)),
        torch.zeros(footage.num_bodies, footage.num_bodies),
    )
    stray = counts < WEAK * counts.T
    for depths, seen in zip(layers, labels, strict=True):
        depths[(stray[seen.clamp_min(0)] & (seen >= 0)[..., None]).permute(2, 0, 1)] = torch.nan
    return layers, labels


def _count_pairs(
    layers: Float[Tensor, "K H W"], labels: Int[Tensor, "H W"]
) -> Float[Tensor, "K K"]:
    """Count the pixels in which body i is seen and body j has a layer too."""
    present = layers.isfinite().float()
    seen = torch.stack([labels == index for index in range(len(layers))]).float() * present
    counts = seen.flatten(1) @ present.flatten(1).mT
    return counts.fill_diagonal_(0)


def collect_contests(fit: Fit, footage: Footage) -> Contests:
    """Gather from all frames where one body hides another, and by how much."""
    ranges = [body.scale_range or (1.0, 1.0) for body in footage.bodies[1:]]
    collector = ContestCollector(footage.names, ranges)
    for layers, labels in zip(*believed_layers(fit, footage), strict=True):
        collector.add(layers, labels)
    return collector.finish()


def sample_contested(
    fit: Fit, footage: Footage, random: torch.Generator
) -> tuple[Float[Tensor, "M K"], Int[Tensor, " M"], Float[Tensor, " M"]]:
    """Draw contested pixels: depths (infinite where a body is not), who is seen, and weights.

    The weights balance the ordered pairs of bodies, and sum to 1. As in `Contests`, pixels that are
    wrong at every scale in the ranges say nothing and are left out, and pairs with fewer than
    `MIN_PIXELS` contested pixels do not count.
    """
    ranges = torch.tensor([body.scale_range or (1.0, 1.0) for body in footage.bodies])
    depths, labels = [], []
    for layers, seen in zip(*believed_layers(fit, footage), strict=True):
        layers = layers.nan_to_num(torch.inf)
        label = seen.clamp_min(0)
        own = layers.gather(0, label[None])[0]
        others = layers.scatter(0, label[None], torch.inf) * ranges[:, 1, None, None]
        possible = ranges[label, 0] * own < others.amin(0)
        contested = (seen >= 0) & own.isfinite() & (layers.isfinite().sum(0) > 1) & possible
        depths.append(layers[:, contested].T)
        labels.append(seen[contested])
    depth, label = torch.cat(depths), torch.cat(labels)
    counts = torch.from_numpy(pair_counts(depth.isfinite().numpy(), label.numpy()))
    chosen = torch.randperm(len(label), generator=random)[:SOFT_PIXELS]
    depth, label = depth[chosen], label[chosen]
    return depth, label, _pair_weights(depth.isfinite(), label, counts >= MIN_PIXELS)


def _pair_weights(
    present: Bool[Tensor, "M K"], labels: Int[Tensor, " M"], counted: Bool[Tensor, "K K"]
) -> Float[Tensor, " M"]:
    """Weigh pixels so that each ordered pair (seen, hidden) that counts does so alike in all."""
    pairs = functional.one_hot(labels, len(counted))[:, :, None] * present[:, None, :]
    pairs = pairs.float() * counted
    sizes = pairs.sum(0)
    weights = (pairs / sizes.clamp_min(1.0)).sum((1, 2))
    return weights / weights.sum().clamp_min(1e-9)
