"""The verb info: what an input holds, and what is missing for which method."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from fourfold.verbs.options import CaptureOptions

if TYPE_CHECKING:
    from fourfold.capture import Description


def info(path: str | Path, options: CaptureOptions | None = None) -> Description:
    """Describe an input: layout, views, frames, size, channels, objects, what is missing.

    Raises:
        InputError: there is nothing at `path` that is a capture.
    """
    from fourfold.capture import describe, open_capture

    return describe(open_capture(path, **asdict(options or CaptureOptions())))
