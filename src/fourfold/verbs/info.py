"""The verb info: what an input holds, and what is missing for which method."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fourfold.errors import InputError, UsageError
from fourfold.verbs.options import FootageOptions, InputOptions

if TYPE_CHECKING:
    from fourfold.capture import Description


def info(path: str | Path, options: FootageOptions | None = None) -> Description:
    """Describe an input: layout, views, frames, size, channels, objects, what is missing.

    Raises:
        InputError: there is nothing at `path` that is a capture.
    """
    from fourfold.capture import describe, open_capture

    _refuse_run(Path(path))
    return describe(open_capture(path, **asdict(options or InputOptions())))


def _refuse_run(path: Path) -> None:
    """Say what a run is, and was made of, where one is given for an input."""
    if not (path / "config.yml").is_file():
        return
    from fourfold.training import Run

    try:
        run = Run.load(path)
    except InputError:
        return
    raise UsageError(
        f"is a run of {run.method} on {run.capture_path}, not an input",
        path=path,
        mend=f"Its figures: fourfold eval {path}",
    )
