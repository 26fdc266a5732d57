"""Units of bodies: numbers worked out by hand from those of OSN's preprocessing."""

import pytest

from fourfold.capture.body_units import background_unit, object_unit


def test_the_backgrounds_far_end_is_just_before_the_limit():
    assert background_unit(4.0) * 4.0 == pytest.approx(0.95 * 8)


def test_an_objects_scales_keep_it_in_the_room_and_have_the_mean_1():
    unit, (low, high) = object_unit(2.0, 2.5)
    assert unit == pytest.approx((1.05 / 2.0 + 7.6 / 2.5) / 2)
    assert (low + high) / 2 == pytest.approx(1)
    assert low * unit * 2.0 == pytest.approx(1.05)
    assert high * unit * 2.5 == pytest.approx(7.6)


def test_an_object_deeper_than_the_room_has_a_range_all_the_same():
    _, (low, high) = object_unit(1.0, 20.0)
    assert 0 < low < 1 < high
