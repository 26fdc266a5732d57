"""One step of the Gaussians: draw a picture of a training camera, compare, and improve."""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets
from fourfold.methods.mixvoxels.gaussian_fit import Fit
from fourfold.methods.mixvoxels.gaussian_growth import (
    GROW_EVERY,
    clear_lenses,
    grow,
    is_time_to_grow,
    watch,
)
from fourfold.methods.mixvoxels.shots import Shots
from fourfold.scene import Drawing, draw
from fourfold.training import generator, ssim_loss

COARSE_SHARE = 0.3
"""Share of the steps, from the first, that draw pictures of half the size."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is fitted: the footage, the settings, depths that are known, and the steps in all."""

    shots: Shots
    config: MixVoxelsConfig
    targets: DepthTargets | None
    steps: int

    @cached_property
    def depths(self) -> list[DepthTargets]:
        """The known depths of each view."""
        if self.targets is None:
            return []
        views = range(self.shots.num_views)
        return [self.targets.select(self.targets.views == view) for view in views]


def gaussian_step(fit: Fit, task: Task, step: int) -> dict[str, float]:
    """Draw one picture, compare it with what was filmed, and move every tensor a little.

    Returns the terms of the loss by name.
    """
    progress, shots = step / task.steps, task.shots
    fit.set_rates(progress)
    view, frame = choose_picture(shots, step, task.config.seed)
    camera, image = shots.seen_by(view, frame, 2 if progress < COARSE_SHARE else 1)
    drawing = draw_fit(fit, camera, float(frame), depth=task.targets is not None)
    terms = _terms(fit, drawing, image, camera, task, view)
    loss = sum(terms.values(), torch.zeros(()))
    loss.backward()
    watch(fit, drawing, camera)
    fit.step()
    if step % GROW_EVERY == 0:
        clear_lenses(fit, shots.lenses)
    if is_time_to_grow(step, task.steps):
        grow(fit, task.config.gaussians.max_gaussians, step, task.config.seed)
    return {name: float(value.detach()) for name, value in {"loss": loss, **terms}.items()}


def choose_picture(shots: Shots, step: int, seed: int) -> tuple[int, int]:
    """Choose the view and frame of a step: each once, in a new order, before any comes again."""
    count = shots.num_views * shots.num_frames
    turn, place = divmod(step, count)
    order = torch.randperm(count, generator=generator(seed, "pictures", turn))
    view, frame = divmod(int(order[place]), shots.num_frames)
    return view, frame


def draw_fit(fit: Fit, camera: Camera, time: float, *, depth: bool = False) -> Drawing:
    """Draw everything at a time, over black as scenes are drawn: a hole in a wall costs much."""
    outputs = ("rgb", "depth") if depth else ("rgb",)
    return draw(list(fit.shown(time).values()), camera, outputs)


def _terms(
    fit: Fit,
    drawing: Drawing,
    image: Float[Tensor, "H W 3"],
    camera: Camera,
    task: Task,
    view: int,
) -> dict[str, Tensor]:
    drawn, share = (
        fit.exposures.apply(drawing.outputs["rgb"], view),
        task.config.gaussians.ssim_weight,
    )
    terms = {"color": (1 - share) * (drawn - image).abs().mean()}
    if share:
        terms["ssim"] = share * ssim_loss(drawn, image)
    if task.targets is not None:
        size = task.shots.cameras[view].width
        error = depth_error(drawing.outputs["depth"], task.depths[view], camera.width / size)
        terms["depth"] = task.config.depth_loss.weight * error
    return terms


def depth_error(
    depth: Float[Tensor, "H W"], targets: DepthTargets, scale: float
) -> Float[Tensor, ""]:
    """Average how far a drawn depth is from known ones, relative to them, by confidence.

    `scale`: pixels of the drawing per pixel of the targets. Pixels where nothing is drawn do not
    count. Differentiable in the depth.
    """
    height, width = depth.shape
    x, y = (targets.pixels * scale).long().unbind(1)
    found = depth[y.clamp(0, height - 1), x.clamp(0, width - 1)]
    known = found.isfinite()
    weights = targets.confidences[known]
    error = (found[known] / targets.depths[known] - 1).abs()
    return (weights * error).sum() / weights.sum().clamp_min(1e-6)
