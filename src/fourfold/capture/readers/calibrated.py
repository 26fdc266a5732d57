"""Layout "calibrated": videos of a rig and its calibration, of caliscope, pose2sim or Qualisys.

`camera_array.toml` with `cam_0.mp4`, … somewhere below it and perhaps `timestamps.csv`; or
`calibration/Calib*.toml` or `*.qca.txt` with `videos/*.mp4`. The path is the session, or the
folder of one of its recordings. Videos are decoded when asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from fourfold.capture.calibrations import read_calibration
from fourfold.capture.colmap_cameras import fitted_camera
from fourfold.capture.colmap_names import some_names
from fourfold.capture.decoding import HDR_NOTE, frame_rate
from fourfold.capture.names import VIDEO_SUFFIXES, list_files, natural_key
from fourfold.capture.source import ReadOptions, Source
from fourfold.capture.synchronisation import (
    Synchronised,
    find_timestamps,
    side_by_side,
    synchronise,
)
from fourfold.capture.video_frames import VideoFrames
from fourfold.errors import InputError

LAYOUT = "calibrated"
_CALIBRATIONS = ("camera_array.toml", "[Cc]alib*.toml", "*.qca.txt")
# How far above a recording its session's calibration may lie.
_LEVELS = 3
# Recordings for the lenses alone: one camera at a time, another board.
_NOT_A_TAKE = re.compile("intrinsic", re.IGNORECASE)


def recognises(path: Path) -> bool:
    """Say whether the folder has a calibration, its own or its session's, and videos."""
    return path.is_dir() and _calibration(path) is not None and bool(_takes(path))


def read(path: Path, options: ReadOptions) -> Source:
    """Read the videos of a calibrated rig, synchronised where time stamps are there.

    Raises:
        InputError: calibration, time stamps or a video are damaged or do not fit together.
    """
    file = _calibration(path)
    assert file is not None
    cameras = read_calibration(file)
    take, notes = _take(path, list(cameras))
    videos = {name: VideoFrames(video) for name, video in take.items()}
    together = _together(videos, next(iter(take.values())).parent)
    chosen = options.selection.pick(range(len(together.names)), path)
    frames = tuple(together.names[index] for index in chosen)
    seconds = [together.seconds[index] for index in chosen]
    fps, times, assumed = frame_rate(seconds, options.fps, options.selection.step)
    # what an encoder trims, it trims at the right and at the bottom
    lenses = {v: fitted_camera(cameras[v], videos[v].size, file, v, before=0) for v in videos}
    hdr = (HDR_NOTE,) if any(video.is_hdr for video in videos.values()) else ()
    stamps = () if together.file is None else (together.file,)
    return Source(
        layout=LAYOUT,
        views=tuple(videos),
        frames=frames,
        timestamps=times,
        fps=fps,
        fps_assumed=assumed,
        sizes={view: video.size for view, video in videos.items()},
        images={
            (view, together.names[index]): partial(video.image, together.positions[view][index])
            for view, video in videos.items()
            for index in chosen
        },
        cameras={(view, frame): lenses[view] for view in videos for frame in frames},
        known_frames=frozenset(together.names),
        held_out_views=tuple(videos)[:1],
        poses_from=f"calibration {file.name}",
        files=(*take.values(), file, *stamps),
        notes=(*notes, *together.notes, *hdr),
    )


def _calibration(path: Path) -> Path | None:
    levels = path.parents[:_LEVELS] if list_files(path, VIDEO_SUFFIXES) else ()
    for base in (path, *levels):
        for folder in (base, base / "calibration"):
            for pattern in _CALIBRATIONS:
                found = sorted(folder.glob(pattern))
                if found:
                    return found[0]
    return None


def _takes(path: Path) -> list[dict[str, Path]]:
    """Return the videos of each folder at or below the path that has two or more."""
    inside = [folder for folder in sorted(path.rglob("*")) if folder.is_dir()]
    folders = [f for f in inside if not _NOT_A_TAKE.search(f.relative_to(path).as_posix())]
    takes = [list_files(folder, VIDEO_SUFFIXES) for folder in (path, *folders)]
    return [take for take in takes if len(take) > 1]


def _take(path: Path, cameras: list[str]) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Return camera -> video of the one recording there is, and notes."""
    takes = _takes(path)
    if len(takes) > 1:
        places = [next(iter(take.values())).parent.relative_to(path).as_posix() for take in takes]
        raise InputError(
            f"there are {len(takes)} recordings",
            path=path,
            expected="one",
            mend=f"Give the folder of one of them: {', '.join(places[:6])}",
        )
    return match_videos(cameras, takes[0], path)


def match_videos(
    cameras: Sequence[str], videos: Mapping[str, Path], path: Path
) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Find each camera's video: by name, else by the number in it, else all in natural order.

    A camera without a video, or a video without a camera, is left out with a note.

    Raises:
        InputError: fewer than two cameras have a video.
    """
    pairs, notes = _paired(cameras, list(videos))
    if len(pairs) < 2:
        raise InputError(
            f"{len(pairs)} of {len(cameras)} calibrated cameras have a video",
            path=path,
            expected=f"videos named as the cameras: {some_names(cameras)}",
        )
    unseen = [camera for camera in cameras if camera not in pairs]
    unknown = [stem for stem in videos if stem not in pairs.values()]
    notes += [f"left out, as they have no video: {some_names(unseen)}"] if unseen else []
    notes += [f"left out, as they are not calibrated: {some_names(unknown)}"] if unknown else []
    return {camera: videos[stem] for camera, stem in pairs.items()}, tuple(notes)


def _paired(cameras: Sequence[str], stems: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    for key in (str, _number):
        by_camera, by_stem = {key(c): c for c in cameras}, {key(s): s for s in stems}
        shared = [name for name in by_camera if name in by_stem]
        unique = len(by_camera) == len(cameras) and len(by_stem) == len(stems)
        if unique and len(shared) > 1:
            return {by_camera[name]: by_stem[name] for name in shared}, []
    if len(cameras) != len(stems):
        return {}, []
    pairs = dict(zip(cameras, sorted(stems, key=natural_key), strict=True))
    said = some_names([f"{camera} is {stem}" for camera, stem in pairs.items()])
    return pairs, [f"the videos have other names than the cameras; in natural order {said}"]


def _number(name: str) -> str:
    """Return the last number in a name, without leading zeros; the name where there is none."""
    numbers = re.findall(r"\d+", name)
    return str(int(numbers[-1])) if numbers else name


def _together(videos: Mapping[str, VideoFrames], folder: Path) -> Synchronised:
    lengths = {name: len(video) for name, video in videos.items()}
    file = find_timestamps(folder)
    if file is None:
        return side_by_side(lengths, min(videos.values(), key=len).seconds)
    numbers = {name: _number(name) for name in videos}
    unnumbered = [name for name, number in numbers.items() if not number.isdigit()]
    if unnumbered:
        raise InputError(
            f"the camera {unnumbered[0]} has no number, by which the moments name it",
            path=file,
            expected="cameras like cam_0, or no timestamps.csv",
        )
    return synchronise(file, {name: int(n) for name, n in numbers.items()}, lengths)
