"""Train dreamscene4d: lift, move, compose, each stage ending in a checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import fourfold
from fourfold.capture import Capture, require_frames, require_one_view
from fourfold.errors import UsageError
from fourfold.geometry import upward_direction
from fourfold.methods.dreamscene4d.clip import Clip, read_clip
from fourfold.methods.dreamscene4d.compose import compose
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig
from fourfold.methods.dreamscene4d.draft import Draft
from fourfold.methods.dreamscene4d.kernels import compile_kernels
from fourfold.methods.dreamscene4d.lift import lift
from fourfold.methods.dreamscene4d.move import move
from fourfold.priors import PRIORS
from fourfold.scene import Scene, SceneObject, StaticMotion
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
    to_plain,
)

STAGES = ("lift", "move", "compose")


def train(capture: Capture, out: Path, config: DreamScene4DConfig, overwrite: bool) -> Run:
    """Turn a monocular capture with object masks into a scene, or go on where a run was stopped.

    Raises:
        InputError: the capture has several views or no masks, an object is never visible, there is
            one frame only, or a file cannot be read.
        UsageError: unknown stages, a setting out of its range, or ``out`` is a run with other
            settings.
        ResultError: the scene is empty or holds numbers that are not finite.
    """
    stages = parse_stages(config.stages, STAGES)
    check_first_stage(stages, STAGES, out, overwrite)
    config.check()
    # Which stages run now is no property of the result: all of them are stored.
    config = replace(config, stages=",".join(STAGES))
    clip = _read_input(capture, config)
    run = Run.open(
        out,
        method="dreamscene4d",
        config=config,
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
        overwrite=overwrite,
    )
    with run, deterministic():
        with run.stopwatch.lap(COMPILE):
            compile_kernels()
        _run_stages(stages, capture, clip, run, config.resolved())
    return run


def _read_input(capture: Capture, config: DreamScene4DConfig) -> Clip:
    """Read what is trained on, so that whatever is wrong with it is said before a run is made."""
    require_one_view(capture)
    require_frames(capture)
    trained = trained_frames(len(capture.frames), config.holdout)
    if len(trained) < 2:
        raise UsageError(
            f"holdout {config.holdout} leaves {len(trained)} frame to train on",
            expected="2 or more",
        )
    clip = read_clip(capture, trained)
    if capture.has("depth"):
        for frame in trained:
            capture.depth(frame)
    return clip


def trained_frames(num_frames: int, holdout: int) -> tuple[int, ...]:
    """Return the frames to train on: all but every ``holdout``-th from ``holdout // 2`` on.

    >>> trained_frames(6, 4)
    (0, 1, 3, 4, 5)
    """
    if holdout == 0:
        return tuple(range(num_frames))
    if holdout < 2:
        raise UsageError(
            f"holdout {holdout}", expected="0, or 2 and more: every K-th frame is left out"
        )
    return tuple(t for t in range(num_frames) if t % holdout != holdout // 2)


def _run_stages(
    stages: tuple[str, ...], capture: Capture, clip: Clip, run: Run, config: DreamScene4DConfig
) -> None:
    """Run the stages that are asked for and not done yet."""
    checkpoint = run.latest_checkpoint()
    for stage in stages:
        if stage_is_done(checkpoint, stage, STAGES):
            continue
        with run.stopwatch.lap(stage):
            draft = _run_stage(stage, checkpoint, capture, clip, run, config)
            if stage == STAGES[-1]:
                finish_scene(draft, capture, config).save(run.scene_folder)
        run.save_checkpoint(
            stage, 0, {"draft": draft.tensors()}, {"notes": draft.notes, "done": True}
        )
        checkpoint = run.latest_checkpoint()
    if checkpoint is not None and stage_is_done(checkpoint, STAGES[-1], STAGES):
        _restore_scene(checkpoint, capture, run, config)


def _restore_scene(
    checkpoint: Checkpoint, capture: Capture, run: Run, config: DreamScene4DConfig
) -> None:
    """Make the scene anew of the last checkpoint where someone deleted it."""
    if not run.scene_folder.exists():
        finish_scene(_restore(checkpoint), capture, config).save(run.scene_folder)


def _restore(checkpoint: Checkpoint) -> Draft:
    return Draft.restore(checkpoint.tensors["draft"], dict(checkpoint.state["notes"]))


def _run_stage(
    stage: str,
    checkpoint: Checkpoint | None,
    capture: Capture,
    clip: Clip,
    run: Run,
    config: DreamScene4DConfig,
) -> Draft:
    if stage == "lift":
        followed = sum(len(clip.visible_frames(k)) - 1 for k in range(clip.num_objects))
        with Progress(followed, "lift") as progress:
            return lift(capture, clip, config, progress)
    require_previous(checkpoint, stage, STAGES)
    assert checkpoint is not None
    draft = _restore(checkpoint)
    return move(draft, clip, run, config, checkpoint) if stage == "move" else compose(draft)


def finish_scene(draft: Draft, capture: Capture, config: DreamScene4DConfig) -> Scene:
    """Make the scene of a draft: the prior closes the objects, the background comes first.

    Raises:
        ResultError: the scene is empty or holds numbers that are not finite.
    """
    prior = PRIORS[config.prior]
    objects = [SceneObject("background", draft.background, StaticMotion())]
    objects += [close_object(front, prior) for front in draft.fronts]
    provenance: dict[str, Any] = {
        "method": "dreamscene4d",
        "fourfold": fourfold.__version__,
        "config": to_plain(config),
        **draft.notes,
    }
    scene = Scene(
        objects,
        draft.cameras,
        fps=capture.fps,
        up=upward_direction(draft.cameras),
        background_color=torch.tensor(draft.notes["background_color"]),
        provenance=provenance,
    )
    check_scene(scene)
    return scene


def close_object(front: SceneObject, prior) -> SceneObject:
    """Let the prior make the whole object of its visible side; both sides share one appearance."""
    whole = prior(front.geometry)
    appearance = front.appearance
    assert appearance is not None
    copies = len(whole) // max(len(front.geometry), 1)
    spread = appearance.coefficients.repeat(copies, 1, 1)
    return replace(front, geometry=whole, appearance=replace(appearance, coefficients=spread))
