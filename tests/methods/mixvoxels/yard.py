"""A ball that flies past a wall, as five small cameras of a rig see it, with the exact answers.

The wall is at z = 5; the ball, half a unit in radius, goes from left to right at z = 3.5. Cameras
look along z, y points down, and the capture's world is this one.
"""

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fourfold.capture import Capture, open_capture
from fourfold.geometry import Camera, look_at
from fourfold.methods.mixvoxels.footage import Footage

WIDTH, HEIGHT, FOV = 40, 30, 45.0
NUM_FRAMES = 6
WALL, BALL, RADIUS = 5.0, 3.5, 0.5
NEAR, FAR = 2.5, 6.0
RED = torch.tensor([0.9, 0.1, 0.1])
NAMES = ("cam00", "cam01", "cam02", "cam03", "cam04")
HELD_OUT = "cam02"
"""The camera in the middle."""


@cache
def cameras() -> tuple[Camera, ...]:
    """Give five cameras side by side, which look at a place between the ball and the wall."""
    target, up = torch.tensor([0.0, 0.0, 4.2]), torch.tensor([0.0, -1.0, 0.0])
    places = [(-0.9, 0.4), (-0.5, -0.5), (0.0, 0.0), (0.5, 0.5), (0.9, -0.4)]
    poses = [look_at(torch.tensor([x, y, 0.0]), target, up) for x, y in places]
    return tuple(Camera.from_fov(WIDTH, HEIGHT, FOV, pose) for pose in poses)


def ball(frame: int) -> Tensor:
    """Give the ball's centre."""
    return torch.tensor([-0.9 + 0.36 * frame, 0.0, BALL])


def film(camera: Camera, frame: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Photograph wall and ball (None: no ball): image (H,W,3), z-depth and the ball's pixels."""
    origins, directions = camera.rays()
    to_wall = (WALL - origins[..., 2]) / directions[..., 2]
    distances, hit = to_wall, torch.zeros(to_wall.shape, dtype=torch.bool)
    if frame is not None:
        offsets = origins - ball(frame)
        along = (offsets * directions).sum(-1)
        inside = along.square() - offsets.square().sum(-1) + RADIUS**2
        hit = inside > 0
        distances = torch.where(hit, -along - inside.clamp(min=0).sqrt(), to_wall)
    points = origins + distances[..., None] * directions
    image = torch.where(hit[..., None], RED, paint(points))
    pose = camera.camera_from_world
    return image, points @ pose[2, :3] + pose[2, 3], hit


def paint(points: Tensor) -> Tensor:
    """Give the wall's colours at places on it: waves of two units or so, others in each channel."""
    x, y = points[..., 0], points[..., 1]
    waves = [
        (2.3 * x + 1.1 * y).sin() + (0.9 * x - 2.9 * y).sin(),
        (3.1 * x - 0.7 * y + 1.0).sin() + (1.2 * x + 2.1 * y).sin(),
        (1.7 * x + 2.4 * y + 2.0).sin() + (-1.9 * x + 1.3 * y).sin(),
    ]
    return 0.45 + 0.18 * torch.stack(waves, dim=-1)


def write_yard(folder: Path, views: Sequence[str] = NAMES, num_frames: int = NUM_FRAMES) -> Path:
    """Write the rig as N3V has it, with its truth."""
    rows = []
    for view in views:
        camera = cameras()[NAMES.index(view)]
        rows.append(_row(camera))
        for frame in range(num_frames):
            image, depth, moving = film(camera, frame)
            name = f"{frame + 1:04d}.png"
            _save(folder / "frames" / view / name, (image * 255).round().byte())
            _save(folder / "truth" / "depth" / view / name, (depth * 1000).round().int())
            _save(folder / "truth" / "moving" / view / name, moving.byte() * 255)
    np.save(folder / "poses_bounds.npy", np.stack(rows))
    head = {"format": "fourfold-rig-truth", "version": 1, "width": WIDTH, "height": HEIGHT}
    more = {"fps": 10.0, "few": list(views[:3]), "moving": ["ball"], "depth_unit": 0.001}
    (folder / "truth" / "rig.json").write_text(json.dumps({**head, **more}))
    return folder


def open_yard(folder: Path, test_cameras: str = HELD_OUT) -> Capture:
    """Open what `write_yard` wrote."""
    return open_capture(folder, test_cameras=test_cameras, fps=10.0)


def footage_of(
    cameras: Sequence[Sequence[Camera]], bounds: Sequence[tuple[float, float]] | None = None
) -> Footage:
    """Make footage without pictures, of these cameras by view and frame."""
    known = [(math.nan, math.nan)] * len(cameras) if bounds is None else bounds
    missing: Any = None
    views, frames = tuple(range(len(cameras))), tuple(range(len(cameras[0])))
    return Footage(missing, missing, views, frames, cameras, torch.tensor(known))


def write_depths(
    folder: Path,
    factor: float = 1.0,
    views: Sequence[str] = NAMES,
    frame: int | None = None,
) -> Path:
    """Write the depth at a frame (None: of the wall alone), times a factor: a map per camera."""
    folder.mkdir(parents=True, exist_ok=True)
    for view in views:
        depth = film(cameras()[NAMES.index(view)], frame)[1]
        np.save(folder / f"{view}.npy", factor * depth.numpy())
    return folder


def _row(camera: Camera) -> np.ndarray:
    """Give a camera's row of poses_bounds.npy, in LLFF's axes."""
    pose = camera.world_from_camera.numpy()
    right, down, forward, place = pose[:3].T
    size = np.array([HEIGHT, WIDTH, float(camera.focal[0])])
    full = np.stack([down, right, -forward, place, size], 1)
    return np.concatenate([full.ravel(), [NEAR, FAR]])


def _save(file: Path, pixels: Tensor) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    values = pixels.numpy()
    Image.fromarray(values.astype(np.uint16) if values.dtype == np.int32 else values).save(file)
