"""Which voxels move, learned: a ray sees change if any place on it changes (the original's way)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fourfold.fields import (
    Rays,
    RowAdam,
    Samples,
    Space,
    grid_vertices,
    interpolate_rows,
    sample_rays,
)
from fourfold.fields.occupancy import dilated
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.voxel_motion import BEHIND
from fourfold.training import Progress, generator

COARSE = 64
"""Vertices on the longest side of the grid of logits, at most."""
STEPS, RAYS = 300, 4096
CHANGING_SHARE = 0.25
"""Share of the rays that go through pixels which change; both classes count alike all the same."""
FIRST_LOGITS = (-0.4, -0.2)
"""What places say before any ray has asked them; if all said the same, rays would first ask what
is nearest to their camera."""
RATE = 0.1


@dataclass(frozen=True, eq=False)
class Sightings:
    """Where the training cameras see change, and how far they see.

    `changing` by view, pixels that change over time; `surfaces` by view, the depth z of what stands
    still, NaN where unknown: a camera knows nothing of what lies behind. Rays begin at the
    distance `near`.
    """

    footage: Footage
    near: float
    changing: Sequence[Bool[Tensor, "H W"]]
    surfaces: Sequence[Float[Tensor, "H W"]]

    @cached_property
    def _places(self) -> tuple[Int[Tensor, " N"], Int[Tensor, "N 2"]]:
        """All changing pixels: views, and (x, y)."""
        found = [torch.nonzero(mask).flip(1).int() for mask in self.changing]
        counts = torch.tensor([len(each) for each in found])
        return torch.repeat_interleave(torch.arange(len(found)), counts), torch.cat(found)

    def draw(self, count: int, random: torch.Generator) -> tuple[Rays, Bool[Tensor, " B"]]:
        """Draw rays, some through changing pixels, and say which see change."""
        views, _, pixels = self.footage.draw(count, random)
        own_views, own_pixels = self._places
        chosen = torch.randint(len(own_views), (int(CHANGING_SHARE * count),), generator=random)
        views[: len(chosen)], pixels[: len(chosen)] = own_views[chosen], own_pixels[chosen]
        rays, cosines = self.footage.rays(views, torch.zeros_like(views), pixels + 0.5)
        depths, change = torch.empty(count), torch.empty(count, dtype=torch.bool)
        for view, (surface, mask) in enumerate(zip(self.surfaces, self.changing, strict=True)):
            own = views == view
            x, y = pixels[own].unbind(1)
            depths[own], change[own] = surface[y, x], mask[y, x]
        far = (depths * (1.0 + BEHIND) / cosines).nan_to_num(nan=torch.inf)
        return replace(rays, near=torch.full((count,), self.near), far=far), change


def train_motion(
    space: Space, resolution: tuple[int, int, int], sightings: Sightings, seed: int
) -> Bool[Tensor, "X Y Z"]:
    """Learn which voxels of a grid move; none, if no camera sees change.

    MixVoxels (Wang et al. 2023), its variation field: a place has a logit, a ray the largest on its
    way, and that is to say whether its pixel changes. Own: a coarse grid of logits, classes
    weighted to count alike, rays that end at the still surface, and all voxels within one of a
    positive logit. Deterministic for a seed.
    """
    if not any(bool(mask.any()) for mask in sightings.changing):
        return torch.zeros(resolution, dtype=torch.bool)
    shrink = min(COARSE / max(resolution), 1.0)
    x, y, z = (max(round(count * shrink), 2) for count in resolution)
    noise = torch.rand(x * y * z, 1, 1, generator=generator(seed, "variation"))
    low, high = FIRST_LOGITS
    logits = (low + (high - low) * noise).requires_grad_()
    optimizer = RowAdam({"logits": logits}, {"logits": RATE})
    with Progress(STEPS, "variation") as bar:
        for step in range(STEPS):
            random = generator(seed, "variation", step)
            loss = _loss(logits, (x, y, z), space, sightings, random)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            bar.update(step + 1, loss=float(loss.detach()))
    return _moving(logits.detach(), (x, y, z), resolution)


def _loss(
    logits: Float[Tensor, "M 1 1"],
    coarse: tuple[int, int, int],
    space: Space,
    sightings: Sightings,
    random: torch.Generator,
) -> Float[Tensor, ""]:
    rays, change = sightings.draw(RAYS, random)
    jitter = torch.rand(len(rays), generator=random)
    samples = sample_rays(rays, space, coarse, step=1.0, jitter=jitter)
    with torch.no_grad():
        values = interpolate_rows(None, logits, samples.points, resolution=coarse).squeeze(1)
    best, which = largest_on_rays(values, samples)
    # only the largest has a gradient: ask again there
    peaks = interpolate_rows(None, logits, samples.points[best], resolution=coarse).squeeze(1)
    targets = change[which].float()
    weight = (1.0 - targets).sum() / targets.sum().clamp_min(1.0)
    return binary_cross_entropy_with_logits(peaks, targets, pos_weight=weight)


def largest_on_rays(
    values: Float[Tensor, " S"], samples: Samples
) -> tuple[Int[Tensor, " N"], Int[Tensor, " N"]]:
    """Find the piece of the largest value on each ray that has pieces; the first of equal ones.

    Gives the numbers of those pieces and of their rays.

    >>> samples = Samples.of([[1.0, 2.0, 3.0], [], [1.0]])
    >>> largest_on_rays(torch.tensor([0.5, 2.0, 2.0, -1.0]), samples)
    (tensor([1, 3]), tensor([0, 2]))
    """
    which = torch.nonzero(samples.counts).squeeze(1)
    peaks = torch.segment_reduce(values, "max", offsets=samples.starts)
    rays = samples.rays.long()
    candidates = torch.nonzero(values == peaks[rays]).squeeze(1)
    return candidates[torch.searchsorted(rays[candidates], which)], which


def _moving(
    logits: Float[Tensor, "M 1 1"], coarse: tuple[int, int, int], resolution: tuple[int, int, int]
) -> Bool[Tensor, "X Y Z"]:
    """Ask the field at the vertices of the fine grid, and take the neighbours too."""
    points = grid_vertices(resolution).view(-1, 3)
    values = interpolate_rows(None, logits, points, resolution=coarse).view(resolution)
    return dilated(values > 0.0)
