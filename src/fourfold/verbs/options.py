"""Options that several verbs take. No torch in here: `fourfold --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True)
class CaptureOptions:
    """How the input is read."""

    max_size: int = 720
    """Longer side of the frames in pixels; larger frames are shrunk, smaller ones left alone."""
    frames: Annotated[str | None, arg(metavar="A:B:STEP", help_behavior_hint="")] = None
    """Frames to read as first:end:step, counted from 0, end left out (0:50:2); all by default."""
    masks: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of object masks, where they are not beside the frames."""
    cameras: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Camera file (cameras.json, transforms.json), for the input's own cameras and bodies."""
    depth: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of depth maps, one file per frame, where the input brings none."""
    bodies: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of `fourfold prepare sfm`; its poses come before others, --cameras gives a lens."""
    fps: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Frames per second, where the input says none or something wrong."""
