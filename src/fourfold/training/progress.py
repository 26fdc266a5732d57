"""How far a loop has come: a bar on a terminal, a few plain lines elsewhere."""

import time
from collections.abc import Callable, Iterable
from typing import Self

from rich import progress as bars
from rich.console import Console, RenderableType

# Without a terminal (a log file, a pipe) a line is printed at most this often.
_PLAIN_SECONDS = 15.0
# A single step is shown once it takes longer: kernels are compiled in half a minute, and loaded
# from their cache in a second.
_PATIENCE = 3.0


class Progress:
    """Show a loop's progress with its loss and the time left.

    Own. On a terminal this is one moving line, elsewhere a plain line every 15 seconds and one
    at the end; of a single step nothing in its first seconds. Use it as a context manager and call
    `update` once per step. The time left is estimated from the second update on: the first step
    warms up (compiles, reads), and says little.

    Args:
        total: number of steps.
        description: what the loop does, one or two words.
        enabled: False shows nothing.
        start: the step a resumed loop begins with.
        console: where to print; standard error by default, so that results can be piped.
    """

    def __init__(
        self,
        total: int,
        description: str,
        enabled: bool = True,
        *,
        start: int = 0,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.description = description
        self._start = start
        self._step = start
        self._values: dict[str, float] = {}
        self._clock = clock
        self._began = self._printed = clock()
        self._warm: tuple[int, float] | None = None
        self._told = -1
        self._console = console or Console(stderr=True)
        self._enabled = enabled
        self._patience = _PATIENCE if total == 1 else 0.0
        on_terminal = enabled and self._console.is_terminal
        self._bar = _make_bar(self._console, self._patience) if on_terminal else None

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task(
                self.description, total=self.total, completed=self._start, values=""
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            return
        untold = self._enabled and kind is None and self._told != self._step
        if untold and self._clock() - self._began >= self._patience:
            self._print_line()

    def advance(self) -> None:
        """Say that one more step is done."""
        self.update(self._step + 1)

    def update(self, step: int, **values: float) -> None:
        """Say that `step` steps are done, and what the loss (and other values) now are."""
        self._step = step
        self._values.update(values)
        if self._warm is None:
            self._warm = step, self._clock()
        if self._bar is not None:
            self._bar.update(self._task, completed=step, values=_format_values(self._values))
        elif self._enabled and self._clock() - self._printed >= _PLAIN_SECONDS:
            self._print_line()

    def _print_line(self) -> None:
        self._printed, self._told = self._clock(), self._step
        share = 100 * self._step / self.total if self.total else 100.0
        parts = [f"{self.description}: {self._step}/{self.total} ({share:.0f}%)"]
        if self._values:
            parts.append(_format_values(self._values))
        if self._step >= self.total:
            parts.append(f"in {format_duration(self._printed - self._began)}")
        elif self._warm is not None and self._step > self._warm[0]:
            step, since = self._warm
            pace = (self._printed - since) / (self._step - step)
            parts.append(f"{format_duration(pace * (self.total - self._step))} left")
        self._console.print(", ".join(parts), highlight=False, markup=False, soft_wrap=True)


def format_duration(seconds: float) -> str:
    """Write a duration the way one says it.

    >>> [format_duration(value) for value in (0.34, 42.0, 184.0, 7384.0)]
    ['0.3 s', '42 s', '3 min 4 s', '2 h 3 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _format_values(values: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in values.items())


class _Bar(bars.Progress):
    """A bar that appears once its task has taken `patience` seconds."""

    patience = 0.0

    def get_renderables(self) -> Iterable[RenderableType]:
        if all((task.elapsed or 0.0) >= self.patience for task in self.tasks):
            yield from super().get_renderables()


def _make_bar(console: Console, patience: float) -> bars.Progress:
    bar = _Bar(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[values]}"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("·"),
        bars.TimeRemainingColumn(),
        bars.TextColumn("left"),
        console=console,
    )
    bar.patience = patience
    return bar
