"""Hints against a stream whose flow is known: one pixel a frame to the right."""

import math

import pytest

from fourfold.capture import Hint
from fourfold.methods.mom.hint_scores import score_hints
from tests.loops import loop_scene, stream_mask


def _hint(x: float, y: float, to_x: float, to_y: float) -> Hint:
    return Hint("hint", (x, y), (to_x, to_y))


def _score(*hints: Hint, speed: float = 1.0) -> dict[str, float]:
    return score_hints(loop_scene(), hints, stream_mask(), speed)


def test_a_hint_that_is_followed():
    # 50 pixels would be one pixel per frame; it counts where it lies in the picture and the stream
    record = _score(_hint(10, 16, 60, 16))
    assert record["hints_used"] == record["hints_given"] == 1.0
    assert record["hint_angle_deg"] == pytest.approx(0.0, abs=0.5)
    assert record["hint_speed_error"] == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize("degrees", [30.0, 90.0, 180.0])
def test_a_hint_that_points_elsewhere(degrees: float):
    x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    record = _score(_hint(24 - 5 * x, 16 - 5 * y, 24 + 5 * x, 16 + 5 * y))
    assert record["hint_angle_deg"] == pytest.approx(degrees, abs=1.0)
    # ten pixels are 0.2 per frame: the stream is five times as fast
    assert record["hint_speed_error"] == pytest.approx(4.0, rel=0.03)


def test_hints_are_scaled_by_the_speed():
    record = _score(_hint(12, 16, 37, 16), speed=2.0)
    assert record["hint_speed_error"] == pytest.approx(0.0, abs=0.02)
    slow = _score(_hint(12, 16, 37, 16), speed=4.0)
    assert slow["hint_speed_error"] == pytest.approx(0.5, abs=0.02)


def test_near_and_far_are_told_apart():
    # the plane comes nearer to the right
    right, wrong = _hint(32, 16, 46, 16), _hint(6, 18, 6, 12)
    record = _score(wrong, right)
    assert record["hint_angle_deg_near"] == pytest.approx(0.0, abs=1.0)
    assert record["hint_angle_deg_far"] == pytest.approx(90.0, abs=1.0)
    assert record["hint_angle_deg"] == pytest.approx(45.0, abs=1.0)
    # 0.28 and 0.12 pixels per frame are asked for
    assert record["hint_speed_error_near"] == pytest.approx(1 / 0.28 - 1, rel=0.03)
    assert record["hint_speed_error_far"] == pytest.approx(1 / 0.12 - 1, rel=0.03)


def test_of_three_hints_the_middle_one_counts_on_both_sides():
    hints = [_hint(x, 16, x, 12) for x in (6, 24)] + [_hint(30, 16, 44, 16)]
    record = _score(*hints)
    assert record["hint_angle_deg_near"] == pytest.approx(45.0, abs=1.0)
    assert record["hint_angle_deg_far"] == pytest.approx(90.0, abs=1.0)


def test_hints_beside_the_stream_are_not_used():
    record = _score(_hint(10, 2, 30, 2), _hint(10, 16, 30, 16))
    assert (record["hints_used"], record["hints_given"]) == (1.0, 2.0)
    assert _score(_hint(10, 2, 30, 2)) == {"hints_used": 0.0, "hints_given": 1.0}
    assert _score() == {"hints_used": 0.0, "hints_given": 0.0}


def test_a_hint_half_in_the_stream_counts_there():
    record = _score(_hint(20, -14, 20, 14))
    assert record["hint_angle_deg"] == pytest.approx(90.0, abs=1.0)
