"""The report of a run: one page that needs nothing but itself."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from fourfold.evaluation.charts import Curve, draw_curve
from fourfold.evaluation.metric_names import describe_metric, format_metric, metrics_to_show
from fourfold.evaluation.pictures import encode_image
from fourfold.files import write_atomic
from fourfold.training import COMPILE, format_duration

# The figures shown large at the top, as far as they were measured.
_HEADLINE = (
    "psnr",
    "object_psnr",
    "mask_iou",
    "heldout_object_psnr",
    "novel20_psnr",
    "psnr_static",
    "motion_iou",
    "seconds",
    "peak_memory_mb",
    "num_gaussians",
    "num_voxels",
)
# How the kinds of encoded picture begin.
_SIGNATURES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}


@dataclass(frozen=True)
class Picture:
    """An image in [0, 1], or an encoded PNG, JPEG, GIF or WebP (bytes or path), and its caption."""

    caption: str
    image: Float[Tensor, "H W 3"] | bytes | Path


@dataclass(frozen=True)
class Report:
    """What stands in a report; empty parts are left out.

    `comparisons` are further columns of figures by name (baselines, other settings); `notes` say
    what went less than well and what the input does not determine; `frame_curves` are figures
    per frame, `training_curves` what the log holds; `laps` are seconds per stage.
    """

    title: str
    subtitle: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    comparisons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    frame_curves: Sequence[Curve] = ()
    training_curves: Sequence[Curve] = ()
    laps: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    footer: str = ""


def write_report(path: Path, report: Report) -> Path:
    """Write a report as one HTML file: no network, no scripts, pictures and charts inside.

    Raises:
        OutputError: it cannot be written.
        ValueError: a picture is of an unknown kind.
    """
    return write_atomic(path, render_report(report))


def render_report(report: Report) -> str:
    """Make the HTML page of a report."""
    style = files("fourfold.evaluation").joinpath("report.css").read_text(encoding="utf-8")
    parts = (
        f"<h1>{escape(report.title)}</h1>",
        f'<p class="subtitle">{escape(report.subtitle)}</p>',
        _headline(report.metrics),
        _notes(report.notes),
        _section("Pictures", "".join(map(_picture, report.pictures))),
        _section("Figures", _figures_table(report.metrics, report.comparisons)),
        _section("Frame by frame", _charts(report.frame_curves)),
        _section("Training", _charts(report.training_curves)),
        _section("Where the time went", _laps_table(report.laps)),
        _section("Settings", _settings_table(report.settings)),
        f"<footer>{escape(report.footer)}</footer>" if report.footer else "",
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)}</title>\n<style>\n{style}</style>\n</head>\n"
        "<body>\n<main>\n" + "\n".join(filter(None, parts)) + "\n</main>\n</body>\n</html>\n"
    )


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>" if content else ""


def _headline(metrics: Mapping[str, Any]) -> str:
    cards = [
        f'<div class="card"><b>{escape(format_metric(key, metrics[key]))}</b>'
        f"<span>{escape(describe_metric(key).label)}</span></div>"
        for key in _HEADLINE
        if metrics.get(key) is not None
    ]
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<div class="notes"><b>To know</b><ul>{items}</ul></div>' if items else ""


def _picture(picture: Picture) -> str:
    image = picture.image
    if isinstance(image, Tensor):
        image = encode_image(image, "JPEG")
    data = image.read_bytes() if isinstance(image, Path) else image
    kind = next((kind for start, kind in _SIGNATURES.items() if data.startswith(start)), None)
    if kind is None:
        raise ValueError(f"the picture {picture.caption!r} is not PNG, JPEG, GIF or WebP")
    caption = escape(picture.caption)
    return (
        f'<figure><img alt="{caption}" src="data:{kind};base64,'
        f'{base64.b64encode(data).decode()}"><figcaption>{caption}</figcaption></figure>\n'
    )


def _figures_table(metrics: Mapping[str, Any], comparisons: Mapping[str, Mapping[str, Any]]) -> str:
    columns = {"This run": metrics, **comparisons}
    keys = metrics_to_show(dict.fromkeys(key for column in columns.values() for key in column))
    if not keys:
        return ""
    head = "".join(f'<th class="number">{escape(name)}</th>' for name in columns)
    rows = "".join(
        _figures_row(key, [column.get(key) for column in columns.values()]) for key in keys
    )
    return _table(f"<th>Figure</th><th>Key</th>{head}<th>Better</th>", rows)


def _figures_row(key: str, values: Sequence[Any]) -> str:
    name = describe_metric(key)
    measured = [value for value in values if isinstance(value, int | float) and value == value]
    best = None
    if name.better and len(measured) > 1:
        best = max(measured) if name.better == "higher" else min(measured)
    cells = "".join(
        f'<td class="number{" best" if value is not None and value == best else ""}">'
        f"{escape(format_metric(key, value))}</td>"
        for value in values
    )
    better = {"higher": "↑", "lower": "↓"}.get(name.better, "")
    return (
        f"<tr><td>{escape(name.label)}</td><td><code>{escape(key)}</code></td>{cells}"
        f"<td>{better}</td></tr>"
    )


def _charts(curves: Sequence[Curve]) -> str:
    drawn = "".join(
        f"<figure><figcaption>{escape(curve.title)}</figcaption>{draw_curve(curve)}</figure>"
        for curve in curves
    )
    return f'<div class="charts">{drawn}</div>' if drawn else ""


def _laps_table(laps: Mapping[str, float]) -> str:
    longest = max(laps.values(), default=0.0) or 1.0
    rows = "".join(
        f"<tr><td>{escape(name)}{' (not counted)' if name == COMPILE else ''}</td>"
        f'<td class="number">{format_duration(seconds)}</td>'
        f'<td width="60%"><div class="bar" style="width:{100 * seconds / longest:.1f}%"></div></td>'
        "</tr>"
        for name, seconds in laps.items()
    )
    return _table('<th>Stage</th><th class="number">Time</th><th></th>', rows) if rows else ""


def _settings_table(settings: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(value)}</code></td></tr>"
        for name, value in _flat_settings(settings)
    )
    return _table("<th>Setting</th><th>Value</th>", rows) if rows else ""


def _flat_settings(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    flat = []
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            flat += _flat_settings(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            flat.append((f"{prefix}{name}", text))
    return flat


def _table(head: str, rows: str) -> str:
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
