"""Uniform samples above a level: moments worked out by hand, tiny sets, empty sets, their order."""

import numpy as np
import pytest

from fourfold.scene.scale_set import draw_above, spread_order

LOW, HIGH = np.zeros(3), np.full(3, 2.0)


def corner(points: np.ndarray, least: float) -> np.ndarray:
    """Score a cube at the origin: above 0.9 where every coordinate is below 0.2 (2 above 0)."""
    return 1.0 - points.max(axis=1) / 2.0


def pencil(points: np.ndarray, least: float) -> np.ndarray:
    """Score closeness to the diagonal of the box."""
    return 1.0 - (points.max(axis=1) - points.min(axis=1))


def test_rejection_is_uniform() -> None:
    drawn = draw_above(corner, LOW, HIGH, 0.5, 4000, np.random.default_rng(0))
    assert drawn.valid
    assert bool((drawn.scores > 0.5).all())
    assert drawn.share == pytest.approx(1 / 8, abs=0.005)
    assert np.allclose(drawn.points.mean(axis=0), 0.5, atol=0.02)
    assert np.allclose(drawn.points.std(axis=0), 1 / np.sqrt(12), atol=0.01)


def test_a_tiny_set_is_found_and_sampled_uniformly() -> None:
    # 0.02^3 / 2^3: one in a million
    drawn = draw_above(corner, LOW, HIGH, 0.99, 3000, np.random.default_rng(0))
    assert drawn.valid
    assert bool((drawn.points < 0.02).all())
    assert drawn.share == pytest.approx(1e-6, rel=0.4)
    assert np.allclose(drawn.points.mean(axis=0), 0.01, atol=0.001)
    assert np.allclose(drawn.points.std(axis=0), 0.02 / np.sqrt(12), atol=0.0005)


def test_a_thin_diagonal_is_sampled_over_its_length() -> None:
    drawn = draw_above(pencil, LOW, HIGH, 0.999, 2000, np.random.default_rng(1))
    assert drawn.valid
    middle = drawn.points.mean(axis=1)
    assert np.histogram(middle, bins=4, range=(0, 2))[0].min() > 0.2 * 2000
    # width 0.001: share 3 * 0.001^2 * 2 / 8
    assert drawn.share == pytest.approx(0.75e-6, rel=0.5)


def test_two_separate_parts_are_both_found() -> None:
    def score(points: np.ndarray, least: float) -> np.ndarray:
        return np.maximum(corner(points, least), corner(2.0 - points, least))

    drawn = draw_above(score, LOW, HIGH, 0.98, 2000, np.random.default_rng(2))
    assert 0.35 < float((drawn.points[:, 0] < 1).mean()) < 0.65


def test_nothing_valid_gives_the_best_there_is() -> None:
    drawn = draw_above(corner, LOW, HIGH, 1.5, 50, np.random.default_rng(0))
    assert not drawn.valid
    assert drawn.share == 0.0
    assert bool((drawn.scores > 0.98).all())
    assert bool((np.diff(drawn.scores) <= 0).all())
    assert len(drawn.points) == 50


def test_a_level_plateau_does_not_stop_it() -> None:
    def flat(points: np.ndarray, least: float) -> np.ndarray:
        return np.full(len(points), 0.5)

    drawn = draw_above(flat, LOW, HIGH, 0.9, 5000, np.random.default_rng(0))
    assert not drawn.valid
    assert drawn.points.shape == (5000, 3)


def test_fixed_coordinates_stay() -> None:
    low, high = np.array([0.0, 0.7, 0.0]), np.array([2.0, 0.7, 2.0])
    for level in (0.5, 0.649):
        drawn = draw_above(corner, low, high, level, 100, np.random.default_rng(0))
        assert drawn.valid
        assert bool((drawn.points[:, 1] == 0.7).all())


def test_the_same_generator_gives_the_same_points() -> None:
    for level in (0.5, 0.99):
        one, other = (
            draw_above(corner, LOW, HIGH, level, 200, np.random.default_rng(5)) for _ in range(2)
        )
        assert np.array_equal(one.points, other.points)


def test_the_order_takes_the_farthest_point_next() -> None:
    points = np.array([[0.0], [0.1], [0.45], [0.5], [1.0]])
    order = spread_order(points, np.zeros(1), np.ones(1))
    # mean .41: .45 first; 1.0 is .55 away, 0.0 is .45 away; then 0.1, last .5
    assert points[order, 0].tolist() == [0.45, 1.0, 0.0, 0.1, 0.5]


def test_the_order_is_a_permutation_also_of_equal_points() -> None:
    for points in (np.ones((40, 2)), np.random.default_rng(0).random((40, 2)), np.ones((0, 2))):
        order = spread_order(points, np.zeros(2), np.ones(2))
        assert sorted(order.tolist()) == list(range(len(points)))
