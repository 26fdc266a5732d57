"""The water of a river follows its banks, keeps its volume, and is traced exactly."""

import numpy as np
import pytest

from fourfold.synthetic.river import River

STATIONS = ((1.0, 0.5, 1.0), (3.0, 0.0, 0.8), (6.0, -1.5, 0.9), (10.0, 1.0, 0.7), (15.0, 2.0, 1.0))


@pytest.fixture(scope="module")
def river():
    return River.through(STATIONS, 0.03)


@pytest.fixture(scope="module")
def places(river):
    random = np.random.default_rng(0)
    d = random.uniform(2.0, 14.0, 50)
    n = random.uniform(-1.0, 1.0, 50)
    return river.middle(d) + n * river.half_width(d), d


def test_a_straight_river_flows_towards_the_viewer_as_its_profile_says():
    straight = River.through(((0.0, 0.0, 2.0), (5.0, 0.0, 2.0), (10.0, 0.0, 2.0)), 0.1)
    across, forward = straight.velocity(np.array([0.0, 1.0, 2.0]), np.full(3, 4.0))
    np.testing.assert_allclose(across, 0.0, atol=1e-12)
    # 0.1 (1 - 0.6 n^2) / 2 at n = 0, 1/2 and 1
    np.testing.assert_allclose(forward, [-0.05, -0.0425, -0.02])


def test_the_velocity_is_the_rotated_gradient_of_the_stream_function(river, places):
    x, d = places
    h = 1e-5
    along_x, forward = river.velocity(x, d)
    slope_d = (river.stream(x, d + h) - river.stream(x, d - h)) / (2 * h)
    slope_x = (river.stream(x + h, d) - river.stream(x - h, d)) / (2 * h)
    np.testing.assert_allclose(along_x, slope_d, atol=1e-8)
    np.testing.assert_allclose(forward, -slope_x, atol=1e-8)


def test_water_has_no_divergence(river, places):
    x, d = places
    h = 1e-5
    spread_x = river.velocity(x + h, d)[0] - river.velocity(x - h, d)[0]
    spread_d = river.velocity(x, d + h)[1] - river.velocity(x, d - h)[1]
    np.testing.assert_allclose((spread_x + spread_d) / (2 * h), 0.0, atol=1e-8)


def test_water_moves_along_lines_of_constant_n_with_its_velocity(river, places):
    x, d = places
    later_x, later_d = river.moved(x, d, 20.0)
    np.testing.assert_allclose(river.across(later_x, later_d), river.across(x, d), atol=1e-12)
    # many small steps of the velocity end at the same place
    steps = 4000
    for _ in range(steps):
        half_x, half_d = (
            p + 0.5 * v * 20.0 / steps for p, v in zip((x, d), river.velocity(x, d), strict=True)
        )
        move = river.velocity(half_x, half_d)
        x, d = x + move[0] * 20.0 / steps, d + move[1] * 20.0 / steps
    np.testing.assert_allclose(later_x, x, atol=1e-6)
    np.testing.assert_allclose(later_d, d, atol=1e-6)


def test_moving_there_and_back_ends_at_the_start(river, places):
    back = river.moved(*river.moved(*places, 9.0), -9.0)
    np.testing.assert_allclose(back, places, atol=1e-12)


def test_the_bank_is_at_distance_zero(river):
    d = np.array([2.0, 7.0, 12.0])
    for side in (-1, 1):
        x = river.middle(d) + side * river.half_width(d)
        np.testing.assert_allclose(river.bank_distance(x, d), 0.0, atol=1e-12)
        assert (river.bank_distance(x + 0.1 * side, d) > 0).all()
        assert (river.bank_distance(x - 0.1 * side, d) < 0).all()
