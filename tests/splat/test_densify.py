"""Cloning, splitting and pruning, row by row."""

import math

import pytest
import torch
from torch import Tensor
from torch.optim import Adam

from fourfold.errors import InputError
from fourfold.splat import (
    DensifyOptions,
    DensifyState,
    densify_and_prune,
    reset_opacities,
)
from tests.splat.scenes import random_scene

OPTIONS = DensifyOptions(grow_gradient=1.0, split_scale=0.1, prune_opacity=0.01, prune_scale=10)


def four_gaussians() -> tuple[dict[str, Tensor], dict[str, Adam]]:
    """Return a quiet one, a small one that grows, a large one that grows, a faint one."""
    params = {
        "means": torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]),
        "quaternions": torch.tensor([[1.0, 0, 0, 0]]).repeat(4, 1),
        "log_scales": torch.tensor([0.05, 0.05, 0.5, 0.05]).log()[:, None].repeat(1, 3),
        "logit_opacities": torch.tensor([0.0, 0.0, 0.0, -8.0]),
        "harmonics": torch.arange(4.0)[:, None, None].repeat(1, 1, 3),
    }
    params = {name: tensor.requires_grad_() for name, tensor in params.items()}
    optimizers = {name: Adam([tensor], lr=0.0) for name, tensor in params.items()}
    for name, tensor in params.items():
        (tensor * torch.arange(1.0, 5).view(-1, *[1] * (tensor.dim() - 1))).sum().backward()
        optimizers[name].step()
    return params, optimizers


def state() -> DensifyState:
    return DensifyState(torch.tensor([0.0, 6.0, 6.0, 9.0]), torch.tensor([3.0, 3.0, 3.0, 0.0]))


def grow(params, optimizers, held, options=OPTIONS, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)
    return densify_and_prune(
        params, optimizers, held, scene_scale=1.0, generator=generator, options=options, **more
    )


def test_each_gaussian_gets_what_it_needs():
    params, optimizers = four_gaussians()
    held = state()
    extra = {"label": torch.tensor([10, 11, 12, 13])}
    done = grow(params, optimizers, held, extra=extra)
    assert (done.cloned, done.split, done.pruned) == (1, 1, 1)
    assert done.parents.tolist() == [0, 1, 1, 2, 2]
    assert done.fresh.tolist() == [False, False, True, True, True]
    assert extra["label"].tolist() == [10, 11, 11, 12, 12]
    assert params["harmonics"][:, 0, 0].tolist() == [0, 1, 1, 2, 2]
    assert params["means"][:3, 0].tolist() == [0, 1, 1]
    children = params["means"][3:].detach() - torch.tensor([2.0, 0, 0])
    assert children.norm(dim=1).min() > 0
    assert children.norm(dim=1).max() < 4 * 0.5
    assert params["log_scales"][3:].exp().flatten().tolist() == pytest.approx([0.5 / 1.6] * 6)
    assert held.views.tolist() == [0] * 5


def test_adam_moments_follow_their_gaussian_and_training_goes_on():
    params, optimizers = four_gaussians()
    before = {name: o.state[params[name]]["exp_avg"].clone() for name, o in optimizers.items()}
    grow(params, optimizers, state())
    for name, optimizer in optimizers.items():
        assert optimizer.param_groups[0]["params"] == [params[name]]
        moments = optimizer.state[params[name]]
        torch.testing.assert_close(moments["exp_avg"][:2], before[name][:2])
        assert moments["exp_avg"][2:].abs().max() == 0
        assert moments["step"] == 1
        assert len(optimizer.state) == 1
        params[name].sum().backward()
        optimizer.step()


def test_the_cap_keeps_the_largest_gradients():
    params, optimizers = four_gaussians()
    held = DensifyState(torch.tensor([2.0, 3.0, 4.0, 0.0]), torch.ones(4))
    done = grow(params, optimizers, held, DensifyOptions(1.0, 0.1, 0.01, 10, max_gaussians=4))
    assert len(params["means"]) == 4
    assert done.split == 1
    assert done.cloned == 0
    held = DensifyState(torch.full((4,), 9.0), torch.ones(4))
    done = grow(params, optimizers, held, DensifyOptions(1.0, 0.1, 0.01, 10, max_gaussians=2))
    assert (done.cloned, done.split) == (0, 0)


def test_the_same_seed_gives_the_same_children():
    results = []
    for seed in (0, 0, 1):
        params, optimizers = four_gaussians()
        grow(params, optimizers, state(), seed=seed)
        results.append(params["means"].detach())
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_children_spread_along_the_turned_axis():
    """A rod along x turned by 90 degrees about z scatters its children along y."""
    params, optimizers = four_gaussians()
    half = math.sqrt(0.5)
    with torch.no_grad():
        params["quaternions"][2] = torch.tensor([half, 0, 0, half])
        params["log_scales"][2] = torch.tensor([0.5, 1e-6, 1e-6]).log()
    grow(params, optimizers, state())
    offset = params["means"][3:].detach() - torch.tensor([2.0, 0, 0])
    assert offset[:, 1].abs().min() > 1e-3
    assert offset[:, [0, 2]].abs().max() < 1e-5


def test_gradients_are_counted_where_the_gaussian_is_seen():
    scene = random_scene(40, 30, 20)
    drawn, _ = scene.gradients("cpu")
    held = DensifyState.zeros(40)
    held.accumulate(drawn.meta, 30, 20)
    held.accumulate(drawn.meta, 30, 20)
    seen = drawn.meta.radii > 0
    assert torch.equal(held.views, 2.0 * seen)
    grad = drawn.meta.means2d_grad
    assert grad is not None
    expected = (grad * torch.tensor([15.0, 10.0])).norm(dim=1)
    torch.testing.assert_close(held.mean_gradient()[seen], expected[seen])
    with pytest.raises(InputError, match="no gradient"):
        held.accumulate(scene.draw("cpu").meta, 30, 20)


def test_rows_that_do_not_match_are_named():
    params, optimizers = four_gaussians()
    with pytest.raises(InputError, match="label has 3 rows"):
        grow(params, optimizers, state(), extra={"label": torch.zeros(3)})


def test_reset_lowers_opacities_and_forgets_their_moments():
    params, optimizers = four_gaussians()
    reset_opacities(params, optimizers, maximum=0.01)
    opacities = torch.sigmoid(params["logit_opacities"].detach())
    assert opacities[:3].tolist() == pytest.approx([0.01] * 3)
    assert opacities[3] < 0.001
    held = optimizers["logit_opacities"].state[params["logit_opacities"]]
    assert held["exp_avg"].abs().max() == 0
