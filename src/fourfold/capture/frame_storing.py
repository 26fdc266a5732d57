"""Writing footage to disk once: announced, whole or not at all, gone on with after a crash."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fourfold.capture.capture import Capture
from fourfold.capture.frame_store import FrameStore, open_mapped
from fourfold.errors import OutputError
from fourfold.files import make_folder, write_atomic, writing

FORMAT = "fourfold-frames"
VERSION = 1
_HEAD = "frames.json"
# Pictures decoded side by side: Pillow and OpenCV let go of the interpreter's lock.
_WORKERS = 2
# Of the disk that stays free.
_SPARE_BYTES = 1 << 28


@dataclass(frozen=True)
class _Plan:
    """One view to be stored: its file, its size, its frames, which picture each of them is."""

    file: Path
    view: int
    size: tuple[int, int]
    frames: tuple[int, ...]
    order: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return max(self.order) + 1, self.size[1], self.size[0], 3

    @property
    def firsts(self) -> list[int]:
        return [self.frames[self.order.index(picture)] for picture in range(self.shape[0])]

    @property
    def is_done(self) -> bool:
        with suppress(OSError, ValueError):
            return open_mapped(self.file).shape == self.shape
        return False


def store_frames(
    capture: Capture,
    folder: Path,
    *,
    views: Sequence[int] | None = None,
    frames: Sequence[int] | None = None,
    say: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FrameStore:
    """Decode a capture's frames at working size once into mapped files, or map what is there.

    Frames that are the same file on disk are stored once. What a stopped call had finished is
    kept; frames of another capture, or of another size, are replaced.

    Args:
        capture: an open capture.
        folder: for `frames.json` and one `.npy` per view; created if it is not there.
        views: which views, all if None.
        frames: which frames, all if None; the store counts them from 0.
        say: is told in one sentence what disk the frames take, before anything is written.
        progress: is called with the pictures done and their number, after each.

    Raises:
        InputError: a frame is damaged.
        OutputError: the disk has not enough space, or cannot be written.
    """
    chosen = range(len(capture.views)) if views is None else views
    wanted = tuple(range(capture.num_frames) if frames is None else frames)
    plans = [_plan(capture, folder, view, wanted) for view in chosen]
    _claim(capture, folder, wanted)
    missing = [plan for plan in plans if not plan.is_done]
    if missing:
        _announce(missing, folder, say or (lambda line: None))
        _write_views(capture, missing, progress or (lambda done, total: None))
    return FrameStore(
        tuple(capture.views[plan.view] for plan in plans),
        len(wanted),
        tuple(open_mapped(plan.file) for plan in plans),
        tuple(np.array(plan.order) for plan in plans),
    )


def _plan(capture: Capture, folder: Path, view: int, frames: tuple[int, ...]) -> _Plan:
    """Count each file of a view once."""
    pictures: dict[object, int] = {}
    order = []
    for frame in frames:
        file = capture.image_file(frame, view)
        key = frame if file is None else _identity(file)
        order.append(pictures.setdefault(key, len(pictures)))
    return _Plan(folder / f"{view:03d}.npy", view, capture.size(view), frames, tuple(order))


def _identity(file: Path) -> tuple[int, int] | Path:
    """Return what two paths to one file have in common; Windows may not number its files."""
    state = file.stat()
    return (state.st_dev, state.st_ino) if state.st_ino else file.resolve()


def _claim(capture: Capture, folder: Path, frames: tuple[int, ...]) -> None:
    """Make the folder these frames': what others left there goes, whole or half-written."""
    head = {"format": FORMAT, "version": VERSION, "fingerprint": capture.fingerprint()}
    if frames != tuple(range(capture.num_frames)):
        head["frames"] = list(frames)
    file = folder / _HEAD
    with suppress(OSError, ValueError):
        if json.loads(file.read_text(encoding="utf-8")) == head:
            return
    make_folder(folder)
    with writing(folder):
        for old in (*folder.glob("[0-9]*.npy"), *folder.glob(".[0-9]*.npy.new")):
            old.unlink()
    write_atomic(file, json.dumps(head))


def _announce(plans: Sequence[_Plan], folder: Path, say: Callable[[str], None]) -> None:
    needed = sum(int(np.prod(plan.shape)) for plan in plans)
    free = shutil.disk_usage(folder).free
    width, height = plans[0].size
    what = (
        f"{len(plans)} cameras x {len(plans[0].frames)} frames of {width}x{height} pixels take "
        f"{_gigabytes(needed)} of disk in {folder}"
    )
    if needed + _SPARE_BYTES > free:
        raise OutputError(
            f"{what}, and {_gigabytes(free)} are free",
            path=folder,
            mend="Write to another disk, or take smaller frames (--max-size) or fewer (--frames)",
        )
    say(f"{what} ({_gigabytes(free)} are free)")


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _write_views(
    capture: Capture, plans: Sequence[_Plan], progress: Callable[[int, int], None]
) -> None:
    total, done = sum(plan.shape[0] for plan in plans), 0
    with ThreadPoolExecutor(_WORKERS) as pool:
        for plan in plans:
            for _ in _written(plan, _pictures(capture, plan, pool)):
                done += 1
                progress(done, total)


def _written(plan: _Plan, pictures: Iterator[UInt8[np.ndarray, "H W 3"]]) -> Iterator[None]:
    """Write a view's pictures into a file beside its own, and rename it when all are on disk.

    A plain file, not a mapped one, since a full disk would then end the process without a word.
    """
    staging = plan.file.with_name(f".{plan.file.name}.new")
    head = {"descr": "|u1", "fortran_order": False, "shape": plan.shape}
    with writing(plan.file), open(staging, "wb") as file:
        np.lib.format.write_array_header_1_0(file, head)
        for picture in pictures:
            file.write(picture.tobytes())
            yield
        file.flush()
        os.fsync(file.fileno())
    with writing(plan.file):
        os.replace(staging, plan.file)


def _pictures(
    capture: Capture, plan: _Plan, pool: ThreadPoolExecutor
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """Decode a view's pictures in order, files side by side, a video from front to back."""
    view = plan.view
    if capture.image_file(plan.frames[0], view) is None:
        yield from (_decoded(capture, frame, view) for frame in plan.firsts)
        return
    for start in range(0, len(plan.firsts), 2 * _WORKERS):
        frames = plan.firsts[start : start + 2 * _WORKERS]
        yield from pool.map(lambda frame: _decoded(capture, frame, view), frames)


def _decoded(capture: Capture, frame: int, view: int) -> UInt8[np.ndarray, "H W 3"]:
    return capture.image(frame, view).mul_(255).round_().byte().numpy()
