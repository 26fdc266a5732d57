"""Opening a capture: which layout it is, and what the user adds to it."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

from fourfold.capture.cameras import read_json, read_own_cameras
from fourfold.capture.capture import Capture
from fourfold.capture.depths import find_depths, read_depth
from fourfold.capture.names import match_frame
from fourfold.capture.photo_channels import (
    with_fov,
    with_mask_file,
    with_motion_file,
    with_moving_region,
    without_camera_note,
)
from fourfold.capture.readers import READERS, dynamic_gaussians, own, rig
from fourfold.capture.readers.frames import with_masks
from fourfold.capture.readers.rigid import with_bodies
from fourfold.capture.readers.transforms import read_transforms, transforms_cameras
from fourfold.capture.source import DEFAULT_MAX_SIZE, FrameSelection, ReadOptions, Source
from fourfold.capture.view_choice import ViewChoice
from fourfold.errors import InputError, UsageError
from fourfold.files import recover_folder
from fourfold.geometry import Camera

# Layouts whose folders of cameras are no captures by themselves.
_WITH_FOLDERS_OF_CAMERAS: tuple[ModuleType, ...] = (own, dynamic_gaussians, rig)


def open_capture(
    path: str | os.PathLike[str],
    *,
    max_size: int | None = None,
    frames: str | None = None,
    masks: str | os.PathLike[str] | None = None,
    cameras: str | os.PathLike[str] | None = None,
    depth: str | os.PathLike[str] | None = None,
    bodies: str | os.PathLike[str] | None = None,
    fps: float | None = None,
    fov: float | None = None,
    motion_field: str | os.PathLike[str] | None = None,
    test_cameras: str | None = None,
    train_cameras: str | None = None,
) -> Capture:
    """Open a video, a picture or a folder of any known layout; nothing is written to it.

    Headers are checked here; pictures are decoded when asked for (a video: now, once).

    Args:
        path: the file or folder.
        max_size: longer side in pixels to which larger frames are scaled; none is enlarged. By
            default 1280 for a photo, 720 for all else.
        frames: "a:b:step", positions from 0, b not included; all if None.
        masks: folder of masks for a single view: `<frame>.png` or `<object>/<frame>.png`; of a
            photo also one picture, white where matter moves.
        cameras: a nerfstudio or D-NeRF transforms.json, or a cameras.json of ours, in the place of
            the capture's own cameras and bodies; beside `bodies`, of the lens only.
        depth: folder of depth maps for a single view: .npy, 16-bit .png or .pfm; of a single frame
            also the map itself.
        bodies: folder of rigid bodies for a single view, as `fourfold prepare sfm` and the original
            OSN write it; the cameras' poses are then those of its background.
        fps: frames per second, in the place of what the input says.
        fov: of a photo, the vertical field of view in degrees, in the place of what its EXIF says.
        motion_field: of a photo, a file of its motion, pixels of its own grid per frame at 30 per
            second: .flo, .npz, or .npy of shape (h, w, 2), (2, h, w) or (1, 2, h, w).
        test_cameras: names of the views held out for tests, with commas between them, or "none";
            by default what the layout says. Of a single view, whose frames become views, frames.
        train_cameras: names of the views to train on; by default all that are not held out.

    Raises:
        InputError: there is no such thing, no reader knows it, or it is damaged.
        UsageError: an option has no meaning, or does not fit the capture.
    """
    if max_size is not None and max_size < 1:
        raise UsageError(f"the maximal size is {max_size}", expected="a number of pixels from 1 up")
    if fps is not None and not fps > 0:
        raise UsageError(f"the frame rate is {fps}", expected="frames per second above 0")
    if fov is not None and cameras is not None:
        raise UsageError("a camera file and a field of view", expected="one of them")
    choice = ViewChoice.parse(test_cameras, train_cameras)
    # Resolved, so that a capture has one name and one fingerprint wherever it is opened from.
    place = Path(path).resolve()
    if not place.exists() and place.name:
        recover_folder(place)
    if not place.exists():
        raise InputError("there is no such file or folder", path=place)
    reader = _reader(place)
    longest: int = max_size or getattr(reader, "MAX_SIZE", DEFAULT_MAX_SIZE)
    source: Source = reader.read(place, ReadOptions(FrameSelection.parse(frames), longest, fps))
    if any(extra is not None for extra in (masks, depth, cameras, bodies)):
        _require_one_view(source, place)
    source = source if masks is None else _with_masks(source, Path(masks), longest)
    source = source if depth is None else _with_depth(source, Path(depth))
    source = source if cameras is None else _with_cameras(source, Path(cameras))
    source = source if bodies is None else _with_bodies(source, Path(bodies).resolve())
    source = source if fov is None else with_fov(source, fov)
    if motion_field is not None:
        source = with_motion_file(source, Path(motion_field))
    source = replace(source, view_choice=choice)
    return Capture(place, with_moving_region(source, longest), longest)


def _reader(path: Path) -> ModuleType:
    for reader in READERS:
        if reader.recognises(path):
            return reader
    if any(reader.recognises(path.parent) for reader in _WITH_FOLDERS_OF_CAMERAS):
        raise InputError(
            "this is a part of a capture",
            path=path,
            expected="the whole of it",
            mend=f"Give {path.parent}",
        )
    raise InputError(
        "no known layout in this folder",
        path=path,
        expected="frames (PNG, JPEG), a DAVIS or DreamScene4D folder (JPEGImages, Annotations), "
        "transforms.json, images_train with segm_sam, ims with train_meta.json, frames/<camera> or "
        "videos with poses_bounds.npy, capture.json, or one photo with labelme's JSON",
        mend="Give a video file, a photo or one of these",
    )


def _require_one_view(source: Source, path: Path) -> None:
    if len(source.views) > 1:
        raise UsageError(
            f"masks, depth, cameras, bodies can be added to one view, not to {len(source.views)}",
            path=path,
            mend="Several cameras are for the method mixvoxels; their poses are found by "
            f"fourfold prepare poses {path} --out DIR",
        )


def _with_masks(source: Source, folder: Path, max_size: int) -> Source:
    if folder.is_file():
        return with_mask_file(source, folder, max_size)
    masked = with_masks(source, folder)
    if masked.objects == source.objects or source.rigid_truth_folder is None:
        return masked
    note = (
        "the masks name other objects than the capture's bodies: those and their truth are unused"
    )
    notes = (*masked.notes, note) if source.bodies else masked.notes
    return replace(masked, bodies=(), bodies_folder=None, rigid_truth_folder=None, notes=notes)


def _with_bodies(source: Source, folder: Path) -> Source:
    if not folder.exists():
        recover_folder(folder)
    return with_bodies(source, folder)


def _with_depth(source: Source, folder: Path) -> Source:
    view = source.views[0]
    size = source.sizes[view]
    if folder.is_file() and len(source.frames) == 1:
        frame = source.frames[0]
        loader = partial(read_depth, folder, size, frame=frame)
        return replace(source, depth={(view, frame): loader}, files=(*source.files, folder))
    loaders, files = find_depths(folder, source.frames, source.known_frames, size)
    depth = {(view, frame): loader for frame, loader in loaders.items()}
    return replace(source, depth=depth, files=source.files + files)


def _with_cameras(source: Source, file: Path) -> Source:
    view = source.views[0]
    data = read_json(file)
    if isinstance(data, dict) and "frames" in data:
        cameras = _cameras_of_transforms(source, file)
    else:
        cameras = read_own_cameras(file, source.views, source.frames, source.sizes)
        cameras = {frame: cameras[view, frame] for frame in source.frames}
    notes = without_camera_note(source.notes)
    if source.bodies:
        # they are posed in the frames of other cameras, and would contradict these
        notes = (*notes, "the cameras given are used, and the capture's own bodies put aside")
    return replace(
        source,
        cameras={(view, frame): camera for frame, camera in cameras.items()},
        unposed=frozenset(),
        poses_from=None,
        bodies=(),
        bodies_folder=None,
        files=(*source.files, file),
        notes=notes,
    )


def _cameras_of_transforms(source: Source, file: Path) -> dict[str, Camera]:
    shared, entries = read_transforms(file)
    matched = {match_frame(name, source.known_frames): e for name, e in entries.items()}
    missing = [frame for frame in source.frames if frame not in matched]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(source.frames)} frames have no camera",
            path=file,
            frame=missing[0],
            expected=f"a file_path whose name is {missing[0]}",
            mend="Name the cameras like the frames, or leave frames out with --frames",
        )
    wanted = {frame: matched[frame] for frame in source.frames}
    return transforms_cameras(file, shared, wanted, source.sizes[source.views[0]])
