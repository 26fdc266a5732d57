"""COLMAP's lens models as cameras of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from fourfold.errors import InputError
from fourfold.geometry import Camera

# COLMAP's models, in the order of their numbers in its binary files, and how many parameters each
# has (colmap.github.io, "Camera models").
MODELS = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
)
_COUNTS = dict(MODELS)
# The largest share of a picture's side that the undistorter is taken to have trimmed.
_TRIMMED = 0.02
_ONE_FOCAL = frozenset({"SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"})


def colmap_camera(model: str, size: tuple[int, int], values: Sequence[float], path: Path) -> Camera:
    """Build a camera in the origin, float64, from COLMAP's model, (width, height), parameters.

    COLMAP counts pixels as we do: the centre of the first is at 0.5.

    Raises:
        InputError: a lens that is not a pinhole with radial and tangential distortion, or numbers
            that are no camera.
    """
    if _COUNTS.get(model) != len(values) or min(size) < 1:
        raise InputError(
            f"not a camera: {model} of {size[0]}x{size[1]} pixels with {len(values)} parameters",
            path=path,
            expected="a camera as COLMAP writes it",
        )
    focals = 1 if model in _ONE_FOCAL else 2
    fx, fy = values[0], values[focals - 1]
    if not (0 < fx < float("inf") and 0 < fy < float("inf")):
        raise InputError(f"the focal length is {fx:g}, {fy:g}", path=path, expected="above 0")
    lens = _distortion(model, values[focals + 2 :], path)
    cx, cy = values[focals : focals + 2]
    matrix = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)
    return Camera(torch.eye(4, dtype=torch.float64), matrix, *size, distortion=lens)


def _distortion(model: str, rest: Sequence[float], path: Path) -> tuple[float, ...] | None:
    """Order COLMAP's distortion as k1, k2, p1, p2, k3."""
    if "FISHEYE" in model or model == "FOV" or any(rest[5:]):
        raise InputError(
            f"the lens model is {model}",
            path=path,
            expected="a pinhole with radial and tangential distortion, without fisheye",
            mend="Take the distortion out with COLMAP's image_undistorter",
        )
    lens = (*rest, 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    return lens if any(lens) else None


def fitted_camera(
    camera: Camera, size: tuple[int, int], path: Path, view: str, before: float = 0.5
) -> Camera:
    """Give the camera for pictures of another (width, height) than the model says.

    Pictures that were scaled keep their aspect. COLMAP's undistorter instead trims a border of a
    few pixels, and so do encoders of videos: sizes that differ by less than 2 % are taken for
    parts of one picture. `before` is the share of the border that lies on the left and on top.

    Raises:
        InputError: another aspect.
    """
    across, down = size[0] / camera.width, size[1] / camera.height
    if abs(across / down - 1) > _TRIMMED:
        raise InputError(
            f"the picture is {size[0]}x{size[1]} pixels",
            path=path,
            frame=view,
            expected=f"the aspect of the calibrated camera, {camera.width}x{camera.height}",
        )
    if max(abs(across - 1), abs(down - 1)) > _TRIMMED:
        return camera.resized(*size)
    shift = torch.zeros_like(camera.intrinsics)
    shift[0, 2] = (size[0] - camera.width) * before
    shift[1, 2] = (size[1] - camera.height) * before
    return replace(camera, intrinsics=camera.intrinsics + shift, width=size[0], height=size[1])
