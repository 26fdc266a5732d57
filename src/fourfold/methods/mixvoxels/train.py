"""Train mixvoxels: the still voxels on what stands still, then both on all frames."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Capture, FrameStore, store_frames
from fourfold.errors import UsageError
from fourfold.fields import Space, VoxelField, warm_up
from fourfold.methods.mixvoxels.blocks import Block, BlockStore, plan_blocks
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_source import absolute_source, source_fingerprint
from fourfold.methods.mixvoxels.depth_targets import DepthTargets, read_depth_targets
from fourfold.methods.mixvoxels.finish import finish_scene, preview, still_depths, volume_objects
from fourfold.methods.mixvoxels.fit import FRESH_ALPHA, Fit, Layer, grid_of
from fourfold.methods.mixvoxels.footage import (
    Footage,
    changing_pixels,
    read_footage,
    rig_of,
    training_views,
)
from fourfold.methods.mixvoxels.gaussian_fit import Fit as GaussianFit
from fourfold.methods.mixvoxels.gaussian_train import STAGE, fit_gaussians, gaussian_objects
from fourfold.methods.mixvoxels.space_choice import (
    choose_space,
    guessed_distance,
    nearest_distance,
)
from fourfold.methods.mixvoxels.step import Batch, PixelSource, losses, see
from fourfold.methods.mixvoxels.variation_field import Sightings, train_motion
from fourfold.methods.mixvoxels.voxel_motion import project_motion
from fourfold.training import (
    COMPILE,
    Checkpoint,
    Progress,
    Run,
    Watch,
    check_first_stage,
    check_scene,
    deterministic,
    exponential,
    generator,
    parse_stages,
    require_previous,
    stage_is_done,
)

STAGES: dict[str, tuple[str, ...]] = {"voxels": ("still", "moving"), "gaussians": (STAGE,)}
"""The stages of each geometry, in their order."""
STILL_SHARE = 0.4
"""Share of the iterations in which the still voxels are fitted alone."""
LEVELS = ((0.0, 4), (0.2, 2), (0.45, 1))
"""From which share of the still stage on the resolution is which part of the finest."""
COARSEST = 24
"""No grid has fewer voxels on its longest side."""
PRUNE_AT = (0.2, 0.45, 0.7, 1.0)
"""Shares of a stage after which empty voxels are dropped: also before the grid becomes finer."""
CHANGING_SHARE = 0.5
"""Share of the rays of the second stage that go through pixels which change."""
DEPTH_SHARE = 0.25
"""Share of the rays that go through pixels of known depth."""
TV_DENSITY, TV_COLOR, TV_TIME = 2e-8, 2e-9, 0.1
"""Total variation: of densities and of colours, per pair of neighbours; in time, relative to it."""
LAST_RATE = 0.1
"""The learning rate at the end of a stage, relative to its start."""
RATES = (0.3, 1.0)
"""Learning rates of the still and of the moving voxels in the second stage, relative."""


@dataclass(frozen=True)
class Material:
    """All that a training needs beside its fit; the same for every stage.

    `say` is told what there is to know about the result.
    """

    footage: Footage
    config: MixVoxelsConfig
    say: Callable[[str], None]

    @cached_property
    def space(self) -> Space:
        """Where the voxels are."""
        return choose_space(self.footage, self.config.voxels.space)

    @cached_property
    def deviations(self) -> list[Float[Tensor, "H W"]]:
        """How much each pixel of each view changes over time."""
        if self.footage.num_frames == 1:
            sizes = self.footage.sizes.tolist()
            return [torch.zeros(height, width) for width, height in sizes]
        views, found = self.footage.views, []
        with Progress(len(views), "what changes") as bar:
            for view in views:
                found.append(torch.from_numpy(self.footage.store.deviation(view)))
                bar.advance()
        return found

    @cached_property
    def changing(self) -> list[Bool[Tensor, "H W"]]:
        """Which pixels of each view change over time."""
        return changing_pixels(self.deviations, self.config.voxels.variation_threshold)

    @cached_property
    def changes(self) -> bool:
        """Whether any pixel of any view changes over time."""
        return any(bool(mask.any()) for mask in self.changing)

    @cached_property
    def still_steps(self) -> int:
        """How many steps the still voxels are fitted alone: all where no pixel changes."""
        share = STILL_SHARE if self.changes else 1.0
        return max(int(share * self.config.size.iterations), 1)

    @cached_property
    def still_images(self) -> list[Float[Tensor, "H W 3"]]:
        """Each view without what moves."""
        store, target = self.footage.store, self.config.voxels.still_target
        if self.footage.num_frames == 1:
            target = str(self.footage.frames[0])
        views, images = self.footage.views, []
        with Progress(len(views), "what stands still") as bar:
            for view in views:
                images.append(torch.from_numpy(_still_image(store, view, target)))
                bar.advance()
        return images

    @cached_property
    def targets(self) -> DepthTargets | None:
        """Known depths."""
        return read_depth_targets(self.footage, self.config, self.changing, self.say)

    @cached_property
    def pixels(self) -> PixelSource:
        """What rays are drawn from."""
        near = nearest_distance(self.footage)
        return PixelSource(self.footage, near, self.changing, self.targets, self.still_images)


def _still_image(store: FrameStore, view: int, target: str) -> Float[np.ndarray, "H W 3"]:
    if target.isdigit():
        frame = min(int(target), store.num_frames - 1)
        return store.image(frame, view).astype(np.float32) / 255
    return store.mean(view) if target == "mean" else store.median(view)


def train(capture: Capture, out: Path, config: MixVoxelsConfig, overwrite: bool) -> Run:
    """Turn a multi-camera capture into a scene, or go on where a run was stopped.

    Raises:
        InputError: fewer than two cameras, cameras without poses, depths that do not fit.
        UsageError: unknown stages, a setting out of its range, or ``out`` is a run with other
            settings.
        ResultError: the scene is empty or not finite.
    """
    config.check()
    known = STAGES[config.geometry]
    stages = parse_stages(config.stages or ",".join(known), known)
    check_first_stage(stages, known, out, overwrite)
    # Which stages run now is no property of the result; a path is the same from any folder.
    config = replace(config, stages="", depth=absolute_source(config.depth))
    rig = rig_of(capture, config.static)
    training_views(rig)  # says what is wrong with them before a run is made
    _check_still_target(config, rig)
    depth = {"depth": source_fingerprint(config.depth, rig)} if config.depth else {}
    run = Run.open(
        out,
        method="mixvoxels",
        config=config,
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
        inputs=depth,
        overwrite=overwrite,
    )
    with run, deterministic():
        with run.stopwatch.lap(COMPILE), Progress(1, "compiling kernels (once per machine)") as bar:
            warm_up()
            bar.advance()
        with run.stopwatch.lap("frames"):
            frames = range(1 if config.static else rig.num_frames)
            store = _store(rig, frames, run)
        material = Material(read_footage(rig, store, frames), config, run.note)
        _say_what_is_guessed(material)
        for stage in stages:
            _run_stage(stage, material, run)
    return run


def _say_what_is_guessed(material: Material) -> None:
    distance = guessed_distance(material.footage)
    if distance is not None:
        material.say(
            "the cameras look the same way and nothing says how far they see: things are taken to "
            f"be about {distance:.3g} away, going by the way between the cameras"
        )


def _check_still_target(config: MixVoxelsConfig, rig: Capture) -> None:
    target = config.voxels.still_target
    if target.isdigit() and int(target) >= rig.num_frames:
        raise UsageError(
            f"--voxels.still-target is {target}", expected=f"0 to {rig.num_frames - 1}"
        )


def _store(rig: Capture, frames: Sequence[int], run: Run) -> FrameStore:
    """Decode frames into the run, saying what disk they take."""
    count = len(rig.views) * len(frames)
    with Progress(count, "decoding frames") as bar:
        return store_frames(
            rig,
            run.frames_folder,
            frames=frames,
            say=lambda line: print(f"note: {line}", file=sys.stderr),
            progress=lambda done, total: bar.update(done),
        )


def _run_stage(stage: str, material: Material, run: Run) -> None:
    """Run a stage, or what is left of it."""
    checkpoint, known = run.latest_checkpoint(), STAGES[material.config.geometry]
    last = stage == known[-1]
    if not stage_is_done(checkpoint, stage, known):
        require_previous(checkpoint, stage, known)
        with run.stopwatch.lap(stage):
            fit = _fit(stage, material, run, checkpoint)
            if last:
                _save_scene(fit, material, run)
        run.save_checkpoint(stage, 0, fit.tensors(), {"done": True})
        _block_store(run).remove()
    elif last and checkpoint is not None and not run.scene_folder.exists():
        _save_scene(_restore(material, checkpoint), material, run)


def _fit(
    stage: str, material: Material, run: Run, checkpoint: Checkpoint | None
) -> Fit | GaussianFit:
    if stage == STAGE:
        return fit_gaussians(material.footage, run, material.config, checkpoint, material.targets)
    if stage == "still":
        return fit_still(material, run, checkpoint)
    assert checkpoint is not None
    return fit_moving(material, run, checkpoint)


def _restore(material: Material, checkpoint: Checkpoint) -> Fit | GaussianFit:
    if material.config.geometry == "gaussians":
        return GaussianFit.restore(checkpoint.tensors)
    return Fit.restore(material.space, checkpoint.tensors)


def fit_still(material: Material, run: Run, checkpoint: Checkpoint | None) -> Fit:
    """Fit the still voxels to the pictures without what moves, coarse to fine."""
    config, size, steps = material.config, material.config.size, material.still_steps
    levels = {
        int(share * steps): grid_of(material.space, max(size.resolution // part, COARSEST))
        for share, part in LEVELS
    }
    prunes = {int(share * steps) for share in PRUNE_AT}
    if checkpoint is None:
        voxels = VoxelField.dense(levels[0], degree=config.voxels.harmonics, alpha=FRESH_ALPHA)
        fit, first = Fit(material.space, Layer(voxels)), 0
    else:
        fit, first = Fit.restore(material.space, checkpoint.tensors), checkpoint.step
    rate = exponential(1.0, LAST_RATE, steps)
    with Progress(steps, "still", start=first) as bar:
        watch = Watch(run, "still", bar)
        for step in range(first, steps):
            if step in levels and step > 0:
                fit.still.upsample(levels[step])
            terms = _still_step(fit, material, rate(step), generator(config.seed, "still", step))
            if step + 1 in prunes:
                fit.still.prune()
            watch.after(step, terms, fit.tensors)
    run.preview("still", preview(fit, material.footage, 0, only_still=True))
    return fit


def _still_step(
    fit: Fit, material: Material, rate: float, random: torch.Generator
) -> dict[str, float]:
    """Fit the still voxels to the pictures without what moves, one step."""
    config = material.config
    fit.still.set_rate(config.voxels.learning_rate * rate)
    batch = material.pixels.still(config.size.rays, _depth_share(material), random)
    terms = _descend(fit, batch, random, material, only_still=True)
    _step(fit.layers[:1], material)
    return terms


def fit_moving(material: Material, run: Run, checkpoint: Checkpoint) -> Fit:
    """Fit both kinds of voxels to all frames; what moves in blocks of frames, if they are many."""
    fit = Fit.restore(material.space, checkpoint.tensors)
    first = checkpoint.step if checkpoint.stage == "moving" else 0
    if first == 0:
        _begin_moving(fit, material)
    if fit.moving is None:
        _fit_still_on(fit, material, run, first)
        return fit
    blocks = _blocks(len(fit.moving.voxels.densities), material)
    store = _block_store(run) if len(blocks) > 1 else None
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


def _fit_still_on(fit: Fit, material: Material, run: Run, first: int) -> None:
    """Spend the steps that movers would have had on the still voxels: nothing moves."""
    config = material.config
    steps = config.size.iterations - material.still_steps
    if steps == 0:
        return
    rate = exponential(RATES[0], RATES[0] * LAST_RATE, steps)
    with Progress(steps, "moving", start=first) as bar:
        watch = Watch(run, "moving", bar)
        for step in range(first, steps):
            terms = _still_step(fit, material, rate(step), generator(config.seed, "moving", step))
            watch.after(step, terms, fit.tensors)


def _block_store(run: Run) -> BlockStore:
    # among the checkpoints: they belong together, and go together
    return BlockStore(run.path / "checkpoints" / "blocks")


def _begin_moving(fit: Fit, material: Material) -> None:
    """Make voxels where cameras see change, if they see any."""
    if material.footage.num_frames == 1:
        return
    mask = _moving_voxels(fit, material) if material.changes else None
    if mask is None or not bool(mask.any()):
        threshold = material.config.voxels.variation_threshold
        material.say(
            f"nothing moves: no voxel changes by more than {threshold:g} "
            "(--voxels.variation-threshold) in every camera"
        )
    else:
        times = [float(frame) for frame in _blocks(int(mask.sum()), material)[0].frames]
        fit.moving = Layer(VoxelField.at_voxels(mask, times, alpha=FRESH_ALPHA), mask)
    fit.still.restart()


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
    for step in range(max(first, start), block.steps.stop):
        for layer, factor in zip(fit.layers, RATES, strict=True):
            layer.set_rate(config.voxels.learning_rate * rate(step - start) * factor)
        random = generator(config.seed, "moving", step)
        batch = material.pixels.moving(
            size.rays, CHANGING_SHARE, _depth_share(material), block.frames, random
        )
        terms = _descend(fit, batch, random, material)
        _step(fit.layers, material)
        if step + 1 in prunes:
            _prune(fit, whole=len(block.frames) == material.footage.num_frames)
        watch.after(step, terms, fit.tensors)


def _prune(fit: Fit, whole: bool) -> None:
    """Drop empty voxels; those of movers only if all frames (`whole`) had a say in them."""
    if not fit.still.frozen:
        fit.still.prune()
    if whole and fit.moving is not None:
        fit.moving.prune()


def _moving_voxels(fit: Fit, material: Material) -> Bool[Tensor, "X Y Z"]:
    """Find the voxels in which something moves, projected or learned."""
    footage, config = material.footage, material.config
    resolution = grid_of(material.space, config.size.resolution)
    cameras = [row[0] for row in footage.cameras]
    surfaces = still_depths(fit, cameras)
    if config.voxels.variation == "projected":
        return project_motion(material.space, resolution, cameras, material.changing, surfaces)
    near = nearest_distance(footage)
    sightings = Sightings(footage, near, material.changing, surfaces)
    return train_motion(material.space, resolution, sightings, config.seed)


def _depth_share(material: Material) -> float:
    return 0.0 if material.targets is None else DEPTH_SHARE


def _descend(
    fit: Fit,
    batch: Batch,
    random: torch.Generator,
    material: Material,
    only_still: bool = False,
) -> dict[str, float]:
    """Draw a batch, and leave the gradients of its loss."""
    settings = material.config.depth_loss
    seen = see(fit, batch, random, settings.guided, only_still)
    fit.note(seen)
    terms = losses(seen, batch, settings)
    total = torch.stack(list(terms.values())).sum()
    total.backward()
    return {name: float(term.detach()) for name, term in (terms | {"loss": total}).items()}


def _step(layers: Sequence[Layer], material: Material) -> None:
    weight = material.config.voxels.tv_weight
    for layer in layers:
        layer.step(weight * TV_DENSITY, weight * TV_COLOR, TV_TIME)


def _save_scene(fit: Fit | GaussianFit, material: Material, run: Run) -> None:
    footage = material.footage
    objects = volume_objects(fit) if isinstance(fit, Fit) else gaussian_objects(fit, footage)
    scene = finish_scene(objects, footage, material.config, run.notes)
    check_scene(scene)
    scene.save(run.scene_folder)
