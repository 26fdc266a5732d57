"""The second stage: still and moving voxels, fitted to all frames together."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.fields import VoxelField
from fourfold.methods.mixvoxels.blocks import Block, BlockStore, plan_blocks
from fourfold.methods.mixvoxels.descent import (
    DEPTH_SHARE,
    EXPOSURE_RATE,
    LAST_RATE,
    RATES,
    descend,
    level,
)
from fourfold.methods.mixvoxels.finish import preview, still_surfaces
from fourfold.methods.mixvoxels.first_movers import show_movers
from fourfold.methods.mixvoxels.fit import FRESH_ALPHA, Fit, Layer, coarsened, grid_of
from fourfold.methods.mixvoxels.material import Material
from fourfold.methods.mixvoxels.shots import read_shots
from fourfold.methods.mixvoxels.space_choice import nearest_distance
from fourfold.methods.mixvoxels.still_stage import fit_still_on
from fourfold.methods.mixvoxels.variation_field import Sightings, train_motion
from fourfold.methods.mixvoxels.voxel_motion import project_motion
from fourfold.training import Checkpoint, Progress, Run, Watch, exponential, generator

MOVING_LEVELS = ((0.0, 2), (0.4, 1))
"""From which share of the stage, or of its first block, on the moving voxels' resolution is which
part of the finest."""
PRUNE_AT = (0.4, 0.7, 1.0)
"""Shares of the stage, or of a block of it, after which empty voxels are dropped."""
CHANGING_SHARE = 0.5
"""Share of the rays that go through pixels which change."""


def fit_moving(material: Material, run: Run, checkpoint: Checkpoint) -> Fit:
    """Fit both kinds of voxels to all frames; what moves in blocks of frames, if they are many."""
    fit = Fit.restore(material.space, checkpoint.tensors)
    first = checkpoint.step if checkpoint.stage == "moving" else 0
    if first == 0:
        _begin_moving(fit, material)
    if fit.moving is None:
        fit_still_on(fit, material, run, first)
        return fit
    assert fit.movable is not None
    blocks = _blocks(int(fit.movable.sum()), material)
    store = block_store(run) if len(blocks) > 1 else None
    with Progress(blocks[-1].steps.stop, "moving", start=first) as bar:
        watch = Watch(run, "moving", bar)
        for number, block in enumerate(blocks):
            if first > block.steps.stop:
                continue
            if store is not None and number > 0 and first <= block.steps.start:
                fit.still.freeze()
                fit.moving = store.begin(number, block)
            _fit_block(fit, material, block, first, watch)
            if store is not None:
                store.save(number, fit.moving)
    if store is not None:
        fit.moving = store.join(len(blocks) - 1)
    run.preview("moving", preview(fit, material.footage, material.footage.num_frames // 2))
    return fit


def block_store(run: Run) -> BlockStore:
    # among the checkpoints: they belong together, and go together
    return BlockStore(run.path / "checkpoints" / "blocks")


def _begin_moving(fit: Fit, material: Material) -> None:
    """Make voxels where cameras see change, if they see any."""
    if material.footage.num_frames == 1:
        return
    if not material.changes:
        surfaces, mask = [], torch.zeros(1, dtype=torch.bool)
    else:
        surfaces = still_surfaces(fit, [row[0] for row in material.footage.cameras])
        mask = _moving_voxels(material, surfaces)
    if not bool(mask.any()):
        threshold = material.config.voxels.variation_threshold
        material.say(
            f"nothing moves: no voxel changes by more than {threshold:g} "
            "(--voxels.variation-threshold) in every camera"
        )
    else:
        fit.movable, fit.moving = mask, _first_layer(mask, material, surfaces)
    fit.still.restart()


def _first_layer(
    movable: Bool[Tensor, "X Y Z"], material: Material, surfaces: Sequence[Float[Tensor, "H W"]]
) -> Layer:
    """Make moving voxels of the coarsest grid, as the frames of the first block show them."""
    times = [float(frame) for frame in _blocks(int(movable.sum()), material)[0].frames]
    coarse = coarsened(movable, level(material, MOVING_LEVELS[0][1]))
    voxels = VoxelField.at_voxels(coarse, times, alpha=FRESH_ALPHA)
    with Progress(len(times), "what moves") as bar:
        show_movers(voxels, material.space, read_shots(material.footage), surfaces, bar)
    return Layer(voxels, coarse)


def _blocks(num_voxels: int, material: Material) -> list[Block]:
    config = material.config
    steps = config.size.iterations - material.still_steps
    frames = material.footage.num_frames
    return plan_blocks(frames, num_voxels, config.voxels.block_frames, steps)


def _fit_block(fit: Fit, material: Material, block: Block, first: int, watch: Watch) -> None:
    """Fit the layers that are not frozen to the frames of a block, from the step `first` on."""
    config, size = material.config, material.config.size
    start, count = block.steps.start, len(block.steps)
    rate = exponential(1.0, LAST_RATE, count)
    prunes = {start + int(share * count) for share in PRUNE_AT}
    levels = {int(share * count): level(material, part) for share, part in MOVING_LEVELS}
    for step in range(max(first, start), block.steps.stop):
        if start == 0 and step in levels and step > 0:
            fit.refine_movers(levels[step])
        rates = [config.voxels.learning_rate * rate(step - start) * factor for factor in RATES]
        for layer, own in zip(fit.layers, rates, strict=True):
            layer.set_rate(own)
        fit.exposures.set_rate(0.0 if fit.still.frozen else EXPOSURE_RATE * rates[0])
        random = generator(config.seed, "moving", step)
        batch = material.pixels.moving(size.rays, CHANGING_SHARE, DEPTH_SHARE, block.frames, random)
        terms = descend(fit, batch, random, material, step)
        if step + 1 in prunes:
            _prune(fit, whole=len(block.frames) == material.footage.num_frames)
        watch.after(step, terms, fit.tensors)


def _prune(fit: Fit, whole: bool) -> None:
    """Drop empty voxels; those of movers only if all frames (`whole`) had a say in them."""
    if not fit.still.frozen:
        fit.still.prune()
    if whole and fit.moving is not None:
        fit.moving.prune()


def _moving_voxels(
    material: Material, surfaces: Sequence[Float[Tensor, "H W"]]
) -> Bool[Tensor, "X Y Z"]:
    """Find the voxels in which something moves, projected or learned."""
    footage, config = material.footage, material.config
    resolution = grid_of(material.space, config.size.resolution)
    cameras = [row[0] for row in footage.cameras]
    if config.voxels.variation == "projected":
        return project_motion(material.space, resolution, cameras, material.changing, surfaces)
    near = nearest_distance(footage)
    sightings = Sightings(footage, near, material.changing, surfaces)
    return train_motion(material.space, resolution, sightings, config.seed)
