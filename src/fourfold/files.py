"""Atomic writes: what was there stays until what is new is whole and on the disk.

A file is written beside its target, synced and renamed over it. A folder is written beside its
target and swapped in by renames; `recover_folder` mends the one instant between those renames at
which a kill would leave no folder in place.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fourfold.errors import OutputError

# What the operating system refuses a writer, and what a user can do about it.
_MENDS = {
    errno.ENOSPC: "Free some space or write to another disk",
    errno.EDQUOT: "Free some of your quota or write to another disk",
    errno.EFBIG: "Write to a disk that allows larger files",
    errno.EACCES: "Choose a folder that you may write to",
    errno.EPERM: "Choose a folder that you may write to",
    errno.EROFS: "Choose a folder on a disk that is mounted for writing",
    errno.ENOTDIR: "Choose another place: one of the parent folders is a file",
    errno.EEXIST: "Choose another place: a file is in the way of a folder",
    errno.EISDIR: "Choose another place: a folder is in the way of a file",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EIO: "Check the disk",
}


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's refusals inside the block into `OutputError`.

    Args:
        path: what is being written, named in the error.

    Raises:
        OutputError: no permission, no space, read-only disk, a file in the way.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _MENDS:
            raise
        reason = os.strerror(error.errno).lower()
        raise OutputError(f"cannot write: {reason}", path=path, mend=_MENDS[error.errno]) from error


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Create a folder and its parents if they are not there, and return it.

    Raises:
        OutputError: it cannot be created.
    """
    folder = Path(path)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_atomic(path: str | os.PathLike[str], data: bytes | str) -> Path:
    """Write a file so that at any instant either the old or the new content is there, whole.

    Args:
        path: the file; its folder is created if it is not there.
        data: the content; text is written as UTF-8.

    Raises:
        OutputError: it cannot be written; what was there is still there.
    """
    target = Path(path)
    make_folder(target.parent)
    staging = _sibling(target, "new")
    try:
        with writing(target):
            with open(staging, "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(staging, target)
            _sync_folder(target.parent)
    except BaseException:
        with suppress(OSError):
            _remove(staging)
        raise
    return target


@contextmanager
def replace_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Fill a new folder and put it in the place of `path` when the block ends without an error.

    Yields an empty folder beside the target. When the block raises, that folder is removed and
    what was at `path` stays as it was.

    Raises:
        OutputError: it cannot be written.
    """
    target = Path(path)
    make_folder(target.parent)
    recover_folder(target)
    staging = _sibling(target, "new")
    try:
        with writing(target):
            _remove(staging)
            staging.mkdir()
            yield staging
            _sync_tree(staging)
            _swap_in(staging, target)
    except BaseException:
        # what went wrong is the news, not that tidying up goes wrong in the same way
        with suppress(OSError):
            _remove(staging)
            recover_folder(target)
        raise


def recover_folder(path: str | os.PathLike[str]) -> None:
    """Put back the folder that a killed `replace_folder` had moved aside.

    Call it before reading a folder that `replace_folder` writes. Does nothing when all is well.
    """
    target = Path(path)
    aside = _sibling(target, "old")
    if not aside.exists():
        return
    with writing(target):
        if target.exists():
            _remove(aside)
        else:
            os.replace(aside, target)


def _swap_in(staging: Path, target: Path) -> None:
    aside = _sibling(target, "old")
    if target.exists():
        os.replace(target, aside)
    os.replace(staging, target)
    _sync_folder(target.parent)
    _remove(aside)


def _sibling(target: Path, ending: str) -> Path:
    # Always the same name, so that the next write finds and removes what a killed one left.
    return target.with_name(f".{target.name}.{ending}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_tree(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            _sync(os.path.join(parent, name))
        _sync_folder(parent)


def _sync(path: str) -> None:
    # Windows syncs only what was opened for writing.
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_folder(folder: str | os.PathLike[str]) -> None:
    # A rename is on the disk only when its folder is; Windows cannot open folders, and need not.
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
