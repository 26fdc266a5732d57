"""COLMAP on stills: cameras and points of unposed pictures, or points where the poses are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from fourfold.errors import InputError
from fourfold.estimators.structure_from_motion.bundle import import_pycolmap
from fourfold.estimators.structure_from_motion.epipolar import fundamental_matrix, guided_matches
from fourfold.geometry import Camera

# Features of a still: enough for a room, and few enough that twenty cameras match in minutes.
_MOST_FEATURES = 4096
# Fewer matches of two pictures say nothing. COLMAP's default of 15 is for many pictures.
_FEWEST_MATCHES = 8
# Contrast of a feature: a third of COLMAP's, as wrong matches are sorted out by the poses.
_LEAST_CONTRAST = 0.002
# Rays that meet under a smaller angle, in degrees, do not tell a depth. COLMAP's default is 1.5;
# cameras in a row see a far wall under less.
_LEAST_ANGLE = 0.5


def triangulate_stills(
    folder: Path, cameras: Mapping[str, Camera], work: Path, seed: int = 0
) -> Any:
    """Triangulate key points of pictures whose cameras are known; these stay as they are.

    SIFT features are matched in all pairs (COLMAP, Schönberger and Frahm 2016); matches that lie
    on each other's epipolar lines become tracks, and tracks points.

    Args:
        folder: the pictures.
        cameras: their names -> cameras without distortion, in their pixels.
        work: an empty folder for the database.

    Returns:
        pycolmap's reconstruction, in the cameras' world.

    Raises:
        MissingDependencyError: pycolmap is not installed.
    """
    pycolmap = import_pycolmap()
    database = _with_features(pycolmap, folder, list(cameras), work, "PINHOLE", seed, wide=True)
    start = pycolmap.Reconstruction()
    with pycolmap.Database.open(database) as stored:
        for image in stored.read_all_images():
            camera = cameras[image.name]
            lens = stored.read_camera(image.camera_id)
            (fx, _, cx), (_, fy, cy), _ = camera.intrinsics.tolist()
            lens.params = np.array([fx, fy, cx, cy])
            stored.update_camera(lens)
            start.add_camera_with_trivial_rig(lens)
            pose = pycolmap.Rigid3d(camera.camera_from_world[:3].double().numpy())
            start.add_image_with_trivial_frame(image, pose)
    with pycolmap.Database.open(database) as stored:
        _match_guided(pycolmap, stored, cameras)
    options = _mapping_options(pycolmap, seed)
    options.triangulation.min_angle = _LEAST_ANGLE
    options.mapper.filter_min_tri_angle = _LEAST_ANGLE
    options.triangulation.ignore_two_view_tracks = False  # few cameras seldom share more
    return pycolmap.triangulate_points(start, database, folder, work, options=options)


def map_stills(
    folder: Path, names: Sequence[str], one_lens: bool, work: Path, seed: int = 0
) -> Any:
    """Find cameras and points of pictures (incremental structure from motion, COLMAP).

    Args:
        names: of the pictures in the folder.
        one_lens: whether one lens took all pictures; its radial distortion is then found as well
            (else each picture has a pinhole of its own).
        work: an empty folder for the database.

    Returns:
        The largest of pycolmap's reconstructions, in a world and scale of its own.

    Raises:
        InputError: no two pictures fit together.
        MissingDependencyError: pycolmap is not installed.
    """
    pycolmap = import_pycolmap()
    model = "SIMPLE_RADIAL" if one_lens else "SIMPLE_PINHOLE"
    database = _with_features(pycolmap, folder, names, work, model, seed, one_lens)
    _match(pycolmap, database, seed)
    options = _mapping_options(pycolmap, seed)
    found = pycolmap.incremental_mapping(database, folder, work, options=options)
    if not found:
        raise InputError(
            f"the {len(names)} pictures do not fit together: no two share enough points",
            expected="pictures of one still scene that overlap by half or more",
            mend="Add pictures between these, or give the cameras",
        )
    return max(found.values(), key=lambda model: model.num_reg_images())


def _mapping_options(pycolmap: ModuleType, seed: int) -> Any:
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = 1  # the same sums in the same order, every time
    options.random_seed = seed
    options.min_num_matches = _FEWEST_MATCHES
    options.min_model_size = 2
    return options


def _with_features(
    pycolmap: ModuleType,
    folder: Path,
    names: Sequence[str],
    work: Path,
    model: str,
    seed: int,
    one_lens: bool = False,
    wide: bool = False,
) -> Path:
    """Find SIFT features in all pictures, and return the database.

    Args:
        wide: whether the cameras may be far apart, and their poses will sort matches out.
    """
    pycolmap.set_random_seed(seed)
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.sift.max_num_features = _MOST_FEATURES
    if wide:  # affine shapes and pooling over scales find twice as many
        extraction.sift.estimate_affine_shape = True
        extraction.sift.domain_size_pooling = True
        extraction.sift.peak_threshold = _LEAST_CONTRAST
    extraction.num_threads = 1  # pictures are numbered in the order in which threads finish
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = model
    mode = pycolmap.CameraMode.SINGLE if one_lens else pycolmap.CameraMode.PER_IMAGE
    database = work / "database.db"
    pycolmap.extract_features(
        database, folder, list(names), mode, reader, extraction, pycolmap.Device.cpu
    )
    return database


def _match(pycolmap: ModuleType, database: Path, seed: int) -> None:
    """Match all pairs of pictures, and verify each with a geometry that is found for it."""
    verification = pycolmap.TwoViewGeometryOptions()
    verification.min_num_inliers = _FEWEST_MATCHES
    verification.ransac.random_seed = seed
    pycolmap.match_exhaustive(
        database, verification_options=verification, device=pycolmap.Device.cpu
    )


def _match_guided(pycolmap: ModuleType, stored: Any, cameras: Mapping[str, Camera]) -> None:
    """Match all pairs of pictures along their epipolar lines, and write that as verified."""
    images = sorted(stored.read_all_images(), key=lambda image: image.image_id)
    found = {image.image_id: _features(stored, image.image_id) for image in images}
    for place, first in enumerate(images):
        for second in images[place + 1 :]:
            matrix = fundamental_matrix(cameras[first.name], cameras[second.name])
            one, two = first.image_id, second.image_id
            matches = guided_matches(matrix, *found[one], *found[two])
            geometry = pycolmap.TwoViewGeometry()
            geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
            geometry.inlier_matches = matches.astype(np.uint32)
            stored.write_matches(one, two, geometry.inlier_matches)
            stored.write_two_view_geometry(one, two, geometry)


def _features(stored: Any, image: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the pixels (F, 2) and the unit descriptors (F, 128) of a picture."""
    pixels = stored.read_keypoints(image)[:, :2].astype(np.float64)
    descriptors = np.asarray(stored.read_descriptors(image).data, np.float32)
    return pixels, descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
