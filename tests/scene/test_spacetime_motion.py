"""Gaussians that live for a while: where they are, how opaque, and whom other points follow."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from fourfold.scene import Gaussians, Motion, SceneObject, SpacetimeMotion
from fourfold.scene.spacetime_motion import fade

MakeGaussians = Callable[..., Gaussians]


def flight(anchors: torch.Tensor) -> SpacetimeMotion:
    """Everything flies along x with 2 units per frame, shows most in frame 3, for 1.5 frames."""
    count = len(anchors)
    return SpacetimeMotion(
        anchors,
        torch.full((count,), 3.0),
        torch.full((count,), math.log(1.5)),
        torch.tensor([[2.0, 0.0, 0.0]]).repeat(count, 1),
    )


def test_at_its_own_time_nothing_has_moved_or_faded(make_gaussians: MakeGaussians):
    gaussians = make_gaussians(degree=1)
    shown = flight(gaussians.means).apply(gaussians, 3.0)
    for name, tensor in gaussians.tensors().items():
        assert_close(shown.tensors()[name], tensor, rtol=0, atol=0)


def test_place_and_opacity_by_hand(make_gaussians: MakeGaussians):
    gaussians = make_gaussians()
    shown = flight(gaussians.means).apply(gaussians, 4.5)
    assert_close(shown.means, gaussians.means + torch.tensor([3.0, 0.0, 0.0]))
    assert_close(shown.opacities, gaussians.opacities * math.exp(-0.5))


def test_the_fade_is_exact_and_finite_at_both_ends():
    logits = torch.tensor([-40.0, -3.0, 0.0, 3.0, 40.0, 90.0], dtype=torch.float64)
    exponents = torch.tensor([0.0, 1e-9, 0.3, 7.0, 600.0, 1e12], dtype=torch.float64)
    grid = torch.cartesian_prod(logits, exponents)
    faded = fade(grid[:, 0], grid[:, 1])
    assert bool(faded.isfinite().all())
    assert_close(torch.sigmoid(faded), torch.sigmoid(grid[:, 0]) * torch.exp(-grid[:, 1]))
    single = grid.float().requires_grad_()
    fade(single[:, 0], single[:, 1]).sum().backward()
    assert single.grad is not None
    assert bool(single.grad[:, 0].isfinite().all())


def test_the_fade_has_the_gradient_of_its_formula():
    logits = torch.linspace(-4.0, 4.0, 9, dtype=torch.float64, requires_grad=True)
    exponents = torch.linspace(0.01, 5.0, 9, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(fade, (logits, exponents))


def test_a_gaussian_that_never_moved_has_a_finite_gradient(make_gaussians: MakeGaussians):
    gaussians = make_gaussians()
    motion = flight(gaussians.means)
    leaves = [motion.centers, motion.log_durations, motion.velocities]
    for leaf in leaves:
        leaf.requires_grad_()
    shown = motion.apply(gaussians, 3.0)
    (shown.means.sum() + shown.logit_opacities.sum()).backward()
    for leaf in leaves:
        assert leaf.grad is not None
        assert bool(leaf.grad.isfinite().all())


def test_other_points_follow_the_nearest_anchor():
    motion = SpacetimeMotion(
        torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]]),
        torch.tensor([0.0, 2.0]),
        torch.zeros(2),
        torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 5.0]]),
    )
    points = torch.tensor([[9.0, 1.0, 0.0], [1.0, 0.0, 0.0], [-4.0, 0.0, 0.0]])
    moved = torch.tensor([[9.0, 1.0, 10.0], [1.0, 4.0, 0.0], [-4.0, 4.0, 0.0]])
    assert_close(motion.move_points(points, 4.0), moved)
    assert_close(motion.trajectory(points, torch.tensor([4.0]))[0], moved)


def test_twins_in_one_place_keep_their_own_velocities():
    anchors = torch.zeros(2, 3)
    velocities = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    motion = SpacetimeMotion(anchors, torch.zeros(2), torch.zeros(2), velocities)
    assert_close(motion.move_points(anchors.clone(), 2.0), 2 * velocities)


def test_an_object_draws_part_of_itself_as_the_whole(make_gaussians: MakeGaussians):
    gaussians = make_gaussians()
    motion = flight(gaussians.means)
    whole, keep = SceneObject("moving", gaussians, motion), torch.tensor([4, 1])
    part = whole.copied(motion, keep)
    assert_close(part.at(5.0).means, whole.at(5.0).means[keep])


def test_it_is_saved_by_its_kind(make_gaussians: MakeGaussians):
    motion = flight(make_gaussians().means)
    again = Motion.restore(motion.config(), motion.tensors())
    assert isinstance(again, SpacetimeMotion)
    assert_close(again.velocities, motion.velocities)


def test_rows_must_fit_together():
    with pytest.raises(ValueError, match="velocities"):
        SpacetimeMotion(torch.zeros(2, 3), torch.zeros(2), torch.zeros(2), torch.zeros(3, 3))
