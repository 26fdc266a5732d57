"""Half-spaces, shortest paths, contradictions; the polytope around the computed set."""

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.scene import ContestCollector
from fourfold.scene.scale_set import build_polytope, outer_polytope
from fourfold.scene.scale_set.contests import NO_LIMIT
from tests.scene.scale_frames import NAN, random_frames, rows, two_balls

NAMES = ("background", "a", "b")
RANGES = ((0.5, 2.0), (0.5, 2.0))


def limits(**ratios: float) -> np.ndarray:
    """Write thresholds of s_i/s_j < ratio, given as i_j=ratio with 0 for the background."""
    found = np.full((3, 3), NO_LIMIT)
    for key, ratio in ratios.items():
        i, j = ("0ab".index(letter) for letter in key.strip("_").split("_"))
        found[i, j] = math.log(ratio)
    return found


def test_a_chain_of_orders_tightens_the_intervals() -> None:
    # s_a < 0.8, s_b < 0.75 s_a: s_b < 0.6; s_b > 0.5: s_a > 2/3
    polytope = build_polytope(NAMES, RANGES, limits(a_0=0.8, b_a=0.75))
    intervals = polytope.intervals()
    assert np.allclose(intervals["a"], (2 / 3, 0.8))
    assert np.allclose(intervals["b"], (0.5, 0.6))
    assert [(i, j) for i, j, _ in polytope.orders()] == [(1, 0), (2, 1)]
    assert np.allclose([ratio for *_, ratio in polytope.orders()], [0.8, 0.75])
    assert polytope.unconstrained_pairs() == [(0, 2)]
    assert not polytope.empty


def test_what_follows_is_no_order_of_its_own() -> None:
    polytope = build_polytope(NAMES, RANGES, limits(a_0=0.8, b_a=0.75, b_0=0.7))
    assert [(i, j) for i, j, _ in polytope.orders()] == [(1, 0), (2, 1)]


def test_slack_is_the_distance_to_the_nearest_limit() -> None:
    polytope = build_polytope(NAMES, RANGES, limits(a_0=0.8))
    slack = polytope.slack(torch.tensor([[0.7, 1.0], [0.9, 1.0], [0.52, 1.0]]))
    assert np.allclose(slack, np.log([0.8 / 0.7, 0.8 / 0.9, 0.52 / 0.5]), atol=1e-6)


def test_a_contradiction_is_named() -> None:
    polytope = build_polytope(NAMES, RANGES, limits(a_b=0.8, b_a=1.1))
    assert polytope.empty
    assert set(polytope.conflict) == {1, 2}
    assert "s(a)/s(b) < 0.8" in polytope.explain_conflict()
    assert "s(b)/s(a) < 1.1" in polytope.explain_conflict()
    assert "product 0.88" in polytope.explain_conflict()


def test_a_contradiction_with_the_box_is_named() -> None:
    polytope = build_polytope(NAMES, RANGES, limits(b_a=0.9, a_0=0.5))
    assert polytope.empty
    assert set(polytope.conflict) == {0, 1, 2}
    assert "1/s(b) < 2" in polytope.explain_conflict()


@given(st.lists(st.floats(0.6, 1.8), min_size=6, max_size=6))
def test_a_point_of_the_given_half_spaces_is_one_of_the_tightened(ratios: list[float]) -> None:
    keys = ("a_0", "b_0", "a_b", "b_a", "0_a", "0_b")
    thresholds = limits(**{f"_{key}": ratio for key, ratio in zip(keys, ratios, strict=True)})
    polytope = build_polytope(NAMES, RANGES, thresholds)
    grid = np.exp(np.linspace(math.log(0.5), math.log(2.0), 25))
    logs = np.stack([np.zeros(625), *map(np.ravel, np.meshgrid(np.log(grid), np.log(grid)))], 1)
    gaps = polytope.given[None] - (logs[:, :, None] - logs[:, None, :])
    inside = (gaps >= -1e-9).all(axis=(1, 2))
    if polytope.empty:
        assert not inside.any()
    else:
        slack = polytope.slack(torch.from_numpy(np.exp(logs[:, 1:]))).numpy()
        assert (inside == (slack >= -1e-9)).all()


def test_thresholds_are_those_of_the_pixels() -> None:
    collector = ContestCollector(NAMES, [(0.4, 2.5), (0.4, 2.5)])
    collector.add(*two_balls())
    found = np.exp(collector.finish().thresholds(0.0))
    # a before the wall: 2 and 8/3; a before b: 2; b before a: 2; b before the wall: 4
    assert np.allclose(found[1, 0], 2.0)
    assert np.allclose(found[1, 2], 2.0)
    assert np.allclose(found[2, 1], 2.0)
    assert found[2, 0] > 100  # beyond the box: no limit
    assert found[0, 1] > 100


def test_outliers_are_left_aside() -> None:
    pixels = [(4.0, 2.0 + 0.01 * step) for step in range(100)]
    collector = ContestCollector(NAMES[:2], RANGES[:1])
    collector.add(*rows(*pixels, seen=[1] * 100, repeat=1))
    contests = collector.finish()
    for outliers in (0.0, 0.03, 0.1):
        expected = 4.0 / (2.99 - outliers)  # that many of the farthest pixels may be wrong
        assert np.isclose(np.exp(contests.thresholds(outliers)[1, 0]), expected, rtol=1e-5)


def test_the_outer_polytope_holds_every_valid_combination() -> None:
    frames = random_frames(bodies=4, frames=8, seed=1, noise=0.02)
    ranges = [(0.5, 1.5)] * 3
    collector = ContestCollector(["background", "a", "b", "c"], ranges)
    for frame in frames:
        collector.add(*frame)
    contests = collector.finish()
    outer = outer_polytope(contests, ranges, 0.95)
    scales = 0.5 + torch.rand(50000, 3, generator=torch.Generator().manual_seed(0))
    valid = contests.accuracy(scales) > 0.95
    inside = outer.slack(scales) >= 0
    assert int(valid.sum()) > 20
    assert bool(inside[valid].all())
    assert float(inside.float().mean()) < 0.8


def test_bodies_that_never_meet_are_unconstrained() -> None:
    collector = ContestCollector(NAMES, RANGES)
    collector.add(*rows((4, 2, NAN), (NAN, NAN, 2), seen=[1, 2]))
    polytope = build_polytope(NAMES, RANGES, collector.finish().thresholds(0.005))
    assert (1, 2) in polytope.unconstrained_pairs()
    assert polytope.intervals()["b"] == (0.5, 2.0)
