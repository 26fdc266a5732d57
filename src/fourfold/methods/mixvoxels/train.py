"""Train mixvoxels: stages, and what they leave behind."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fourfold.capture import Capture, FrameStore, store_frames
from fourfold.errors import UsageError
from fourfold.fields import warm_up
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_source import absolute_source, source_fingerprint
from fourfold.methods.mixvoxels.finish import finish_scene, volume_objects
from fourfold.methods.mixvoxels.fit import Fit
from fourfold.methods.mixvoxels.footage import read_footage, rig_of, training_views
from fourfold.methods.mixvoxels.gaussian_fit import Fit as GaussianFit
from fourfold.methods.mixvoxels.gaussian_train import STAGE, fit_gaussians, gaussian_objects
from fourfold.methods.mixvoxels.material import Material
from fourfold.methods.mixvoxels.moving_stage import block_store, fit_moving
from fourfold.methods.mixvoxels.space_choice import guessed_distance
from fourfold.methods.mixvoxels.still_stage import fit_still
from fourfold.training import (
    COMPILE,
    Checkpoint,
    Progress,
    Run,
    check_first_stage,
    check_scene,
    deterministic,
    parse_stages,
    require_previous,
    stage_is_done,
)

STAGES: dict[str, tuple[str, ...]] = {"voxels": ("still", "moving"), "gaussians": (STAGE,)}
"""The stages of each geometry, in their order."""
FEW_CAMERAS = 5
"""With fewer, pictures alone leave the depth of much open; Gaussians sweep for it anyway."""


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
        _say_how_few(material)
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


def _say_how_few(material: Material) -> None:
    count, config = len(material.footage.views), material.config
    if count < FEW_CAMERAS and config.geometry == "voxels" and not config.depth:
        material.say(
            f"{count} cameras to train on and no known depth: views far from theirs are guesses "
            "(--depth sweep may help; --test-cameras none trains on all)"
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
        block_store(run).remove()
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


def _save_scene(fit: Fit | GaussianFit, material: Material, run: Run) -> None:
    footage = material.footage
    objects = volume_objects(fit) if isinstance(fit, Fit) else gaussian_objects(fit, footage)
    scene = finish_scene(objects, footage, material.config, run.notes)
    check_scene(scene)
    scene.save(run.scene_folder)
