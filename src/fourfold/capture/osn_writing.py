"""Writing OSN's layout from plain arrays, with exact truth beside it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.capture.bodies import BACKGROUND, RigidBody
from fourfold.capture.body_files import OPENGL_FROM_OPENCV, PIXEL_OFFSET, Trajectories
from fourfold.capture.body_writing import fill_bodies
from fourfold.capture.depths import DEFAULT_DEPTH_UNIT
from fourfold.capture.osn_pictures import PictureFormat
from fourfold.errors import UsageError
from fourfold.files import replace_folder

OsnKind = Literal["indoor", "dynamic_scene", "multimotion", "iphone", "kitti"]


@dataclass(frozen=True, eq=False)
class OsnFrames:
    """The training frames, or the test views, of OSN's layout; T is their number.

    Pixels have OSN's rays: ((u - W/2) / focal, ...) at the centre of pixel (u, v), so the
    principal point is (W/2 + 0.5, H/2 + 0.5) in our convention.

    Attributes:
        images: T of (H, W, 3) in [0, 1], sRGB.
        focal: focal length in pixels.
        world_from_camera: (T, 4, 4) rigid, OpenCV axes, true units.
        world_from_object: (T, K, 4, 4) rigid, the background first; `indoor` needs it.
        labels: T of (H, W), the body that is seen, 0 for the background.
        depth: T of (H, W), true z, NaN where unknown.
        time_steps: which training frame's time it is; 0, 1, ... if None.
        views: which training frame's camera it is (`indoor`); as `time_steps` if None.
    """

    images: Sequence[Float[Tensor, "H W 3"]]
    focal: float
    world_from_camera: Float[Tensor, "T 4 4"]
    world_from_object: Float[Tensor, "T K 4 4"] | None = None
    labels: Sequence[Int[Tensor, "H W"]] | None = None
    depth: Sequence[Float[Tensor, "H W"]] | None = None
    time_steps: Sequence[int] | None = None
    views: Sequence[int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """The (width, height) of the pictures."""
        return self.images[0].shape[1], self.images[0].shape[0]

    @property
    def intrinsics(self) -> Float[Tensor, "3 3"]:
        """The intrinsics in our convention, float32."""
        x, y = (side / 2 + PIXEL_OFFSET for side in self.size)
        return torch.tensor([[self.focal, 0, x], [0, self.focal, y], [0, 0, 1]])


@dataclass(frozen=True, eq=False)
class OsnTruth:
    """What only a synthetic scene knows, for evaluation. All depths are true z, NaN where absent.

    Attributes:
        layers_train: per training frame (K, H, W), each body's own depth, also where it is hidden.
        layers_test: the same per test view.
        layer_images_test: per test view (K, H, W, 3), each body alone.
        combinations: (M, K-1) valid factors of the objects over the video's own geometry, each
            about the camera of the training frame; 1 is as filmed.
        combination_tests: per combination the test views under it; their cameras are those of
            the test views.
    """

    layers_train: Sequence[Float[Tensor, "K H W"]] | None = None
    layers_test: Sequence[Float[Tensor, "K H W"]] | None = None
    layer_images_test: Sequence[Float[Tensor, "K H W 3"]] | None = None
    combinations: Float[Tensor, "M J"] | None = None
    combination_tests: Sequence[OsnFrames] | None = None


def write_osn(
    path: str | os.PathLike[str],
    train: OsnFrames,
    test: OsnFrames | None = None,
    *,
    kind: OsnKind = "indoor",
    masks: Sequence[Int[Tensor, "H W"]] | None = None,
    bodies: Sequence[RigidBody] | None = None,
    true_scales: Sequence[float] | None = None,
    trajectories: Trajectories | None = None,
    body_names: Sequence[str] | None = None,
    truth: OsnTruth | None = None,
    frame_names: Sequence[str] | None = None,
    preprocessed: str = "sam_raft",
    depth_unit: float = DEFAULT_DEPTH_UNIT,
    compact: bool = False,
    jpeg_quality: int | None = None,
) -> Path:
    """Write a capture in OSN's layout, in the place of what is at `path`.

    Args:
        path: the capture's folder.
        train: the training frames.
        test: the test views.
        kind: which of the original's data sets it looks like: `indoor` stores object poses.
        masks: label maps for `segm_sam`; `train.labels` if None.
        bodies: the preprocessed folder, key points in pixels of the pictures.
        true_scales: (K,) true units per unit of each body.
        trajectories: the tracks of the preprocessed folder.
        body_names: of the labels, "background" first; those of `bodies` if None.
        truth: what only a synthetic scene knows.
        frame_names: 0000, 0001, ... if None.
        preprocessed: name of the folder of bodies.
        depth_unit: true units per count of 16-bit depths (layers; all depths when compact).
        compact: label maps as 8-bit PNG and depths as 16-bit PNG in the place of `.npy`. Fourfold
            reads them; the original does not.
        jpeg_quality: 1 to 95 stores the pictures as JPEG; None stores them as PNG.

    Raises:
        UsageError: the parts do not fit together, or a depth is beyond what the unit can hold.
        OutputError: it cannot be written; what was there stays.
    """
    labels = masks if masks is not None else train.labels
    names = list(frame_names or _numbers(len(train.images)))
    bodies_of_labels = list(body_names or [body.name for body in bodies or ()])
    _check(train, test, labels, names, kind)
    stored = PictureFormat(compact, jpeg_quality, depth_unit)
    with replace_folder(path) as folder:
        _write_frames(folder, "train", names, train, stored)
        stored.write_labels(folder / "segm_sam", names, labels or ())
        _write_transforms(folder / "transforms_train.json", "images_train", names, train, kind)
        if test is not None:
            tests = _numbers(len(test.images))
            _write_frames(folder, "test", tests, test, stored)
            _write_transforms(folder / "transforms_test.json", "images_test", tests, test, kind)
        if bodies is not None:
            inside = folder / preprocessed
            inside.mkdir()
            fill_bodies(
                inside,
                bodies,
                names,
                train.size,
                intrinsics=train.intrinsics,
                true_scales=true_scales,
                trajectories=trajectories,
            )
        if truth is not None or compact:
            _write_truth(folder / "truth", names, bodies_of_labels, truth or OsnTruth(), stored)
    return Path(path)


def _numbers(count: int) -> list[str]:
    return [f"{index:04d}" for index in range(count)]


def _check(
    train: OsnFrames,
    test: OsnFrames | None,
    labels: Sequence[Tensor] | None,
    names: list[str],
    kind: str,
) -> None:
    if labels is None:
        raise UsageError("OSN's layout needs label maps", expected="`masks` or `train.labels`")
    if len(names) != len(train.images) or len(labels) != len(names) or len(set(names)) < len(names):
        raise UsageError(
            f"{len(train.images)} frames, {len(labels)} label maps, {len(set(names))} names",
            expected="as many of each",
        )
    for frames in (train, test):
        if frames is not None:
            _check_frames(frames, kind)


def _check_frames(frames: OsnFrames, kind: str) -> None:
    count = len(frames.images)
    parts = (frames.world_from_camera, frames.world_from_object, frames.labels, frames.depth)
    counts = [len(part) for part in (*parts, frames.time_steps, frames.views) if part is not None]
    if set(counts) != {count}:
        raise UsageError(f"channels of {sorted(set(counts))} frames", expected=f"{count}")
    shapes = {tuple(image.shape[:2]) for image in frames.images}
    shapes |= {tuple(m.shape) for m in (*(frames.labels or ()), *(frames.depth or ()))}
    if len(shapes) > 1:
        raise UsageError(f"channels of the sizes {sorted(shapes)}", expected="one size")
    if kind == "indoor" and frames.world_from_object is None:
        raise UsageError("`indoor` stores the objects' poses", expected="world_from_object")


def _write_frames(
    folder: Path, split: str, names: list[str], frames: OsnFrames, stored: PictureFormat
) -> None:
    stored.write_images(folder / f"images_{split}", names, frames.images)
    stored.write_labels(folder / f"segm_{split}", names, frames.labels or ())
    stored.write_depths(folder / f"depth_{split}", names, frames.depth or ())


def _write_transforms(
    file: Path, pictures: str, names: list[str], frames: OsnFrames, kind: OsnKind
) -> None:
    width, height = frames.size
    opengl = frames.world_from_camera.double() @ OPENGL_FROM_OPENCV.double()
    steps = list(range(len(names)) if frames.time_steps is None else frames.time_steps)
    views = steps if frames.views is None else list(frames.views)
    entries: list[dict[str, Any]] = [
        {"transform_matrix": pose.tolist(), "view": view, "time_step": step}
        for pose, view, step in zip(opengl, views, steps, strict=True)
    ]
    shared: dict[str, Any] = {"img_h": height, "img_w": width}
    if kind == "indoor" and frames.world_from_object is not None:
        shared["camera_angle_x"] = 2 * math.atan(0.5 * width / frames.focal)
        for entry, poses in zip(entries, frames.world_from_object.double(), strict=True):
            entry["object_poses"] = poses.tolist()
    else:
        shared["focal"] = frames.focal
        for entry, name, step in zip(entries, names, steps, strict=True):
            entry["time"] = step / max(1, max(steps))
            entry["file_path"] = f"{pictures}/{name}"
    _write_json(file, {**shared, "frames": entries})


def _write_truth(
    folder: Path, names: list[str], bodies: list[str], truth: OsnTruth, stored: PictureFormat
) -> None:
    folder.mkdir()
    combinations = truth.combinations
    meta = {
        "depth_unit": stored.depth_unit,
        "bodies": bodies or [BACKGROUND],
        "combinations": None if combinations is None else combinations.double().tolist(),
    }
    _write_json(folder / "meta.json", meta)
    stored.write_layers(folder / "layers_train", names, truth.layers_train or ())
    layers = truth.layers_test or ()
    stored.write_layers(folder / "layers_test", _numbers(len(layers)), layers)
    for index, images in enumerate(truth.layer_images_test or ()):
        parts = [f"{index:04d}_{body}" for body in range(len(images))]
        stored.write_images(folder / "layer_images_test", parts, list(images))
    for index, frames in enumerate(truth.combination_tests or ()):
        inside = folder / "combinations" / f"{index:02d}"
        _write_frames(inside, "test", _numbers(len(frames.images)), frames, stored)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content) + "\n", encoding="utf-8")
