"""Layout "photo": one picture, with what is drawn on it in labelme's JSON.

The path is the picture, the JSON, or a folder with the two. What lies beside the picture is taken
too: `<name>.json`; else a mask `<name>_json/mask.png` (as labelme exports it) or `<name>_mask.png`;
and a motion field `<name>_motion.npy` (as StyleCineGAN keeps them); and the camera in
`cameras.json`, in the place of what EXIF says.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from fourfold.capture.hints import HINT_FPS
from fourfold.capture.images import image_size, read_shrunk
from fourfold.capture.labelme import Drawing
from fourfold.capture.names import IMAGE_SUFFIXES
from fourfold.capture.photo_channels import (
    LAYOUT,
    MAX_SIZE,
    VIEW,
    with_camera_file,
    with_exif_camera,
    with_mask_file,
    with_motion_file,
    with_outlines,
)
from fourfold.capture.photo_files import (
    Picture,
    find_photo,
    mask_beside,
    motion_beside,
    photo_in_folder,
)
from fourfold.capture.sizes import fit_size
from fourfold.capture.source import ReadOptions, Source

__all__ = ["LAYOUT", "MAX_SIZE", "read", "recognises"]


def recognises(path: Path) -> bool:
    """Say whether the path is a picture, a JSON file, or a folder of one photo and its drawing."""
    if path.is_file():
        return path.suffix.lower() in IMAGE_SUFFIXES | {".json"}
    return photo_in_folder(path) is not None


def read(path: Path, options: ReadOptions) -> Source:
    """Read a photo with its regions, hints, motion field and camera.

    Raises:
        InputError: the photo or the JSON is damaged, missing, or they do not belong together.
    """
    found = find_photo(path)
    source = _photo(found.picture, options)
    if found.drawing is not None:
        source = _with_drawing(source, found.drawing, found.json, options)
    source = replace(source, notes=(*source.notes, *found.notes))
    return _with_neighbours(source, found.json, options)


def _photo(picture: Picture, options: ReadOptions) -> Source:
    name = picture.path.stem
    frames = options.selection.pick([name], picture.path)
    size = image_size(picture.path, data=picture.data)
    working = fit_size(size, options.max_size)
    loader = partial(read_shrunk, picture.path, working, name, picture.data)
    truth = picture.path.parent / "truth"
    source = Source(
        layout=LAYOUT,
        views=(VIEW,),
        frames=frames,
        timestamps=(0.0,),
        fps=options.fps or HINT_FPS,
        sizes={VIEW: size},
        images={(VIEW, name): loader},
        known_frames=frozenset({name}),
        files=(picture.path,),
        notes=picture.notes,
        truth_folder=truth if truth.is_dir() else None,
        prescaled=frozenset({"image"}),
    )
    return with_exif_camera(source, picture.path, picture.data)


def _with_drawing(source: Source, drawing: Drawing, file: Path, options: ReadOptions) -> Source:
    size = source.sizes[VIEW]
    fitted = drawing.fitted(size, file)
    source = with_outlines(source, fitted.regions, fit_size(size, options.max_size))
    files = source.files if file in source.files else (*source.files, file)
    return replace(source, hints=fitted.hints, files=files, notes=(*source.notes, *fitted.notes))


def _with_neighbours(source: Source, base: Path, options: ReadOptions) -> Source:
    """Take the mask and the motion field that lie beside the photo."""
    mask = mask_beside(base)
    if mask is not None and not source.objects:
        source = with_mask_file(source, mask, options.max_size)
    motion = motion_beside(base)
    if motion is not None:
        source = with_motion_file(source, motion)
    cameras = base.with_name("cameras.json")
    return with_camera_file(source, cameras) if cameras.is_file() else source
