"""What `prepare poses` writes: pictures, a COLMAP model, `poses_bounds.npy`, a report."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from fourfold.capture import Capture
from fourfold.capture.colmap_cameras import fitted_camera
from fourfold.capture.colmap_model import ColmapImage, ColmapModel, find_model, read_model
from fourfold.capture.colmap_names import match_views
from fourfold.capture.images import image_size
from fourfold.capture.key_points import depth_bounds, reprojection_errors
from fourfold.capture.names import list_images
from fourfold.capture.poses_bounds_writing import poses_bounds_rows
from fourfold.errors import InputError
from fourfold.estimators.structure_from_motion.stills import map_stills, triangulate_stills
from fourfold.evaluation.pictures import to_pillow
from fourfold.geometry import Camera
from fourfold.verbs.prepare_poses import (
    PosesOptions,
    PreparedPoses,
    chosen_frame,
    describe_poses,
    known_cameras,
)

# With fewer points there is nothing to say about depth.
_FEWEST_POINTS = 10
# Pictures whose longer side is below this are doubled before features are looked for.
_SMALL = 640


def write_poses(folder: Path, capture: Capture, options: PosesOptions) -> PreparedPoses:
    """Fill an empty folder.

    Raises:
        InputError: cameras cannot be found, or there are too few key points.
        MissingDependencyError: pycolmap is not installed.
    """
    pictures, place = folder / "images", folder / "sparse" / "0"
    pictures.mkdir()
    place.mkdir(parents=True)
    frame: str | None = None
    if capture.layout == "colmap":
        _copy(capture, pictures, place)
        how = "copied"
    else:
        how, frame = _found(capture, options, pictures, place)
    model = read_model(place)
    names = list_images(pictures)  # in natural order, which is that of LLFF's rows
    matched, _ = match_views([image.name for image in model.images], list(names), place)
    left_out = sorted(set(names) - set(matched))
    _check_found(capture, left_out, model)
    for name in left_out:
        names.pop(name).unlink()
    images = {view: model.images[index] for view, index in matched.items()}
    sizes = {view: image_size(names[view]) for view in images}
    np.save(folder / "poses_bounds.npy", _rows(images, model, sizes, place))
    prepared = _prepared(how, frame, images, model, sizes, left_out)
    (folder / "poses.json").write_text(json.dumps(describe_poses(prepared), indent=2) + "\n")
    return prepared


def _copy(capture: Capture, pictures: Path, place: Path) -> None:
    """Copy pictures and model as they are, pixel for pixel."""
    for view in range(len(capture.views)):
        file = capture.image_file(0, view)
        assert file is not None
        shutil.copyfile(file, pictures / f"{capture.views[view]}{file.suffix}")
    model = find_model(capture.path)
    assert model is not None
    for file in read_model(model).files:
        shutil.copyfile(file, place / file.name)


def _found(
    capture: Capture, options: PosesOptions, pictures: Path, place: Path
) -> tuple[str, str | None]:
    """Write the stills and the model that is found in them; say how, and of which frame."""
    moving = len(capture.views) == 1
    if moving and len(capture.posed_frames()) == capture.num_frames:
        capture = capture.as_views()
    if len(capture.views) == 1:
        stills = {capture.frames[t]: (t, 0) for t in range(capture.num_frames)}
        cameras, frame = None, None
    else:
        at = chosen_frame(capture, options.frame)
        cameras = known_cameras(capture, at)
        # depth that a held-out camera helped to find would be no fair supervision
        used = capture.views if cameras is None else capture.train_views
        stills = {name: (at, capture.views.index(name)) for name in used}
        frame = capture.frames[at] if capture.num_frames > 1 else None
    with tempfile.TemporaryDirectory(prefix="fourfold-") as scratch:
        enlarged, work = Path(scratch, "stills"), Path(scratch, "work")
        enlarged.mkdir()
        work.mkdir()
        for name, (t, view) in stills.items():
            picture = to_pillow(capture.image(t, view))
            picture.save(pictures / f"{name}.png")
            _enlarged(picture).save(enlarged / f"{name}.png")
        if cameras is None:
            names = [f"{name}.png" for name in stills]
            found = map_stills(enlarged, names, moving, work, options.seed)
        else:
            sizes = {name: image_size(enlarged / f"{name}.png") for name in stills}
            posed = {f"{name}.png": cameras[name].resized(*sizes[name]) for name in stills}
            found = triangulate_stills(enlarged, posed, work, options.seed)
        found.write_binary(place)
    return ("solved" if cameras is None else "triangulated"), frame


def _enlarged(picture: Image.Image) -> Image.Image:
    """Double a small picture: features are larger than its details."""
    if max(picture.size) >= _SMALL:
        return picture
    return picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.BICUBIC)


def _check_found(capture: Capture, left_out: list[str], model: ColmapModel) -> None:
    if len(model.points) < _FEWEST_POINTS:
        raise InputError(
            f"only {len(model.points)} key points are seen by two cameras or more",
            path=capture.path,
            expected=f"{_FEWEST_POINTS} or more",
            mend="Use larger pictures (--max-size), another --frame, or cameras closer together",
        )
    if left_out and capture.num_frames > 1 and len(capture.views) > 1:
        raise InputError(
            f"the cameras {', '.join(left_out)} share too few points with the others",
            path=capture.path,
            expected="every camera of the rig to be found",
            mend="Choose another --frame, take these cameras away, or calibrate the rig",
        )


def _rows(
    images: Mapping[str, ColmapImage],
    model: ColmapModel,
    sizes: Mapping[str, tuple[int, int]],
    place: Path,
) -> Float[np.ndarray, "N 17"]:
    """Give LLFF's rows in natural order; a view without key points has the bounds of all."""
    cameras: list[Camera] = [
        fitted_camera(image.camera, sizes[view], place, view) for view, image in images.items()
    ]
    bounds = [depth_bounds(image, model) for image in images.values()]
    known = [found for found in bounds if found is not None]
    whole = min(near for near, _ in known), max(far for _, far in known)
    return poses_bounds_rows(cameras, [whole if found is None else found for found in bounds])


def _prepared(
    how: str,
    frame: str | None,
    images: Mapping[str, ColmapImage],
    model: ColmapModel,
    sizes: Mapping[str, tuple[int, int]],
    left_out: list[str],
) -> PreparedPoses:
    errors = np.concatenate(
        [
            reprojection_errors(image, model) * (sizes[view][0] / image.camera.width)
            for view, image in images.items()
        ]
    )
    facts: dict[str, Any] = {
        "key_points": {view: len(image.rows) for view, image in images.items()},
        "points": len(model.points),
        "error": float(errors.mean()),
    }
    return PreparedPoses(Path(), how, frame, left_out=tuple(left_out), **facts)
