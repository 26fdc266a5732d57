"""The optional last stage: the looping scene optimised on the animated photo.

After the final stage of 3D-MOM, which fits 4D Gaussians to the video of one view by L1 and SSIM.
Here the motion is already exact and closed; what is learnt is how colour and opacity change in
time, so that the photo at rest and the seam of the loop stay as they are.
"""

import logging
from dataclasses import replace
from typing import Any

import torch

from fourfold.methods.mom.config import MOMConfig
from fourfold.methods.mom.photo import Photo
from fourfold.methods.mom.refine_study import Study, make_study, ready_scene
from fourfold.methods.mom.state import State
from fourfold.scene import Scene
from fourfold.training import (
    Checkpoint,
    Progress,
    Run,
    Watch,
    adam_state,
    check_scene,
    exponential,
    generator,
    load_adam_state,
    ssim_loss,
)

_log = logging.getLogger(__name__)

UNREFINED = "scene-lifted"
"""Folder of the run that keeps the scene as it was before."""
RATE_DROP = 0.1
"""Of the learning rate, from the first step to the last."""
FAINT = 1e-2
"""Gaussians that count less than this in the picture, in pixels, are hardly moved (Adam's eps)."""


def refine_scene(state: State, photo: Photo, run: Run, config: MOMConfig) -> None:
    """Optimise the run's scene on the animated photo, or go on; keep the better scene.

    The scene from before stays in the run's folder `scene-lifted`. An animator is called again
    where a stopped run goes on, and must then give the same frames.

    Raises:
        UsageError: there is no such animator, or what it gives does not fit.
        InputError: a folder's pictures do not fit.
    """
    checkpoint = _begin(state, run)
    unrefined = Scene.load(run.path / UNREFINED)
    start = ready_scene(unrefined, config)
    study = make_study(start, state, photo, config.refine)
    before = checkpoint.state.get("before")
    before = study.score() if before is None else before
    _fit(study, state, run, config, checkpoint, before)
    _finish(study, start, unrefined, before, run, config)


def _begin(state: State, run: Run) -> Checkpoint:
    """Set the scene aside before the first step, and mark that this is done by a checkpoint."""
    checkpoint = run.latest_checkpoint()
    if checkpoint is None or checkpoint.stage != "refine":
        Scene.load(run.scene_folder).save(run.path / UNREFINED)
        run.save_checkpoint("refine", 0, state.tensors(), state.facts())
        checkpoint = run.latest_checkpoint()
    assert checkpoint is not None
    return checkpoint


def _fit(
    study: Study,
    state: State,
    run: Run,
    config: MOMConfig,
    checkpoint: Checkpoint,
    before: float,
) -> None:
    """Optimise: a frame a step, every frame once before any comes again."""
    settings, frames = config.refine, config.loop.frames
    steps, first = settings.iterations, checkpoint.step
    leaves = study.coefficients
    optimizer = torch.optim.Adam(leaves, lr=settings.learning_rate, eps=FAINT)
    if "refine" in checkpoint.tensors:
        saved = checkpoint.tensors["refine"]
        for leaf, values in zip(leaves, saved["coefficients"], strict=True):
            leaf.copy_(values)
        load_adam_state(optimizer, saved["adam"])
    for leaf in leaves:
        leaf.requires_grad_()
    rate = exponential(settings.learning_rate, RATE_DROP * settings.learning_rate, steps)

    def tensors() -> dict[str, Any]:
        refined = {"coefficients": list(leaves), "adam": adam_state(optimizer)}
        return {**state.tensors(), "refine": refined}

    def facts() -> dict[str, Any]:
        return {**state.facts(), "before": before}

    with Progress(steps, "refining", start=first) as progress:
        watch = Watch(run, "refine", progress)
        for step in range(first, steps):
            optimizer.param_groups[0]["lr"] = rate(step)
            turn, place = divmod(step, frames)
            order = torch.randperm(frames, generator=generator(config.seed, "refine", turn))
            terms = _step(study, optimizer, int(order[place]), settings.ssim_weight)
            watch.after(step, terms, tensors, facts)
    for leaf in leaves:
        leaf.requires_grad_(False)


def _step(
    study: Study, optimizer: torch.optim.Optimizer, frame: int, ssim_weight: float
) -> dict[str, float]:
    """Draw a frame, compare it inside the moving regions, and move the coefficients a little."""
    optimizer.zero_grad()
    target, share = study.target(frame), study.mask.float().mean()
    shown = torch.where(study.mask.unsqueeze(-1), study.draw(frame), target)
    color = (shown - target).abs().mean() / share
    ssim = ssim_loss(shown, target) / share
    loss = (1.0 - ssim_weight) * color + ssim_weight * ssim
    # Adam does not care about the size of a loss, but its eps does: here it is in pixels.
    (loss * study.mask.sum()).backward()
    optimizer.step()
    terms = {"loss": loss, "color": color, "ssim": ssim}
    return {name: float(value.detach()) for name, value in terms.items()}


def _finish(
    study: Study, start: Scene, unrefined: Scene, before: float, run: Run, config: MOMConfig
) -> None:
    """Save the refined scene, or the one from before with a note where that is the better one."""
    after = study.score()
    # The study shares its appearances with the start, so that is refined now.
    scene, note = start, f"Refined: {before:.2f} dB to the animated photo before, {after:.2f} after"
    if not after > before:
        scene, note = unrefined, f"Not refined: {before:.2f} dB would have become {after:.2f}"
        _log.warning("%s; the scene stays as it was.", note)
    figures = {"psnr_before": before, "psnr_after": after}
    run.log("refine", config.refine.iterations, **figures)
    named = {f"refine_{name}": value for name, value in figures.items()}
    provenance = dict(scene.provenance) | {
        "config": run.plain_config,
        "figures": {**scene.provenance.get("figures", {}), **named},
        "refine": note,
    }
    check_scene(scene)
    replace(scene, provenance=provenance).save(run.scene_folder)
    with torch.no_grad():
        middle = config.loop.frames // 2
        run.preview("refine", torch.cat([study.target(middle), study.draw(middle)], dim=1))
