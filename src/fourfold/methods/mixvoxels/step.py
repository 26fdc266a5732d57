"""One step of the training: rays, what is seen along them, losses, gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.fields import (
    Guide,
    RayColors,
    Rays,
    expected_depth_loss,
    ray_distribution_loss,
    render_rays,
)
from fourfold.methods.mixvoxels.config import DepthConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets
from fourfold.methods.mixvoxels.fit import Fit
from fourfold.methods.mixvoxels.footage import Footage

STEP = 1.0
"""Length of the pieces of rays in training, in voxels; they are shifted from step to step."""


SPARSITY = 2e-3
"""Weight of the part of the light that movers take: without it, haze that costs no colour stays."""
TERMINATION = 0.1
"""Weight of where rays end beside the expected depth of maps, relative to it: it clears haze, but
wants surfaces as blurred as their depths are unsure, which is wider than a fine voxel. Of key
points, most of whose neighbours know no depth, it counts in full."""


@dataclass(frozen=True)
class Batch:
    """Rays with the colours that they are to have, and depths where known (NaN elsewhere).

    `times` are frames of the footage; `distances` and `stds` are along the rays. `scattered` as in
    `DepthTargets`.
    """

    views: Int[Tensor, " B"]
    rays: Rays
    times: Float[Tensor, " B"]
    colors: Float[Tensor, "B 3"]
    distances: Float[Tensor, " B"]
    stds: Float[Tensor, " B"]
    confidences: Float[Tensor, " B"]
    scattered: bool = False


@dataclass(frozen=True)
class _Places:
    """Where rays go through: views, pixels, and at the end those of the chosen depth targets."""

    views: Int[Tensor, " B"]
    pixels: Float[Tensor, "B 2"]
    targets: DepthTargets | None


class PixelSource:
    """Draws the rays of steps: of all places, of places that change, and of known depth.

    Args:
        near: where rays begin, as a distance.
        changing: by view, pixels that change over time.
        targets: known depths.
        still_images: by view, the picture without what moves.
    """

    def __init__(
        self,
        footage: Footage,
        near: float,
        changing: Sequence[Bool[Tensor, "H W"]],
        targets: DepthTargets | None,
        still_images: Sequence[Float[Tensor, "H W 3"]],
    ) -> None:
        self.footage, self.near, self.targets = footage, near, targets
        self._still_images = still_images
        places = [torch.nonzero(mask).flip(1).int() for mask in changing]
        counts = torch.tensor([len(each) for each in places])
        self._changing = torch.cat(places)
        self._views = torch.repeat_interleave(torch.arange(len(places)), counts)

    def still(self, count: int, depth_share: float, random: torch.Generator) -> Batch:
        """Draw rays of the still pictures; `depth_share` of them where the depth is known."""
        places = self._draw(count, depth_share, random)
        columns, rows = places.pixels.long().unbind(1)
        colors = torch.empty(count, 3)
        for view, image in enumerate(self._still_images):
            own = places.views == view
            colors[own] = image[rows[own], columns[own]]
        return self._batch(places, torch.zeros_like(places.views), colors)

    def moving(
        self,
        count: int,
        changing_share: float,
        depth_share: float,
        frames: range,
        random: torch.Generator,
    ) -> Batch:
        """Draw rays of some frames, a share of them where pictures change."""
        places = self._draw(count, depth_share, random)
        chosen = torch.randint(len(frames), (count,), generator=random)
        times = frames.start + frames.step * chosen
        if len(self._changing):
            chosen = torch.randint(
                len(self._changing), (int(changing_share * count),), generator=random
            )
            # the last ones are of known depth, and stay
            places.views[: len(chosen)] = self._views[chosen]
            places.pixels[: len(chosen)] = self._changing[chosen] + 0.5
        colors = self.footage.colors(places.views, times, places.pixels.long())
        return self._batch(places, times, colors)

    def _draw(self, count: int, depth_share: float, random: torch.Generator) -> _Places:
        views, _, whole = self.footage.draw(count, random)
        pixels = whole + 0.5
        if self.targets is None or not depth_share:
            return _Places(views, pixels, None)
        known = int(depth_share * count)
        chosen = torch.randint(len(self.targets), (known,), generator=random)
        targets, last = self.targets.select(chosen), slice(count - known, count)
        views[last] = targets.views
        # a key point may lie on the border
        largest = self.footage.sizes[views[last]] - 1e-3
        pixels[last] = torch.minimum(targets.pixels.clamp_min(0.0), largest)
        return _Places(views, pixels, targets)

    def _batch(
        self, places: _Places, frames: Int[Tensor, " B"], colors: Float[Tensor, "B 3"]
    ) -> Batch:
        rays, cosines = self.footage.rays(places.views, frames, places.pixels)
        count = len(rays)
        distances, stds = torch.full((count,), torch.nan), torch.ones(count)
        confidences = torch.zeros(count)
        if places.targets is not None:
            last = slice(count - len(places.targets), count)
            distances[last] = places.targets.depths / cosines[last]
            stds[last] = places.targets.stds / cosines[last]
            confidences[last] = places.targets.confidences
        near = rays.bounded(near=self.near)
        scattered = places.targets is not None and places.targets.scattered
        known = (distances, stds, confidences, scattered)
        return Batch(places.views, near, frames.float(), colors, *known)


def see(
    fit: Fit, batch: Batch, random: torch.Generator, guided: bool, only_still: bool = False
) -> RayColors:
    """Draw the rays as their cameras take them, before a background that changes from step to step.

    A background that is always the same would pass for matter of its colour.
    """
    count = len(batch.rays)
    background = torch.rand(3, generator=random).expand(count, 3)
    guide = Guide(batch.distances, batch.stds) if guided else None
    seen = render_rays(
        fit.parts(batch.rays, STEP, only_still),
        batch.times,
        background=background,
        jitter=torch.rand(count, generator=random),
        guide=guide,
    )
    return replace(seen, colors=fit.exposures.apply(seen.colors, batch.views))


@dataclass(frozen=True)
class Nearness:
    """A pull away from the cameras on what is nearer to them than a distance."""

    weight: float
    distance: float

    def cost(self, seen: RayColors) -> Float[Tensor, ""]:
        """Give how much nearer than the distance things are seen, relative, in the mean of rays."""
        nearer = (self.distance / seen.samples.distances - 1.0).clamp_min(0.0)
        return self.weight * (seen.weights * nearer).sum() / len(seen.alphas)


def losses(
    seen: RayColors, batch: Batch, config: DepthConfig, nearness: Nearness | None = None
) -> dict[str, Tensor]:
    """Give the terms of the loss: of colours, of movers, and of depths where they are known.

    Colours by the mean square (the original's). Depths as `fourfold.fields.depth_losses` has
    them; unlike the original's they have a gradient. `nearness` is for the still stage.
    """
    terms = {"color": (seen.colors - batch.colors).square().mean()}
    if nearness is not None:
        terms["nearness"] = nearness.cost(seen)
    if seen.part_alphas.shape[1] > 1:
        terms["sparsity"] = SPARSITY * seen.part_alphas[:, 1].mean()
    if not bool(torch.isfinite(batch.distances).any()) or config.weight == 0.0:
        return terms
    # the depth is that of what stands still: movers are not to make up for what lacks of it
    weights = torch.where(seen.owners == 0, seen.weights, 0.0)
    if config.loss != "distribution":
        terms["depth"] = config.weight * expected_depth_loss(
            weights, seen.samples, batch.distances, batch.confidences
        )
    if config.loss != "expected":
        share = 1.0 if batch.scattered or config.loss == "distribution" else TERMINATION
        terms["termination"] = (share * config.weight) * ray_distribution_loss(
            weights, seen.samples, batch.distances, batch.stds, batch.confidences
        )
    return terms
