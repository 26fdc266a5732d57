"""Layout "fourfold": our own captures (`capture.json`), as `write_capture` writes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from fourfold.capture.cameras import read_own_cameras
from fourfold.capture.depths import DEFAULT_DEPTH_UNIT, find_depths
from fourfold.capture.images import read_image, require_size
from fourfold.capture.mask_files import MaskFiles, find_object_masks
from fourfold.capture.meta import read_meta, view_folder
from fourfold.capture.names import list_images
from fourfold.capture.source import DepthLoader, ImageLoader, MasksLoader, ReadOptions, Source
from fourfold.errors import InputError

LAYOUT = "fourfold"


def recognises(path: Path) -> bool:
    """Say whether the folder holds a `capture.json`."""
    return (path / "capture.json").is_file()


def read(path: Path, options: ReadOptions) -> Source:
    """Read a capture of our own layout.

    Raises:
        InputError: `capture.json` is of another format or version, or files are missing.
    """
    meta = read_meta(path / "capture.json")
    known = tuple(meta["frames"])
    frames = options.selection.pick(known, path)
    views = tuple(meta["views"])
    sizes = {view: (int(meta["width"]), int(meta["height"])) for view in views}
    files = _image_files(path, views, frames, sizes)
    images: dict[tuple[str, str], ImageLoader] = {
        key: partial(read_image, file, key[1]) for key, file in files.items()
    }
    masks = _masks(path, meta, frames, frozenset(known), sizes)
    depth, depth_files = _depth(path, meta, frames, frozenset(known), sizes)
    cameras_file = path / "cameras.json"
    has_cameras = cameras_file.is_file()
    fps = (options.fps or float(meta["fps"])) / options.selection.step
    own_files = (path / "capture.json", *((cameras_file,) if has_cameras else ()))
    mask_files = tuple(file for found in masks.values() for file in found.files)
    return Source(
        layout=LAYOUT,
        views=views,
        frames=frames,
        timestamps=tuple(index / fps for index in range(len(frames))),
        fps=fps,
        sizes=sizes,
        images=images,
        image_files=files,
        objects=tuple(meta["objects"]) if masks else (),
        masks=_mask_loaders(masks),
        depth=depth,
        cameras=read_own_cameras(cameras_file, views, frames, sizes) if has_cameras else {},
        poses_from=cameras_file.name if has_cameras else None,
        known_frames=frozenset(known),
        files=(*files.values(), *mask_files, *depth_files, *own_files),
        notes=tuple(note for found in masks.values() for note in found.notes),
        truth_folder=path / "truth" if (path / "truth").is_dir() else None,
    )


def _image_files(
    path: Path,
    views: tuple[str, ...],
    frames: tuple[str, ...],
    sizes: dict[str, tuple[int, int]],
) -> dict[tuple[str, str], Path]:
    files: dict[tuple[str, str], Path] = {}
    for view in views:
        folder = view_folder(path / "images", views, view)
        found = list_images(folder)
        for frame in frames:
            if frame not in found:
                raise InputError(
                    "the frame has no picture", path=folder, frame=frame, expected=f"{frame}.png"
                )
            require_size(found[frame], sizes[view], frame)
            files[view, frame] = found[frame]
    return files


def _masks(
    path: Path,
    meta: dict[str, Any],
    frames: tuple[str, ...],
    known: frozenset[str],
    sizes: dict[str, tuple[int, int]],
) -> dict[str, MaskFiles]:
    views, objects = tuple(meta["views"]), tuple(meta["objects"])
    found = {}
    for view in views:
        folder = view_folder(path / "masks", views, view)
        if folder.is_dir():
            found[view] = find_object_masks(folder, objects, frames, known, sizes[view])
    return found


def _mask_loaders(masks: dict[str, MaskFiles]) -> dict[tuple[str, str], MasksLoader]:
    return {(v, f): loader for v, found in masks.items() for f, loader in found.loaders.items()}


def _depth(
    path: Path,
    meta: dict[str, Any],
    frames: tuple[str, ...],
    known: frozenset[str],
    sizes: dict[str, tuple[int, int]],
) -> tuple[dict[tuple[str, str], DepthLoader], tuple[Path, ...]]:
    depth: dict[tuple[str, str], DepthLoader] = {}
    files: tuple[Path, ...] = ()
    views = tuple(meta["views"])
    unit = float(meta.get("depth_unit", DEFAULT_DEPTH_UNIT))
    for view in views:
        folder = view_folder(path / "depth", views, view)
        if folder.is_dir():
            loaders, found = find_depths(folder, frames, known, sizes[view], unit)
            depth |= {(view, frame): loader for frame, loader in loaders.items()}
            files += found
    return depth, files
