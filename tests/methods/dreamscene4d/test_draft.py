"""Drafts, trainable objects and fits: there and back again, and what only they know."""

import pytest
import torch
from torch import Tensor

from fourfold.methods.dreamscene4d.draft import Draft, control_nodes
from fourfold.methods.dreamscene4d.fit import LENGTHS, RATES, WIDEST, Fit, finish_fit, start_fit
from fourfold.methods.dreamscene4d.growth import GROW_SHARE, Growth, most_gaussians
from fourfold.methods.dreamscene4d.trainable import TrainableObject, cosine_appearance
from fourfold.priors import leave_open, mirror_front
from fourfold.training import deterministic, flatten, unflatten
from tests.methods.dreamscene4d.clips import clip_of, disc
from tests.methods.dreamscene4d.drafts import slide_draft


@pytest.fixture
def draft() -> Draft:
    """Two discs that slide by 2 and -1 pixels a frame; the second is not in frames 0 and 3."""
    nothing = torch.zeros(48, 64, dtype=torch.bool)
    masks = [
        [disc(20 + 2 * t, 24, 8), nothing if t in (0, 3) else disc(46 - t, 20, 7)] for t in range(5)
    ]
    return slide_draft(clip_of(masks), [2.0, 3.0])


def assert_same(one: dict, other: dict) -> None:
    one, other = flatten(one), flatten(other)
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(one[name], other[name], atol=1e-6, rtol=1e-6, msg=name)


def test_a_draft_comes_back_from_its_tensors(draft: Draft):
    restored = Draft.restore(unflatten(flatten(draft.tensors())), draft.notes)
    for name, tensor in flatten(draft.tensors()).items():
        assert torch.equal(flatten(restored.tensors())[name], tensor), name
    assert [front.name for front in restored.fronts] == ["a", "b"]
    assert (restored.cameras[0].width, restored.cameras[0].height) == (64, 48)


def test_objects_keep_their_order_whatever_their_names(draft: Draft):
    # a saved checkpoint gives its tensors back by name
    shuffled = draft.tensors()
    shuffled["fronts"] = dict(reversed(shuffled["fronts"].items()))
    restored = Draft.restore(shuffled, draft.notes)
    assert [front.name for front in restored.fronts] == ["a", "b"]


def test_an_untouched_fit_gives_the_draft_back(draft: Draft):
    assert_same(finish_fit(start_fit(draft, mirror_front), draft).tensors(), draft.tensors())


@pytest.mark.parametrize("time", [0.0, 1.5, 2.0, 4.0])
def test_a_trainable_object_is_drawn_like_its_front(draft: Draft, time: float):
    for front in draft.fronts:
        moving = TrainableObject.of(front, leave_open)
        assert_same(moving.at(time, moving.bind()).tensors(), front.at(time).tensors())


def test_a_prior_doubles_what_is_drawn_not_what_is_trained(draft: Draft):
    moving = TrainableObject.of(draft.fronts[0], mirror_front)
    count = len(draft.fronts[0].geometry)
    assert len(moving.surface["means"]) == count
    assert len(moving.at(1.0, moving.bind())) == 2 * count


def test_an_absent_object_is_invisible_and_a_present_one_as_it_was(draft: Draft):
    front = draft.fronts[1]
    for time, present in ((0.0, False), (1.0, True), (2.0, True), (3.0, False), (4.0, True)):
        if present:
            torch.testing.assert_close(front.at(time).opacities, front.geometry.opacities)
        else:
            assert float(front.at(time).opacities.max()) < 1e-3


def test_appearance_starts_without_a_change_of_colour():
    appearance = cosine_appearance([0, 2, 3, 6], [2, 3, 6], 5, 3)
    assert appearance.basis.shape == (4, 4)
    assert appearance.basis[:, 0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert not appearance.coefficients[..., :3].any()
    # half a period over the clip of seven frames: frame 3 is its middle
    assert float(appearance.basis[2, 1]) == pytest.approx(0.0, abs=1e-6)
    assert float(appearance.basis[2, 2]) == pytest.approx(-1.0, abs=1e-6)
    assert cosine_appearance([0, 1], [0], 5, 0).basis.tolist() == [[0.0], [1.0]]


def test_rates_are_in_pixels_at_each_object(draft: Draft):
    fit = start_fit(draft, leave_open)
    # a focal length of 50 pixels: one pixel at depth 2 is 0.04
    assert fit.units["a"] == pytest.approx(2 / 50)
    assert fit.units["b"] == pytest.approx(3 / 50)
    for progress, end in ((0.0, 0), (1.0, 1)):
        fit.set_rates(progress)
        for (owner, name), optimizer in fit.optimizers.items():
            unit = fit.units[owner] if name in LENGTHS else 1.0
            assert optimizer.param_groups[0]["lr"] == pytest.approx(RATES[name][end] * unit)


def test_given_cameras_stay_where_they_are(draft: Draft):
    draft.notes["camera"]["mode"] = "given"
    fit = start_fit(draft, leave_open)
    pull(fit)
    poses = [camera.camera_from_world for camera in finish_fit(fit, draft).cameras]
    assert all(torch.equal(pose, torch.eye(4)) for pose in poses)


def test_other_cameras_are_corrected(draft: Draft):
    fit = start_fit(draft, leave_open)
    pull(fit)
    poses = [camera.camera_from_world for camera in finish_fit(fit, draft).cameras]
    assert not any(torch.equal(pose, torch.eye(4)) for pose in poses)
    for pose in poses:
        torch.testing.assert_close(pose[:3, :3] @ pose[:3, :3].T, torch.eye(3))


def pull(fit: Fit, progress: float = 0.3) -> None:
    """Take a step with a gradient that differs from place to place."""
    fit.set_rates(progress)
    total = torch.zeros(())
    for index, tensor in enumerate(fit.tensors().values()):
        weights = torch.linspace(-1, 1, tensor.numel()).reshape(tensor.shape) + 0.1 * index
        total = total + (tensor * weights).square().sum() + (tensor * weights).sum()
    total.backward()
    fit.step()


def test_no_gaussian_of_an_object_gets_wider_than_allowed(draft: Draft):
    fit = start_fit(draft, leave_open)
    with torch.no_grad():
        fit.objects["a"].surface["log_scales"] += 10.0
    pull(fit)
    widest = float(fit.objects["a"].surface["log_scales"].detach().exp().max())
    assert widest == pytest.approx(WIDEST * fit.units["a"], rel=1e-4)


def grown(fit: Fit, most: int = 10_000, seed: int = 0, step: int = 100) -> Growth:
    """Let the first object's Gaussians be pulled at, each a little more than the one before."""
    growth = Growth(fit, dict.fromkeys(fit.objects, most), seed)
    sums = growth.sums["a"]
    sums.gradient_sum += torch.arange(float(len(sums.views)))
    sums.views += 1.0
    growth.grow(fit, step, 1000)
    return growth


def test_no_object_has_more_gaussians_than_pixels():
    clip = clip_of([[disc(20, 24, 3), disc(40, 24, 8)], [disc(20, 24, 5), disc(40, 24, 8)]])
    areas = [int(disc(20, 24, 5).sum()), int(disc(40, 24, 8).sum())]
    assert most_gaussians(clip, 10_000) == {"a": areas[0], "b": areas[1]}
    assert most_gaussians(clip, 100) == {"a": min(areas[0], 100), "b": 100}


def count_of(fit: Fit, owner: str = "a") -> int:
    return len(fit.objects[owner].surface["means"])


def test_a_share_of_the_gaussians_grows(draft: Draft):
    fit = start_fit(draft, leave_open)
    before, other = count_of(fit), count_of(fit, "b")
    grown(fit)
    assert count_of(fit) == pytest.approx(before * (1 + GROW_SHARE), abs=1.5)
    assert count_of(fit, "b") == other  # nothing pulls there
    counts = {len(tensor) for tensor in fit.objects["a"].surface.values()}
    assert counts == {count_of(fit)} == {len(fit.skinnings["a"].index)}


def test_growth_respects_the_cap(draft: Draft):
    fit = start_fit(draft, leave_open)
    most = count_of(fit) + 3
    grown(fit, most)
    assert count_of(fit) == most


@pytest.mark.parametrize("step", [99, 0, 700])
def test_growth_has_its_time(draft: Draft, step: int):
    fit = start_fit(draft, leave_open)
    before = count_of(fit)
    grown(fit, step=step)
    assert count_of(fit) == before


def surfaces(fit: Fit) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in fit.tensors().values()]


def test_growth_is_the_same_for_the_same_seed(draft: Draft):
    fits = [start_fit(draft, leave_open) for _ in range(3)]
    for fit, seed in zip(fits, (0, 0, 1), strict=True):
        with torch.no_grad():
            fit.objects["a"].surface["log_scales"] += 1.5  # wide ones are split, at random
        grown(fit, seed=seed)
    first, again, other = (surfaces(fit) for fit in fits)
    assert all(map(torch.equal, first, again))
    assert not all(map(torch.equal, first, other))


def test_faint_gaussians_go(draft: Draft):
    fit = start_fit(draft, leave_open)
    before = count_of(fit, "b")
    with torch.no_grad():
        fit.objects["b"].surface["logit_opacities"][:7] = -8.0
    grown(fit)
    assert count_of(fit, "b") == before - 7


def test_a_fit_goes_on_from_its_state_after_growth(draft: Draft):
    with deterministic():
        fit = start_fit(draft, mirror_front)
        pull(fit)
        growth = grown(fit)
        growth.sums["a"].views += 2.0
        pull(fit)
        saved = unflatten(flatten({"fit": fit.state(), "growth": growth.state()}))
        saved = unflatten({k: v.detach().clone() for k, v in flatten(saved).items()})
        resumed = start_fit(draft, mirror_front)
        assert count_of(resumed) != count_of(fit)
        resumed.load(saved["fit"])
        sums = Growth(resumed, dict.fromkeys(resumed.objects, 10_000), 0)
        sums.load(saved["growth"])
        assert torch.equal(sums.sums["a"].views, growth.sums["a"].views)
        for each in (fit, resumed):
            pull(each, 0.5)
            each.rebind()
    assert all(map(torch.equal, surfaces(fit), surfaces(resumed)))
    for owner, skinning in fit.skinnings.items():
        assert torch.equal(skinning.weights, resumed.skinnings[owner].weights)


def test_loading_does_not_tie_a_fit_to_the_checkpoint(draft: Draft):
    fit, resumed = start_fit(draft, leave_open), start_fit(draft, leave_open)
    pull(fit)
    state = {name: tensor.detach() for name, tensor in flatten(fit.state()).items()}
    before = {name: tensor.clone() for name, tensor in state.items()}
    resumed.load(unflatten(state))
    pull(resumed)
    assert all(torch.equal(state[name], before[name]) for name in state)


def test_control_nodes_are_those_of_the_front(draft: Draft):
    assert control_nodes(draft.fronts[1]).times.tolist() == [1.0, 2.0, 4.0]
