"""What a synthetic capture knows: depth, tracks, novel views, depth order. For evaluation only."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture.cameras import read_json, rigid_pose
from fourfold.capture.depths import DEFAULT_DEPTH_UNIT, read_depth
from fourfold.capture.images import image_size, read_image
from fourfold.capture.meta import read_meta
from fourfold.capture.names import list_images
from fourfold.capture.sizes import scale_depth, scale_image
from fourfold.errors import InputError
from fourfold.geometry import Camera


@dataclass(frozen=True)
class Tracks:
    """True tracks of surface points over the selected frames.

    Attributes:
        points: (T, N, 3) in the world of the capture's cameras.
        pixels: (T, N, 2) x and y in working pixels, the first pixel's centre at 0.5.
        visible: (T, N) seen by the input camera.
        objects: (N,) index into the capture's `object_names`.
    """

    points: Float[Tensor, "T N 3"]
    pixels: Float[Tensor, "T N 2"]
    visible: Bool[Tensor, "T N"]
    objects: Int[Tensor, "N"]


@dataclass(frozen=True)
class NovelView:
    """One frame from a camera that the input does not have; read when asked for.

    Attributes:
        name: of the camera, such as "p20".
        angle: between it and the input camera, in degrees, signed.
        frame: index among the selected frames.
        camera: of the image, in working pixels.
        path: the picture.
    """

    name: str
    angle: float
    frame: int
    camera: Camera
    path: Path

    def image(self) -> Float[Tensor, "H W 3"]:
        """Read the picture; float32 in [0, 1].

        Raises:
            InputError: the file is damaged.
        """
        image = scale_image(read_image(self.path), (self.camera.width, self.camera.height))
        return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).clamp_(0, 1)


class Truth:
    """The truth of a synthetic capture, cut to the frames and scaled to the size in use.

    A method never sees it. Frames are counted among the selected ones.
    """

    def __init__(self, folder: Path, frames: tuple[str, ...], size: tuple[int, int]) -> None:
        self.folder = folder
        self._frames = frames
        self._size = size

    @cached_property
    def _meta(self) -> dict[str, Any]:
        return read_meta(self.folder.parent / "capture.json")

    def depth(self, frame: int) -> Float[Tensor, "H W"] | None:
        """Read the true depth of a frame: z, NaN where unknown; None where it was not stored.

        Raises:
            InputError: the file is damaged.
        """
        name = self._frames[frame]
        path = self.folder / "depth" / f"{name}.png"
        if not path.is_file():
            return None
        unit = float(self._meta.get("depth_unit", DEFAULT_DEPTH_UNIT))
        depth = scale_depth(read_depth(path, self._size, unit, name), self._size)
        return torch.from_numpy(np.ascontiguousarray(depth))

    def tracks(self) -> Tracks | None:
        """Read the true tracks; None where there are none.

        Raises:
            InputError: the file is damaged or has other frames than the capture.
        """
        path = self.folder / "tracks.npz"
        if not path.is_file():
            return None
        arrays = _read_arrays(path, ("points", "pixels", "visible", "object"))
        names = [str(name) for name in self._meta["frames"]]
        if len(arrays["points"]) != len(names):
            raise InputError(
                f"there are tracks of {len(arrays['points'])} frames",
                path=path,
                expected=f"the capture's {len(names)}",
            )
        at = [names.index(name) for name in self._frames]
        scale = np.array(self._size) / (self._meta["width"], self._meta["height"])
        return Tracks(
            points=torch.from_numpy(arrays["points"][at].astype(np.float32)),
            pixels=torch.from_numpy((arrays["pixels"][at] * scale).astype(np.float32)),
            visible=torch.from_numpy(arrays["visible"][at].astype(bool)),
            objects=torch.from_numpy(arrays["object"].astype(np.int64)),
        )

    def novel_views(self) -> Iterator[NovelView]:
        """Go through the novel views of the selected frames, camera by camera.

        Raises:
            InputError: `novel.json` or a picture that it lists is missing or damaged.
        """
        file = self.folder / "novel.json"
        if not file.is_file():
            return
        for name, entry in read_json(file).items():
            pictures = list_images(self.folder / "novel" / name)
            for index, frame in enumerate(self._frames):
                if frame in entry["frames"]:
                    camera = self._novel_camera(entry["frames"][frame], pictures, frame, file)
                    angle = float(entry["angle"])
                    yield NovelView(name, angle, index, camera, pictures[frame])

    def _novel_camera(
        self, entry: dict[str, Any], pictures: dict[str, Path], frame: str, file: Path
    ) -> Camera:
        if frame not in pictures:
            raise InputError("a novel view has no picture", path=file, frame=frame)
        pose = rigid_pose(entry["camera_from_world"], file, frame)
        intrinsics = torch.tensor(entry["intrinsics"], dtype=torch.float32)
        stored = Camera(pose, intrinsics, *image_size(pictures[frame], frame))
        ratio = max(self._size) / max(self._meta["width"], self._meta["height"])
        width, height = (max(1, round(side * ratio)) for side in (stored.width, stored.height))
        return stored.resized(width, height)

    def order(self, frame: int) -> tuple[str, ...] | None:
        """Return the names of the objects that are seen, nearest first; None where unknown.

        Raises:
            InputError: `order.json` is damaged.
        """
        order = self._order.get(self._frames[frame])
        return None if order is None else tuple(order)

    @cached_property
    def _order(self) -> dict[str, list[str]]:
        file = self.folder / "order.json"
        return read_json(file) if file.is_file() else {}


def _read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the tracks are damaged ({error})", path=path, expected=", ".join(names)
        ) from error
