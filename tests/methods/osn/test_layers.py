"""Layers: each body's depth where it is hidden too, and where it is not believed."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fourfold.methods.osn import layers as layers_module
from fourfold.methods.osn.fit import GaussianFit
from fourfold.methods.osn.footage import UNKNOWN, Footage
from fourfold.methods.osn.layers import (
    _pair_weights,
    collect_contests,
    draw_layers,
    misordered,
    sample_contested,
    trusted_layers,
)
from tests.methods.osn.cards import PAIR, RANGE
from tests.methods.osn.drawn import first_fit

NAN = torch.nan


@pytest.fixture(scope="module")
def fit(footage: Footage) -> GaussianFit:
    return first_fit(footage)


@pytest.mark.parametrize("frame", [1, 3])
def test_layers_are_the_true_ones_also_where_hidden(footage: Footage, fit: GaussianFit, frame: int):
    layers = draw_layers(fit, footage, frame)
    true = PAIR.layers(frame, frame) / torch.tensor(PAIR.units)[:, None, None]
    both = layers.isfinite() & true.isfinite()
    torch.testing.assert_close(layers[both], true[both], rtol=0.02, atol=0)
    for index in (1, 2):
        there = true[index].isfinite()
        assert float((layers[index].isfinite() == there).float().mean()) > 0.95
        assert int((there & both[index]).sum()) > 0.85 * int(there.sum())
    hidden = true[1].isfinite() & (footage.labels[frame] == 2)
    assert int((hidden & layers[1].isfinite()).sum()) > 0.8 * int(hidden.sum()) > 30


def test_a_body_has_no_layer_where_it_is_not_registered(footage: Footage, fit: GaussianFit):
    partly = replace(footage, bodies=(*footage.bodies[:2], PAIR.body(2, (0, 1))))
    assert bool(draw_layers(fit, partly, 3)[2].isnan().all())
    assert bool(draw_layers(fit, partly, 1)[2].isfinite().any())


def row(*values: float) -> Tensor:
    return torch.tensor(values)[None]


# The wall is everywhere; object 1 is seen in columns 0 to 2.
WALL = row(*[8.0] * 9)
LABELS = torch.tensor([[1, 1, 1, 0, 0, 0, 0, 0, 0]])


def kept(layer: Tensor, labels: Tensor = LABELS) -> list[bool]:
    trusted = trusted_layers(torch.stack([WALL, layer]), labels)
    assert torch.equal(trusted[0], WALL)
    return trusted[1].isfinite()[0].tolist()


def test_a_rim_that_ends_at_once_is_not_believed():
    # two pixels too far, as Gaussians reach
    assert kept(row(2, 2, 2, 2, 2, NAN, NAN, NAN, NAN)) == [True] * 3 + [False] * 6


def test_a_rim_is_believed_where_the_layer_goes_on_behind():
    # one pixel beyond a rim of two confirms it, as half of them
    assert kept(row(2, 2, 2, 2, 2, 2, NAN, NAN, NAN)) == [True] * 6 + [False] * 3


def test_a_rim_needs_something_beyond_it_before_the_same_body():
    """On the left object 1 goes on behind object 2; on the right its rim is doubted."""
    labels = torch.tensor([[2, 2, 2, 2, 1, 0, 0, 0, 0]])
    layers = torch.stack(
        [WALL, row(3, 3, 3, 3, 3, 3, 3, NAN, NAN), row(2, 2, 2, 2, NAN, NAN, NAN, NAN, NAN)]
    )
    trusted = trusted_layers(layers, labels)
    assert trusted[1].isfinite()[0].tolist() == [True] * 5 + [False] * 4
    assert torch.equal(trusted[2].isnan(), layers[2].isnan())


def test_the_layer_of_a_body_that_is_not_seen_at_all_stays():
    nowhere = torch.zeros(1, 9, dtype=torch.long)
    assert kept(row(2, 2, NAN, NAN, NAN, NAN, NAN, NAN, NAN), nowhere)[:3] == [True, True, False]


def test_the_input_is_left_as_it_is():
    layers = torch.stack([WALL, row(2, 2, 2, 2, 2, NAN, NAN, NAN, NAN)])
    before = layers.clone()
    trusted_layers(layers, LABELS)
    assert torch.equal(layers.isnan(), before.isnan())


def test_contests_of_the_cards(footage: Footage, fit: GaussianFit):
    contests = collect_contests(fit, footage)
    assert contests.names == PAIR.names
    assert contests.scale_ranges == (RANGE, RANGE)
    # each card before the wall, and red before blue; never blue before red
    assert (contests.counts > 0).tolist() == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
    ]
    both = [PAIR.layers(t, t)[1:].isfinite().all(0).sum() for t in range(6)]
    share = float(sum(both) / (footage.labels == 2).sum())
    # where blue is wrongly nearest, red is wrong before it and before the wall
    wrong = (1 + (1 - share) + 0) / 3
    found = contests.accuracy(torch.tensor([[2.0, 1.5], [1.5, 2.0], [2.0, 1.9], [2.0, 2.1]]))
    assert found.tolist() == pytest.approx([1.0, wrong, 1.0, wrong], abs=0.05)


def test_unknown_pixels_are_no_contests(footage: Footage, fit: GaussianFit):
    unknown = replace(footage, labels=torch.full_like(footage.labels, UNKNOWN))
    assert int(collect_contests(fit, unknown).counts.sum()) == 0


def test_pairs_weigh_the_same_whatever_their_size():
    # three pixels of 0 before 1, one of 1 before 0
    present = torch.ones(4, 2, dtype=torch.bool)
    weights = _pair_weights(present, torch.tensor([0, 0, 0, 1]), ~torch.eye(2, dtype=torch.bool))
    torch.testing.assert_close(weights, torch.tensor([1 / 6, 1 / 6, 1 / 6, 1 / 2]))
    # of three layers, a pixel stands for two pairs
    present = torch.tensor([[True, True, True], [True, True, False]])
    counted = ~torch.eye(3, dtype=torch.bool)
    weights = _pair_weights(present, torch.tensor([0, 0]), counted)
    torch.testing.assert_close(weights, torch.tensor([3 / 4, 1 / 4]))
    # the pair (0, 2) does not count: the first pixel then says no more than the second
    counted[0, 2] = False
    weights = _pair_weights(present, torch.tensor([0, 0]), counted)
    torch.testing.assert_close(weights, torch.tensor([1 / 2, 1 / 2]))


def test_no_contests_weigh_nothing():
    counted = torch.ones(3, 3, dtype=torch.bool)
    none = torch.zeros(0, 3, dtype=torch.bool)
    assert _pair_weights(none, torch.zeros(0).long(), counted).shape == (0,)


def test_contested_pixels_are_drawn_with_their_layers(footage: Footage, fit: GaussianFit):
    depths, labels, weights = sample_contested(fit, footage, torch.Generator().manual_seed(0))
    assert len(depths) == len(labels) == len(weights) > 500
    assert bool((depths.isfinite().sum(1) > 1).all())
    assert float(weights.sum()) == pytest.approx(1.0, abs=1e-5)
    assert set(labels.tolist()) == {1, 2}  # no wall that is before a card
    own = depths.gather(1, labels[:, None])
    torch.testing.assert_close(own, torch.full_like(own, 2.0), rtol=0.03, atol=0)


def test_a_pair_of_few_pixels_weighs_nothing(footage: Footage, fit: GaussianFit, monkeypatch: Any):
    """Blue before the wall in 30 pixels, red before the wall in 3, as many as noise makes."""
    drawn = torch.full((3, 1, 33), NAN)
    drawn[0], drawn[1, 0, :30], drawn[2, 0, 30:] = 8.0, 2.0, 2.0
    seen = torch.tensor([[1] * 30 + [2] * 3])
    monkeypatch.setattr(layers_module, "believed_layers", lambda *_: ([drawn], [seen]))
    _, labels, weights = sample_contested(fit, footage, torch.Generator().manual_seed(0))
    assert float(weights[labels == 1].sum()) == pytest.approx(1.0)
    assert float(weights[labels == 2].sum()) == 0.0


def test_what_masks_contradict_is_found():
    """Five pixels, in a row: wall at 8, blue at 4 and red at 3 at scale 1, or none (NaN)."""
    wall, blue, red = [8.0] * 5, [4.0, 4.0, 4.0, 9.0, NAN], [3.0, NAN, 3.0, NAN, 3.0]
    layers = torch.tensor([wall, blue, red])[:, None]
    # red before blue; blue before the wall; blue although red is before it; the wall, before blue;
    # the wall although red is before it
    labels = torch.tensor([[2, 1, 1, 0, 0]])
    ones = torch.ones(3)
    assert misordered(layers, labels, ones).tolist() == [[False, False, True, True, False]]
    # red at 3.95 is too near to blue
    near = torch.tensor([1.0, 1.0, 3.95 / 3])
    assert misordered(layers, labels, near).tolist() == [[True, False, True, True, False]]
    # behind the wall an object is no contradiction: the wall is drawn behind all
    far = torch.tensor([1.0, 3.0, 2.9])
    assert misordered(layers, labels, far).tolist() == [[False, False, True, True, True]]
    unknown = torch.full_like(labels, UNKNOWN)
    assert not misordered(layers, unknown, ones).any()
    # a background alone
    assert not misordered(layers[:1], torch.zeros_like(labels), ones[:1]).any()
