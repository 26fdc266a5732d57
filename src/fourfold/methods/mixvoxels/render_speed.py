"""How long a frame takes to draw, before a camera that stands and one that moves."""

import time
from collections.abc import Sequence
from statistics import median

import torch

from fourfold.geometry import Camera, interpolate_cameras
from fourfold.scene import Scene, rig_path

_RUNS = 3


@torch.no_grad()
def render_seconds(scene: Scene, view: str) -> dict[str, float]:
    """Measure the median seconds of a frame, warm: each at another time, at the capture's size.

    `render_seconds_per_frame` of one of the rig's cameras, `render_seconds_per_frame_moving` on
    the spiral about the rig. Both draw a frame by itself; no frame gains by another.
    """
    last = scene.num_frames - 1.0
    times = [last * index / _RUNS for index in range(_RUNS + 1)]  # the first warms up
    standing = [interpolate_cameras(scene.rig[view], when) for when in times]
    size = standing[0].width, standing[0].height
    moving = [camera.resized(*size) for camera in rig_path(scene, "spiral", times)]
    return {
        "render_seconds_per_frame": _seconds(scene, standing, times),
        "render_seconds_per_frame_moving": _seconds(scene, moving, times),
    }


def _seconds(scene: Scene, cameras: Sequence[Camera], times: Sequence[float]) -> float:
    spent = []
    for camera, when in zip(cameras, times, strict=True):
        start = time.perf_counter()
        scene.render(camera, when)
        spent.append(time.perf_counter() - start)
    return median(spent[1:])
