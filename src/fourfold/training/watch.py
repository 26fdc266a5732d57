"""What a training loop does after each step: show, log, and save now and then."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fourfold.training.nested import Nested
from fourfold.training.progress import Progress
from fourfold.training.run import Run

CHECKPOINT_SECONDS = 20.0
"""A kill loses little more work than this; when a checkpoint is written changes no result."""
LOG_EVERY = 10
"""Steps from one line of the log to the next."""


@dataclass
class Watch:
    """Logs, shows and saves the course of a stage."""

    run: Run
    stage: str
    progress: Progress
    saved: float = field(default_factory=time.monotonic)

    def after(
        self,
        step: int,
        terms: Mapping[str, float],
        tensors: Callable[[], Nested],
        facts: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """Take note of a step that is done.

        `tensors` and `facts`, which are plain, give what a checkpoint needs to go on.
        """
        self.progress.update(step + 1, loss=terms["loss"])
        if step % LOG_EVERY == 0:
            self.run.log(self.stage, step, **terms)
        if time.monotonic() - self.saved > CHECKPOINT_SECONDS:
            self.run.save_checkpoint(self.stage, step + 1, tensors(), facts())
            self.saved = time.monotonic()
