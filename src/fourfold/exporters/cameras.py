"""The camera path to other tools: transforms.json (nerfstudio) and COLMAP text files."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.files import replace_folder
from fourfold.geometry import Camera, decompose_similarity, matrix_to_quaternion, rigid_matrix

# OpenCV (x right, y down, z forward) to OpenGL (x right, y up, z backward) axes of a camera.
_OPENGL = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))


def write_cameras(
    folder: Path,
    cameras: Sequence[Camera],
    names: Sequence[str],
    fps: float,
    normalization: Float[Tensor, "4 4"],
    frames: Sequence[int] | None = None,
) -> Path:
    """Write `transforms.json` and a COLMAP text model (`sparse/0`) into a new folder.

    Both are in the coordinates of the capture: `normalization` (`scene_from_capture`, a
    similarity) is undone. `names` are file names of the pictures; `frames` their numbers, one after
    the other if None, of which `fps` makes times.

    Raises:
        OutputError: it cannot be written; what was there is still there.
    """
    original = [undo_normalization(camera, normalization) for camera in cameras]
    with replace_folder(folder) as staging:
        text = json.dumps(transforms_json(original, names, fps, frames), indent=2)
        (staging / "transforms.json").write_text(text + "\n")
        model = staging / "sparse" / "0"
        model.mkdir(parents=True)
        for name, text in colmap_text(original, names).items():
            (model / name).write_text(text)
    return folder


def undo_normalization(camera: Camera, normalization: Float[Tensor, "4 4"]) -> Camera:
    """Move a camera from scene coordinates to those of the capture, in float64."""
    to_capture = torch.linalg.inv(normalization.double())
    _, rotation, _ = decompose_similarity(to_capture)
    pose = camera.to(dtype=torch.float64).world_from_camera
    position = to_capture[:3, :3] @ pose[:3, 3] + to_capture[:3, 3]
    turned = rotation @ pose[:3, :3]
    return camera.to(dtype=torch.float64).moved(rigid_matrix(turned.mT, -(turned.mT @ position)))


def transforms_json(
    cameras: Sequence[Camera],
    names: Sequence[str],
    fps: float,
    frames: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Describe cameras as nerfstudio's transforms.json does: OpenGL axes, world from camera.

    Each frame carries its own intrinsics, `time` in seconds and the index of the frame.
    """
    numbers = range(len(cameras)) if frames is None else frames
    entries = []
    for index, camera, name in zip(numbers, cameras, names, strict=True):
        pose = camera.world_from_camera @ _OPENGL.to(camera.camera_from_world)
        entries.append(
            {
                "file_path": name,
                "time": index / fps,
                "frame": index,
                **_intrinsics(camera),
                "transform_matrix": pose.tolist(),
            }
        )
    return {"camera_model": "OPENCV", "fps": fps, "frames": entries}


def colmap_text(cameras: Sequence[Camera], names: Sequence[str]) -> dict[str, str]:
    """Describe cameras as COLMAP's text model: file name to content; it has no 3D points."""
    lines = {
        "cameras.txt": ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"],
        "images.txt": [
            "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME",
            "# POINTS2D[] as (X, Y, POINT3D_ID)",
        ],
        "points3D.txt": ["# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[]"],
    }
    for number, (camera, name) in enumerate(zip(cameras, names, strict=True), start=1):
        values = _intrinsics(camera)
        focal = [values[key] for key in ("fl_x", "fl_y", "cx", "cy")]
        lines["cameras.txt"].append(
            f"{number} PINHOLE {camera.width} {camera.height} {_numbers(focal)}"
        )
        pose = camera.camera_from_world
        numbers = [*matrix_to_quaternion(pose[:3, :3]).tolist(), *pose[:3, 3].tolist()]
        # The empty line is the image's list of points.
        lines["images.txt"] += [f"{number} {_numbers(numbers)} {number} {name}", ""]
    return {name: "\n".join(content) + "\n" for name, content in lines.items()}


def _intrinsics(camera: Camera) -> dict[str, float]:
    (fx, _, cx), (_, fy, cy), _ = camera.intrinsics.tolist()
    horizontal = 2.0 * math.atan(0.5 * camera.width / fx)
    return {
        "fl_x": fx,
        "fl_y": fy,
        "cx": cx,
        "cy": cy,
        "w": camera.width,
        "h": camera.height,
        "camera_angle_x": horizontal,
    }


def _numbers(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)
