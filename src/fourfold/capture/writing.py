"""Writing a capture in our own layout."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from fourfold.capture.depths import DEFAULT_DEPTH_UNIT
from fourfold.capture.meta import FORMAT, VERSION, view_folder
from fourfold.errors import UsageError
from fourfold.files import replace_folder
from fourfold.geometry import Camera

_CHANNELS = ("images", "masks", "depth")
_MAX_COUNT = 65535


@dataclass(frozen=True)
class FilmedView:
    """The channels of one view, one entry per frame; None where there is no such channel.

    Attributes:
        images: (H, W, 3) in [0, 1], sRGB.
        masks: (K, H, W), objects in the order of their names.
        depth: (H, W) z in scene units, NaN where unknown.
        cameras: of the images' size, without distortion.
    """

    images: Sequence[Float[Tensor, "H W 3"]]
    masks: Sequence[Bool[Tensor, "K H W"]] | None = None
    depth: Sequence[Float[Tensor, "H W"]] | None = None
    cameras: Sequence[Camera] | None = None


def write_capture(
    path: str | os.PathLike[str],
    views: Mapping[str, FilmedView],
    *,
    fps: float,
    object_names: Sequence[str] = (),
    frame_names: Sequence[str] | None = None,
    depth_unit: float = DEFAULT_DEPTH_UNIT,
    jpeg_quality: int | None = None,
) -> Path:
    """Write views as a capture of our own layout, in the place of what is at `path`.

    Args:
        path: the capture's folder.
        views: by name; all of one size, with the same frames.
        fps: frames per second.
        object_names: of the masks.
        frame_names: 00000, 00001, ... if None.
        depth_unit: scene units per count of the 16-bit depth files, which end at 65535 counts.
        jpeg_quality: 1 to 95 stores the images as JPEG; None stores them without loss.

    Raises:
        UsageError: the parts do not fit together, or a depth is beyond what the unit can hold.
        OutputError: it cannot be written; what was there stays.
    """
    first = next(iter(views.values())).images
    names = list(frame_names or [f"{index:05d}" for index in range(len(first))])
    height, width = first[0].shape[:2]
    _check(views, names, len(object_names), (height, width))
    with replace_folder(path) as folder:
        for view, filmed in views.items():
            places = {c: view_folder(folder / c, tuple(views), view) for c in _CHANNELS}
            _write_images(places["images"], names, filmed.images, jpeg_quality)
            _write_masks(places["masks"], names, filmed.masks or (), object_names)
            _write_depth(places["depth"], names, filmed.depth or (), depth_unit)
        _write_cameras(folder / "cameras.json", names, views, (width, height))
        meta = {
            "format": FORMAT,
            "version": VERSION,
            "fps": fps,
            "width": width,
            "height": height,
            "frames": names,
            "views": list(views),
            "objects": list(object_names),
            "depth_unit": depth_unit,
        }
        _write_json(folder / "capture.json", meta)
    return Path(path)


def _check(
    views: Mapping[str, FilmedView], names: list[str], num_objects: int, size: tuple[int, int]
) -> None:
    for view, filmed in views.items():
        channels = (filmed.images, filmed.masks, filmed.depth, filmed.cameras)
        counts = {len(channel) for channel in channels if channel is not None}
        if counts != {len(names)} or len(set(names)) < len(names):
            raise UsageError(
                f"view {view} has channels of {sorted(counts)} frames",
                expected=f"{len(names)} frames with different names",
            )
        shapes = {tuple(image.shape) for image in filmed.images}
        if shapes != {(*size, 3)}:
            raise UsageError(f"view {view} has images of {shapes}", expected=f"{(*size, 3)}")
        if any(tuple(mask.shape) != (num_objects, *size) for mask in filmed.masks or ()):
            raise UsageError(f"masks of view {view}", expected=f"shape {(num_objects, *size)}")


def _write_images(
    folder: Path, names: list[str], images: Iterable[Tensor], quality: int | None
) -> None:
    for name, image in zip(names, images, strict=True):
        picture = Image.fromarray(np.rint(image.clamp(0, 1).numpy() * 255).astype(np.uint8))
        if quality is None:
            _write(folder / f"{name}.png", picture, "PNG")
        else:
            # colour at full resolution: subsampling bleeds over the edges of objects
            _write(folder / f"{name}.jpg", picture, "JPEG", quality=quality, subsampling=0)


def _write_masks(
    folder: Path, names: list[str], masks: Sequence[Tensor], objects: Sequence[str]
) -> None:
    for name, stack in zip(names, masks, strict=False):
        for object_name, mask in zip(objects, stack, strict=True):
            picture = Image.fromarray(mask.numpy().astype(np.uint8) * 255)
            _write(folder / object_name / f"{name}.png", picture, "PNG")


def _write_depth(folder: Path, names: list[str], maps: Sequence[Tensor], unit: float) -> None:
    for name, depth in zip(names, maps, strict=False):
        counts = np.rint(np.nan_to_num(depth.numpy().astype(np.float64), nan=0.0) / unit)
        if counts.max(initial=0) > _MAX_COUNT:
            raise UsageError(
                f"a depth of {counts.max() * unit:g} in frame {name} is too far",
                expected=f"at most {_MAX_COUNT * unit:g} with a depth unit of {unit:g}",
                mend="Give a larger depth_unit",
            )
        picture = Image.fromarray(np.maximum(counts, 0).astype(np.uint16))
        _write(folder / f"{name}.png", picture, "PNG")


def _write_cameras(
    file: Path, names: list[str], views: Mapping[str, FilmedView], size: tuple[int, int]
) -> None:
    given = {view: filmed.cameras for view, filmed in views.items() if filmed.cameras is not None}
    if not given:
        return
    intrinsics = {
        view: {n: c.intrinsics.tolist() for n, c in zip(names, cameras, strict=True)}
        for view, cameras in given.items()
    }
    poses = {
        view: {n: c.camera_from_world.tolist() for n, c in zip(names, cameras, strict=True)}
        for view, cameras in given.items()
    }
    content = {"width": size[0], "height": size[1], "intrinsics": intrinsics}
    _write_json(file, {**content, "camera_from_world": poses})


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _write(file: Path, picture: Image.Image, kind: str, **options: Any) -> None:
    # Encoded in memory, so that a full disk is an OSError of ours and not half a picture.
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(buffer.getvalue())
