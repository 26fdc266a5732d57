"""A camera path from a file: nerfstudio's transforms.json, with times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from fourfold.capture.cameras import opengl_pose, read_json, transforms_intrinsics
from fourfold.errors import InputError
from fourfold.geometry import Camera, decompose_similarity, invert_rigid, rigid_matrix
from fourfold.scene import Scene
from fourfold.verbs.camera_path import View

_FOCAL_KEYS = ("fl_x", "camera_angle_x")


def file_path(file: Path, scene: Scene, times: Sequence[float]) -> list[View]:
    """Read a camera path: a transforms.json with `frames[].transform_matrix`.

    World from camera, OpenGL axes, in the coordinates of the capture (what `fourfold export
    --format cameras` writes). `render_time` or `time` (seconds) of a frame says when it is;
    without it the clip's time is spread over the path. Intrinsics are read per frame or for all;
    without them the capture's are used. Lens distortion is left out.

    Raises:
        InputError: the file cannot be read, or a camera of it is not one.
    """
    content = read_json(file)
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        raise InputError("no cameras in it", path=file, expected="an object with a list `frames`")
    views = []
    for index, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise InputError("not a camera", path=file, frame=index, expected="an object")
        spread = times[0] + (times[-1] - times[0]) * (index / max(len(frames) - 1, 1))
        time = _time(file, frame, index, spread, scene.fps)
        reference = scene.camera_at(min(max(time, 0.0), scene.num_frames - 1.0))
        camera = _with_intrinsics(reference, content, frame, file, index)
        pose = opengl_pose(frame.get("transform_matrix"), file, str(index))
        views.append(View(camera.moved(_into_scene(pose, scene.normalization)), time))
    return views


def _time(file: Path, frame: dict[str, Any], index: int, spread: float, fps: float) -> float:
    seconds = frame.get("render_time", frame.get("time"))
    if seconds is None:
        return spread
    if not isinstance(seconds, int | float):
        raise InputError("its time is no number", path=file, frame=index, expected="seconds")
    return float(seconds) * fps


def _with_intrinsics(
    reference: Camera, shared: dict[str, Any], frame: dict[str, Any], file: Path, index: int
) -> Camera:
    if not any(key in values for key in _FOCAL_KEYS for values in (shared, frame)):
        return reference
    values = {**shared, **frame}
    size = int(values.get("w", reference.width)), int(values.get("h", reference.height))
    matrix, _ = transforms_intrinsics(shared, frame, size, file, str(index))
    return Camera(reference.camera_from_world, matrix, *size)


def _into_scene(
    camera_from_capture: Float[Tensor, "4 4"], normalization: Float[Tensor, "4 4"]
) -> Float[Tensor, "4 4"]:
    """Turn the pose of a camera in the capture's world into `camera_from_world` in the scene's."""
    to_scene = normalization.double()
    _, rotation, _ = decompose_similarity(to_scene)
    pose = invert_rigid(camera_from_capture.double())
    turned = rotation @ pose[:3, :3]
    position = to_scene[:3, :3] @ pose[:3, 3] + to_scene[:3, 3]
    return rigid_matrix(turned.mT, -(turned.mT @ position)).to(normalization)
