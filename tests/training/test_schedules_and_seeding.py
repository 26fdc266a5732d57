"""Functions of the step alone: rates and random numbers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.training import deterministic, exponential, generator, linear, set_learning_rates


@given(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.integers(2, 1000))
def test_exponential_has_a_constant_factor_and_meets_its_ends(start, end, steps):
    rate = exponential(start, end, steps)
    assert rate(0) == pytest.approx(start)
    assert rate(steps) == rate(steps + 5) == pytest.approx(end)
    assert rate(1) / rate(0) == pytest.approx(rate(steps) / rate(steps - 1))


def test_schedules_of_no_steps_are_at_their_end():
    assert exponential(1.0, 0.1, 0)(0) == pytest.approx(0.1)
    assert linear(1.0, 0.1, 0)(0) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="positive"):
        exponential(0.0, 1.0, 10)


def test_learning_rates_reach_the_named_optimizers():
    optimizers = {
        name: torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=9.0) for name in "ab"
    }
    set_learning_rates(optimizers, {"a": linear(0.0, 1.0, 10)}, 5)
    assert [optimizers[name].param_groups[0]["lr"] for name in "ab"] == [0.5, 9.0]


def draw(*keys) -> list[float]:
    return torch.rand(4, generator=generator(*keys)).tolist()


def test_generators_differ_by_seed_and_by_each_key():
    streams = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a1"), (0, "a", "1")]
    drawn = [draw(*keys) for keys in streams]
    assert all(a != b for i, a in enumerate(drawn) for b in drawn[:i])
    assert drawn == [draw(*keys) for keys in streams]


def test_a_stream_is_the_same_on_every_machine():
    # The state is a hash; a change would silently change every result in the documentation.
    assert generator(0, "move", 7).initial_seed() == 4816153056584419103


def test_determinism_is_switched_on_and_back():
    with deterministic():
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
