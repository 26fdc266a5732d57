"""Bundle adjustment and model files through pycolmap; the only module that knows its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fourfold.errors import MissingDependencyError
from fourfold.estimators.structure_from_motion.model import Lens, Model
from fourfold.estimators.structure_from_motion.tracks import Tracks

# Cauchy's scale, px: about three times the error of a good track.
LOSS_SCALE = 0.5
_CAMERA = 1


def import_pycolmap() -> ModuleType:
    """Import pycolmap, quietly.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import pycolmap
    except ImportError as error:
        raise MissingDependencyError(
            "structure from motion", package="pycolmap", extra="sfm"
        ) from error
    pycolmap.logging.minloglevel = int(pycolmap.logging.ERROR)
    return pycolmap


def adjust(
    model: Model,
    tracks: Tracks,
    *,
    refine_focal: bool = False,
    max_iterations: int = 50,
) -> Model:
    """Refine poses and points together (Ceres through pycolmap, Cauchy loss, one thread).

    Only `model.used` observations count. The gauge is held by two cameras; nothing is refined
    but poses, points and, if asked for, one focal length shared by all frames.
    """
    pycolmap = import_pycolmap()
    reconstruction, point_ids = _reconstruction(pycolmap, model, tracks, None)
    options = pycolmap.BundleAdjustmentOptions(
        refine_focal_length=refine_focal,
        refine_principal_point=False,
        refine_extra_params=False,
        print_summary=False,
    )
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.loss_function_scale = LOSS_SCALE
    options.ceres.solver_options.max_num_iterations = max_iterations
    options.ceres.solver_options.function_tolerance = 1e-5
    options.ceres.solver_options.num_threads = 1  # the same sums in the same order, every time
    config = pycolmap.BundleAdjustmentConfig()
    for frame in np.nonzero(model.registered)[0]:
        config.add_image(int(frame) + 1)
    config.fix_gauge(pycolmap.BundleAdjustmentGauge.TWO_CAMS_FROM_WORLD)
    pycolmap.create_default_bundle_adjuster(options, config, reconstruction).solve()
    return _from_reconstruction(reconstruction, point_ids, model)


def write_model(
    folder: Path, model: Model, tracks: Tracks, frame_names: Sequence[str], colors: np.ndarray
) -> None:
    """Write a COLMAP model (binary) into an existing folder.

    Args:
        frame_names: file names of the T frames.
        colors: (P, 3) uint8 of the points.
    """
    pycolmap = import_pycolmap()
    reconstruction, point_ids = _reconstruction(pycolmap, model, tracks, frame_names)
    for index, point_id in point_ids.items():
        reconstruction.point3D(point_id).color = colors[index]
    reconstruction.update_point_3d_errors()
    reconstruction.write(folder)


def pycolmap_camera(lens: Lens) -> Any:
    """Give a lens as pycolmap's camera; one focal length where both are the same."""
    pycolmap = import_pycolmap()
    if lens.fx == lens.fy:
        name, params = "SIMPLE_PINHOLE", [lens.fx, lens.cx, lens.cy]
    else:
        name, params = "PINHOLE", [lens.fx, lens.fy, lens.cx, lens.cy]
    return pycolmap.Camera(
        model=name, width=lens.width, height=lens.height, params=params, camera_id=_CAMERA
    )


def _reconstruction(
    pycolmap: ModuleType, model: Model, tracks: Tracks, frame_names: Sequence[str] | None
) -> tuple[Any, dict[int, int]]:
    """Build pycolmap's reconstruction, and the map from point index to its point id."""
    reconstruction = pycolmap.Reconstruction()
    reconstruction.add_camera_with_trivial_rig(pycolmap_camera(model.lens))
    used = model.used & model.triangulated[:, None] & model.registered
    elements: dict[int, list[Any]] = {}
    for frame in np.nonzero(model.registered)[0]:
        seen = np.nonzero(used[:, frame])[0]
        image = pycolmap.Image(
            name=f"{frame:06d}" if frame_names is None else frame_names[int(frame)],
            keypoints=tracks.pixels[seen, frame],
            camera_id=_CAMERA,
            image_id=int(frame) + 1,
        )
        pose = pycolmap.Rigid3d(model.poses[frame, :3])
        reconstruction.add_image_with_trivial_frame(image, pose)
        for place, point in enumerate(seen):
            element = pycolmap.TrackElement(int(frame) + 1, place)
            elements.setdefault(int(point), []).append(element)
    point_ids = {
        point: reconstruction.add_point3D(model.points[point], pycolmap.Track(elements[point]))
        for point in sorted(elements)
    }
    return reconstruction, point_ids


def _from_reconstruction(reconstruction: Any, point_ids: dict[int, int], model: Model) -> Model:
    poses, points = model.poses.copy(), model.points.copy()
    for frame in np.nonzero(model.registered)[0]:
        poses[frame, :3] = reconstruction.image(int(frame) + 1).cam_from_world().matrix()
    for index, point_id in point_ids.items():
        points[index] = reconstruction.point3D(point_id).xyz
    focal = [float(value) for value in reconstruction.camera(_CAMERA).params]
    fx, fy = (focal[0], focal[0]) if len(focal) == 3 else (focal[0], focal[1])
    return replace(model, poses=poses, points=points, lens=replace(model.lens, fx=fx, fy=fy))
