"""A folder of masks: finding its objects and pairing them with the frames by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from fourfold.capture.images import require_size
from fourfold.capture.masks import LabelScheme, find_scheme, read_labels
from fourfold.capture.names import has_images, list_folders, list_images, match_frame
from fourfold.capture.source import MasksLoader
from fourfold.errors import InputError

LAYOUT_OF_MASKS = (
    "one PNG per frame with the frame's name, either FOLDER/<frame>.png (white objects, or one "
    "colour per object) or FOLDER/<object>/<frame>.png (white on black)"
)


@dataclass(frozen=True)
class MaskFiles:
    """The masks of one view: object names, one loader per frame, the files, what to tell."""

    objects: tuple[str, ...]
    loaders: dict[str, MasksLoader]
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def find_masks(
    folder: Path, frames: Sequence[str], known: frozenset[str], size: tuple[int, int]
) -> MaskFiles:
    """Find the masks in a folder: label maps directly in it, or one folder per object.

    Args:
        frames: names of the frames that are used; each needs a mask.
        known: names of all frames there are; each mask must belong to one of them.
        size: (width, height) of the frames.

    Raises:
        InputError: no masks, a frame without a mask, a mask without a frame, a damaged file, a
            mask of another size.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder of masks", path=folder, expected=LAYOUT_OF_MASKS)
    if has_images(folder):
        return _label_maps(folder, frames, known, size)
    objects = [inside for inside in list_folders(folder) if has_images(inside)]
    if not objects:
        raise InputError("the folder holds no masks", path=folder, expected=LAYOUT_OF_MASKS)
    return find_object_masks(folder, [p.name for p in objects], frames, known, size)


def _label_maps(
    folder: Path, frames: Sequence[str], known: frozenset[str], size: tuple[int, int]
) -> MaskFiles:
    paths = _by_frame(folder, known)
    _refuse_gaps(folder, frames, set(paths))
    maps = [(paths[frame], read_labels(paths[frame], size, frame)) for frame in frames]
    scheme = find_scheme(maps)
    loaders = {frame: partial(_split, paths[frame], scheme, size, frame) for frame in frames}
    return MaskFiles(scheme.names, loaders, tuple(paths[frame] for frame in frames))


def _split(
    path: Path, scheme: LabelScheme, size: tuple[int, int], frame: str
) -> Bool[np.ndarray, "K H W"]:
    return scheme.split(read_labels(path, size, frame))


def find_object_masks(
    folder: Path,
    objects: Sequence[str],
    frames: Sequence[str],
    known: frozenset[str],
    size: tuple[int, int],
) -> MaskFiles:
    """Find the masks of named objects, each in a folder of its name.

    An object without a file in a frame in which another object has one is taken as not seen.

    Raises:
        InputError: as `find_masks`.
    """
    paths = [_by_frame(folder / name, known) for name in objects]
    _refuse_gaps(folder, frames, set().union(*paths))
    notes = []
    for name, by_frame in zip(objects, paths, strict=True):
        absent = sum(frame not in by_frame for frame in frames)
        if absent:
            notes.append(f"object {name} has no mask file in {absent} frames: taken as not seen")
    loaders = {
        frame: partial(_stack, [by_frame.get(frame) for by_frame in paths], size, frame)
        for frame in frames
    }
    files = tuple(p[frame] for p in paths for frame in frames if frame in p)
    for frame in frames:
        for by_frame in paths:
            if frame in by_frame:
                require_size(by_frame[frame], size, frame, "mask")
    return MaskFiles(tuple(objects), loaders, files, tuple(notes))


def _stack(
    paths: list[Path | None], size: tuple[int, int], frame: str
) -> Bool[np.ndarray, "K H W"]:
    empty = np.zeros((size[1], size[0]), bool)
    return np.stack([empty if p is None else read_mask(p, size, frame) for p in paths])


def read_mask(path: Path, size: tuple[int, int], frame: str) -> Bool[np.ndarray, "H W"]:
    """Read the mask of one object.

    Raises:
        InputError: the file is damaged or of another size than (width, height).
    """
    return read_labels(path, size, frame).foreground()


def _by_frame(folder: Path, known: frozenset[str]) -> dict[str, Path]:
    found = {}
    for name, path in list_images(folder).items():
        frame = match_frame(name, known)
        if frame is None:
            raise InputError(
                "the mask belongs to no frame",
                path=path,
                expected=f"the name of a frame, such as {min(known)}{path.suffix}",
                mend="Name each mask like its frame, or remove this one",
            )
        found[frame] = path
    return found


def _refuse_gaps(folder: Path, frames: Sequence[str], found: set[str]) -> None:
    missing = [frame for frame in frames if frame not in found]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(frames)} frames have no mask",
            path=folder,
            frame=missing[0],
            expected="a mask for every frame",
            mend="Add a black mask where no object is seen, or leave the frames out with --frames",
        )
