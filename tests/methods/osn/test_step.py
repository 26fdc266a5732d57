"""One step: which frame, what is compared, and what has no say."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fourfold.methods.osn.body import Drawing
from fourfold.methods.osn.config import BodyConfig
from fourfold.methods.osn.fit import GaussianFit
from fourfold.methods.osn.footage import UNKNOWN, Footage
from fourfold.methods.osn.layers import draw_layers, misordered
from fourfold.methods.osn.step import (
    BEHIND,
    SMALLEST_WEIGHT,
    _depth_term,
    _mask_term,
    bootstrap_step,
    choose_frame,
    round_step,
)
from tests.methods.osn.cards import PAIR
from tests.methods.osn.drawn import first_fit

TRUE = torch.tensor([1.0, 2.0, 1.5])
BLACK = torch.zeros(3)
COLORS_ONLY = BodyConfig(mask_weight=0.0, depth_weight=0.0, refine_poses=False)


def test_every_frame_comes_once_before_any_comes_again(footage: Footage):
    order = [choose_frame(footage, step, seed=3) for step in range(18)]
    for turn in range(3):
        assert sorted(order[6 * turn : 6 * turn + 6]) == [*range(6)]
    assert order[:6] != order[6:12]
    assert order == [choose_frame(footage, step, seed=3) for step in range(18)]
    assert order != [choose_frame(footage, step, seed=4) for step in range(18)]


def test_only_frames_with_a_background_are_chosen(footage: Footage):
    partly = replace(footage, bodies=(PAIR.body(0, (1, 4)), *footage.bodies[1:]))
    assert {choose_frame(partly, step, 0) for step in range(6)} == {1, 4}


def drawing(weights: list[list[float]], indices: tuple[int, ...]) -> Drawing:
    share = torch.tensor(weights)[None]
    flat = torch.zeros(share.shape[:2])
    return Drawing(torch.zeros(*share.shape[:2], 3), share, flat, flat, indices)


def mask_term(weights: list[list[float]], indices: tuple[int, ...], labels: list[int]) -> float:
    return float(_mask_term(drawing(weights, indices), torch.tensor([labels])))


def test_masks_by_hand():
    # body 0 with .5 where 0 is seen, body 2 with .25 where 2 is seen
    found = mask_term([[0.5, 0.5], [0.75, 0.25]], (0, 2), [0, 2])
    assert found == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_a_perfect_picture_costs_nothing():
    assert mask_term([[1.0, 0.0], [0.0, 1.0]], (0, 1), [0, 1]) == 0.0


def test_unknown_pixels_and_bodies_that_are_not_drawn_cost_nothing():
    # a pixel of two counts, but the mean is over all
    assert mask_term([[0.5, 0.5], [0.1, 0.9]], (0, 1), [0, UNKNOWN]) == pytest.approx(
        math.log(2) / 2
    )
    assert mask_term([[0.5, 0.5], [0.1, 0.9]], (0, 1), [0, 2]) == pytest.approx(math.log(2) / 2)
    assert mask_term([[0.5, 0.5]], (0, 1), [UNKNOWN]) == 0.0


def test_a_missing_body_costs_a_finite_number():
    found = mask_term([[1.0, 0.0]], (0, 1), [1])
    assert found == pytest.approx(-math.log(SMALLEST_WEIGHT))


def test_depths_by_hand(footage: Footage):
    """Key points of red are at 2 of its units; the drawing says 3 in half of them."""
    points = footage.bodies[2].points
    mine = points.frames == 1
    x, y = points.pixels[mine].long().unbind(1)
    depth = torch.full((36, 48), 2.0)
    depth[y[: len(y) // 2], x[: len(y) // 2]] = 3.0
    assert float(_depth_term(depth, footage, 2, 1)) == pytest.approx(0.5 / 2, abs=1e-3)
    # a pixel in which nothing is drawn says nothing
    depth[y[: len(y) // 2], x[: len(y) // 2]] = 0.0
    assert float(_depth_term(depth, footage, 2, 1)) == 0.0


def test_depths_are_weighted_and_only_where_the_body_is_seen(footage: Footage):
    points = footage.bodies[2].points
    weights = torch.where(points.pixels[:, 0] < 30, 3.0, 1.0)
    body = replace(footage.bodies[2], points=replace(points, weights=weights))
    weighted = replace(footage, bodies=(*footage.bodies[:2], body))
    x = points.pixels[points.frames == 2][:, 0]
    left, right = int((x < 30).sum()), int((x >= 30).sum())
    depth = torch.full((36, 48), 2.0)
    depth[:, :30] = 2.2
    expected = 0.1 * 3 * left / (3 * left + right)
    assert float(_depth_term(depth, weighted, 2, 2)) == pytest.approx(expected, rel=1e-4)
    seen = torch.zeros(36, 48, dtype=torch.bool)
    seen[:, 30:] = True
    assert float(_depth_term(depth, weighted, 2, 2, seen)) == pytest.approx(0.0, abs=1e-6)
    assert float(_depth_term(depth, weighted, 2, 2, ~seen)) == pytest.approx(0.1, rel=1e-4)


def test_depths_of_a_frame_without_key_points_say_nothing(footage: Footage):
    partly = replace(footage, bodies=(*footage.bodies[:2], PAIR.body(2, (0,))))
    assert float(_depth_term(torch.full((36, 48), 9.0), partly, 2, 3)) == 0.0


def moved(fit: GaussianFit, before: list[Tensor]) -> list[bool]:
    """Say of each body whether a step has changed its colours."""
    pairs = zip(fit.bodies, before, strict=True)
    return [not torch.equal(b.leaves["harmonics"][0].detach(), old) for b, old in pairs]


def harmonics(fit: GaussianFit) -> list[Tensor]:
    for body in fit.bodies:
        body.set_rates(0.0, poses_move=True)
    return [body.leaves["harmonics"][0].detach().clone() for body in fit.bodies]


def test_a_frame_of_which_nothing_is_known_moves_nothing(footage: Footage):
    unknown = replace(footage, labels=torch.full_like(footage.labels, UNKNOWN))
    fit = first_fit(footage, 300)
    before = harmonics(fit)
    terms = round_step(fit, unknown, COLORS_ONLY, 1, TRUE, BLACK)
    assert terms["loss"] == pytest.approx(0.0, abs=1e-6)
    grown = [body.optimizers["harmonics"].state_dict()["state"] for body in fit.bodies]
    assert not any(bool(state.get(0, {}).get("exp_avg", BLACK).any()) for state in grown)
    assert moved(fit, before) == [False] * 3


def test_unknown_pixels_have_no_gradient(footage: Footage):
    """Where red is seen nothing is known: blue and the wall move, red, which is in front, not."""
    labels = footage.labels.clone()
    labels[:, :, :] = torch.where(labels == 2, UNKNOWN, labels)
    grown = torch.nn.functional.max_pool2d((labels == UNKNOWN).float()[:, None], 9, 1, 4)[:, 0] > 0
    labels[grown] = UNKNOWN
    fit = first_fit(footage)
    before = harmonics(fit)
    config = replace(COLORS_ONLY, ssim_weight=0.0)
    round_step(fit, replace(footage, labels=labels), config, 0, TRUE, BLACK)
    assert moved(fit, before) == [True, True, False]


def test_a_body_that_is_not_registered_in_a_frame_is_not_drawn(footage: Footage):
    partly = replace(footage, bodies=(*footage.bodies[:2], PAIR.body(2, (0, 1))))
    fit = first_fit(partly, 300)
    before = harmonics(fit)
    bootstrap_step(fit, partly, BodyConfig(), 4)
    assert moved(fit, before) == [True, True, False]
    before = harmonics(fit)
    round_step(fit, partly, BodyConfig(), 4, TRUE, BLACK)
    assert moved(fit, before) == [True, True, False]


def test_hidden_parts_of_a_body_cost_nothing_in_the_bootstrap(footage: Footage):
    """In frame 3 blue is hidden whole: nothing is asked of it, though it is drawn."""
    assert not bool((footage.labels[3] == 1).any())
    fit = first_fit(footage, 300)
    before = harmonics(fit)
    bootstrap_step(fit, footage, BodyConfig(mask_weight=0.0), 3)
    assert moved(fit, before) == [True, False, True]


def test_what_scales_get_wrong_is_left_out(footage: Footage):
    """Red hides blue: at scales that swap them, these pixels teach nothing."""
    fit, wrong = first_fit(footage), torch.tensor([1.0, 1.5, 2.0])
    for body in fit.bodies:
        body.set_rates(0.0, poses_move=False)
        for optimizer in body.optimizers.values():
            optimizer.param_groups[0]["lr"] = 0.0
    layers, labels = draw_layers(fit, footage, 1), footage.labels[1]
    assert int(misordered(layers, labels, wrong).sum()) > 20
    at_truth, at_wrong = (
        round_step(fit, footage, BodyConfig(), 1, scales, BLACK) for scales in (TRUE, wrong)
    )
    for name in ("color", "mask", "loss"):
        assert at_wrong[name] < 1.05 * at_truth[name], name


def test_objects_that_sink_into_the_background_are_before_it(footage: Footage):
    """At five times its scale red lies behind the wall, and is drawn before it all the same."""
    fit, seen = first_fit(footage), footage.labels[0] == 2
    shares = [
        fit.draw_together(footage.cameras[0], 0, [0, 1, 2], torch.tensor(scales), BLACK).weights
        for scales in ([1.0, 5.2, 5.0], [BEHIND, 5.2, 5.0])
    ]
    assert float(shares[0][seen][:, 2].detach().median()) < 0.1
    assert float(shares[1][seen][:, 2].detach().median()) > 0.85


def test_terms_are_switched_off_by_their_weights(footage: Footage):
    fit = first_fit(footage, 300)
    terms = round_step(fit, footage, replace(COLORS_ONLY, ssim_weight=0.0), 0, TRUE, BLACK)
    assert set(terms) == {"loss", "color", "mask", "depth"}
    assert terms["loss"] == terms["color"]
    image = footage.image(0)
    with torch.no_grad():
        shown = first_fit(footage, 300).draw_together(footage.cameras[0], 0, [0, 1, 2], TRUE, BLACK)
    expected = (shown.colors - image).abs().mean()
    assert terms["color"] == pytest.approx(float(expected), rel=1e-5)
