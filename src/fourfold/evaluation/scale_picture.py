"""Pictures of a set of valid scales: a curve for one object, a map for two, pairs for more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from fourfold.evaluation.pictures import encode_image
from fourfold.evaluation.plotting import FAINT, INK, PAPER, Canvas, Color, Panel, mix
from fourfold.scene import Samples, ScaleSet

VALID: Color = (20, 150, 136)
PALE: Color = (149, 208, 202)
NEARLY: Color = (205, 217, 230)
SAMPLE: Color = (22, 62, 108)
POLYTOPE: Color = (235, 121, 30)
NETWORK: Color = (134, 70, 230)

# Cells across a map, and across a panel of pairs; points of a curve.
_MAP, _PAIRS, _CURVE = 240, 40, 600
# Valid combinations that the panels of pairs are shaded by; samples drawn in a map and in a panel.
_SHADED, _MAP_DOTS, _PAIR_DOTS = 4096, 400, 120
# Accuracies this much below the tolerance are white.
_FADE = 0.25
_MARGIN = 74


@dataclass(frozen=True, eq=False)
class _Subject:
    """What is drawn: the set, and samples of it."""

    scale_set: ScaleSet
    samples: Samples

    @property
    def has_polytope(self) -> bool:
        return self.scale_set.contests is not None and not self.scale_set.polytope.empty


def scale_picture(scale_set: ScaleSet, samples: Samples) -> bytes:
    """Draw which scales are valid, with samples, as a PNG.

    Own. For one object its score over its scale; for two a map; for more a panel for each pair,
    in which the valid set is projected and shaded by how much of it lies there, and how each
    scale is distributed. Over it the samples, the outline of the strict polytope (its projection
    is exact), and that of what the network takes for valid.

    Args:
        samples: drawn from the set.
    """
    subject = _Subject(scale_set, samples)
    count = len(scale_set.object_names)
    draw = {0: _draw_nothing, 1: _draw_curve, 2: _draw_map}.get(count, _draw_pairs)
    return encode_image(draw(subject), "PNG")


def _draw_nothing(subject: _Subject) -> Image.Image:
    canvas = Canvas(520, 90)
    _write_title(canvas, subject)
    return canvas.finished()


def _draw_curve(subject: _Subject) -> Image.Image:
    """Draw the score of the one object's scales."""
    canvas = Canvas(760, 420)
    found, name = subject.scale_set, subject.scale_set.object_names[0]
    low, high = found.ranges[0]
    scales = np.linspace(low, high, _CURVE)
    scores = found.score(torch.from_numpy(scales)[:, None]).numpy()
    bottom = min(float(scores.min()), found.threshold) - 0.08
    panel = Panel(canvas, _MARGIN, 100, 640, 230, _widened((low, high)), (bottom, 1.04))
    _fill_valid(panel, scales, scores > found.threshold)
    panel.frame(f"scale of {name}", _score_name(found))
    panel.curve(panel.x, (found.threshold, found.threshold), FAINT, 1.0)
    panel.curve(scales.tolist(), scores.tolist(), INK, 2.0)
    if found.network is not None and found.mode != "network":
        learned = found.using("network").score(torch.from_numpy(scales)[:, None])
        panel.curve(scales.tolist(), np.maximum(learned.numpy(), bottom).tolist(), NETWORK, 2.0)
    if subject.has_polytope:
        ends = found.polytope.intervals()[name]
        height = bottom + 0.07
        panel.curve(ends, (height, height), POLYTOPE, 5.0)
    for scale in subject.samples.scales[:_PAIR_DOTS, 0].tolist():
        x, y = panel.place(scale, bottom)
        canvas.line([(x, y), (x, y - 9)], SAMPLE, 0.75)
    _write_title(canvas, subject)
    _write_legend(canvas, subject, 62)
    return canvas.finished()


def _fill_valid(panel: Panel, scales: np.ndarray, valid: np.ndarray) -> None:
    step = scales[1] - scales[0]
    for scale in scales[valid]:
        left, top = panel.place(float(scale - 0.5 * step), panel.y[1])
        right, bottom = panel.place(float(scale + 0.5 * step), panel.y[0])
        panel.canvas.box((left, top, right, bottom), PALE, None)


def _draw_map(subject: _Subject) -> Image.Image:
    """Draw the scores over the scales of two objects."""
    canvas = Canvas(640, 710)
    found = subject.scale_set
    x_range, y_range = found.ranges
    panel = Panel(canvas, _MARGIN, 112, 520, 520, _widened(x_range), _widened(y_range))
    x, y = _axis(panel.x, _MAP), _axis(panel.y, _MAP)[::-1]
    grid = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    panel.fill(_shade(found, grid).reshape(_MAP, _MAP, 3))
    panel.frame(f"scale of {found.object_names[0]}", f"scale of {found.object_names[1]}",
                rules=False)  # fmt: skip
    if found.network is not None:
        learned = found.using("network").contains(grid).numpy().reshape(_MAP, _MAP)
        panel.outline(learned, NETWORK, 2.0)
    _draw_polytope(panel, subject, 1, 2)
    _draw_dots(panel, subject, 0, 1, 2.6, _MAP_DOTS)
    _write_title(canvas, subject)
    _write_legend(canvas, subject, 62)
    return canvas.finished()


def _shade(found: ScaleSet, grid: torch.Tensor) -> np.ndarray:
    """Colour what is valid in the box, and the rest the fainter the lower it scores."""
    low, high = torch.tensor(found.ranges, dtype=grid.dtype).T
    inside = ((grid >= low) & (grid <= high)).all(dim=1).numpy()
    scores = found.score(grid.clamp(low, high)).double().numpy()
    fade = 1.0 - (found.threshold - scores) / (_FADE * max(found.threshold, 1e-9))
    colors = mix(PAPER, NEARLY, np.clip(fade, 0.0, 1.0) ** 2)
    colors[scores > found.threshold] = PALE
    colors[~inside] = PAPER
    return colors


def _draw_pairs(subject: _Subject) -> Image.Image:
    """Draw a panel for each pair of objects, and each object's distribution on the diagonal."""
    found = subject.scale_set
    names, count = found.object_names, len(found.object_names)
    side, gap = (190, 16) if count <= 4 else (120, 12)
    canvas = Canvas(max(_MARGIN + count * (side + gap) + 10, 560), 130 + count * (side + gap) + 50)
    shaded = found.sample(_SHADED) if bool(subject.samples.valid.any()) else subject.samples
    learned = None
    if found.network is not None and found.mode != "network":
        learned = found.using("network").sample(_SHADED)
    for row in range(count):
        for column in range(row + 1):
            left, top = _MARGIN + column * (side + gap), 118 + row * (side + gap)
            x = _widened(found.ranges[column])
            y = _widened(found.ranges[row]) if row != column else (0.0, 1.1)
            panel = Panel(canvas, left, top, side, side, x, y)
            if row == column:
                _draw_marginal(panel, subject, shaded, column)
            else:
                _draw_pair(panel, subject, shaded, learned, column, row)
            panel.frame(
                names[column] if row == count - 1 else "",
                names[row] if row == column else "",
                x_ticks=row == count - 1,
                y_ticks=column == 0 and row > 0,
                rules=False,
            )
    _write_title(canvas, subject)
    _write_legend(canvas, subject, 62)
    return canvas.finished()


def _draw_pair(
    panel: Panel,
    subject: _Subject,
    shaded: Samples,
    learned: Samples | None,
    column: int,
    row: int,
) -> None:
    density = _density(panel, shaded, column, row)
    if bool(shaded.valid.any()):
        panel.fill(mix(PAPER, VALID, 0.75 * np.sqrt(density / max(density.max(), 1e-9))))
    if learned is not None and bool(learned.valid.any()):
        panel.outline(_density(panel, learned, column, row) > 0, NETWORK, 1.5)
    _draw_polytope(panel, subject, column + 1, row + 1)
    _draw_dots(panel, subject, column, row, 1.7, _PAIR_DOTS)


def _density(panel: Panel, samples: Samples, column: int, row: int) -> np.ndarray:
    """Count samples in the cells of a panel, first row at the top."""
    chosen = samples.scales[samples.valid].numpy()
    counts, _, _ = np.histogram2d(
        chosen[:, row], chosen[:, column], bins=_PAIRS, range=(panel.y, panel.x)
    )
    return counts[::-1]


def _draw_marginal(panel: Panel, subject: _Subject, shaded: Samples, column: int) -> None:
    """Draw how one object's valid scales are distributed."""
    chosen = shaded.scales[shaded.valid][:, column].numpy()
    counts, edges = np.histogram(chosen, bins=_PAIRS, range=panel.x)
    for height, low, high in zip(counts / max(counts.max(), 1), edges, edges[1:], strict=False):
        if height > 0:
            left, top = panel.place(float(low), float(height))
            right, bottom = panel.place(float(high), 0.0)
            panel.canvas.box((left, top, right, bottom), PALE, None)
    name = subject.scale_set.object_names[column]
    if subject.has_polytope:
        ends = subject.scale_set.polytope.intervals()[name]
        panel.curve(ends, (0.02, 0.02), POLYTOPE, 3.0)


def _draw_polytope(panel: Panel, subject: _Subject, i: int, j: int) -> None:
    """Outline the projection on two bodies; limits that are tightened cut it out exactly."""
    if not subject.has_polytope:
        return
    limits, cells = subject.scale_set.polytope.limits, 4 * _PAIRS
    x, y = np.meshgrid(np.log(_axis(panel.x, cells)), np.log(_axis(panel.y, cells)[::-1]))
    inside = (x <= limits[i, 0]) & (-x <= limits[0, i]) & (y <= limits[j, 0]) & (-y <= limits[0, j])
    inside &= (x - y <= limits[i, j]) & (y - x <= limits[j, i])
    panel.outline(inside, POLYTOPE, 1.5)


def _draw_dots(
    panel: Panel, subject: _Subject, column: int, row: int, radius: float, most: int
) -> None:
    shown = subject.samples.scales[:most].tolist()
    for sample, valid in zip(shown, subject.samples.valid.tolist(), strict=False):
        x, y = panel.place(sample[column], sample[row])
        panel.canvas.dot(x, y, radius, SAMPLE if valid else FAINT)


def _write_title(canvas: Canvas, subject: _Subject) -> None:
    found, samples = subject.scale_set, subject.samples
    canvas.text(_MARGIN - 50, 22, "Scales that explain the video", INK, 18)
    if not found.object_names:
        canvas.text(_MARGIN - 50, 48, "no object but the background", FAINT, 13)
        return
    share = f"{samples.share:.1%}" if samples.share >= 0.001 else f"{100 * samples.share:.1g} %"
    facts = [f"{share} of the box", _rule(found), f"{len(samples)} samples"]
    if not bool(samples.valid.any()):
        facts = ["none is valid: the best are shown", _rule(found)]
    canvas.text(_MARGIN - 50, 44, "  ·  ".join(facts), FAINT, 13)


def _write_legend(canvas: Canvas, subject: _Subject, y: float) -> None:
    found = subject.scale_set
    entries: list[tuple[str, Color]] = [("valid", PALE), ("samples", SAMPLE)]
    if subject.has_polytope:
        entries.append(("strict polytope", POLYTOPE))
    if found.network is not None and found.mode != "network":
        entries.append(("network", NETWORK))
    x: float = _MARGIN - 50
    for label, color in entries:
        canvas.box((x, y, x + 12, y + 12), color, None)
        x += 18 + canvas.text(x + 18, y + 6, label, INK, 12) + 20


def _rule(found: ScaleSet) -> str:
    rules = {
        "computed": f"occlusion accuracy above {found.tolerance:g}",
        "polytope": f"all but {found.outliers:.2%} of each pair's pixels right",
        "network": f"network's score above {found.score_threshold:g}",
    }
    return rules[found.mode]


def _score_name(found: ScaleSet) -> str:
    names = {"computed": "occlusion accuracy", "polytope": "inside (1)", "network": "network"}
    return names[found.mode]


def _widened(ends: tuple[float, float]) -> tuple[float, float]:
    """Give a range some air, also one that is a point."""
    low, high = ends
    air = 0.03 * (high - low) or 0.05 * high
    return low - air, high + air


def _axis(values: tuple[float, float], count: int) -> np.ndarray:
    """Give the middles of `count` cells."""
    low, high = values
    return low + (high - low) * (np.arange(count) + 0.5) / count
