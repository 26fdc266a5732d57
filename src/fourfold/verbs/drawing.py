"""Each frame of a rendering as the pictures that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.exporters import (
    ScenePoints,
    Sight,
    color_depth,
    color_flow,
    color_objects,
    draw_tracks,
    follow,
    look,
    pick_points,
    see,
    spread_colors,
)
from fourfold.geometry import project_points
from fourfold.scene import Scene, moving_part, still_part
from fourfold.verbs.camera_path import View, input_path, resize_view

# Frames looked at to choose one scale of colours for the whole video, and their longer side.
_SCOUTS, _SCOUT_SIZE = 5, 160
# Shares of the known pixels at the ends of the scale: outliers do not set it.
_LOW, _HIGH = 0.02, 0.98
# Flow below this many pixels rests, and does not set the scale.
_RESTING = 0.25
# Length of the trails, in frames of the capture (DreamScene4D draws whole paths; own choice).
_TRAIL_FRAMES, _TRAIL_STEPS = 8.0, 9

# What each output is drawn from.
_CHANNELS = {
    "rgb": {"rgb"},
    "depth": {"depth"},
    "objects": {"rgb", "objects"},
    "flow": {"flow"},
    "tracks": {"rgb", "depth", "objects"},
}
# These are pictures of a part of the scene.
_PARTS = {"static": still_part, "moving": moving_part}


@dataclass(frozen=True)
class Looks:
    """What stays the same through a video."""

    near: float
    far: float
    largest_flow: float
    points: ScenePoints | None
    point_colors: Float[Tensor, "N 3"] | None


@torch.no_grad()
def prepare(scene: Scene, views: Sequence[View], outputs: Sequence[str]) -> Looks:
    """Choose the scale of depth and flow, and the points to track, for a whole video."""
    near, far, largest = 1.0, 2.0, 1.0
    if "depth" in outputs or "flow" in outputs:
        near, far, largest = _scales(scene, views, outputs)
    points = colors = None
    if "tracks" in outputs:
        start = input_path(scene, [float(t) for t in range(scene.num_frames)])
        frames = [see(scene, view.camera, view.time) for view in start]
        points = pick_points(scene, frames)
        pixels, _ = project_points(start[0].camera, follow(scene, points, torch.zeros(1))[0])
        colors = spread_colors(pixels)
    return Looks(near, far, largest, points, colors)


@torch.no_grad()
def draw_view(
    scene: Scene, views: Sequence[View], index: int, outputs: Sequence[str], looks: Looks
) -> dict[str, Float[Tensor, "H W 3"]]:
    """Render one frame and draw every output of it, sRGB in [0, 1].

    Raises:
        UsageError: a part is asked for that the scene does not have.
    """
    view, channels = views[index], _channels(outputs)
    image = _render(scene, view, channels) if channels else {}
    pictures = {}
    for output in outputs:
        if output == "rgb":
            pictures[output] = image["rgb"].clamp(0.0, 1.0)
        elif output == "depth":
            pictures[output] = color_depth(image["depth"], looks.near, looks.far)
        elif output == "objects":
            background = scene.objects[0].name == "background"
            pictures[output] = color_objects(image["rgb"], image["objects"], background)
        elif output == "flow":
            pictures[output] = color_flow(image["flow"], looks.largest_flow)
        elif output in _PARTS:
            pictures[output] = _render(_PARTS[output](scene), view, {"rgb"})["rgb"].clamp(0.0, 1.0)
        else:
            pictures[output] = _draw_tracks(scene, view, image, looks)
    return pictures


def _channels(outputs: Sequence[str]) -> set[str]:
    return set().union(*(_CHANNELS[output] for output in outputs if output not in _PARTS))


def _render(scene: Scene, view: View, channels: set[str]) -> dict[str, Tensor]:
    following = view.next_camera if "flow" in channels else None
    return scene.render(view.camera, view.time, outputs=channels, next_camera=following)


def _scales(
    scene: Scene, views: Sequence[View], outputs: Sequence[str]
) -> tuple[float, float, float]:
    steps = torch.linspace(0, len(views) - 1, min(_SCOUTS, len(views))).round().long().tolist()
    channels = {"depth", "flow"} & set(outputs)
    depths, lengths = [torch.tensor([1.0, 2.0])[:0]], [torch.zeros(0)]
    for step in steps:
        view, factor = _shrunk(views[step])
        image = _render(scene, view, channels)
        if "depth" in image:
            depths.append(image["depth"][torch.isfinite(image["depth"])])
        if "flow" in image:
            flow = torch.linalg.vector_norm(image["flow"], dim=-1)
            lengths.append(flow[flow * factor > _RESTING] * factor)  # NaN compares false
    known, moving = torch.cat(depths), torch.cat(lengths)
    near, far = (float(known.quantile(q)) for q in (_LOW, _HIGH)) if len(known) else (1.0, 2.0)
    largest = float(moving.quantile(_HIGH)) if len(moving) else 1.0
    return near, max(far, near * 1.01), largest


def _shrunk(view: View) -> tuple[View, float]:
    factor = max(max(view.camera.width, view.camera.height) / _SCOUT_SIZE, 1.0)
    return (view if factor == 1.0 else resize_view(view, _SCOUT_SIZE)), factor


def _draw_tracks(
    scene: Scene, view: View, image: dict[str, Tensor], looks: Looks
) -> Float[Tensor, "H W 3"]:
    assert looks.points is not None
    assert looks.point_colors is not None
    start = max(view.time - _TRAIL_FRAMES, 0.0)
    times = torch.linspace(start, view.time, _TRAIL_STEPS)
    world = follow(scene, looks.points, times)
    pixels, depth = project_points(view.camera, world)
    trails = torch.where((depth > 0).unsqueeze(-1), pixels, torch.nan)
    sight = Sight(view.camera, image["depth"], image["objects"])
    _, seen = look(sight, world[-1], looks.points.objects)
    return draw_tracks(image["rgb"], trails, seen, looks.point_colors)
