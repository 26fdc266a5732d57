"""Layout "rig": many synchronised cameras, as N3V and MixVoxels have them.

`frames/<camera>/<frame>.jpg`, or `frames_<K>/`, the same at one K-th of the size, or
`videos/<camera>.mp4`; and `poses_bounds.npy`, whose rows are the cameras in their natural order.
The first camera is held out for tests.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fourfold.capture.decoding import frame_rate
from fourfold.capture.images import read_shrunk, require_size
from fourfold.capture.names import (
    VIDEO_SUFFIXES,
    frame_times,
    has_images,
    list_files,
    list_folders,
    list_images,
)
from fourfold.capture.pose_axes import STILL_SIZE
from fourfold.capture.poses_bounds import FILE, RigCameras, read_poses_bounds, rig_cameras
from fourfold.capture.rig_footage import RigFootage
from fourfold.capture.rig_pictures import pictures_of_rig
from fourfold.capture.rig_videos import videos_of_rig
from fourfold.capture.sizes import fit_size, scale_image
from fourfold.capture.source import ImageLoader, ReadOptions, Source
from fourfold.errors import InputError

LAYOUT = "rig"
# N3V's rate; folders of pictures do not say theirs.
_FPS = 30.0
_VIDEOS = "videos"
NO_POSES_NOTE = (
    f"the cameras are unknown: there is no {FILE} (fourfold prepare poses finds them in pictures)"
)


def recognises(path: Path) -> bool:
    """Say whether the folder holds cameras' frames or videos, with their poses or several."""
    if not path.is_dir():
        return False
    pictures = [len(_cameras(folder)) for folder in _picture_folders(path)]
    most = max([*pictures, len(_videos(path))], default=0)
    if (path / FILE).is_file():
        return most > 0
    return most > 1 and not (path / "sparse").is_dir()


def read(path: Path, options: ReadOptions) -> Source:
    """Read a rig; frames that not all cameras have, and cameras without frames, are left out.

    Raises:
        InputError: no frames in common, damaged pictures, or poses that do not fit the cameras.
    """
    footage, notes = _footage(path, options.max_size)
    frames = options.selection.pick(footage.frames, path)
    _check_sizes(footage, frames)
    source = _timed(footage, frames, options)
    source = replace(
        source,
        held_out_views=source.views[:1] if len(source.views) > 1 else (),
        notes=(*notes, *footage.notes, *source.notes),
        truth_folder=path / "truth" if (path / "truth").is_dir() else None,
    )
    if not (path / FILE).is_file():
        return replace(source, notes=(*source.notes, NO_POSES_NOTE))
    rig = _read_cameras(path / FILE, footage)
    return replace(
        source,
        cameras={(view, frame): rig.cameras[view] for view in source.views for frame in frames},
        bounds=rig.bounds,
        poses_from=rig.poses_from,
        files=(*source.files, path / FILE),
        notes=(*source.notes, *rig.notes),
    )


def _timed(footage: RigFootage, frames: tuple[str, ...], options: ReadOptions) -> Source:
    """Return the selected frames with their times; no cameras yet."""
    step, note = options.selection.step, None
    if footage.seconds is None:
        fps, assumed = (options.fps or _FPS) / step, options.fps is None
        times, note = frame_times(frames, fps)
    else:
        at = dict(zip(footage.frames, footage.seconds, strict=True))
        fps, times, assumed = frame_rate([at[frame] for frame in frames], options.fps, step)
    chosen = [(view, frame) for view in footage.sizes for frame in frames]
    image_files = {key: footage.image_files[key] for key in chosen if key in footage.image_files}
    return Source(
        layout=LAYOUT,
        views=tuple(footage.sizes),
        frames=frames,
        timestamps=times,
        fps=fps,
        fps_assumed=assumed,
        sizes=footage.sizes,
        images={key: _loader(footage, key, options.max_size) for key in chosen},
        image_files=image_files,
        known_frames=frozenset(footage.frames),
        files=tuple(image_files.values()) or footage.files,
        notes=() if note is None else (note,),
        prescaled=frozenset({"image"}),
    )


def _loader(footage: RigFootage, key: tuple[str, str], max_size: int) -> ImageLoader:
    """Read a frame at the working size: a large JPEG is decoded at a part of its own."""
    size = fit_size(footage.sizes[key[0]], max_size)
    file = footage.image_files.get(key)
    if file is not None:
        return partial(read_shrunk, file, size, key[1])
    return partial(_shrunk, footage.loaders[key], size)


def _shrunk(load: ImageLoader, size: tuple[int, int]) -> Float[np.ndarray, "h w 3"]:
    return scale_image(load(), size)


def _footage(path: Path, max_size: int) -> tuple[RigFootage, tuple[str, ...]]:
    """Read the folder of pictures that suits the working size, else the videos."""
    folders = {folder: _cameras(folder) for folder in _picture_folders(path)}
    counts = {f: sum(len(list_images(camera)) for camera in of) for f, of in folders.items()}
    if not counts or max(map(len, folders.values())) < len(_videos(path)):
        # what a stopped extraction of frames left is less than the videos
        note = f"{', '.join(f.name for f in folders)} lacks cameras that are in {_VIDEOS}: unused"
        return videos_of_rig(path / _VIDEOS), (note,) if folders else ()
    whole = [folder for folder, count in counts.items() if count == max(counts.values())]
    notes = [
        f"{folder.name} is not used: it has {counts[folder]} of {max(counts.values())} pictures"
        for folder in folders
        if folder not in whole
    ]
    sized = sorted((_longest(pictures_of_rig(folder)), folder) for folder in whole)
    enough = [folder for longest, folder in sized if longest >= max_size]
    chosen = enough[0] if enough else sized[-1][1]
    if len(whole) > 1:
        notes.append(f"of {', '.join(f.name for _, f in sized)}, {chosen.name} is used")
    return pictures_of_rig(chosen), tuple(notes)


def _longest(footage: RigFootage) -> int:
    return max(max(size) for size in footage.sizes.values())


def _picture_folders(path: Path) -> list[Path]:
    found = [p for p in list_folders(path) if re.fullmatch(r"frames(_\d+)?", p.name)]
    return [folder for folder in found if any(has_images(c) for c in _cameras(folder))]


def _cameras(folder: Path) -> list[Path]:
    return list_folders(folder)


def _videos(path: Path) -> dict[str, Path]:
    folder = path / _VIDEOS
    return list_files(folder, VIDEO_SUFFIXES) if folder.is_dir() else {}


def _check_sizes(footage: RigFootage, frames: tuple[str, ...]) -> None:
    """Refuse pictures of another size than their camera's first."""
    for view, size in footage.sizes.items():
        for frame in frames:
            file = footage.image_files.get((view, frame))
            if file is not None:
                require_size(file, size, frame)


def _read_cameras(file: Path, footage: RigFootage) -> RigCameras:
    """Give each living camera its row; the rows are those of all cameras, in natural order."""
    rows = read_poses_bounds(file)
    names = footage.cameras
    if len(rows) != len(names):
        dead = [name for name in names if name not in footage.sizes]
        mend = None
        if dead and len(rows) == len(footage.sizes):
            mend = f"If the file leaves {', '.join(dead)} out, take that folder or video away"
        raise InputError(
            f"there are {len(rows)} rows for {len(names)} cameras: {', '.join(names)}",
            path=file,
            expected="one row for each, in the natural order of their names",
            mend=mend,
        )
    of = {name: row for name, row in zip(names, rows, strict=True) if name in footage.sizes}
    # the first frame of all, whichever are selected: the answer is not to change with it
    first = footage.frames[0]
    return rig_cameras(
        file, of, footage.sizes, lambda view: _loader(footage, (view, first), STILL_SIZE)()
    )
