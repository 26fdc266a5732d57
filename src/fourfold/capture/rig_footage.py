"""What a rig filmed, wherever it comes from: cameras, the frames that belong together, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from fourfold.capture.source import ImageLoader
from fourfold.errors import InputError

# A camera with fewer frames than this share of the others' has failed, and is left out.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class RigFootage:
    """Frames that several cameras took together.

    Attributes:
        cameras: all there are by name, in natural order, also those without frames.
        frames: names of those that all living cameras have, in order.
        sizes: living camera -> (width, height) of its first frame.
        loaders: (camera, frame) -> reads the picture.
        image_files: (camera, frame) -> its file, where it has one to itself.
        files: everything there is, for the capture's fingerprint.
        seconds: the time of each frame from the first; None where nothing says it.
        notes: which cameras and frames were left out, sentences.
    """

    cameras: tuple[str, ...]
    frames: tuple[str, ...]
    sizes: dict[str, tuple[int, int]]
    loaders: dict[tuple[str, str], ImageLoader]
    image_files: dict[tuple[str, str], Path] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    seconds: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def living(self) -> tuple[str, ...]:
        """The cameras that have frames."""
        return tuple(self.sizes)


def living_cameras(
    cameras: Sequence[str], counts: Mapping[str, int], folder: Path
) -> tuple[list[str], tuple[str, ...]]:
    """Return the cameras that filmed, and notes on those that are left out.

    Args:
        cameras: all there are.
        counts: how many frames there are of those that can be read.

    Raises:
        InputError: none can be read.
    """
    if not counts:
        raise InputError(
            f"none of {len(cameras)} cameras has frames that can be read",
            path=folder,
            expected="<camera>/<frame>.jpg or .png, or <camera>.mp4",
        )
    usual = median(counts.values())
    living = [name for name in cameras if counts.get(name, 0) >= _LEAST_SHARE * usual]
    notes = []
    for name in cameras:
        if name not in counts:
            notes.append(f"camera {name} is left out: it has no frame that can be read")
        elif name not in living:
            few = f"it has {counts[name]} frames, and others {usual:g}"
            notes.append(f"camera {name} is left out: {few}")
    return living, tuple(notes)


def shorter_note(counts: Mapping[str, int], kept: int) -> str:
    """Say that frames which not all cameras have are left out."""
    fewest = min(counts, key=lambda name: counts[name])
    most = max(counts.values())
    return (
        f"the cameras have {counts[fewest]} ({fewest}) to {most} frames; the {kept} that all have "
        "are used"
    )
