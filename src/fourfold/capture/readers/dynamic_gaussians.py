"""Layout "dynamic-gaussians": `ims/<camera>/<frame>`, `seg/<camera>/<frame>`, `*_meta.json`.

The layout of Dynamic 3D Gaussians (CMU Panoptic): many fixed, synchronised cameras. The cameras
of `test_meta.json` come after those of `train_meta.json` and are held out.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool

from fourfold.capture.cameras import read_json, rigid_pose
from fourfold.capture.images import read_image, require_size
from fourfold.capture.mask_files import read_mask
from fourfold.capture.names import frame_times
from fourfold.capture.source import ImageLoader, MasksLoader, ReadOptions, Source
from fourfold.errors import InputError
from fourfold.geometry import Camera

LAYOUT = "dynamic-gaussians"
# CMU Panoptic's rate.
_FPS = 30.0
_OBJECT = "001"
_METAS = ("train_meta.json", "test_meta.json")


def recognises(path: Path) -> bool:
    """Say whether the folder holds `ims` and `train_meta.json`."""
    return (path / "ims").is_dir() and (path / "train_meta.json").is_file()


def read(path: Path, options: ReadOptions) -> Source:
    """Read all cameras of a Dynamic 3D Gaussians folder.

    Raises:
        InputError: a meta file is not readable, or pictures it lists are missing or damaged.
    """
    metas = [path / name for name in _METAS if (path / name).is_file()]
    tables = [_read_meta(meta) for meta in metas]
    times = list(tables[0])
    frames = options.selection.pick(times, path)
    cameras, files = _cameras_and_files(path, tables, frames)
    views = tuple(dict.fromkeys(view for view, _ in files))
    train = {view for time in frames for view in tables[0][time]}
    masks = _mask_paths(path, files)
    fps = (options.fps or _FPS) / options.selection.step
    stamps, note = frame_times(frames, fps)
    sizes = {
        view: (cameras[view, frames[0]].width, cameras[view, frames[0]].height) for view in views
    }
    images: dict[tuple[str, str], ImageLoader] = {
        (view, frame): partial(read_image, file, frame) for (view, frame), file in files.items()
    }
    return Source(
        layout=LAYOUT,
        views=views,
        frames=frames,
        timestamps=stamps,
        fps=fps,
        sizes=sizes,
        images=images,
        image_files=files,
        objects=(_OBJECT,) if masks else (),
        masks=_mask_loaders(masks, sizes),
        cameras=cameras,
        known_frames=frozenset(times),
        held_out_views=tuple(view for view in views if view not in train),
        poses_from=f"{', '.join(meta.name for meta in metas)}, camera from world (w2c)",
        files=(*files.values(), *masks.values(), *metas),
        notes=() if note is None else (note,),
    )


def _read_meta(meta: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Return frame name -> view -> file, intrinsics, pose, size."""
    data = read_json(meta)
    keys = ("fn", "k", "w2c", "cam_id")
    if not isinstance(data, dict) or not {"w", "h", *keys} <= set(data):
        raise InputError("keys are missing", path=meta, expected="w, h, k, w2c, fn, cam_id")
    table: dict[str, dict[str, dict[str, Any]]] = {}
    try:
        for files, matrices, poses, ids in zip(*(data[key] for key in keys), strict=True):
            frame = Path(files[0]).stem
            table[frame] = {
                str(i): {"file": f, "k": k, "w2c": w, "size": (int(data["w"]), int(data["h"]))}
                for f, k, w, i in zip(files, matrices, poses, ids, strict=True)
            }
    except (ValueError, TypeError, IndexError) as error:
        raise InputError(
            f"the lists do not fit together ({error})",
            path=meta,
            expected="fn, k, w2c, cam_id with one row per frame and one entry per camera",
        ) from error
    return table


def _cameras_and_files(
    path: Path, tables: list[dict[str, dict[str, dict[str, Any]]]], frames: tuple[str, ...]
) -> tuple[dict[tuple[str, str], Camera], dict[tuple[str, str], Path]]:
    cameras, files = {}, {}
    for table in tables:
        for frame in frames:
            for view, entry in table.get(frame, {}).items():
                file = path / "ims" / entry["file"]
                require_size(file, entry["size"], frame)
                intrinsics = torch.tensor(entry["k"], dtype=torch.float32)
                pose = rigid_pose(entry["w2c"], path, frame)
                cameras[view, frame] = Camera(pose, intrinsics, *entry["size"])
                files[view, frame] = file
    return cameras, files


def _mask_paths(path: Path, files: dict[tuple[str, str], Path]) -> dict[tuple[str, str], Path]:
    found = {}
    for (view, frame), file in files.items():
        mask = path / "seg" / file.relative_to(path / "ims").with_suffix(".png")
        if mask.is_file():
            found[view, frame] = mask
    return found


def _mask_loaders(
    paths: dict[tuple[str, str], Path], sizes: dict[str, tuple[int, int]]
) -> dict[tuple[str, str], MasksLoader]:
    return {(v, f): partial(_one_mask, path, sizes[v], f) for (v, f), path in paths.items()}


def _one_mask(path: Path, size: tuple[int, int], frame: str) -> Bool[np.ndarray, "1 H W"]:
    return read_mask(path, size, frame)[None]
