"""What a synthetic photo knows: depth, motion, regions, other views. For evaluation only."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture.cameras import read_json, rigid_pose
from fourfold.capture.images import image_size, read_image
from fourfold.capture.mask_files import read_mask
from fourfold.capture.names import list_images
from fourfold.capture.sizes import scale_depth, scale_image, scale_mask
from fourfold.errors import InputError
from fourfold.geometry import Camera

_HEAD = "landscape.json"
_FORMAT = "fourfold-landscape-truth"
SKY = "sky"


@dataclass(frozen=True)
class LandscapeView:
    """The landscape from another camera or at another time; read when asked for.

    Attributes:
        name: of the camera, such as "left"; the photo's own is "photo".
        time: in frames at 30 per second; the photo is 0.
        camera: in working pixels; the photo's camera is the world.
        path: the picture.
        depth_path: of the camera's depth; None where it is not stored.
    """

    name: str
    time: float
    camera: Camera
    path: Path
    depth_path: Path | None

    def image(self) -> Float[Tensor, "H W 3"]:
        """Read the picture; float32 in [0, 1].

        Raises:
            InputError: the file is damaged.
        """
        image = scale_image(read_image(self.path), (self.camera.width, self.camera.height))
        return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).clamp_(0, 1)

    def depth(self) -> Float[Tensor, "H W"] | None:
        """Read the depth: z in the truth's units, infinite in the sky; None where not stored.

        Raises:
            InputError: the file is damaged.
        """
        if self.depth_path is None:
            return None
        return _read_depth(self.depth_path, (self.camera.width, self.camera.height))


class LandscapeTruth:
    """The truth of a synthetic photo, scaled to the size in use; a method never sees it.

    The world is the photo's camera, a unit is that camera's height above the water.
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self.folder = folder
        self._size = size

    @cached_property
    def _head(self) -> dict[str, Any]:
        file = self.folder / _HEAD
        head = read_json(file)
        if not isinstance(head, dict) or head.get("format") != _FORMAT or head.get("version") != 1:
            raise InputError(
                "not the truth of a landscape",
                path=file,
                expected=f'"format": "{_FORMAT}", "version": 1',
            )
        return head

    @property
    def up(self) -> Float[Tensor, "3"]:
        """The unit direction away from the ground, in the photo's camera frame.

        Raises:
            InputError: `landscape.json` is damaged.
        """
        return torch.tensor(self._head["up"], dtype=torch.float32)

    def depth(self) -> Float[Tensor, "H W"]:
        """Read the photo's depth: z in the truth's units, infinite in the sky.

        Raises:
            InputError: the file is damaged.
        """
        return _read_depth(self.folder / "depth.npz", self._size)

    def sky(self) -> Bool[Tensor, "H W"]:
        """Read where the photo shows the sky.

        Raises:
            InputError: the file is damaged.
        """
        return self._mask(SKY)

    def regions(self) -> Mapping[str, Bool[Tensor, "H W"]]:
        """Read what the photo shows where, by name; each pixel is in one region.

        Raises:
            InputError: a file is missing or damaged.
        """
        return {name: self._mask(name) for name in self._head["regions"]}

    def motion(self) -> Float[Tensor, "H W 2"]:
        """Read the velocity in the photo: working pixels per frame at 30 per second, x then y.

        0 where nothing moves; clouds do.

        Raises:
            InputError: the file is damaged.
        """
        ratio = np.array(self._size) / (self._head["width"], self._head["height"])
        return torch.from_numpy((self._motion("motion", 2) * ratio).astype(np.float32))

    def scene_flow(self) -> Float[Tensor, "H W 3"]:
        """Read the velocity in space: the truth's units per frame; 0 also in the sky.

        Raises:
            InputError: the file is damaged.
        """
        return torch.from_numpy(self._motion("scene_flow", 3))

    def views(self) -> tuple[LandscapeView, ...]:
        """List the views, time by time; the photo itself is not among them.

        Raises:
            InputError: `landscape.json` or a picture is damaged.
        """
        views = []
        for name, entry in self._head["cameras"].items():
            place = self.folder / "views" / name
            pictures = list_images(place) if place.is_dir() else {}
            depth = place / "depth.npz"
            for time in self._head["times"]:
                picture = pictures.get(f"{time:03.0f}")
                if picture is not None:
                    camera = self._camera(entry, picture)
                    stored = depth if depth.is_file() else None
                    views.append(LandscapeView(name, float(time), camera, picture, stored))
        return tuple(sorted(views, key=lambda view: view.time))

    def _camera(self, entry: dict[str, Any], picture: Path) -> Camera:
        pose = rigid_pose(entry["camera_from_world"], self.folder / _HEAD, picture.stem)
        intrinsics = torch.tensor(entry["intrinsics"], dtype=torch.float32)
        stored = Camera(pose, intrinsics, *image_size(picture))
        ratio = max(self._size) / max(self._head["width"], self._head["height"])
        return stored.scaled(ratio)

    def _mask(self, name: str) -> Bool[Tensor, "H W"]:
        stored = self._head["width"], self._head["height"]
        mask = read_mask(self.folder / "masks" / f"{name}.png", stored, name)
        return torch.from_numpy(np.ascontiguousarray(scale_mask(mask, self._size)))

    def _motion(self, name: str, channels: int) -> Float[np.ndarray, "H W C"]:
        stored = _read_numbers(self.folder / "motion.npz", name, channels)
        return np.stack([scale_depth(stored[..., k], self._size) for k in range(channels)], -1)


def is_landscape_truth(folder: Path) -> bool:
    """Say whether a truth folder is that of a landscape."""
    return (folder / _HEAD).is_file()


def _read_depth(path: Path, size: tuple[int, int]) -> Float[Tensor, "H W"]:
    depth = scale_depth(_read_numbers(path, "depth"), size)
    return torch.from_numpy(np.where(depth > 0, depth, np.float32(np.inf)))


def _read_numbers(path: Path, name: str, channels: int | None = None) -> np.ndarray:
    """Read one array of an .npz as float32."""
    try:
        with np.load(path, allow_pickle=False) as file:
            array = file[name].astype(np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"damaged ({error})", path=path, expected=f"an array {name!r}") from error
    if array.shape[2:] != (() if channels is None else (channels,)):
        raise InputError(f"{name!r} has shape {array.shape}", path=path, expected="a map")
    return array
