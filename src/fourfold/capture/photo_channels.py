"""The channels of a single photo: its camera, what moves on it, and how."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from fourfold.capture.cameras import read_own_cameras
from fourfold.capture.exif import exif_focal, film_focal
from fourfold.capture.images import image_size
from fourfold.capture.masks import read_labels
from fourfold.capture.motion_files import MotionField, read_motion_field
from fourfold.capture.regions import MOTION, Outline, region_kind
from fourfold.capture.sizes import fit_size, same_aspect, scale_field, scale_mask
from fourfold.capture.source import MasksLoader, Source
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera

LAYOUT = "photo"
VIEW = "main"
# Longer side of a photo where nothing else is asked for.
MAX_SIZE = 1280
# A phone's main camera, the lens of most landscapes; a 35 mm equivalent focal length.
DEFAULT_FOCAL_MM = 26.0
_FOVS = (1.0, 170.0)
_CAMERA_NOTE = "the camera's vertical field of view is"
_MASK_NOTE = "what moves is white in the mask"
_FIELD_NOTE = "motion comes from the field"


def with_exif_camera(source: Source, picture: Path, data: bytes | None = None) -> Source:
    """Give the photo the camera that its EXIF tells, else that of a 26 mm lens.

    Raises:
        InputError: the file is not a readable picture.
    """
    found = exif_focal(picture, data)
    return with_default_camera(source) if found is None else _with_focal(source, *found)


def with_default_camera(source: Source) -> Source:
    """Give the photo the camera of a 26 mm lens on 35 mm film, and say so."""
    where = f"an assumption, {DEFAULT_FOCAL_MM:g} mm on 35 mm film as most phones have: no EXIF"
    return _with_focal(source, film_focal(DEFAULT_FOCAL_MM, source.sizes[VIEW]), where)


def with_fov(source: Source, degrees: float) -> Source:
    """Give the photo the camera of a vertical field of view.

    Raises:
        UsageError: not a photo, or not between 1 and 170 degrees.
    """
    _require_photo(source, "a field of view")
    if not _FOVS[0] <= degrees <= _FOVS[1]:
        raise UsageError(f"the field of view is {degrees:g} degrees", expected="1 to 170")
    focal = source.sizes[VIEW][1] / 2 / math.tan(math.radians(degrees) / 2)
    source = replace(source, settings=(*source.settings, f"fov {degrees!r}"))
    return _with_focal(source, focal, "given")


def with_camera_file(source: Source, file: Path) -> Source:
    """Give the photo the camera of a `cameras.json` of ours.

    Raises:
        InputError: not such a file, or it has no camera for the photo.
    """
    cameras = read_own_cameras(file, source.views, source.frames, source.sizes)
    notes = without_camera_note(source.notes)
    return replace(source, cameras=cameras, notes=notes, files=(*source.files, file))


def with_mask_file(source: Source, file: Path, max_size: int) -> Source:
    """Take a picture, white where matter moves, as the region "motion" in the place of drawn ones.

    Raises:
        InputError: not a picture, or of another aspect than the photo.
        UsageError: not a photo.
    """
    _require_photo(source, "a file of a mask")
    stored, found = source.sizes[VIEW], image_size(file)
    if not same_aspect(found, stored):
        raise InputError(
            f"the mask is {found[0]}x{found[1]} pixels",
            path=file,
            expected=f"the photo's {stored[0]}x{stored[1]}, or the same aspect",
            mend="Draw it on this photo",
        )
    working = fit_size(stored, max_size)
    moving = _with_motion_region(source, partial(_read_mask, file, found, working))
    moving = replace(moving, files=(*moving.files, file))
    return _noted(moving, _MASK_NOTE, file.name)


def with_motion_file(source: Source, file: Path) -> Source:
    """Take a dense motion field from a file.

    Raises:
        InputError: not a motion field, or of another aspect than the photo.
        UsageError: not a photo.
    """
    _require_photo(source, "a motion field")
    field = read_motion_field(file, source.sizes[VIEW])
    moving = with_field(source, field, file.name)
    return replace(moving, files=(*moving.files, file))


def with_outlines(
    source: Source, regions: Mapping[str, Sequence[Outline]], working: tuple[int, int]
) -> Source:
    """Give the photo drawn regions, in photo pixels; they are filled at the working size."""
    if not regions:
        return source
    stored = source.sizes[VIEW]
    factors = working[0] / stored[0], working[1] / stored[1]
    outlines = [[outline.resized(*factors) for outline in region] for region in regions.values()]
    loader: MasksLoader = partial(_fill, outlines, working)
    return with_masks(source, tuple(regions), loader)


def _fill(regions: Sequence[Sequence[Outline]], size: tuple[int, int]) -> Bool[np.ndarray, "K H W"]:
    return np.stack([np.any([outline.fill(size) for outline in r], axis=0) for r in regions])


def _read_mask(
    file: Path, size: tuple[int, int], working: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    return scale_mask(read_labels(file, size, file.stem).foreground(), working)


def with_masks(source: Source, names: tuple[str, ...], loader: MasksLoader) -> Source:
    """Give the photo regions by name; the loader fills them at the working size."""
    return replace(
        source,
        objects=names,
        masks={frame_key(source): loader},
        prescaled=source.prescaled | {"mask"},
    )


def _with_motion_region(source: Source, load: Callable[[], Bool[np.ndarray, "H W"]]) -> Source:
    """Put one moving region, loaded at the working size, in the place of any there are."""
    kept = [k for k, name in enumerate(source.objects) if region_kind(name) != MOTION]
    others = source.masks.get(frame_key(source))

    def loader() -> Bool[np.ndarray, "K H W"]:
        moving = load()[None]
        return np.concatenate((moving, others()[kept])) if others and kept else moving

    names = (MOTION, *(source.objects[k] for k in kept))
    return with_masks(source, names, loader)


def with_field(source: Source, field: MotionField, name: str) -> Source:
    """Give the photo a dense motion field; `name` it in the note."""
    width, height = source.sizes[VIEW]
    speed = np.linalg.norm(scale_field(field.values, (width, height)), axis=-1).max()
    grid = f"{field.values.shape[1]}x{field.values.shape[0]}"
    shape = ", a square stretched to the photo" if field.stretched and width != height else ""
    note = f"{name}, {grid}{shape}: at most {speed:.2g} photo pixels per frame"
    return _noted(replace(source, motion_field=lambda: field.values), _FIELD_NOTE, note)


def with_moving_region(source: Source, max_size: int) -> Source:
    """Take all that a motion field moves as the region "motion" where no other is given."""
    load = source.motion_field
    if load is None or any(region_kind(name) == MOTION for name in source.objects):
        return source
    working = fit_size(source.sizes[VIEW], max_size)
    moving = _with_motion_region(source, lambda: (scale_field(load(), working) != 0).any(axis=-1))
    return _noted(moving, "no mask is given", "all that the motion field moves is taken")


def without_camera_note(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Give the notes without the one on the photo's camera, which another camera replaces."""
    return tuple(note for note in notes if not note.startswith(_CAMERA_NOTE))


def _with_focal(source: Source, focal: float, where: str) -> Source:
    width, height = source.sizes[VIEW]
    degrees = math.degrees(2 * math.atan(height / 2 / focal))
    camera = Camera.from_fov(width, height, degrees)
    source = replace(source, cameras={frame_key(source): camera})
    return _noted(source, _CAMERA_NOTE, f"{degrees:.1f}° ({where})")


def _noted(source: Source, about: str, what: str) -> Source:
    """Add a note in the place of the one about the same thing."""
    others = tuple(note for note in source.notes if not note.startswith(about))
    return replace(source, notes=(*others, f"{about} {what}"))


def frame_key(source: Source) -> tuple[str, str]:
    """Give the view and the frame that the photo is."""
    return VIEW, source.frames[0]


def _require_photo(source: Source, what: str) -> None:
    if source.layout != LAYOUT:
        raise UsageError(
            f"{what} is for a single photo, and this is a capture of the layout {source.layout}",
            mend="Give the picture itself, or the JSON of the drawing on it",
        )
