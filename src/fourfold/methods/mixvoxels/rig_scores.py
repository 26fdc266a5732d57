"""A scene beside what one of the rig's cameras saw: figures of a view."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Capture, KeyPoints
from fourfold.errors import InputError
from fourfold.evaluation import (
    FrameFile,
    Lpips,
    depth_error,
    flip,
    front_most,
    has_flip,
    has_jod,
    iou,
    jod,
    mean_of_records,
    psnr,
    ssim,
)
from fourfold.geometry import Camera, decompose_similarity, interpolate_cameras
from fourfold.scene import MOVING, Scene, has_parts, still_part

Record = dict[str, float]

EVERY = 10
"""LPIPS and FLIP, which take long, are measured in every tenth frame, as the original does."""
DEVIATION = 0.1
"""A pixel that a channel of deviates from its median over time by more counts as moving."""
MEDIAN_FRAMES = 61
"""Frames, spread evenly, that a median over time is taken of."""


@dataclass(frozen=True)
class RigView:
    """One camera of a capture, as a scene's rig has it."""

    scene: Scene
    capture: Capture
    name: str

    @property
    def index(self) -> int:
        """The view's number in the capture."""
        return self.capture.views.index(self.name)

    @property
    def num_frames(self) -> int:
        """The frames that there is a scene for: a still scene has one."""
        return min(self.scene.num_frames, self.capture.num_frames)

    def camera(self, frame: int) -> Camera:
        """Give the camera at a frame, in the pixels of the capture."""
        camera = interpolate_cameras(self.scene.rig[self.name], float(frame))
        return camera.resized(*self.capture.size(self.index))

    def image(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Read a frame."""
        return self.capture.image(frame, self.index)

    def median(self) -> Float[Tensor, "H W 3"]:
        """Give the median over time of each channel."""
        count = min(self.num_frames, MEDIAN_FRAMES)
        frames = torch.linspace(0, self.num_frames - 1, count).round().long().tolist()
        stack = torch.stack([_bytes(self.image(frame)) for frame in frames])
        return torch.from_numpy(np.median(stack.numpy(), axis=0)).float() / 255.0

    def mean(self) -> Float[Tensor, "H W 3"]:
        """Give the mean over time."""
        total = torch.zeros_like(self.image(0), dtype=torch.float64)
        for frame in range(self.num_frames):
            total += self.image(frame)
        return (total / self.num_frames).float()


@torch.no_grad()
def score_view(
    view: RigView,
    still_target: str,
    lpips: Lpips | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Record:
    """Score a scene in all frames of a view; means over the frames.

    `psnr`, `ssim`; `lpips` and `flip` of every tenth frame, `jod` of the video, where weights or
    packages are there; `depth_error` where the truth is known, `depth_error_key_points` where a
    COLMAP model has key points in this view. Of scenes with a still and a moving part:
    `psnr_static` of the still part against the view's median, mean or frame (`still_target`, as
    the part was trained), and `motion_iou`, the pixels that are mostly the moving part against the
    true ones; without truth `motion_iou_deviation`, against those that deviate from the median.

    Args:
        advance: is called after each frame.
    """
    parts = has_parts(view.scene)
    median = view.median() if parts else None
    records = []
    with FrameFile() as shown, FrameFile() as filmed:
        for frame in range(view.num_frames):
            drawn, target = _draw(view, frame), view.image(frame)
            record = _score_picture(drawn["rgb"], target, lpips, frame)
            record |= _score_depth(view, frame, drawn["depth"])
            if median is not None:
                record |= _score_motion(view, frame, drawn["objects"], target, median)
            elif view.num_frames > 1:
                record |= _score_no_motion(view, frame)
            records.append(record)
            if has_jod() and view.num_frames > 1:
                shown.append(_bytes(drawn["rgb"]))
                filmed.append(_bytes(target))
            advance()
        figures = mean_of_records(records)
        if len(shown):
            figures["jod"] = jod(shown.video(), filmed.video(), view.scene.fps)
    if median is not None and len(view.scene.rig[view.name]) == 1:
        figures["psnr_static"] = _score_still(view, still_target, median)
    return {key: value for key, value in figures.items() if value == value}


def _draw(view: RigView, frame: int) -> dict[str, Tensor]:
    drawn = view.scene.render(view.camera(frame), float(frame), ("rgb", "depth", "objects"))
    return drawn | {"rgb": drawn["rgb"].clamp(0.0, 1.0)}


def _score_picture(
    image: Float[Tensor, "H W 3"],
    target: Float[Tensor, "H W 3"],
    lpips: Lpips | None,
    frame: int,
) -> Record:
    record = {"psnr": float(psnr(image, target)), "ssim": float(ssim(image, target))}
    if frame % EVERY == 0 and lpips is not None:
        record["lpips"] = float(lpips(image, target))
    if frame % EVERY == 0 and has_flip():
        record["flip"] = flip(image, target)
    return record


def _score_depth(view: RigView, frame: int, depth: Float[Tensor, "H W"]) -> Record:
    scale, _, _ = decompose_similarity(view.scene.normalization)
    depth, record = depth / scale, {}
    truth = view.capture.rig_truth
    true = None if truth is None else truth.depth(frame, view.index)
    if true is not None:
        record["depth_error"] = float(depth_error(depth, true))
    points = _key_points(view) if frame == 0 else None
    if points is not None and len(points):
        record["depth_error_key_points"] = _key_point_error(depth, points)
    return record


def _key_points(view: RigView) -> KeyPoints | None:
    try:
        return view.capture.key_points(view.index)
    except InputError as error:  # a model beside the capture that is not of it
        print(f"note: no key points to measure depths by: {error}", file=sys.stderr)
        return None


def _key_point_error(depth: Float[Tensor, "H W"], points: KeyPoints) -> float:
    x, y = points.pixels.floor().long().unbind(1)
    height, width = depth.shape
    found = depth[y.clamp(0, height - 1), x.clamp(0, width - 1)]
    return float(depth_error(found, points.depths))


def _score_motion(
    view: RigView,
    frame: int,
    shares: Float[Tensor, "H W K"],
    image: Float[Tensor, "H W 3"],
    median: Float[Tensor, "H W 3"],
) -> Record:
    moving = front_most(shares) == view.scene.object_names.index(MOVING)
    truth = view.capture.rig_truth
    if truth is None:
        return {"motion_iou_deviation": float(iou(moving, _deviates(image, median)))}
    true = truth.moving(frame, view.index)
    return {} if true is None else {"motion_iou": float(iou(moving, true))}


def _score_no_motion(view: RigView, frame: int) -> Record:
    """Score a scene in which nothing moves: it misses all motion there is."""
    truth = view.capture.rig_truth
    true = None if truth is None else truth.moving(frame, view.index)
    return {} if true is None else {"motion_iou": float(iou(torch.zeros_like(true), true))}


def _deviates(image: Float[Tensor, "H W 3"], median: Float[Tensor, "H W 3"]) -> Bool[Tensor, "H W"]:
    return (image - median).abs().amax(-1) > DEVIATION


def _score_still(view: RigView, kind: str, median: Float[Tensor, "H W 3"]) -> float:
    target = median
    if kind == "mean":
        target = view.mean()
    elif kind != "median":
        target = view.image(int(kind))
    image = still_part(view.scene).render(view.camera(0), 0.0)["rgb"]
    return float(psnr(image.clamp(0.0, 1.0), target))


def _bytes(image: Float[Tensor, "H W 3"]) -> Tensor:
    return (image * 255.0).round().byte()
