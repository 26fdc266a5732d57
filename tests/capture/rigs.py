"""Small rigs on disk, whose cameras see one textured plane: exact pictures for any pose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

WIDTH, HEIGHT, FOCAL, PLANE = 160, 120, 150.0, 4.0
# world_from_camera of OpenCV's axes: cameras side by side that look along z, turned a little
POSITIONS = ((0.0, 0.0, 0.0), (-0.4, 0.1, 0.0), (0.4, -0.1, 0.1), (0.1, 0.3, 0.0))


def pose(index: int) -> np.ndarray:
    """Return world_from_camera of a camera, OpenCV axes."""
    x, y, z = POSITIONS[index]
    matrix = np.eye(4)
    matrix[:3, :3] = cv2.Rodrigues(np.array([0.02 * index, -x / PLANE, 0.03 * index]))[0]
    matrix[:3, 3] = x, y, z
    return matrix


@cache
def picture(index: int) -> np.ndarray:
    """Return what a camera sees of a plane at z = 4 that is covered with blurred noise, uint8."""
    random = np.random.default_rng(0)
    texture = cv2.GaussianBlur(random.random((400, 400)).astype(np.float32), (0, 0), 2.5)
    texture = np.clip((texture - 0.5) * 6 + 0.5, 0, 1)
    camera_from_world = np.linalg.inv(pose(index))
    intrinsics = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    # texture pixels (u, v) lie at ((u - 200) / 50, (v - 200) / 50, 4)
    world = np.array([[1 / 50, 0, -4], [0, 1 / 50, -4], [0, 0, PLANE]])
    plane = camera_from_world[:3, :3] @ world + np.outer(camera_from_world[:3, 3], [0, 0, 1])
    # OpenCV counts pixel centres from 0
    shift = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    seen = cv2.warpPerspective(texture, shift @ intrinsics @ plane, (WIDTH, HEIGHT))
    return np.repeat(np.round(seen * 255).astype(np.uint8)[..., None], 3, 2)


def rows(count: int = 4, columns: str = "llff") -> np.ndarray:
    """Return poses_bounds rows; columns: llff, nerf, opencv, mirrored (an LLFF world), flipped."""
    found = []
    for index in range(count):
        matrix = pose(index)
        right, down, forward = matrix[:3, :3].T
        axes = {
            "llff": (down, right, -forward),
            "mirrored": (down, right, -forward),
            "nerf": (right, -down, -forward),
            "opencv": (right, down, forward),
            "flipped": (-down, right, -forward),
        }[columns]
        size = np.array([HEIGHT, WIDTH, FOCAL])
        full = np.stack([*axes, matrix[:3, 3], size], 1)
        if columns == "mirrored":
            full[1, :4] *= -1
        found.append(np.concatenate([full.ravel(), [2.0, 8.0]]))
    return np.array(found)


def write_rig(
    root: Path,
    cameras: Sequence[str] = ("cam00", "cam01", "cam02", "cam03"),
    frames: Sequence[str] = ("0001", "0002", "0003"),
    folder: str = "frames",
    poses: np.ndarray | None = None,
) -> Path:
    """Write a rig whose pictures get brighter by one from frame to frame."""
    for index, camera in enumerate(cameras):
        seen = picture(index).astype(int)
        for time, frame in enumerate(frames):
            file = root / folder / camera / f"{frame}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.clip(seen + time, 0, 255).astype(np.uint8)).save(file)
    np.save(root / "poses_bounds.npy", rows(len(cameras)) if poses is None else poses)
    return root
