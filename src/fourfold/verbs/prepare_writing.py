"""What `prepare sfm` writes: the folder of bodies, cameras, COLMAP models, a report, a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from fourfold.capture import Capture, RigidBody, Trajectories, fill_bodies
from fourfold.estimators.structure_from_motion import Lens, SolvedBody, rigid_body, write_model
from fourfold.evaluation.pictures import to_pillow
from fourfold.files import replace_folder

# Okabe and Ito's colours, told apart also by the colour-blind; the first is the background's.
_COLORS = (
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
)
_TRAIL = 4  # frames of a track that are drawn behind it
_MOST_DRAWN = 400  # tracks per body


def write_prepared(
    target: Path, capture: Capture, solved: Sequence[SolvedBody], intrinsics: str
) -> None:
    """Write everything into a new folder in the place of what is at `target`.

    Raises:
        OutputError: it cannot be written; what was there stays.
    """
    bodies = [rigid_body(body.name, body.mapping.model, body.tracks) for body in solved]
    lens = solved[0].mapping.model.lens
    matrix = torch.tensor([[lens.fx, 0, lens.cx], [0, lens.fy, lens.cy], [0, 0, 1.0]])
    with replace_folder(target) as staging:
        fill_bodies(
            staging,
            bodies,
            capture.frames,
            capture.size(),
            intrinsics=matrix,
            trajectories=_trajectories(solved),
        )
        _write_json(staging / "cameras.json", cameras_json(bodies[0], lens, capture))
        _write_json(staging / "report.json", report_json(capture, solved, lens, intrinsics))
        for index, body in enumerate(solved):
            folder = staging / f"sparse{index}" / "0"
            folder.mkdir(parents=True)
            colors = _point_colors(capture, body)
            write_model(folder, body.mapping.model, body.tracks, capture.frames, colors)
        draw_tracks(capture, solved).save(staging / "report.png")


def cameras_json(background: RigidBody, lens: Lens, capture: Capture) -> dict[str, Any]:
    """Describe the background's cameras as a camera file of ours; registered frames only."""
    poses = {
        capture.frames[frame]: torch.linalg.inv(
            background.object_from_camera[frame].double()
        ).tolist()
        for frame in background.frames
    }
    matrix = [[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]]
    return {
        "width": lens.width,
        "height": lens.height,
        "intrinsics": matrix,
        "camera_from_world": {capture.views[0]: poses},
    }


def report_json(
    capture: Capture, solved: Sequence[SolvedBody], lens: Lens, intrinsics: str
) -> dict[str, Any]:
    """Describe how well each body went, in figures."""
    entries = []
    for body in solved:
        entry = asdict(body.health)
        entry["pair"] = [capture.frames[frame] for frame in body.health.pair]
        unregistered = np.nonzero(~body.mapping.model.registered)[0]
        entry["unregistered_frames"] = [capture.frames[frame] for frame in unregistered]
        entries.append(entry)
    return {"intrinsics": intrinsics, "lens": asdict(lens), "bodies": entries}


def draw_tracks(capture: Capture, solved: Sequence[SolvedBody]) -> Image.Image:
    """Draw the first, middle and last frame with the points of each body and their last moves."""
    last = capture.num_frames - 1
    shown = sorted({0, last // 2, last})
    pictures = [_draw_frame(capture, solved, frame) for frame in shown]
    width = sum(picture.width for picture in pictures)
    sheet = Image.new("RGB", (width, pictures[0].height))
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width
    return sheet


def _draw_frame(capture: Capture, solved: Sequence[SolvedBody], frame: int) -> Image.Image:
    zoom = max(1, round(480 / capture.size()[0]))
    picture = to_pillow(capture.image(frame))
    picture = picture.resize(
        (picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST
    )
    draw = ImageDraw.Draw(picture)
    for index, body in enumerate(solved):
        color = _COLORS[index if index == 0 else 1 + (index - 1) % (len(_COLORS) - 1)]
        used = np.nonzero(body.mapping.model.used[:, frame])[0]
        for point in used[:: max(1, len(used) // _MOST_DRAWN)]:
            recent = body.tracks.pixels[point, max(frame - _TRAIL, 0) : frame + 1] * zoom
            trail = [tuple(at) for at in recent[np.isfinite(recent[:, 0])]]
            draw.line(trail, fill=color)
            x, y = trail[-1]
            draw.ellipse((x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=color)
    return picture


def _trajectories(solved: Sequence[SolvedBody]) -> Trajectories:
    pixels = np.concatenate([body.tracks.pixels for body in solved])
    labels = np.repeat(np.arange(len(solved)), [len(body.tracks) for body in solved])
    visible = np.isfinite(pixels[..., 0])
    return Trajectories(np.nan_to_num(pixels), visible, labels)


def _point_colors(capture: Capture, body: SolvedBody) -> np.ndarray:
    """Read each point's colour where it is first used, (P, 3) uint8."""
    used = body.mapping.model.used
    first = np.where(used.any(axis=1), used.argmax(axis=1), -1)
    colors = np.zeros((len(used), 3), np.uint8)
    for frame in np.unique(first[first >= 0]):
        here = np.nonzero(first == frame)[0]
        column, row = body.tracks.pixels[here, frame].astype(int).T
        image = capture.image(int(frame)).numpy()
        colors[here] = (image[row, column] * 255 + 0.5).astype(np.uint8)
    return colors


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
