"""Layout "transforms": pictures and cameras listed in a `transforms*.json`.

D-NeRF (`camera_angle_x`, `time`, no file endings), nerfstudio and instant-ngp (`fl_x`, `w`, lens
distortion, `mask_path`, `depth_file_path`). Poses are OpenGL world-from-camera in the file. The
path is the folder (`transforms_train.json`, else `transforms.json`) or the JSON file itself.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from fourfold.capture.cameras import opengl_pose, read_json, transforms_intrinsics
from fourfold.capture.depths import DEFAULT_DEPTH_UNIT, read_depth
from fourfold.capture.mask_files import read_mask
from fourfold.capture.readers.folder import DEFAULT_FPS, MAIN_VIEW, source_of_pictures
from fourfold.capture.source import ReadOptions, Source
from fourfold.errors import InputError
from fourfold.geometry import Camera

LAYOUT = "transforms"
_FILES = ("transforms_train.json", "transforms.json")
_ENDINGS = ("", ".png", ".jpg", ".jpeg")
_OBJECT = "001"


def recognises(path: Path) -> bool:
    """Say whether the path is such a JSON file or a folder that holds one."""
    if path.is_file():
        return path.suffix.lower() == ".json" and path.name.startswith("transforms")
    return any((path / name).is_file() for name in _FILES)


def read(path: Path, options: ReadOptions) -> Source:
    """Read the pictures that a transforms.json lists, in the order of their times, else names.

    Raises:
        InputError: the file is not readable, or pictures it lists are missing or damaged.
    """
    file = path if path.is_file() else next(path / n for n in _FILES if (path / n).is_file())
    shared, frames = read_transforms(file)
    entries = _in_time(frames)
    paths = _picture_paths(entries, file)
    source = source_of_pictures(paths, file, LAYOUT, options)
    kept = {name: entries[name] for name in source.frames}
    cameras = transforms_cameras(file, shared, kept, source.sizes[MAIN_VIEW])
    source = replace(
        source,
        cameras={(MAIN_VIEW, name): camera for name, camera in cameras.items()},
        files=(*source.files, file),
    )
    source = _with_times(source, kept, len(paths), options)
    return _with_depth(_with_masks(source, kept, file), shared, kept, file)


def read_transforms(file: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Read a transforms.json into what all frames share, and its frames by name.

    Frames are named like their files; where two files in different folders have one name, the
    folders come into it.

    Raises:
        InputError: not such a file.
    """
    data = read_json(file)
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames:
        raise InputError("there is no list of frames", path=file, expected='"frames": [...]')
    for frame in frames:
        if not isinstance(frame, dict) or not isinstance(frame.get("file_path"), str):
            raise InputError(
                "a frame has no file_path",
                path=file,
                expected='"file_path" and "transform_matrix" for each frame',
            )
    names = [Path(frame["file_path"]).stem for frame in frames]
    if len(set(names)) < len(names):
        names = ["_".join(Path(f["file_path"]).with_suffix("").parts) for f in frames]
    if len(set(names)) < len(names):
        raise InputError("two frames have the same file_path", path=file, expected="one each")
    return data, dict(zip(names, frames, strict=True))


def transforms_cameras(
    file: Path, shared: dict[str, Any], frames: dict[str, dict[str, Any]], size: tuple[int, int]
) -> dict[str, Camera]:
    """Read the cameras of frames, in pixels of (width, height).

    Raises:
        InputError: a pose is not rigid, or the focal length is missing.
    """
    cameras = {}
    for name, frame in frames.items():
        pose = opengl_pose(frame.get("transform_matrix"), file, name)
        intrinsics, lens = transforms_intrinsics(shared, frame, size, file, name)
        cameras[name] = Camera(pose, intrinsics, *size, distortion=lens)
    return cameras


def _in_time(frames: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if all(isinstance(frame.get("time"), int | float) for frame in frames.values()):
        return dict(sorted(frames.items(), key=lambda item: item[1]["time"]))
    return frames


def _picture_paths(entries: dict[str, dict[str, Any]], file: Path) -> dict[str, Path]:
    paths, missing = {}, []
    for name, frame in entries.items():
        base = file.parent / frame["file_path"]
        found = next((p for e in _ENDINGS if (p := Path(f"{base}{e}")).is_file()), None)
        if found is None:
            missing.append(name)
        else:
            paths[name] = found
    if missing:
        raise InputError(
            f"{len(missing)} of {len(entries)} frames that it lists have no picture",
            path=file,
            frame=missing[0],
            expected=f"a picture at {entries[missing[0]]['file_path']}",
            mend="Add the pictures, or take these frames out of the file",
        )
    return paths


def _with_times(
    source: Source, kept: dict[str, dict[str, Any]], total: int, options: ReadOptions
) -> Source:
    """Turn the times of the file into seconds from the first frame.

    D-NeRF's lie between 0 and 1, over a clip of `total` frames; what goes beyond 1 is in seconds.
    """
    times = [frame.get("time") for frame in kept.values()]
    stamps = [float(time) for time in times if isinstance(time, int | float)]
    if len(stamps) < len(times):
        return source
    unit = 1.0 if max(stamps) > 1 else (total - 1) / (options.fps or DEFAULT_FPS)
    return replace(source, timestamps=tuple((s - stamps[0]) * unit for s in stamps), notes=())


def _with_masks(source: Source, kept: dict[str, dict[str, Any]], file: Path) -> Source:
    paths = _named_files(kept, "mask_path", file)
    if len(paths) < len(kept):
        return source
    size = source.sizes[MAIN_VIEW]
    masks = {(MAIN_VIEW, n): partial(_one_mask, p, size, n) for n, p in paths.items()}
    return replace(source, objects=(_OBJECT,), masks=masks, files=(*source.files, *paths.values()))


def _one_mask(path: Path, size: tuple[int, int], frame: str) -> Bool[np.ndarray, "1 H W"]:
    return read_mask(path, size, frame)[None]


def _with_depth(
    source: Source, shared: dict[str, Any], kept: dict[str, dict[str, Any]], file: Path
) -> Source:
    unit = float(shared.get("depth_unit_scale_factor", DEFAULT_DEPTH_UNIT))
    size = source.sizes[MAIN_VIEW]
    paths = _named_files(kept, "depth_file_path", file)
    depth = {(MAIN_VIEW, n): partial(read_depth, p, size, unit, n) for n, p in paths.items()}
    return replace(source, depth=depth, files=(*source.files, *paths.values()))


def _named_files(kept: dict[str, dict[str, Any]], key: str, file: Path) -> dict[str, Path]:
    paths = {name: file.parent / frame[key] for name, frame in kept.items() if frame.get(key)}
    for name, path in paths.items():
        if not path.is_file():
            raise InputError(
                f"there is no file for the {key}", path=path, frame=name, expected=f"as in {file}"
            )
    return paths
