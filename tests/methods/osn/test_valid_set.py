"""How good a set is: known sets against brute force on the cards' true layers."""

import math

import pytest
import torch

from fourfold.capture import Capture, open_capture
from fourfold.methods.osn import valid_set
from fourfold.methods.osn.layers import Layers
from fourfold.methods.osn.scales import new_network
from fourfold.methods.osn.valid_set import _share, judge, true_layers
from fourfold.scene import ContestCollector, ScaleSet
from tests.methods.osn.cards import PAIR, RANGE, write_cards

BOX = (RANGE, RANGE)


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valid_set, "COMBINATIONS", 20_000)
    monkeypatch.setattr(valid_set, "DRAWN", 200)


@pytest.fixture(scope="module")
def layers(capture: Capture) -> Layers:
    truth = capture.rigid_truth
    assert truth is not None
    found = true_layers(truth, 6, torch.tensor(PAIR.units))
    assert found is not None
    return found


def set_of(layers: Layers, mirrored: bool = False) -> ScaleSet:
    """Compute the set; mirrored, with the cards in each other's place."""
    collector = ContestCollector(PAIR.names, BOX)
    order = [0, 2, 1] if mirrored else [0, 1, 2]
    for depths, labels in zip(*layers, strict=True):
        collector.add(depths[order], torch.tensor(order)[labels])
    return ScaleSet(PAIR.names, BOX, collector.finish())


def test_true_layers_are_in_body_units(layers: Layers):
    depths, labels = layers
    assert len(depths) == len(labels) == 6
    for frame, (depth, seen) in enumerate(zip(depths, labels, strict=True)):
        assert torch.equal(seen, PAIR.seen(frame, frame))
        known = depth.isfinite()
        assert torch.equal(known, PAIR.layers(frame, frame).isfinite())
        for body, value in enumerate((8.0, 2.0, 2.0)):
            assert float((depth[body][known[body]] - value).abs().max()) < 1e-3


def test_without_layers_nothing_is_true(tmp_path):
    truth = open_capture(write_cards(tmp_path / "cards", truth=False)).rigid_truth
    assert truth is not None
    assert true_layers(truth, 6, torch.ones(3)) is None


def test_the_set_of_the_true_layers_is_right(layers: Layers):
    figures = judge(set_of(layers), layers, seed=0)
    assert figures["scale_box_share"] == pytest.approx(0.5, abs=0.02)
    for name in ("scale", "polytope"):
        assert figures[f"{name}_precision"] > 0.995
        assert figures[f"{name}_recall"] > 0.99
    assert figures["sample_valid_share"] > 0.99
    assert "network_precision" not in figures
    assert 0 < figures["scale_set_seconds"] < 1
    assert 0 < figures["sample_seconds"] < 5


def test_a_set_of_the_wrong_half_is_wrong(layers: Layers):
    figures = judge(set_of(layers, mirrored=True), layers, seed=0)
    for name in ("scale", "polytope"):
        assert figures[f"{name}_precision"] < 0.01
        assert figures[f"{name}_recall"] < 0.01
    assert figures["sample_valid_share"] < 0.01


def test_a_network_that_knows_nothing_calls_half_of_the_valid_wrong(layers: Layers):
    """An untrained one calls all of the box valid: precision is the share of the box."""
    found = set_of(layers)
    whole = ScaleSet(PAIR.names, BOX, found.contests, network=new_network(2, 0))
    figures = judge(whole, layers, seed=0)
    assert figures["network_precision"] == pytest.approx(figures["scale_box_share"])
    assert figures["network_recall"] == 1.0


def test_shares_by_hand():
    wanted = torch.tensor([True, True, False, False])
    assert _share(wanted, torch.tensor([True, False, True, False])) == 0.5
    assert _share(wanted, torch.tensor([True, True, False, False])) == 1.0
    assert math.isnan(_share(wanted, torch.zeros(4, dtype=torch.bool)))
