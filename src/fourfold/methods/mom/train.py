"""Train mom: depth of a photo, motion of its regions, Gaussians, the loop; refined if asked."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from fourfold.capture import Capture
from fourfold.estimators import DepthEstimator, estimate_landscape_depth
from fourfold.methods.mom.animator import load_animator
from fourfold.methods.mom.canvas import extend_canvas
from fourfold.methods.mom.config import MOMConfig
from fourfold.methods.mom.finish import finish_scene
from fourfold.methods.mom.layers import cut_layers
from fourfold.methods.mom.lift import ROUNDS, lift
from fourfold.methods.mom.motion import find_motion
from fourfold.methods.mom.named import load_inpainter
from fourfold.methods.mom.photo import Photo, read_photo
from fourfold.methods.mom.pictures import show_depth, show_motion
from fourfold.methods.mom.refine import refine_scene
from fourfold.methods.mom.state import State
from fourfold.splat import warm_up
from fourfold.training import (
    COMPILE,
    Progress,
    Run,
    check_first_stage,
    check_scene,
    deterministic,
    parse_stages,
    require_previous,
    stage_is_done,
)

STAGES = ("depth", "motion", "lift", "loop", "refine")


def train(capture: Capture, out: Path, config: MOMConfig, overwrite: bool) -> Run:
    """Turn a photo into a looping scene, or go on where a run was stopped.

    Raises:
        InputError: the capture is no photo, nothing of it is marked to move, or no hint says how.
        UsageError: unknown stages, a setting out of its range, or ``out`` is a run with other
            settings.
        ResultError: the scene is empty or not finite.
    """
    stages = parse_stages(config.stages, STAGES)
    check_first_stage(stages, STAGES, out, overwrite)
    config.check()
    load_animator(config.refine.animator)  # says what is wrong with it before a run is made
    load_inpainter(config.inpainter)
    # Which stages run now is no property of the result, but for the one that is optional.
    config = replace(config, stages=",".join(STAGES[:-1]))
    photo = read_photo(capture)
    run = Run.open(
        out,
        method="mom",
        config=config if overwrite else _as_begun(config, out, stages),
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
        overwrite=overwrite,
    )
    with run, deterministic():
        with run.stopwatch.lap(COMPILE), Progress(1, "compiling kernels (once per machine)") as bar:
            warm_up()
            bar.advance()
        for stage in stages:
            _run_stage(stage, photo, run, config)
    return run


def _as_begun(config: MOMConfig, out: Path, stages: Sequence[str]) -> MOMConfig:
    """Give the settings to compare with those of a run that is there.

    The stage refine may be added to a finished run: its settings count from when it begins, and
    only where it is asked for.
    """
    if not (out / "config.yml").is_file():
        return config
    run = Run.load(out)
    if run.method != "mom":
        return config  # is refused
    stored, checkpoint = run.config(MOMConfig), run.latest_checkpoint()
    begun = checkpoint is not None and checkpoint.stage == "refine"
    config = replace(config, stages=stored.stages)
    return config if begun and "refine" in stages else replace(config, refine=stored.refine)


def _run_stage(stage: str, photo: Photo, run: Run, config: MOMConfig) -> None:
    """Run a stage, where it is not done; the loop also where its scene was lost."""
    checkpoint = run.latest_checkpoint()
    lost = stage == "loop" and not run.scene_folder.is_dir()
    if stage_is_done(checkpoint, stage, STAGES) and not lost:
        return
    require_previous(checkpoint, stage, STAGES)
    state = State() if checkpoint is None else State.restore(checkpoint)
    with run.stopwatch.lap(stage):
        state = _STAGES[stage](state, photo, run, config)
    run.save_checkpoint(stage, 0, state.tensors(), state.facts() | {"done": True})


def find_depth(state: State, photo: Photo, run: Run, config: MOMConfig) -> State:
    """Give the photo a depth map."""
    with Progress(1, "depth") as bar:
        estimator = _load_estimator(config.depth_model) if config.depth_model else None
        landscape = estimate_landscape_depth(
            photo.image, photo.camera, photo.regions, photo.depth, estimator
        )
        bar.advance()
    run.preview("depth", show_depth(photo, landscape))
    return replace(state, landscape=landscape)


def _load_estimator(folder: str) -> DepthEstimator:
    # transformers takes seconds to import
    from fourfold.estimators.pretrained_depth import load_depth_estimator

    return load_depth_estimator(Path(folder))


def set_in_motion(state: State, photo: Photo, run: Run, config: MOMConfig) -> State:
    """Find the velocity of everything that moves."""
    assert state.landscape is not None
    with Progress(1, "motion") as bar:
        motion = find_motion(photo, state.landscape, config)
        bar.advance()
    run.preview("motion", show_motion(photo, motion.velocity))
    return replace(state, motion=motion)


def lift_photo(state: State, photo: Photo, run: Run, config: MOMConfig) -> State:
    """Make Gaussians of the photo and of what it hides."""
    assert state.landscape is not None
    assert state.motion is not None
    with Progress(ROUNDS + 2, "lifting") as bar:
        canvas = extend_canvas(photo.image, state.landscape, photo.camera)
        bar.advance()
        layers = cut_layers(canvas, load_inpainter(config.inpainter))
        bar.advance()
        regions = torch.stack([canvas.extend(mask) for mask in state.motion.masks])
        lifted = lift(canvas, layers, regions, bar)
    return replace(state, lifted=lifted)


def close_loop(state: State, photo: Photo, run: Run, config: MOMConfig) -> State:
    """Set the Gaussians in motion, and save the scene."""
    if state.lifted is None:  # they were in a scene that is lost
        state = lift_photo(state, photo, run, config)
    scene = finish_scene(state, photo, config)
    check_scene(scene)
    scene.save(run.scene_folder)
    return replace(state, lifted=None)


def refine(state: State, photo: Photo, run: Run, config: MOMConfig) -> State:
    """Optimise the saved scene on an animated view."""
    run.change_config(replace(config, stages=",".join(STAGES)))
    refine_scene(state, photo, run, config)
    return state


_STAGES = {
    "depth": find_depth,
    "motion": set_in_motion,
    "lift": lift_photo,
    "loop": close_loop,
    "refine": refine,
}
