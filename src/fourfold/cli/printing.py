"""What the command line prints: results on standard output, announcements on standard error."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from fourfold.capture import Description
    from fourfold.estimators.structure_from_motion import Health
    from fourfold.verbs import PreparedPoses


def announce(line: str) -> None:
    """Say on standard error what comes next."""
    print(line, file=sys.stderr, flush=True)


def print_path(label: str, path: Path) -> None:
    """Print where something is, on one line of its own however long it is."""
    print(f"{label}: {path}")


def print_next(*commands: str) -> None:
    """Print commands that can follow."""
    for command in commands:
        print(f"next: {command}")


def print_metrics(metrics: Mapping[str, Any]) -> None:
    """Print the figures as a table, in their own order; those that were not measured left out."""
    from fourfold.evaluation import describe_metric, format_metric, metrics_to_show

    table = Table("measured", "", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for key in metrics_to_show(metrics):
        value = metrics[key]
        if value is not None and not isinstance(value, list | dict):
            table.add_row(describe_metric(key).label, format_metric(key, value))
    Console().print(table)


def print_description(found: Description) -> None:
    """Print what an input holds: facts, objects, notes, and what is missing for which method."""
    print(f"{found.path}: {found.layout}")
    for name, fact in _facts(found).items():
        print(f"  {name:<9} {fact}")
    if found.objects:
        _print_objects(found)
    for note in found.notes:
        print(f"note: {note}")
    for method, missing in found.missing.items():
        print(f"{method}: {'ready' if not missing else 'missing ' + ', '.join(missing)}")


def print_health(bodies: Sequence[Health]) -> None:
    """Print how well each body's structure from motion went, and what should be looked at."""
    table = Table(
        "body", "frames", "points", "error", "track", "parallax", box=None, pad_edge=False
    )
    for column in range(1, 6):
        table.columns[column].justify = "right"
    for body in bodies:
        table.add_row(
            body.body,
            f"{body.registered} of {body.visible}",
            f"{body.points}",
            f"{body.error:.2f} px",
            f"{body.track_length:.1f} frames",
            f"{body.parallax:.1f}°",
        )
    Console().print(table)
    for body in bodies:
        if body.warning is not None:
            print(f"note: {body.warning}")


def print_poses(prepared: PreparedPoses) -> None:
    """Print how many key points each view has, and what is missing."""
    at = "" if prepared.frame is None else f", frame {prepared.frame}"
    print(
        f"{prepared.how}: {len(prepared.key_points)} views{at}, {prepared.points} points, "
        f"{prepared.error:.2f} px from where they are seen"
    )
    for view, count in prepared.key_points.items():
        print(f"  {view:<9} {count} key points")
    if prepared.left_out:
        print(f"note: left out, as their cameras were not found: {_some(prepared.left_out)}")


def print_unposed(frames: Sequence[str]) -> None:
    """Print which frames have no camera, and what that means."""
    if frames:
        print(
            f"note: the background is not registered in {_some(tuple(frames))}: --bodies goes on "
            "smoothly there, --cameras cannot be used for these frames"
        )


def _facts(found: Description) -> dict[str, str]:
    views = f"{len(found.views)} ({_some(found.views)})"
    if found.held_out_views:
        views += f", {len(found.held_out_views)} held out for tests ({_some(found.held_out_views)})"
    if len(found.train_views) + len(found.held_out_views) < len(found.views):
        views += f", {len(found.train_views)} to train on ({_some(found.train_views)})"
    size = f"{found.width}x{found.height}"
    if (found.stored_width, found.stored_height) != (found.width, found.height):
        size += f", shrunk from {found.stored_width}x{found.stored_height}"
    assumed = ", an assumption: --fps says it" if found.fps_assumed else ""
    facts = {
        "views": views,
        "frames": f"{len(found.frames)} ({found.frames[0]} … {found.frames[-1]})",
        "time": f"{found.seconds:.2f} s at {found.fps:g} frames per second{assumed}",
        "size": size,
        "channels": ", ".join(found.channels) + (", truth" if found.has_truth else ""),
    }
    if found.poses_from is not None:
        facts["poses"] = found.poses_from
    if found.hint_speeds:
        slow, fast = min(found.hint_speeds), max(found.hint_speeds)
        facts["hints"] = f"{len(found.hint_speeds)}, {slow:.2f} to {fast:.2f} pixels per frame"
    return facts


def _print_objects(found: Description) -> None:
    table = Table("object", "frames", "first", "last", "area", box=None, pad_edge=False)
    for column in (1, 4):
        table.columns[column].justify = "right"
    for item in found.objects:
        seen = str(item.num_frames)
        table.add_row(item.name, seen, item.first or "", item.last or "", f"{item.area:.2%}")
    Console().print(table)


def _some(names: tuple[str, ...], most: int = 4) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")
