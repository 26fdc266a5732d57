"""Options that several verbs take. No torch in here: `fourfold --help` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True)
class FootageOptions:
    """How the frames of any input are read."""

    max_size: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Longer side of the frames in pixels; larger frames are shrunk, smaller ones left alone. By
    default 1280 for a photo, 720 for all else."""
    frames: Annotated[str | None, arg(metavar="A:B:STEP", help_behavior_hint="")] = None
    """Frames to read as first:end:step, counted from 0, end left out (0:50:2); all by default."""
    fps: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Frames per second, where the input says none or something wrong."""
    cameras: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Camera file (cameras.json, transforms.json), of an input of one camera, for its own cameras
    and bodies."""


@dataclass(frozen=True)
class CaptureOptions(FootageOptions):
    """How an input of one camera is read, and what is added to it."""

    masks: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of object masks, where they are not beside the frames. Of a photo also one picture,
    white where matter moves."""
    depth: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of depth maps, one file per frame, where the input brings none; of a single frame also
    the map itself."""
    bodies: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of `fourfold prepare sfm`; its poses come before others, --cameras gives a lens."""


@dataclass(frozen=True)
class RigOptions(FootageOptions):
    """How an input of many cameras is read."""

    test_cameras: Annotated[str | None, arg(metavar="NAME,…", help_behavior_hint="")] = None
    """Cameras held out for tests, names with commas, or "none"; by default the first of a rig, or
    what its files say."""
    train_cameras: Annotated[str | None, arg(metavar="NAME,…", help_behavior_hint="")] = None
    """Cameras to train on; by default all that are not held out."""


@dataclass(frozen=True)
class PhotoOptions(CaptureOptions):
    """How a photo is read, which has options of its own."""

    fov: Annotated[float | None, arg(metavar="DEGREES", help_behavior_hint="")] = None
    """Vertical field of view of a photo, in the place of what its EXIF says."""
    motion_field: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """Dense motion of a photo, in pixels of the field's own grid per frame at 30 per second: .flo,
    .npz, or .npy of shape (h,w,2), (2,h,w) or (1,2,h,w)."""


@dataclass(frozen=True)
class InputOptions(PhotoOptions, RigOptions):
    """How an input of any kind is read."""
