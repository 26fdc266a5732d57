"""File names: which files are pictures, in which order, of which frame, at which time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from fourfold.errors import InputError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".jp2"}
)
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".gif"})


def natural_key(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a sort key under which "2" comes before "12".

    >>> sorted(["f12", "f2", "f1"], key=natural_key)
    ['f1', 'f2', 'f12']
    """
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return tuple((p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts)


def list_images(folder: Path) -> dict[str, Path]:
    """Return the pictures directly in a folder by frame name (the file name without its ending).

    Raises:
        InputError: the folder cannot be read, or two files have the same frame name.
    """
    return list_files(folder, IMAGE_SUFFIXES)


def list_files(folder: Path, suffixes: frozenset[str]) -> dict[str, Path]:
    """Return the files directly in a folder that end in one of `suffixes`, by frame name, in order.

    Raises:
        InputError: the folder cannot be read, or two files have the same frame name.
    """
    found: dict[str, Path] = {}
    for path in sorted(_entries(folder), key=lambda p: natural_key(p.name)):
        if not _is_file_of(path, suffixes):
            continue
        if path.stem in found:
            raise InputError(
                f"{found[path.stem].name} and {path.name} are both frame {path.stem}",
                path=folder,
                expected="one file per frame",
                mend="Remove one of them",
            )
        found[path.stem] = path
    return found


def files_of_frames(
    folder: Path,
    suffixes: frozenset[str],
    frames: Sequence[str],
    known: frozenset[str],
    what: str,
    expected: str,
) -> dict[str, Path]:
    """Find one file for each frame that is used, paired by name.

    Args:
        known: names of all frames there are; each file must belong to one of them.
        what: the files are, such as "depth map"; `expected` of them, for errors.

    Raises:
        InputError: a frame has none, or a file belongs to no frame.
    """
    paths: dict[str, Path] = {}
    for name, path in list_files(folder, suffixes).items():
        frame = match_frame(name, known)
        if frame is None:
            raise InputError(
                f"the {what} belongs to no frame",
                path=path,
                expected=f"the name of a frame, such as {min(known)}{path.suffix}",
            )
        paths[frame] = path
    missing = [frame for frame in frames if frame not in paths]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(frames)} frames have no {what}",
            path=folder,
            frame=missing[0],
            expected=expected,
        )
    return paths


def list_folders(folder: Path) -> list[Path]:
    """Return the folders directly in a folder, hidden ones left out, in natural order."""
    inside = [p for p in _entries(folder) if p.is_dir() and not p.name.startswith(".")]
    return sorted(inside, key=lambda p: natural_key(p.name))


def has_images(folder: Path) -> bool:
    """Say whether there is at least one picture directly in the folder."""
    return folder.is_dir() and any(_is_file_of(p, IMAGE_SUFFIXES) for p in _entries(folder))


def match_frame(name: str, frames: frozenset[str]) -> str | None:
    """Return the frame that a file name stands for: the same name, or the same plain number.

    >>> match_frame("7", frozenset({"00007"}))
    '00007'
    """
    if name in frames:
        return name
    if not name.isdecimal():
        return None
    same = [frame for frame in frames if frame.isdecimal() and int(frame) == int(name)]
    return same[0] if len(same) == 1 else None


def frame_times(names: Sequence[str], fps: float) -> tuple[tuple[float, ...], str | None]:
    """Return the time of each frame in seconds from the first, and a note on gaps.

    Frames whose names are plain numbers (with the same text before them) lie as far apart as the
    numbers say, in units of the smallest step: 00010, 00012, 00016 are at 0, 1, 3 frames.
    """
    even = tuple(index / fps for index in range(len(names)))
    numbers = _numbers(names)
    if numbers is None or len(names) < 3:
        return even, None
    steps = [b - a for a, b in pairwise(numbers)]
    step = min(steps)
    if step <= 0 or max(steps) == step:
        return even, None
    missing = sum(round(s / step) - 1 for s in steps)
    note = f"the numbering of the frames has gaps: about {missing} missing after a step of {step}"
    return tuple((n - numbers[0]) / step / fps for n in numbers), note


def _numbers(names: Sequence[str]) -> list[int] | None:
    matches = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    if any(match is None for match in matches):
        return None
    found = [match for match in matches if match is not None]
    if len({match.group(1) for match in found}) != 1:
        return None
    return [int(match.group(2)) for match in found]


def _is_file_of(path: Path, suffixes: frozenset[str]) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in suffixes and not path.is_dir()


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot read the folder: {reason.lower()}", path=folder) from error
