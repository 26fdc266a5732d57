"""What the stages of voxels share: grids from coarse to fine, and a step down the gradients."""

from collections.abc import Sequence

import torch

from fourfold.methods.mixvoxels.config import COARSEST
from fourfold.methods.mixvoxels.fit import Fit, Layer, grid_of
from fourfold.methods.mixvoxels.material import Material
from fourfold.methods.mixvoxels.step import Batch, Nearness, losses, see

DEPTH_SHARE = 0.25
"""Share of the rays that go through pixels of known depth."""
TV_DENSITY, TV_COLOR, TV_TIME = 5e-9, 2.5e-9, 0.1
"""Total variation: of densities and of colours, per pair of neighbours; in time, relative to it."""
TV_RESOLUTION = 128
"""Voxels along the longest side up to which this holds. In a finer grid fewer rays meet a voxel,
and its neighbours' say is weakened as theirs is: by the area of a voxel's side. So it is for movers
by the number of frames, among which the rays are shared out."""
TV_EVERY = 4
"""Steps from one in which total variation has its say, four times as strong, to the next."""
LAST_RATE = 0.1
"""The learning rate at the end of a stage, relative to its start."""
EXPOSURE_RATE = 0.02
"""Learning rate of the cameras' exposures, relative to that of the still voxels."""
RATES = (0.3, 1.0)
"""Learning rates of the still and of the moving voxels in the second stage, relative."""


def level(material: Material, part: int) -> tuple[int, int, int]:
    """Give the grid with so many times fewer voxels along each side than the finest."""
    return grid_of(material.space, max(material.config.size.resolution // part, COARSEST))


def descend(
    fit: Fit,
    batch: Batch,
    random: torch.Generator,
    material: Material,
    step: int,
    only_still: bool = False,
    nearness: Nearness | None = None,
) -> dict[str, float]:
    """Draw a batch, and step the layers that were drawn down the gradients of its `losses`."""
    settings = material.config.depth_loss
    seen = see(fit, batch, random, settings.guided, only_still)
    fit.note(seen)
    terms = losses(seen, batch, settings, nearness)
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    step_layers(fit.layers[:1] if only_still else fit.layers, material, step)
    fit.exposures.step()
    return {name: float(term.detach()) for name, term in (terms | {"loss": total}).items()}


def step_layers(layers: Sequence[Layer], material: Material, step: int) -> None:
    """Step down the gradients; every few steps those of total variation are among them."""
    for layer in layers:
        spacing = min(TV_RESOLUTION / max(layer.voxels.resolution), 1.0)
        share = spacing**2 / len(layer.voxels.times)
        weight = material.config.voxels.tv_weight * share * TV_EVERY * (step % TV_EVERY == 0)
        layer.step(weight * TV_DENSITY, weight * TV_COLOR, TV_TIME)
