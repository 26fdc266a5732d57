"""The other geometry, that of the original: a TensoRF per body, drawn jointly along rays."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.fields import BoxSpace, TensorVMField, render_rays
from fourfold.fields.occupancy import dilated
from fourfold.methods.osn.config import TensorConfig
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.geometry import Geometry
from fourfold.methods.osn.start import frame_depths, surface_points
from fourfold.methods.osn.tensorf_body import RAYS_AT_ONCE, TensorBody, TensorFit
from fourfold.methods.osn.tensorf_rays import choose_frames, make_batch, seen_masks, start_depths
from fourfold.methods.osn.tensorf_step import bootstrap_step, round_step
from fourfold.training import Progress, generator

BOX_MARGIN = 0.1
"""A box reaches this share of its sides beyond the surface that a body starts from."""
VOXELS_PER_PIXEL = 2.0
"""Voxels are not smaller than half of what a pixel covers at a body's median depth."""
LEAST_VERTICES = 8
"""Along the shortest side of a box."""
REFINED_AT = 0.4
"""Share of the bootstrap after which the grids are made finer."""
SEEN_WEIGHT = 0.01
"""Share of a pixel's colour from which on a cell is kept."""
CULLING_RAYS = 1 << 17
"""Most rays by which cells are kept."""


class TensorGeometry(Geometry[TensorFit]):
    """A TensoRF in the box of each body. Poses stay as they are."""

    @property
    def settings(self) -> TensorConfig:
        """The settings of the fields."""
        return self.config.tensorf

    @cached_property
    def depths(self) -> list[dict[int, Float[Tensor, "H W"]]]:
        """The depths that each body starts from, by frame."""
        return [frame_depths(self.footage, index) for index in range(self.footage.num_bodies)]

    @cached_property
    def boxes(self) -> list[tuple[BoxSpace, int]]:
        """The box of each body, and the vertices along its longest side when all is fine."""
        return [self._box(index) for index in range(self.footage.num_bodies)]

    def _box(self, index: int) -> tuple[BoxSpace, int]:
        points, _, widths = surface_points(self.footage, index, 1, self.depths[index])
        low, high = points.amin(0), points.amax(0)
        bounds = self.footage.bodies[index].bounds
        if bounds is not None:  # strays of the surface lie beyond
            low = torch.maximum(low, bounds[0].float())
            high = torch.minimum(high, bounds[1].float())
        margin = BOX_MARGIN * (high - low).max()
        space = BoxSpace(low - margin, high + margin)
        pixels = float((space.high - space.low).max() / widths.median())
        finest = max(math.ceil(VOXELS_PER_PIXEL * pixels), 2 * LEAST_VERTICES)
        return space, min(self.settings.resolution, finest)

    def start(self, progress: Progress) -> TensorFit:
        bodies = []
        for index, name in enumerate(self.footage.names):
            space, longest = self.boxes[index]
            resolution = grid_of(space, longest // 2)
            random = generator(self.config.seed, "field", index)
            ranks = self.settings.ranks
            field = TensorVMField.random(
                resolution, random, density_ranks=ranks, appearance_ranks=ranks
            )
            everywhere = torch.ones(resolution, dtype=torch.bool)
            poses = self.footage.poses[index]
            bodies.append(TensorBody.of(name, field, space, everywhere, poses))
            progress.advance()
        return TensorFit(bodies)

    def restore(self, state: list[Mapping[str, Any]]) -> TensorFit:
        return TensorFit.restore(self.footage, state)

    def bootstrap_step(self, fit: TensorFit, step: int) -> dict[str, float]:
        if step == round(REFINED_AT * self.settings.iterations):
            self._refine(fit)
        for body in fit.bodies:
            body.set_rates(0.5 * step / self.settings.iterations)
        frames = choose_frames(self.footage, step, self.config.seed, "bootstrap")
        random = generator(self.config.seed, "rays", step)
        return bootstrap_step(fit, self.footage, self.settings, self.depths, frames, random)

    def round_step(
        self, fit: TensorFit, step: int, scales: Float[Tensor, " K"]
    ) -> dict[str, float]:
        steps = self.settings.rounds * self.settings.iterations_per_round
        for body in fit.bodies:
            body.set_rates(0.5 + 0.5 * step / steps)
        frames = choose_frames(self.footage, step, self.config.seed, "rounds")
        random = generator(self.config.seed, "joint rays", step)
        return round_step(fit, self.footage, self.settings, scales, frames, random)

    def begin_round(self, fit: TensorFit) -> None:
        """Leave out the cells that no pixel sees, before who hides whom is asked."""
        for index, body in enumerate(fit.bodies):
            body.occupancy = seen_cells(body, self.footage, index)

    def _refine(self, fit: TensorFit) -> None:
        for index, body in enumerate(fit.bodies):
            body.occupancy = seen_cells(body, self.footage, index)
            body.refine(grid_of(*self.boxes[index]))


def grid_of(space: BoxSpace, longest: int) -> tuple[int, int, int]:
    """Give the vertices along each side of a box, so that voxels are about cubes."""
    extent = space.high - space.low
    counts = (longest * extent / extent.max()).round().long().clamp_min(LEAST_VERTICES)
    x, y, z = counts.tolist()
    return x, y, z


@torch.no_grad()
def seen_cells(body: TensorBody, footage: Footage, index: int) -> Bool[Tensor, "X Y Z"]:
    """Mark the cells that some pixel on the body shows, and their neighbours.

    Own: what no camera sees keeps the densities that it began with, and would be haze from aside.
    """
    frames = list(footage.bodies[index].frames)
    pixels = torch.nonzero(seen_masks(footage, index, frames))
    pixels = pixels[:: 1 + len(pixels) // CULLING_RAYS]
    shape = torch.tensor(body.field.resolution)
    cells = torch.zeros(body.field.resolution, dtype=torch.bool)
    for part in pixels.split(RAYS_AT_ONCE):
        none = start_depths({}, frames, footage.labels.shape[1:])
        batch = make_batch(footage, frames, part, none)
        drawn = render_rays([body.part(batch.rays, batch.frames, 1.0)])
        shown = drawn.samples.points[drawn.weights > SEEN_WEIGHT]
        x, y, z = (shown * shape).long().minimum(shape - 1).unbind(1)
        cells[x, y, z] = True
    return dilated(cells)
