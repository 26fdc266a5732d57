"""The camera paths of 3D-MOM, scaled to what a scene's depth bears."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.scene.scene import Scene

# Each path moves the world before the camera by (x, y, z) at a phase in [0, 1], as the files of
# 3D-MOM do; 0.09 is the largest shift sideways.
_OFFSETS: dict[str, Callable[[float], tuple[float, float, float]]] = {
    "up-down": lambda p: (0.0, 0.08 - 0.16 * p, 0.0),
    "side": lambda p: (0.09 - 0.18 * p, 0.0, 0.0),
    "zoom-in": lambda p: (0.0, 0.0, -0.24 * p),
    "circle": lambda p: (
        -0.04 * math.cos(4.0 * math.pi * p),
        -0.04 * math.sin(4.0 * math.pi * p),
        0.09 * math.cos(2.0 * math.pi * p),
    ),
}
LANDSCAPE_PATHS = tuple(_OFFSETS)
_SIDEWAYS = 0.09
# The parallax between what is near and what is infinitely far, for the shift of 0.09, in shares
# of the picture's longer side; near is what 5 % of the picture are nearer than.
_PARALLAX, _NEAREST = 30.0 / 1280.0, 0.05
# Longer side of the picture whose depth is measured.
_SCOUT_SIZE = 320


def landscape_path(scene: Scene, name: str, times: Sequence[float], closed: bool) -> list[Camera]:
    """Move the camera a little, without turning it, while time plays; a camera per time.

    Args:
        name: up-down, side, zoom-in or circle.
        times: in frames of the capture, one per camera.
        closed: come back to the first place, where the next round begins.
    """
    unit = _unit(scene, times[0])
    cameras = []
    for index, time in enumerate(times):
        phase = _phase(name, index, len(times), closed)
        shift = unit * torch.tensor(_OFFSETS[name](phase), dtype=torch.float32)
        cameras.append(_shifted(scene.camera_at(time), shift))
    return cameras


def _phase(name: str, index: int, count: int, closed: bool) -> float:
    """Give how far along the path a view is; a path that does not close goes there and back."""
    if not closed:
        return index / max(count - 1, 1)
    turn = index / count
    return turn if name == "circle" else 0.5 - 0.5 * math.cos(2.0 * math.pi * turn)


def _shifted(camera: Camera, shift: Float[Tensor, "3"]) -> Camera:
    pose = camera.camera_from_world.clone()
    pose[:3, 3] += shift.to(pose)
    return camera.moved(pose)


@torch.no_grad()
def _unit(scene: Scene, time: float) -> float:
    """Give the length in scene units that stands for 1 in the paths."""
    camera = scene.camera_at(time)
    factor = min(_SCOUT_SIZE / max(camera.width, camera.height), 1.0)
    small = camera.scaled(factor)
    depth = scene.render(small, time, outputs=("depth",))["depth"]
    known = depth[depth.isfinite()]
    near = float(known.quantile(_NEAREST)) if len(known) else 1.0
    focal = float(small.intrinsics[0, 0])
    return _PARALLAX * max(small.width, small.height) * near / (focal * _SIDEWAYS)
