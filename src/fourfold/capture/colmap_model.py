"""COLMAP's sparse models: where they lie, and what they hold (binary or text)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from fourfold.capture.cameras import rigid_pose
from fourfold.capture.colmap_cameras import colmap_camera
from fourfold.capture.colmap_files import (
    RawImage,
    RawModel,
    count_images,
    read_binary,
    read_text,
)
from fourfold.capture.names import list_folders, natural_key
from fourfold.errors import InputError
from fourfold.geometry import Camera, quaternion_to_matrix

_PARTS = ("cameras", "images", "points3D")
# Where COLMAP, LLFF and nerfstudio put the folders of models.
_PLACES = ("", "sparse", "colmap/sparse")


@dataclass(frozen=True, eq=False)
class ColmapImage:
    """A registered picture of a model.

    Attributes:
        name: the file, as the model names it.
        camera: its pose and lens, in pixels of the model, float64; perhaps with a distortion.
        pixels: (M, 2) where it sees points, in pixels of the model, the first one's centre at 0.5.
        rows: (M,) which points these are.
    """

    name: str
    camera: Camera
    pixels: Float[np.ndarray, "M 2"]
    rows: Int[np.ndarray, "M"]


@dataclass(frozen=True, eq=False)
class ColmapModel:
    """A sparse model: its pictures in natural order of their names, and its points (P, 3)."""

    path: Path
    images: tuple[ColmapImage, ...]
    points: Float[np.ndarray, "P 3"]

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it was read from."""
        return model_files(self.path)


def find_model(folder: Path) -> Path | None:
    """Find the model with most pictures in a folder, in its `sparse` or in `sparse/<number>`.

    Raises:
        InputError: several models, and one is damaged.
    """
    places = [folder / place for place in _PLACES]
    inside = [p for place in places[1:] if place.is_dir() for p in list_folders(place)]
    models = [place for place in (*places, *inside) if model_files(place)]
    return (
        max(models, key=count_images, default=None) if len(models) > 1 else next(iter(models), None)
    )


def model_files(folder: Path) -> tuple[Path, ...]:
    """Return the three files of a model, binary before text; () where they are not there."""
    for ending in (".bin", ".txt"):
        files = tuple(folder / f"{part}{ending}" for part in _PARTS)
        if all(file.is_file() for file in files):
            return files
    return ()


def read_model(folder: Path) -> ColmapModel:
    """Read a model.

    Raises:
        InputError: it is not there, damaged, has no picture, or a lens we do not know.
    """
    files = model_files(folder)
    if not files:
        raise InputError(
            "no COLMAP model", path=folder, expected="cameras, images and points3D (.bin or .txt)"
        )
    read: Callable[[Sequence[Path]], RawModel] = (
        read_binary if files[0].suffix == ".bin" else read_text
    )
    raw = read(files)
    if not raw.images:
        raise InputError("the model has no picture", path=files[1], expected="registered pictures")
    cameras = {
        key: colmap_camera(model, size, values, files[0])
        for key, (model, size, values) in raw.cameras.items()
    }
    row_of = {key: row for row, key in enumerate(raw.points)}
    points = np.array(list(raw.points.values()), np.float64).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise InputError("a point is not finite", path=files[2], expected="finite coordinates")
    images = [_image(image, cameras, row_of, files[1]) for image in raw.images]
    images.sort(key=lambda image: natural_key(image.name))
    return ColmapModel(folder, tuple(images), points)


def _image(
    raw: RawImage, cameras: dict[int, Camera], row_of: dict[int, int], path: Path
) -> ColmapImage:
    try:
        camera = cameras[raw.camera]
        rows = np.array([row_of[key] for key in raw.points.tolist()], np.int64)
    except KeyError as error:
        raise InputError(
            f"refers to a camera or point {error} that is not in the model",
            path=path,
            frame=raw.name,
            expected="the three files of one model",
        ) from error
    pose = torch.eye(4, dtype=torch.float64)
    quaternion = torch.tensor(raw.quaternion, dtype=torch.float64)
    pose[:3, :3] = quaternion_to_matrix(quaternion)
    pose[:3, 3] = torch.tensor(raw.translation, dtype=torch.float64)
    rigid_pose(pose, path, raw.name)
    return ColmapImage(raw.name, camera.moved(pose), raw.pixels, rows)
