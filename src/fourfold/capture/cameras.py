"""Camera files: `transforms*.json` of nerfstudio, instant-ngp, D-NeRF; our own `cameras.json`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.geometry import Camera

# OpenGL's camera looks along -z with y up; OpenCV's along +z with y down.
_OPENGL_FROM_OPENCV = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
_DISTORTION_KEYS = ("k1", "k2", "p1", "p2", "k3")
_PINHOLES = frozenset({"OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"})
# How far R R^T may be from the identity before a pose is not a rotation.
_RIGID_TOLERANCE = 2e-3


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is not there or not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the file ({error})", path=path) from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"not valid JSON (line {error.lineno}: {error.msg})", path=path, expected="a JSON file"
        ) from error


def opengl_pose(matrix: Any, path: Path, frame: str) -> Tensor:
    """Turn an OpenGL world-from-camera matrix into OpenCV's camera-from-world, float32.

    Raises:
        InputError: not a rigid 4x4 (or 3x4) matrix.
    """
    world_from_opengl = _matrix(matrix, path, frame)
    return rigid_pose(world_from_opengl @ _OPENGL_FROM_OPENCV, path, frame, invert=True)


def rigid_pose(matrix: Any, path: Path, frame: str, *, invert: bool = False) -> Tensor:
    """Check that a 4x4 (or 3x4) matrix is a rotation and a translation, and return it as float32.

    Raises:
        InputError: it is not.
    """
    pose = matrix if isinstance(matrix, Tensor) else _matrix(matrix, path, frame)
    rotation = pose[:3, :3]
    error = (rotation @ rotation.mT - torch.eye(3, dtype=pose.dtype)).abs().max()
    if not torch.isfinite(pose).all() or error > _RIGID_TOLERANCE or torch.det(rotation) < 0:
        raise InputError(
            "the camera's pose is not a rotation and a translation",
            path=path,
            frame=frame,
            expected="a 4x4 matrix whose upper left 3x3 part is a rotation",
        )
    return (torch.linalg.inv(pose) if invert else pose).float()


def _matrix(value: Any, path: Path, frame: str, rows: int = 4) -> Tensor:
    try:
        matrix = torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError):
        matrix = torch.empty(0, dtype=torch.float64)
    if rows == 4 and matrix.shape == (3, 4):
        matrix = torch.cat((matrix, torch.tensor([[0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)))
    if matrix.shape != (rows, rows):
        raise InputError(
            "the camera file holds something that is not a matrix",
            path=path,
            frame=frame,
            expected=f"a {rows}x{rows} list of numbers",
        )
    return matrix


def transforms_intrinsics(
    shared: dict[str, Any], frame: dict[str, Any], size: tuple[int, int], path: Path, name: str
) -> tuple[Tensor, tuple[float, ...] | None]:
    """Read intrinsics and distortion from a transforms.json, in pixels of (width, height).

    Values of the frame come before those of the file. Focal lengths are `fl_x`, `fl_y`, else
    follow from `camera_angle_x`, `camera_angle_y`.

    Raises:
        InputError: no focal length, or a lens model that is not a pinhole.
    """
    values = {**shared, **frame}
    model = values.get("camera_model", "OPENCV")
    if model not in _PINHOLES:
        raise InputError(
            f"the lens model is {model}", path=path, frame=name, expected="a pinhole (OPENCV)"
        )
    try:
        width, height = float(values.get("w", size[0])), float(values.get("h", size[1]))
        focal_x = _focal(values, "x", width)
        focal_y = _focal(values, "y", height) or focal_x
        center = float(values.get("cx", width / 2)), float(values.get("cy", height / 2))
        lens = tuple(float(values.get(key, 0.0)) for key in _DISTORTION_KEYS)
    except (TypeError, ValueError) as error:
        raise InputError(f"the camera's numbers are not readable ({error})", path=path) from error
    if focal_x is None or focal_y is None or not (focal_x > 0 and focal_y > 0):
        raise InputError(
            "the focal length is not given",
            path=path,
            frame=name,
            expected="fl_x (pixels) or camera_angle_x (radians)",
        )
    matrix = [[focal_x, 0.0, center[0]], [0.0, focal_y, center[1]], [0.0, 0.0, 1.0]]
    intrinsics = torch.tensor(matrix, dtype=torch.float64)
    intrinsics[0] *= size[0] / width
    intrinsics[1] *= size[1] / height
    return intrinsics.float(), lens if any(lens) else None


def _focal(values: dict[str, Any], axis: str, extent: float) -> float | None:
    if f"fl_{axis}" in values:
        return float(values[f"fl_{axis}"])
    angle = values.get(f"camera_angle_{axis}")
    return None if angle is None else 0.5 * extent / math.tan(0.5 * float(angle))


def read_own_cameras(
    path: Path, views: tuple[str, ...], frames: tuple[str, ...], sizes: dict[str, tuple[int, int]]
) -> dict[tuple[str, str], Camera]:
    """Read a `cameras.json` of our own layout; its pixels are scaled to the frames' size.

    Raises:
        InputError: not such a file, frames without a pose, a pose that is not rigid.
    """
    data = read_json(path)
    if not isinstance(data, dict) or not {"intrinsics", "camera_from_world"} <= set(data):
        raise InputError(
            "not a camera file", path=path, expected="intrinsics and camera_from_world"
        )
    cameras = {}
    for view in views:
        poses = {frame: _entry(data["camera_from_world"], view, frame) for frame in frames}
        _require_all(poses, path)
        stored = _stored_size(data, sizes[view], path)
        for frame, pose in poses.items():
            matrix = _matrix(_entry(data["intrinsics"], view, frame), path, frame, rows=3)
            camera = Camera(rigid_pose(pose, path, frame), matrix.float(), *stored)
            cameras[view, frame] = camera.resized(*sizes[view])
    return cameras


def _require_all(poses: dict[str, Any], path: Path) -> None:
    missing = [frame for frame, pose in poses.items() if pose is None]
    if missing:
        raise InputError(
            f"{len(missing)} of {len(poses)} frames have no camera: {', '.join(missing[:8])}"
            + (", …" if len(missing) > 8 else ""),
            path=path,
            expected="one for each frame",
            mend="Leave those frames out with --frames, or prepare the capture again from other "
            "frames (fourfold prepare sfm --initial-pair background=FRAME,FRAME)",
        )


def _stored_size(data: dict[str, Any], size: tuple[int, int], path: Path) -> tuple[int, int]:
    stored = data.get("width", size[0]), data.get("height", size[1])
    if not all(type(side) is int and side > 0 for side in stored):
        raise InputError(f"the size is {stored}", path=path, expected="pixels, whole numbers")
    return stored


def _entry(tree: Any, view: str, frame: str) -> Any:
    # a matrix for all, one per view, or one per view and frame
    for key in (view, frame):
        if isinstance(tree, dict):
            tree = tree.get(key)
    return tree
