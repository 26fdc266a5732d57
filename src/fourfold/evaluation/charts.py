"""Line charts as inline SVG, coloured by the style sheet of the page they stand in."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_WIDTH, _HEIGHT = 360, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 22
# More points than this are averaged: a line of 360 px shows no more.
_MAX_POINTS = 300
# A logarithmic axis from this ratio of largest to smallest value on.
_LOG_RATIO = 20.0
# About as many lines across as a linear axis gets.
_TICKS = 4
_BOOKKEEPING = ("stage", "step", "seconds")


@dataclass(frozen=True)
class Curve:
    """Values over frames, or whatever `x_name` says; `marked` ones (held-out frames) get a dot."""

    title: str
    x: Sequence[float]
    y: Sequence[float]
    marked: Sequence[bool] | None = None
    x_name: str = "frame"


def training_curves(entries: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Make a curve for every value of every stage in a run's log, in the order of the log."""
    points: dict[str, list[tuple[float, float]]] = {}
    for entry in entries:
        for name, value in entry.items():
            if name not in _BOOKKEEPING and value is not None:
                series = points.setdefault(f"{entry['stage']}: {name}", [])
                series.append((entry["step"], value))
    return [
        Curve(title, [x for x, _ in series], [y for _, y in series], x_name="step")
        for title, series in points.items()
    ]


def draw_curve(curve: Curve) -> str:
    """Draw a curve as an SVG element; values that are not finite leave a gap in the points.

    The vertical axis is logarithmic where all values are positive and span more than a factor
    of 20.
    """
    marked = curve.marked or [False] * len(curve.x)
    points = [
        (x, y, mark)
        for x, y, mark in zip(curve.x, curve.y, marked, strict=True)
        if math.isfinite(y)
    ]
    if not points:
        return '<svg class="chart" viewBox="0 0 360 40"><text x="8" y="24">no values</text></svg>'
    line = _thinned([(x, y) for x, y, _ in points])
    values = [y for _, y in line] + [y for _, y, mark in points if mark]
    axis = _Axis.over(values)
    first, last = points[0][0], points[-1][0]

    def place(x: float, y: float) -> tuple[float, float]:
        share = (x - first) / (last - first) if last > first else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT), axis.place(y)

    path = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in line)
    dots = "".join(
        '<circle cx="{:.1f}" cy="{:.1f}" r="3"/>'.format(*place(x, y))
        for x, y, mark in points
        if mark
    )
    baseline = _HEIGHT - 6
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(curve.title)}">{axis.draw()}'
        f'<polyline points="{path}"/>{dots}'
        f'<text x="{_LEFT}" y="{baseline}">{curve.x_name} {first:g}</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{baseline}" text-anchor="end">{last:g}</text></svg>'
    )


@dataclass(frozen=True)
class _Axis:
    """The vertical axis: its range, its ticks, and whether it is logarithmic."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool

    @staticmethod
    def over(values: Sequence[float]) -> "_Axis":
        low, high = min(values), max(values)
        if low > 0 and high / low > _LOG_RATIO:
            exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
            stride = max(1, math.ceil(len(exponents) / 5))
            ticks = (10.0**exponent for exponent in exponents[::stride])
            return _Axis(low, high, tuple(t for t in ticks if low <= t <= high), True)
        if high == low:
            margin = abs(high) * 0.1 or 1.0
            low, high = low - margin, high + margin
        margin = 0.05 * (high - low)
        low, high = low - margin, high + margin
        step = _round_step((high - low) / _TICKS)
        first = math.ceil(low / step)
        ticks = (step * index for index in range(first, math.floor(high / step) + 1))
        return _Axis(low, high, tuple(ticks), False)

    def place(self, value: float) -> float:
        """Give the height in the picture of a value."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    def draw(self) -> str:
        lines = []
        for tick in self.ticks:
            y = self.place(tick)
            lines.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{_short(tick)}</text>'
            )
        return "".join(lines)


def _short(value: float) -> str:
    """Write a tick in at most six characters or so: 20k, not 2e+04."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:g}k"
    # Sums of steps may miss zero by a rounding error.
    return f"{value:.4g}" if abs(value) > 1e-12 else "0"


def _round_step(step: float) -> float:
    """Round a step up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(nice * power for nice in (1.0, 2.0, 5.0, 10.0) if nice * power >= step * 0.999)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Average neighbouring points until a chart can show them."""
    size = math.ceil(len(points) / _MAX_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for group in groups
    ]
