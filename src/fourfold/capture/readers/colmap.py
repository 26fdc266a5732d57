"""Layout "colmap": `images/` and a COLMAP model, `sparse/0`: a still scene from many views.

Every picture is a view of its own, of one frame. Of several models the one with most pictures is
read. Lens distortion is removed, as everywhere.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from fourfold.capture.colmap_cameras import fitted_camera
from fourfold.capture.colmap_model import ColmapModel, find_model, read_model
from fourfold.capture.colmap_names import match_views, picture_names, some_names
from fourfold.capture.images import image_size, read_image
from fourfold.capture.key_points import depth_bounds
from fourfold.capture.names import has_images, list_images, natural_key
from fourfold.capture.readers.folder import DEFAULT_FPS
from fourfold.capture.source import ReadOptions, Source
from fourfold.capture.static_views import ONLY_FRAME, every_eighth
from fourfold.errors import InputError
from fourfold.geometry import Camera

LAYOUT = "colmap"
_PICTURE_FOLDERS = ("images", "input", "rgb")


def recognises(path: Path) -> bool:
    """Say whether the folder holds a COLMAP model and pictures, directly or in `images`."""
    return path.is_dir() and find_model(path) is not None and _pictures(path) is not None


def read(path: Path, options: ReadOptions) -> Source:
    """Read the pictures of a COLMAP model; a selection of frames is one of pictures.

    Raises:
        InputError: the model or a picture is damaged, or they do not fit together.
    """
    place, folder = find_model(path), _pictures(path)
    assert place is not None
    assert folder is not None
    model = read_model(place)
    matched, notes = _matched(model, folder)
    views = options.selection.pick(sorted(matched, key=natural_key), path)
    sizes = {view: image_size(matched[view][0], view) for view in views}
    images = {view: model.images[matched[view][1]] for view in views}
    cameras = {view: _camera(images[view].camera, sizes[view], place, view) for view in views}
    bounds = {view: depth_bounds(images[view], model) for view in views}
    files = tuple(matched[view][0] for view in views)
    return Source(
        layout=LAYOUT,
        views=views,
        frames=(ONLY_FRAME,),
        timestamps=(0.0,),
        fps=options.fps or DEFAULT_FPS,
        sizes=sizes,
        images={(v, ONLY_FRAME): partial(read_image, matched[v][0], v) for v in views},
        cameras={(view, ONLY_FRAME): camera for view, camera in cameras.items()},
        known_frames=frozenset({ONLY_FRAME}),
        held_out_views=every_eighth(views),
        image_files={(view, ONLY_FRAME): matched[view][0] for view in views},
        poses_from=f"COLMAP model {place.relative_to(path.parent).as_posix()}",
        bounds={view: found for view, found in bounds.items() if found is not None},
        files=(*files, *model.files),
        notes=notes,
    )


def _pictures(path: Path) -> Path | None:
    """Find the folder that a model's names start from; pictures may lie in folders inside it."""
    named = (path / name for name in _PICTURE_FOLDERS)
    folder = next((place for place in named if place.is_dir() and any(place.iterdir())), None)
    return folder or (path if has_images(path) else None)


def _matched(
    model: ColmapModel, folder: Path
) -> tuple[dict[str, tuple[Path, int]], tuple[str, ...]]:
    """Return view -> its file and its place in the model, and notes."""
    names = [image.name for image in model.images]
    files = [folder / name for name in names]
    others = list(list_images(folder).values())
    if not all(file.is_file() for file in files):
        files = others
    if not files:
        raise InputError("there are no pictures", path=folder, expected="those of the model")
    views = picture_names([file.relative_to(folder).as_posix() for file in files])
    matched, note = match_views(names, views, folder)
    by_name = dict(zip(views, files, strict=True))
    found = {view: (by_name[view], index) for view, index in matched.items()}
    unused = [file.stem for file in others if file not in {file for file, _ in found.values()}]
    left_out = f"left out, as they are not in the COLMAP model: {some_names(unused)}"
    return found, tuple(n for n in (note, left_out if unused else None) if n is not None)


def _camera(camera: Camera, size: tuple[int, int], path: Path, view: str) -> Camera:
    return fitted_camera(camera, size, path, view).to(dtype=torch.float32)
