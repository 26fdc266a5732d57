"""The stage of ``--geometry gaussians``: first Gaussians, then steps until they are spent."""

import torch

from fourfold.geometry import project_points
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.gaussian_fit import Fit
from fourfold.methods.mixvoxels.gaussian_growth import FAINT, clear_lenses
from fourfold.methods.mixvoxels.gaussian_lenses import training_lenses
from fourfold.methods.mixvoxels.gaussian_start import (
    Start,
    start_gaussians,
    start_steps,
)
from fourfold.methods.mixvoxels.gaussian_step import Task, draw_fit, gaussian_step
from fourfold.methods.mixvoxels.shots import Shots, read_shots
from fourfold.scene import BACKGROUND, SceneObject, StaticMotion
from fourfold.training import Checkpoint, Progress, Run, Watch

STAGE = "gaussians"
PREVIEWS = 4
"""Previews in the course of a training."""
SAMPLED = 20_000
"""Gaussians whose depth is looked at to know the usual one."""


def fit_gaussians(
    footage: Footage,
    run: Run,
    config: MixVoxelsConfig,
    checkpoint: Checkpoint | None,
    targets: DepthTargets | None = None,
) -> Fit:
    """Fit Gaussians to the pictures of a rig, or go on from a checkpoint of this stage.

    Own; after Spacetime Gaussians (Li et al. 2024) in what moves, 3DGS (Kerbl et al. 2023) in what
    stands still. `targets` are depths of what stands still.
    """
    steps, most = config.gaussians.steps(config.preset), config.gaussians.max_gaussians
    task = Task(read_shots(footage), config, targets, steps)
    if checkpoint is None:
        with Progress(start_steps(task.shots), "first Gaussians") as bar:
            start = start_gaussians(task.shots, most, config.seed, bar)
        run.log(STAGE, 0, confirmed_depth=start.confirmed)
        if start.at_random:
            run.note(
                f"cameras agree on the depth of {start.confirmed:.1%} of the pixels: too few, so "
                "that Gaussians start at random depths"
            )
        first, fit = 0, Fit.of(start, _unit(task.shots, start), task.shots.num_views)
    else:
        first, fit = checkpoint.step, Fit.restore(checkpoint.tensors)
    with Progress(steps, STAGE, start=first) as progress:
        watch = Watch(run, STAGE, progress)
        for step in range(first, steps):
            terms = gaussian_step(fit, task, step)
            if (step + 1) % -(-steps // PREVIEWS) == 0:
                _preview(run, fit, task.shots, step + 1)
            watch.after(step, terms, fit.tensors)
    return fit


@torch.no_grad()
def gaussian_objects(fit: Fit, footage: Footage) -> list[SceneObject]:
    """Make objects of what was fitted, without what shows nothing or veils a lens."""
    clear_lenses(fit, training_lenses(footage))
    objects = []
    for owner in fit.leaves:
        gaussians = fit.gaussians(owner).detach()
        rows = torch.nonzero(gaussians.opacities > FAINT)[:, 0]
        if owner == BACKGROUND:
            objects.append(SceneObject(owner, gaussians.select(rows), StaticMotion()))
        elif len(rows):
            objects.append(SceneObject(owner, gaussians.select(rows), fit.motion(rows)))
    return objects


def _unit(shots: Shots, start: Start) -> float:
    """Give the scene units that a pixel covers where the first Gaussians are, in the median."""
    points = start.background.means
    points = points[:: -(-len(points) // SAMPLED)]
    sizes = []
    for camera in shots.cameras:
        pixels, depth = project_points(camera, points)
        inside = (
            (pixels >= 0).all(1) & (pixels[:, 0] < camera.width) & (pixels[:, 1] < camera.height)
        )
        sizes.append(depth[inside & (depth > 0)] / camera.focal[0])
    return float(torch.cat(sizes).median())


@torch.no_grad()
def _preview(run: Run, fit: Fit, shots: Shots, step: int) -> None:
    """Put a frame in the middle beside its drawing."""
    view, frame = shots.num_views // 2, shots.num_frames // 2
    camera, image = shots.seen_by(view, frame, 1)
    drawn = draw_fit(fit, camera, float(frame)).outputs["rgb"]
    run.preview(f"{STAGE}-{step}", torch.cat([image, drawn.clamp(0, 1)], 1))
