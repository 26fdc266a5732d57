"""Gaussians as leaves: which are drawn, how they are saved, and how one step after another fits."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets
from fourfold.methods.mixvoxels.gaussian_config import GaussianConfig
from fourfold.methods.mixvoxels.gaussian_fit import Fit
from fourfold.methods.mixvoxels.gaussian_growth import clear_lenses, grow
from fourfold.methods.mixvoxels.gaussian_lenses import room_before
from fourfold.methods.mixvoxels.gaussian_step import (
    Task,
    choose_picture,
    depth_error,
    draw_fit,
    gaussian_step,
)
from fourfold.scene import BACKGROUND, MOVING
from fourfold.training import flatten, unflatten
from tests.methods.mixvoxels.ballroom import ball, cameras, first_gaussians, shots, still

UNIT = 0.05
CONFIG = MixVoxelsConfig(gaussians=GaussianConfig(max_gaussians=2000))


def new_fit() -> Fit:
    return Fit.of(first_gaussians(), UNIT, len(cameras()))


def task(steps: int, targets: DepthTargets | None = None) -> Task:
    return Task(shots(), CONFIG, targets, steps)


def values(fit: Fit) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in flatten(fit.tensors()).items()}


def test_only_movers_of_a_time_are_drawn():
    fit = new_fit()
    shown = fit.shown(2.0)
    # standard deviations of half a frame: two frames on, opacity 0.7 e^-8 shows nothing
    assert fit.drawn[MOVING].tolist() == [1, 2, 3]
    assert_close(shown[MOVING].means, torch.stack([ball(1), ball(2), ball(3)]))
    opacities = torch.tensor([0.7 * 0.1353353, 0.7, 0.7 * 0.1353353])
    assert_close(shown[MOVING].opacities, opacities, atol=1e-5, rtol=1e-5)
    assert len(shown[BACKGROUND]) == len(first_gaussians().background)


def test_a_scene_without_movers_has_only_a_background():
    start = first_gaussians()
    empty = start.moving.select(torch.zeros(0, dtype=torch.long))
    fit = Fit.of(replace_moving(start, empty), UNIT, len(cameras()))
    assert list(fit.shown(0.0)) == [BACKGROUND]
    terms = gaussian_step(fit, task(10), 0)
    assert terms["loss"] > 0


def replace_moving(start: Any, moving: Any) -> Any:
    return start._replace(moving=moving)


def errors(fit: Fit, job: Task) -> list[float]:
    """Compare three pictures of the middle camera with their drawings: mean absolute difference."""
    found = []
    for frame in (0, 2, 4):
        camera, image = job.shots.seen_by(2, frame, 1)
        drawn = draw_fit(fit, camera, float(frame)).outputs["rgb"].detach()
        found.append(float((drawn - image).abs().mean()))
    return found


def test_steps_explain_the_pictures_and_the_ball_turns_red():
    fit, job = new_fit(), task(60)
    before = errors(fit, job)
    for step in range(60):
        gaussian_step(fit, job, step)
    for first, last in zip(before, errors(fit, job), strict=True):
        assert last < 0.8 * first
    red, green, _ = fit.gaussians(MOVING).colors()[2].tolist()
    assert red > green + 0.1  # from grey


def test_a_stopped_fit_goes_on_to_the_same_bits():
    whole, job = new_fit(), task(8)
    for step in range(8):
        gaussian_step(whole, job, step)
    first = new_fit()
    for step in range(4):
        gaussian_step(first, job, step)
    second = Fit.restore(unflatten(flatten(first.tensors())))
    for step in range(4, 8):
        gaussian_step(second, job, step)
    for name, tensor in values(second).items():
        assert_close(tensor, values(whole)[name], rtol=0, atol=0)


def test_every_picture_comes_once_in_a_turn():
    film = shots()
    pairs = {choose_picture(film, step, 3) for step in range(25, 50)}
    assert pairs == {(view, frame) for view in range(5) for frame in range(5)}


def targets(factor: float) -> DepthTargets:
    """Give the true depth of a row of pixels in each view, times a factor."""
    views, pixels, depths = [], [], []
    for view, camera in enumerate(cameras()):
        row = camera.pixel_grid()[10, ::4]
        views.append(torch.full((len(row),), view))
        pixels.append(row)
        depths.append(factor * still(view)[1][10, ::4])
    depth = torch.cat(depths)
    ones = torch.ones_like(depth)
    return DepthTargets(torch.cat(views), torch.cat(pixels), depth, ones, ones)


def test_the_error_of_depth_by_hand():
    known = DepthTargets(
        torch.zeros(3, dtype=torch.long),
        torch.tensor([[0.5, 0.5], [2.5, 0.5], [0.5, 2.5]]),
        torch.tensor([2.0, 4.0, 1.0]),
        torch.ones(3),
        torch.tensor([1.0, 3.0, 1.0]),
    )
    depth = torch.tensor([[3.0, 2.0], [torch.nan, 9.0]], requires_grad=True)
    error = depth_error(depth, known, 0.5)
    # |3/2 - 1| with weight 1, |2/4 - 1| with weight 3, nothing drawn at the third
    assert_close(error, torch.tensor(0.5))
    error.backward()
    assert depth.grad is not None
    assert_close(depth.grad.nan_to_num(), torch.tensor([[0.125, -0.1875], [0.0, 0.0]]))


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_known_depths_move_the_geometry(factor: float):
    fit, steps = new_fit(), 30
    known = targets(factor)
    depth_loss = replace(CONFIG.depth_loss, weight=20.0)
    job = Task(shots(), replace(CONFIG, depth_loss=depth_loss), known, steps)
    terms = [gaussian_step(fit, job, step)["depth"] for step in range(steps)]
    assert terms[0] > 0.4
    assert sum(terms[-5:]) < 0.85 * sum(terms[:5])


def test_growth_stays_within_its_bounds_and_clears_the_lenses():
    fit = new_fit()
    count = fit.count
    with torch.no_grad():
        fit.leaves[BACKGROUND]["means"][0] = cameras()[2].position + 0.2 * cameras()[2].forward
        fit.leaves[BACKGROUND]["logit_opacities"][1] = -9.0
        beside = cameras()[2].world_from_camera[:3, 0]
        fit.leaves[BACKGROUND]["means"][2] = (
            cameras()[2].position + 0.4 * beside + 0.3 * (cameras()[2].forward)
        )
        fit.leaves[BACKGROUND]["log_scales"][2] = 1.0
    for pulls in fit.pulls.values():
        pulls.gradient_sum += torch.arange(float(len(pulls.views)))
        pulls.views += 1
    most = count + 20
    clear_lenses(fit, shots().lenses)
    grow(fit, most, 100, 0)
    assert count < fit.count <= most
    means = fit.leaves[BACKGROUND]["means"]
    room = room_before(shots().lenses, means.detach())
    assert float(room.min()) > 0
    assert float(room[0]) < 1  # that of the third, once the first two are gone: it became smaller
    assert bool((fit.gaussians(BACKGROUND).detach().scales.amax(1) <= room * 1.001).all())
    assert float(fit.gaussians(BACKGROUND).detach().opacities.min()) > 0.01
    assert float(fit.pulls[BACKGROUND].views.sum()) == 0
    # moments and parameters still belong together
    gaussian_step(fit, task(10), 0)
