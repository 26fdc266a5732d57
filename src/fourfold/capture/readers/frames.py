"""Layout "frames": a folder of pictures; masks in a folder `masks` beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fourfold.capture.mask_files import find_masks
from fourfold.capture.names import has_images
from fourfold.capture.readers.folder import read_picture_folder
from fourfold.capture.source import MasksLoader, ReadOptions, Source

LAYOUT = "frames"
_PICTURE_FOLDERS = ("images", "frames", "rgb")


def recognises(path: Path) -> bool:
    """Say whether the path holds pictures, or a folder `images` of them."""
    return _pictures(path) is not None


def read(path: Path, options: ReadOptions) -> Source:
    """Read a folder of frames; `<path>/masks` is taken as their masks when it is there.

    Raises:
        InputError: pictures or masks are damaged or do not fit together.
    """
    source = read_picture_folder(_pictures(path) or path, LAYOUT, options)
    return with_masks(source, path / "masks") if (path / "masks").is_dir() else source


def with_masks(source: Source, folder: Path) -> Source:
    """Return the source with the masks of a folder in the place of any it had.

    Raises:
        InputError: the masks do not fit the frames.
    """
    view = source.views[0]
    found = find_masks(folder, source.frames, source.known_frames, source.sizes[view])
    masks: dict[tuple[str, str], MasksLoader] = {
        (view, frame): loader for frame, loader in found.loaders.items()
    }
    return replace(
        source,
        objects=found.objects,
        masks=masks,
        prescaled=source.prescaled - {"mask"},
        files=source.files + found.files,
        notes=source.notes + found.notes,
    )


def _pictures(path: Path) -> Path | None:
    if not path.is_dir():
        return None
    if has_images(path):
        return path
    return next((path / n for n in _PICTURE_FOLDERS if has_images(path / n)), None)
