"""What a training costs: seconds and memory, over all its interruptions."""

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

# Compiling happens once per machine, not once per training: it is measured apart.
COMPILE = "compile"

_SAMPLE_SECONDS = 0.1


class Stopwatch:
    """Measure named laps of wall clock, going on from the laps of an interrupted run.

    Own. Laps may be nested: the inner one's time is not the outer one's. `laps` can be stored as
    JSON and handed to the next `Stopwatch`.

    >>> watch = Stopwatch({"lift": 2.0, "compile": 9.0})
    >>> with watch.lap("move"):
    ...     pass
    >>> 2.0 <= watch.seconds < 3.0
    True
    """

    def __init__(
        self,
        laps: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._laps = dict(laps or {})
        self._clock = clock
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        """Count the time inside the block as part of the lap `name`."""
        self._settle()
        self._running.append(name)
        try:
            yield
        finally:
            self._settle()
            self._running.pop()

    @property
    def laps(self) -> dict[str, float]:
        """Seconds per lap so far, in the order the laps were begun."""
        self._settle()
        return dict(self._laps)

    @property
    def seconds(self) -> float:
        """Seconds of all laps but compilation."""
        return sum(value for name, value in self.laps.items() if name != COMPILE)

    def _settle(self) -> None:
        """Credit the innermost running lap with the time since the last settling."""
        now = self._clock()
        if self._running:
            name = self._running[-1]
            self._laps[name] = self._laps.get(name, 0.0) + now - self._since
        self._since = now


class PeakMemory:
    """Watch the anonymous memory of this process and its children, in the background.

    Own. Anonymous memory is what was allocated; mapped files (libraries, weights, compile cache)
    are not counted. On Linux it is sampled ten times a second. macOS tells only the largest
    resident size of this process, mapped files included; elsewhere the peak is NaN.

    Args:
        megabytes: the peak of the interrupted run that is being resumed.
    """

    def __init__(self, megabytes: float = 0.0) -> None:
        self._peak = megabytes
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def megabytes(self) -> float:
        """The highest reading so far, in MB of 2^20 bytes.

        While nothing is watched nothing is read: what evaluates a run is not its training.
        """
        if self._thread is not None:
            self._sample()
        return self._peak

    def start(self) -> None:
        """Begin to watch; does nothing when already watching."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take a last reading and end the watching."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
        self._sample()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _watch(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        reading = process_memory()
        self._peak = reading if math.isnan(self._peak) else max(self._peak, reading)


def process_memory() -> float:
    """Read the anonymous memory of this process and its children in MB (see `PeakMemory`)."""
    if sys.platform == "linux":
        return sum(_anonymous_kilobytes(process) for process in _process_tree(os.getpid())) / 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return math.nan


def _process_tree(root: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield root
    for tasks in Path(f"/proc/{root}/task").glob("*/children"):
        for child in _read(tasks).split():
            yield from _process_tree(int(child))


def _anonymous_kilobytes(process: int) -> int:
    for line in _read(Path(f"/proc/{process}/status")).splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def _read(path: Path) -> str:
    # A process may end between being listed and being read.
    try:
        return path.read_text()
    except OSError:
        return ""
