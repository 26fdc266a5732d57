"""Depth losses: by hand, which rays count, and that they move the geometry."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.special import ndtr

from fourfold.fields import Samples, expected_depth_loss, ray_distribution_loss, ray_weights

NAN = math.nan
Loss = Callable[[Tensor, Samples, Tensor, Tensor], Tensor]


def distribution(weights: Tensor, samples: Samples, targets: Tensor, confidences: Tensor) -> Tensor:
    stds = torch.full_like(targets, 0.1)
    return ray_distribution_loss(weights, samples, targets, stds, confidences)


LOSSES = {"expected": expected_depth_loss, "distribution": distribution}


@pytest.fixture(params=LOSSES.values(), ids=list(LOSSES))
def loss(request: pytest.FixtureRequest) -> Loss:
    return request.param


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        # expected at (0.25 * 1 + 0.5 * 2) / 0.75 = 5/3: off by 1/6 of 2, above 5 % linear
        (2.0, 1 / 6 - 0.025),
        # off by 0.0099 of 1.65: e^2 / 0.1
        (1.65, (5 / 3 / 1.65 - 1) ** 2 / 0.1),
    ],
)
def test_expected_depth_by_hand(target, expected):
    samples = Samples.of([[1.0, 2.0, 3.0]])
    weights = torch.tensor([0.25, 0.5, 0.0])
    value = expected_depth_loss(weights, samples, torch.tensor([target]), torch.ones(1))
    assert float(value) == pytest.approx(expected, rel=1e-4)


def test_a_speck_far_behind_does_not_outweigh_the_surface():
    # a little before the target and a thousandth at infinity, which counts as twice the target
    samples = Samples.of([[1.9, 1e6]])
    weights = torch.tensor([0.999, 0.001])
    value = expected_depth_loss(weights, samples, torch.tensor([2.0]), torch.ones(1))
    error = 1 - (0.999 * 0.95 + 0.001 * 2)
    assert float(value) == pytest.approx(error**2 / 0.1, rel=1e-4)


def test_distribution_by_hand():
    # pieces 0.5 … 1.5 … 2.5 … 3.5 about a Gaussian at 2 with std 0.5: one sigma each way, and tails
    samples = Samples.of([[1.0, 2.0, 3.0]])
    weights = torch.tensor([0.1, 0.8, 0.05])
    inner, outer = 0.682689, 0.157305  # erf(1 / sqrt 2), and from one to three sigma
    expected = -(outer * math.log(0.1) + inner * math.log(0.8) + outer * math.log(0.05))
    one, two = torch.ones(1), torch.full((1,), 2.0)
    value = ray_distribution_loss(weights, samples, two, one / 2, one)
    assert float(value) == pytest.approx(expected, rel=1e-3)


def test_short_pieces_weigh_as_in_the_paper():
    # (t - D)^2 / 2 s^2 times the length, by the Gaussian's norm
    distances = (torch.arange(400) + 0.5) / 100
    samples = Samples.of([distances.tolist()])
    samples = replace(samples, lengths=torch.full((400,), 0.01))
    weights = torch.softmax(torch.sin(distances * 5), 0)
    target, std = 2.0, 0.2
    density = torch.exp(-((distances - target) ** 2) / (2 * std**2))
    paper = -(torch.log(weights + 1e-5) * density * 0.01).sum() / (std * math.sqrt(2 * math.pi))
    one = torch.ones(1)
    mine = ray_distribution_loss(weights, samples, target * one, std * one, one)
    torch.testing.assert_close(mine, paper, rtol=1e-3, atol=0)


def test_rays_without_a_target_do_not_count(loss):
    samples = Samples.of([[1.0, 2.0], [1.0, 2.0], []])
    weights = torch.tensor([0.5, 0.3, 0.1, 0.9], requires_grad=True)
    both = loss(weights, samples, torch.tensor([1.5, NAN, NAN]), torch.ones(3))
    alone = loss(weights[:2], Samples.of([[1.0, 2.0]]), torch.tensor([1.5]), torch.ones(1))
    torch.testing.assert_close(both, alone)
    (gradient,) = torch.autograd.grad(both, weights)
    assert bool(torch.isfinite(gradient).all())
    assert gradient[2:].tolist() == [0, 0]


def test_no_target_at_all_is_no_loss(loss):
    weights = torch.tensor([0.5, 0.3], requires_grad=True)
    value = loss(weights, Samples.of([[1.0, 2.0]]), torch.tensor([NAN]), torch.ones(1))
    value.backward()
    assert value.item() == 0
    assert weights.grad is not None
    assert weights.grad.tolist() == [0, 0]


def test_confidence_scales_a_ray_linearly(loss):
    samples = Samples.of([[1.0, 2.0], [1.0, 2.0]])
    weights, targets = torch.tensor([0.5, 0.3, 0.1, 0.9]), torch.tensor([1.2, 1.1])
    one, other = (loss(weights, samples, targets, torch.eye(2)[k]) for k in (0, 1))
    together = loss(weights, samples, targets, torch.tensor([3.0, 0.5]))
    torch.testing.assert_close(together, 3 * one + 0.5 * other)


def test_the_unit_of_the_world_does_not_matter(loss):
    samples = Samples.of([[1.0, 2.0, 3.0]])
    scaled = replace(samples, distances=samples.distances * 9, lengths=samples.lengths * 9)
    weights, target, one = torch.tensor([0.2, 0.3, 0.1]), torch.tensor([2.2]), torch.ones(1)
    if loss is expected_depth_loss:
        torch.testing.assert_close(
            loss(weights, scaled, target * 9, one), loss(weights, samples, target, one)
        )
    else:
        torch.testing.assert_close(
            ray_distribution_loss(weights, scaled, target * 9, one * 9, one),
            ray_distribution_loss(weights, samples, target, one, one),
        )


def test_gradients_against_differences(loss):
    samples = Samples.of([[1.0, 2.0, 3.0], [1.0, 1.5]])
    weights = torch.tensor([0.2, 0.5, 0.1, 0.3, 0.3], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([2.2, 1.1], dtype=torch.float64)
    assert gradcheck(lambda w: loss(w, samples, targets, torch.ones(2)), (weights,))


@pytest.mark.parametrize("target", [1.5, 2.5])
def test_surfaces_move_to_the_target(loss, target):
    """From a surface at 2, before or behind the target, descent moves it there."""
    distances = torch.linspace(1, 3, 41)
    samples = Samples.of([distances.tolist()])
    samples = replace(samples, lengths=torch.full((41,), 0.05))
    raw = torch.where((distances - 2).abs() < 0.06, 1.0, -3.0).requires_grad_()
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for step in range(300):
        weights, _ = ray_weights(torch.nn.functional.softplus(raw), samples)
        optimizer.zero_grad()
        loss(weights, samples, torch.tensor([target]), torch.ones(1)).backward()
        assert raw.grad is not None
        assert step > 0 or float(raw.grad.abs().max()) > 1e-3
        optimizer.step()
    weights, alphas = ray_weights(torch.nn.functional.softplus(raw.detach()), samples)
    found = float((weights * distances).sum() / alphas)
    assert found == pytest.approx(target, abs=0.05)


def test_distribution_clears_what_lies_before_the_target():
    samples = Samples.of([[1.0, 2.0, 3.0]])
    densities = torch.tensor([0.7, 0.7, 0.7], requires_grad=True)
    weights, _ = ray_weights(densities, samples)
    one = torch.ones(1)
    ray_distribution_loss(weights, samples, 2 * one, 0.1 * one, one).backward()
    assert densities.grad is not None
    before, at, behind = densities.grad.tolist()
    assert before > 0.5  # descent takes it away
    assert at < -0.3
    assert behind == pytest.approx(0, abs=1e-6)


def test_shares_are_those_of_a_normal_distribution():
    # one piece that holds all of it: the whole of -log w
    samples = replace(Samples.of([[2.0]]), lengths=torch.tensor([100.0]))
    one = torch.ones(1)
    value = ray_distribution_loss(one / 2, samples, one * 2, one * 0.1, one)
    assert float(value) == pytest.approx(math.log(2), rel=1e-4)
    assert float(ndtr(torch.tensor(0.0))) == 0.5
