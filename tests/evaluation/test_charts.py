"""Charts: the points stand where their values say."""

import math
import re

from fourfold.evaluation import Curve, draw_curve


def polyline(svg: str) -> list[tuple[float, float]]:
    (points,) = re.findall(r'<polyline points="([^"]*)"', svg)
    return [(float(x), float(y)) for x, y in (point.split(",") for point in points.split())]


def test_a_line_climbs_evenly():
    points = polyline(draw_curve(Curve("psnr", [0, 1, 2], [10.0, 20.0, 30.0])))
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == x2 - x1 > 0
    assert y0 > y1 > y2
    assert abs((y0 - y1) - (y1 - y2)) <= 0.11  # written to a tenth of a pixel


def test_a_wide_positive_range_is_logarithmic():
    points = polyline(draw_curve(Curve("loss", [0, 1, 2], [100.0, 10.0, 1.0])))
    assert abs(points[1][1] - (points[0][1] + points[2][1]) / 2) <= 0.11


def test_marked_points_get_dots_and_gaps_are_left_out():
    svg = draw_curve(Curve("psnr", [0, 1, 2], [1.0, math.nan, 3.0], [False, True, True]))
    assert len(polyline(svg)) == 2
    assert svg.count("<circle") == 1


def test_a_constant_and_a_single_value_and_none_can_be_drawn():
    for values in ([5.0, 5.0], [0.0], [-3.0]):
        svg = draw_curve(Curve("n", list(range(len(values))), values))
        assert all(math.isfinite(v) for point in polyline(svg) for v in point)
    assert "no values" in draw_curve(Curve("n", [0], [math.nan]))


def test_many_points_are_averaged():
    svg = draw_curve(Curve("loss", list(range(10_000)), [1.0, 3.0] * 5000))
    points = polyline(svg)
    assert len(points) <= 300
    assert max(y for _, y in points) - min(y for _, y in points) < 1.0
