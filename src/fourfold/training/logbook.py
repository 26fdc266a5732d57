"""The course of a training: log.jsonl, and TensorBoard events where it is installed."""

import importlib.util
import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fourfold.files import make_folder, writing

# How far TensorBoard may lag behind the log.
_FLUSH_SECONDS = 10


class Logbook:
    """Append entries to log.jsonl, one JSON object per line: stage, step, seconds, values.

    Own. The lines are the record; TensorBoard's events are a copy of them that is written anew
    when the logbook is rewound. A value that is not a number is written as null.
    """

    def __init__(self, path: Path, events_folder: Path) -> None:
        self._path = path
        self._events_folder = events_folder
        self._events: Any = None

    def append(self, stage: str, step: int, seconds: float, values: Mapping[str, float]) -> None:
        """Write one entry."""
        entry = {"stage": stage, "step": step, "seconds": round(seconds, 3), **values}
        entry = {key: finite_or_none(value) for key, value in entry.items()}
        # One write per line: a kill leaves at most one unfinished line, which `rewind` drops.
        with writing(self._path), self._path.open("ab") as file:
            file.write((json.dumps(entry) + "\n").encode())
        self._add_events([entry])

    def position(self) -> int:
        """Bring the log onto the disk and return its length in bytes, for `rewind`."""
        if not self._path.exists():
            return 0
        with writing(self._path), self._path.open("rb+") as file:
            os.fsync(file.fileno())
            return file.seek(0, os.SEEK_END)

    def rewind(self, position: int) -> None:
        """Forget the entries that were written after `position`, and any unfinished line."""
        if self._path.exists():
            with writing(self._path), self._path.open("rb+") as file:
                kept = file.read(position)
                file.truncate(kept.rfind(b"\n") + 1)
        self.close()
        with writing(self._events_folder):
            if self._events_folder.exists():
                shutil.rmtree(self._events_folder)
        self._add_events(self.entries())

    def entries(self) -> list[dict[str, Any]]:
        """Read all whole entries, oldest first."""
        if not self._path.exists():
            return []
        *lines, _unfinished = self._path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Bring the events onto the disk."""
        if self._events is not None:
            with writing(self._events_folder):
                self._events.close()
            self._events = None

    def _add_events(self, entries: list[dict[str, Any]]) -> None:
        if not entries or importlib.util.find_spec("tensorboard") is None:
            return
        with writing(self._events_folder):
            if self._events is None:
                self._events = _open_events(make_folder(self._events_folder))
            for entry in entries:
                self._events.add_event(_make_event(entry))


def finite_or_none(value: Any) -> Any:
    """Replace NaN and the infinities, which JSON does not know, by None."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _open_events(folder: Path) -> Any:
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    return EventFileWriter(str(folder), flush_secs=_FLUSH_SECONDS)


def _make_event(entry: Mapping[str, Any]) -> Any:
    """Make a TensorBoard event with one scalar per value, named stage/value."""
    from tensorboard.compat.proto import event_pb2, summary_pb2

    # The generated modules fill their names at run time, which no type checker sees.
    Event, Summary = vars(event_pb2)["Event"], vars(summary_pb2)["Summary"]
    scalars = [
        Summary.Value(tag=f"{entry['stage']}/{name}", simple_value=value)
        for name, value in entry.items()
        if name not in ("stage", "step", "seconds") and value is not None
    ]
    return Event(step=entry["step"], wall_time=time.time(), summary=Summary(value=scalars))
