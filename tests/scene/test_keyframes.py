"""The curve between keys."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from fourfold.geometry import axis_angle_to_quaternion
from fourfold.scene import RigidMotion, blend_keys, blend_quaternion_keys, keyframe_weights

gaps = st.lists(st.floats(0.1, 5.0), min_size=1, max_size=8)


def key_times(steps: list[float]) -> torch.Tensor:
    return torch.tensor([0.0, *steps], dtype=torch.float64).cumsum(0)


def blend(times: torch.Tensor, values: torch.Tensor, time: float) -> torch.Tensor:
    return blend_keys(values, *keyframe_weights(times, time))


def test_the_middle_between_equal_keys_by_hand():
    # Catmull-Rom: (-1, 9, 9, -1) / 16
    times = torch.arange(4.0)
    assert_close(blend(times, torch.tensor([0.0, 1.0, 5.0, 2.0]), 1.5), torch.tensor(3.25))


def test_first_piece_by_hand():
    # slopes 1 (the chord) and (5 - 0) / 2; Hermite at 1/2: (0 + 1) / 2 + (1 - 2.5) / 8
    times = torch.arange(3.0)
    assert_close(blend(times, torch.tensor([0.0, 1.0, 5.0]), 0.5), torch.tensor(0.3125))


@given(gaps, st.integers(0, 8))
def test_it_passes_exactly_through_the_keys(steps: list[float], which: int):
    times = key_times(steps)
    which %= len(times)
    values = torch.randn(len(times), 3, generator=torch.Generator().manual_seed(0)).double()
    assert torch.equal(blend(times, values, float(times[which])), values[which])


@given(gaps, st.floats(0.0, 1.0))
def test_constant_speed_is_met_exactly(steps: list[float], share: float):
    times = key_times(steps)
    time = share * float(times[-1])
    values = torch.stack((3.0 * times - 2.0, torch.ones_like(times)), dim=1)
    expected = torch.tensor([3.0 * time - 2.0, 1.0], dtype=torch.float64)
    assert_close(blend(times, values, time), expected, atol=1e-9, rtol=0)


def test_a_parabola_is_met_exactly_between_inner_keys_at_any_distances():
    times = torch.tensor([0.0, 1.0, 3.0, 3.5], dtype=torch.float64)
    for time in (1.2, 2.0, 2.9):
        assert_close(blend(times, times**2, time), torch.tensor(time**2, dtype=torch.float64))


def test_the_slope_has_no_jump_at_a_key():
    times = torch.tensor([0.0, 1.0, 3.0, 3.5], dtype=torch.float64)
    values = torch.tensor([0.0, 2.0, -1.0, 4.0], dtype=torch.float64)
    step = 1e-6
    for key, at_key in ((1.0, values[1]), (3.0, values[2])):
        before = (at_key - blend(times, values, key - step)) / step
        after = (blend(times, values, key + step) - at_key) / step
        assert_close(before, after, atol=1e-4, rtol=0)


def test_values_stay_outside_the_keys_and_with_a_single_key():
    times = torch.tensor([2.0, 4.0])
    values = torch.tensor([7.0, 9.0])
    assert blend(times, values, -1.0) == 7.0
    assert blend(times, values, 3.0) == 8.0
    assert blend(times, values, 99.0) == 9.0
    assert blend(torch.tensor([5.0]), torch.tensor([6.0]), 0.0) == 6.0


def test_rotations_of_opposite_sign_are_one_rotation():
    times = torch.arange(4.0, dtype=torch.float64)
    angles = 0.2 * times[:, None] * torch.tensor([0.0, 0.0, 1.0]).double()
    keys = axis_angle_to_quaternion(angles)
    signs = torch.tensor([1.0, -3.0, 1.0, -0.5]).double().unsqueeze(1)
    mixed = blend_quaternion_keys(signs * keys, *keyframe_weights(times, 1.5))
    expected = axis_angle_to_quaternion(torch.tensor([0.0, 0.0, 0.3]).double())
    assert_close(mixed * mixed[0].sign(), expected)


def test_unordered_keys_are_refused():
    with pytest.raises(ValueError, match="increasing"):
        RigidMotion.at_rest(torch.tensor([0.0, 2.0, 2.0]))
    with pytest.raises(ValueError, match="non-empty"):
        RigidMotion.at_rest(torch.zeros(0))
