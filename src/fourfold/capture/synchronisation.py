"""Which frame of each camera's video was taken at the same time as the others'."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fourfold.errors import InputError

# caliscope's names for the file and, before its version 0.6, for the file and the camera's column.
_FILES = ("timestamps.csv", "frame_time_history.csv")
_CAMERA_COLUMNS = ("cam_id", "port")


@dataclass(frozen=True)
class Synchronised:
    """Frames that all cameras have.

    Attributes:
        names: of the frames, in order.
        seconds: when they were taken, on the recording's own clock; NaN where unknown.
        positions: camera -> for each frame, its position in the camera's video.
        file: what says so; None where the videos are taken to begin together.
        notes: for the user.
    """

    names: tuple[str, ...]
    seconds: tuple[float, ...]
    positions: Mapping[str, tuple[int, ...]]
    file: Path | None = None
    notes: tuple[str, ...] = ()


def find_timestamps(folder: Path) -> Path | None:
    """Find the file of time stamps nearest below the folder of the videos."""
    found = [file for name in _FILES for file in folder.rglob(name)]
    return min(found, key=lambda file: (len(file.parts), file.as_posix()), default=None)


def synchronise(file: Path, cameras: Mapping[str, int], lengths: Mapping[str, int]) -> Synchronised:
    """Match frames by the moments (`sync_index`) that caliscope wrote while it recorded.

    A moment that a camera missed is left out for all; frames are named by their moment.

    Args:
        file: with columns sync_index, cam_id (or port), frame_index, frame_time.
        cameras: name -> number in the file.
        lengths: name -> frames in its video.

    Raises:
        InputError: the file is damaged, says nothing of a camera, or no moment has all of them.
    """
    table = _read(file)
    moments = {name: table.get(number, {}) for name, number in cameras.items()}
    usable = {
        name: {m for m, (at, _) in rows.items() if at < lengths[name]}
        for name, rows in moments.items()
    }
    every = set.union(*usable.values())
    shared = sorted(set.intersection(*usable.values()))
    if not shared:
        worst = min(usable, key=lambda name: len(usable[name]))
        raise InputError(
            f"no moment is seen by all {len(cameras)} cameras; {worst} has {len(usable[worst])}",
            path=file,
            expected="sync_index with a frame_index for each camera",
        )
    seconds = [float(np.mean([moments[name][m][1] for name in cameras])) for m in shared]
    notes = (
        f"synchronised by {file.name}: {len(shared)} moments that all cameras have"
        + (f", {len(every) - len(shared)} others are left out" if len(every) > len(shared) else ""),
    )
    positions = {name: tuple(rows[m][0] for m in shared) for name, rows in moments.items()}
    return Synchronised(tuple(f"{m:05d}" for m in shared), tuple(seconds), positions, file, notes)


def side_by_side(lengths: Mapping[str, int], seconds: tuple[float, ...]) -> Synchronised:
    """Take videos to begin together and to have one frame rate; the shortest says how long.

    Args:
        lengths: camera -> frames in its video.
        seconds: time stamps of one of them.
    """
    count = min(*lengths.values(), len(seconds))
    notes = ()
    if max(lengths.values()) > count:
        shortest = min(lengths, key=lambda name: lengths[name])
        notes = (
            f"the videos have {count} to {max(lengths.values())} frames ({shortest} the fewest): "
            f"the first {count} are used, as nothing says which belong together",
        )
    names = tuple(f"{index:05d}" for index in range(count))
    positions = {name: tuple(range(count)) for name in lengths}
    return Synchronised(names, seconds[:count], positions, None, notes)


def _read(file: Path) -> dict[int, dict[int, tuple[int, float]]]:
    """Return camera -> moment -> position in its video and time; dropped frames are left out."""
    table: dict[int, dict[int, tuple[int, float]]] = {}
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                camera = next(row[name] for name in _CAMERA_COLUMNS if name in row)
                position = float(row["frame_index"] or "nan")
                if np.isnan(position):
                    continue
                moments = table.setdefault(int(camera), {})
                moments[int(row["sync_index"])] = int(position), float(row["frame_time"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration, csv.Error) as error:
        raise InputError(
            f"the time stamps are not readable ({type(error).__name__}: {error})",
            path=file,
            expected="columns sync_index, cam_id, frame_index, frame_time",
        ) from error
    return table
