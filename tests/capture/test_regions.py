"""Outlines of regions as masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.capture.hints import Hint
from fourfold.capture.regions import Outline, fill_polygon, region_kind


def test_a_rectangle_covers_exactly_its_pixels():
    corners = np.array([[2.0, 1.0], [6.0, 1.0], [6.0, 4.0], [2.0, 4.0]])
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:6] = True
    np.testing.assert_array_equal(fill_polygon(corners, (8, 6)), expected)
    np.testing.assert_array_equal(fill_polygon(corners[::-1], (8, 6)), expected)


def test_a_triangle():
    # below the diagonal, which passes through the centres of pixels: left of it is inside
    corners = np.array([[0.0, 0.0], [4.0, 4.0], [0.0, 4.0]])
    expected = np.tril(np.ones((4, 4), bool), -1)
    np.testing.assert_array_equal(fill_polygon(corners, (4, 4)), expected)


def test_what_crosses_itself_is_outside_where_it_does_so_twice():
    twice = np.array([[0, 0], [4, 0], [4, 2], [0, 2], [0, 0], [2, 0], [2, 2], [0, 2]], float)
    expected = np.array([[0, 0, 1, 1]] * 2, bool)
    np.testing.assert_array_equal(fill_polygon(twice, (4, 2)), expected)


def test_what_lies_outside_the_picture_is_cut():
    corners = np.array([[-50.0, -50.0], [2.0, -50.0], [2.0, 90.0], [-50.0, 90.0]])
    expected = np.zeros((3, 4), bool)
    expected[:, :2] = True
    np.testing.assert_array_equal(fill_polygon(corners, (4, 3)), expected)
    assert not fill_polygon(corners + 1000, (4, 3)).any()


@given(st.lists(st.tuples(st.floats(-3, 15), st.floats(-3, 11)), min_size=3, max_size=9))
def test_a_fill_is_what_a_ray_from_each_centre_says(corners):
    points = np.array(corners)
    filled = fill_polygon(points, (12, 8))
    for row, column in np.ndindex(8, 12):
        assert filled[row, column] == _inside(column + 0.5, row + 0.5, corners)


def _inside(x, y, corners):
    crossings = 0
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 <= y) != (y1 <= y):
            crossings += x0 + (y - y0) * (x1 - x0) / (y1 - y0) <= x
    return crossings % 2 == 1


def test_a_stroke_has_its_width():
    mask = Outline(np.array([[0.0, 10.0], [40.0, 10.0]]), stroke=6.0).fill((40, 20))
    assert mask[:, 20].sum() == pytest.approx(6, abs=1)
    assert mask[8:12, 20].all()


def test_outlines_scale():
    outline = Outline(np.array([[2.0, 4.0], [6.0, 4.0], [6.0, 8.0]]), None).resized(0.5, 0.25)
    np.testing.assert_array_equal(outline.points, [[1, 1], [3, 1], [3, 2]])


def test_kinds():
    names = ["motion", "motion_12", "sky", "ground_0", "water2", "vertical", "hint_0", "mountain"]
    kinds = [region_kind(name) for name in names]
    assert kinds == ["motion", "motion", "sky", "ground", "water", "vertical", None, None]


def test_a_hint_is_the_way_of_fifty_frames():
    hint = Hint("hint_0", (100.0, 50.0), (160.0, 130.0))
    assert hint.velocity == (1.2, 1.6)
    assert hint.speed == pytest.approx(2.0)
    assert hint.resized(0.5, 0.25) == Hint("hint_0", (50.0, 12.5), (80.0, 32.5))


@pytest.mark.parametrize("end", [(1.0, 2.0), (float("nan"), 2.0), (float("inf"), 0.0)])
def test_a_hint_without_length_or_end_is_refused(end):
    with pytest.raises(ValueError, match="the hint 'h'"):
        Hint("h", (1.0, 2.0), end)
