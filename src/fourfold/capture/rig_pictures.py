"""A rig's pictures, `<camera>/<frame>.jpg`: which of them show the same instants."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from fourfold.capture.images import image_size, read_image
from fourfold.capture.names import list_folders, list_images
from fourfold.capture.rig_footage import RigFootage, living_cameras, shorter_note
from fourfold.errors import InputError


def pictures_of_rig(folder: Path) -> RigFootage:
    """List `<folder>/<camera>/<frame>`; frames belong together by name, else by number or order.

    A camera without readable pictures, or with fewer than half as many as the others, is left out
    with a note.

    Raises:
        InputError: no camera has pictures, or the cameras have no frames in common.
    """
    listings = {camera.name: list_images(camera) for camera in list_folders(folder)}
    sizes = {name: _first_size(found) for name, found in listings.items()}
    readable = {name: found for name, found in listings.items() if sizes[name] is not None}
    living, notes = living_cameras(list(listings), {n: len(f) for n, f in readable.items()}, folder)
    paired, more = _pair(folder, {name: readable[name] for name in living})
    files = {(name, frame): file for frame, of in paired.items() for name, file in of.items()}
    return RigFootage(
        cameras=tuple(listings),
        frames=tuple(paired),
        sizes={name: size for name in living if (size := sizes[name]) is not None},
        loaders={key: partial(read_image, file, key[1]) for key, file in files.items()},
        image_files=files,
        files=tuple(files.values()),
        notes=(*notes, *more),
    )


def _first_size(pictures: Mapping[str, Path]) -> tuple[int, int] | None:
    """Return the size of the first picture that can be read; None if none can."""
    for frame, path in pictures.items():
        try:
            return image_size(path, frame)
        except InputError:
            continue
    return None


def _pair(
    folder: Path, listings: dict[str, dict[str, Path]]
) -> tuple[dict[str, dict[str, Path]], tuple[str, ...]]:
    """Return frame -> camera -> file for the frames that all have."""
    counts = {name: len(found) for name, found in listings.items()}
    # by name unless numbers say more: 7.png belongs to 0007.png
    paired = max((_pair_by(key, listings) for key in (_name, _number)), key=len)
    if paired:
        short = len(paired) < max(counts.values())
        return paired, (shorter_note(counts, len(paired)),) if short else ()
    if len(set(counts.values())) > 1:
        raise InputError(
            "the cameras have no frame names in common",
            path=folder,
            expected="pictures of one instant to have one name or number in all cameras' folders",
        )
    rows = zip(*(found.values() for found in listings.values()), strict=True)
    paired = {f"{i:05d}": dict(zip(listings, row, strict=True)) for i, row in enumerate(rows)}
    return paired, ("the frames have other names in each camera, and are paired by their order",)


def _pair_by(
    key: Callable[[str], str | None], listings: dict[str, dict[str, Path]]
) -> dict[str, dict[str, Path]]:
    """Return the frames whose key all cameras have, named as in the first, in its order."""
    keyed = {name: _keyed(found, key) for name, found in listings.items()}
    first = next(iter(keyed.values()))
    common = [k for k in first if all(k in of for of in keyed.values())]
    return {first[k].stem: {name: of[k] for name, of in keyed.items()} for k in common}


def _name(name: str) -> str | None:
    return name


def _number(name: str) -> str | None:
    """Return the last number of a name, without zeros before it."""
    digits = re.findall(r"\d+", name)
    return str(int(digits[-1])) if digits else None


def _keyed(found: dict[str, Path], key: Callable[[str], str | None]) -> dict[str, Path]:
    """Return the files by their keys; nothing where files have no key or share one."""
    keyed = {k: path for name, path in found.items() if (k := key(name)) is not None}
    return keyed if len(keyed) == len(found) else {}
