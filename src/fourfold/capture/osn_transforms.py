"""OSN's `transforms_train.json` and `transforms_test.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture.body_files import OPENGL_FROM_OPENCV, PIXEL_OFFSET
from fourfold.capture.cameras import read_json, rigid_pose
from fourfold.capture.names import match_frame
from fourfold.errors import InputError

# Where OSN keeps pictures; a pose of one folder is none of the other's.
_FOLDERS = frozenset({"images_train", "images_test"})


@dataclass(frozen=True, eq=False)
class OsnPose:
    """What the file says of one picture.

    Attributes:
        world_from_camera: (4, 4) rigid, OpenCV axes, in the file's world.
        world_from_object: (K, 4, 4) rigid, the background first; None but in `indoor`.
        view: index of the training frame whose camera it is.
        time_step: index of the training frame whose time it is.
        name, folder: of the picture, where the file names it.
    """

    world_from_camera: Float[Tensor, "4 4"]
    world_from_object: Float[Tensor, "K 4 4"] | None
    view: int
    time_step: int
    name: str | None
    folder: str | None


@dataclass(frozen=True, eq=False)
class OsnTransforms:
    """One file.

    Attributes:
        path: of the file.
        poses: one per picture, in the file's order.
        angle: field of view over the width, radians (`indoor`); None where the focal is given.
        focal, width: focal length in pixels of pictures of this width; None in `indoor`.
    """

    path: Path
    poses: tuple[OsnPose, ...]
    angle: float | None
    focal: float | None
    width: float | None

    def intrinsics(self, size: tuple[int, int]) -> Float[Tensor, "3 3"]:
        """Give the intrinsics for pictures of (width, height); the axis is half a pixel off."""
        if self.angle is not None:
            focal = 0.5 * size[0] / math.tan(0.5 * self.angle)
        else:
            focal = (self.focal or math.nan) * size[0] / (self.width or size[0])
        x, y = (side / 2 + PIXEL_OFFSET for side in size)
        return torch.tensor([[focal, 0, x], [0, focal, y], [0, 0, 1]])

    def of_folder(self, folder: str) -> tuple[OsnPose, ...]:
        """Give the poses of the pictures in a folder, as the file names them."""
        return tuple(pose for pose in self.poses if pose.folder == folder)

    def by_picture(self, folder: str, names: Sequence[str]) -> dict[str, OsnPose]:
        """Pair poses with a folder's pictures: by name where the file names them, else in order.

        A file that names no picture at all, as `indoor` does, counts them in their order.

        Raises:
            InputError: a picture has no pose or two, or the numbers differ.
        """
        poses = self.of_folder(folder) or [p for p in self.poses if p.folder not in _FOLDERS]
        if any(pose.name is not None for pose in poses):
            return self._by_name(folder, names, poses)
        if len(names) != len(poses):
            raise InputError(
                f"{len(poses)} poses for {len(names)} pictures",
                path=self.path,
                expected=f"one for each picture in {folder}, in the order of their names",
            )
        return dict(zip(names, poses, strict=True))

    def _by_name(
        self, folder: str, names: Sequence[str], poses: Sequence[OsnPose]
    ) -> dict[str, OsnPose]:
        known, paired = frozenset(names), {}
        for pose in poses:
            name = None if pose.name is None else match_frame(pose.name, known)
            if name in paired:
                raise InputError(
                    "two poses name one picture", path=self.path, frame=name, expected="one for it"
                )
            if name is not None:
                paired[name] = pose
        missing = [name for name in names if name not in paired]
        if missing:
            raise InputError(
                f"{len(missing)} of {len(names)} pictures in {folder} have no pose",
                path=self.path,
                frame=missing[0],
                expected=f'"file_path": "{folder}/{missing[0]}"',
                mend="Name the poses like the pictures, or remove the pictures without one",
            )
        return {name: paired[name] for name in names}


def read_osn_transforms(path: Path) -> OsnTransforms:
    """Read a file of poses, of `indoor` or of the real data sets.

    Raises:
        InputError: it is missing or damaged, a pose is not rigid, or there is no focal length.
    """
    data = read_json(path)
    entries = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError("there is no list of frames", path=path, expected='"frames": [...]')
    angle, focal = _number(data, "camera_angle_x", path), _number(data, "focal", path)
    if angle is None and focal is None:
        raise InputError("no focal length", path=path, expected="camera_angle_x or focal")
    poses = tuple(_pose(entry, index, path) for index, entry in enumerate(entries))
    return OsnTransforms(path, poses, angle, focal, _number(data, "img_w", path))


def _number(data: dict[str, Any], key: str, path: Path) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InputError(f"{key} is {value!r}", path=path, expected="a number above 0")
    return float(value)


def _pose(entry: dict[str, Any], index: int, path: Path) -> OsnPose:
    camera = rigid_pose(entry.get("transform_matrix"), path, str(index)) @ OPENGL_FROM_OPENCV
    objects = entry.get("object_poses")
    if objects is not None:
        objects = torch.stack([rigid_pose(pose, path, str(index)) for pose in objects])
    view, step = entry.get("view", index), entry.get("time_step", index)
    if not isinstance(view, int) or not isinstance(step, int):
        raise InputError(
            f"view {view!r}, time_step {step!r}", path=path, frame=index, expected="whole numbers"
        )
    stored = entry.get("file_path")
    if not isinstance(stored, str):
        return OsnPose(camera, objects, view, step, None, None)
    file = Path(stored)
    return OsnPose(camera, objects, view, step, file.stem, file.parent.name or None)
