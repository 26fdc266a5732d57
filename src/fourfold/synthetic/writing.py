"""Files of a synthetic capture: images, masks, depth and cameras, in Fourfold's own layout."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image

from fourfold.geometry import Camera

DEPTH_UNIT = 0.001  # metres per count of the 16-bit depth images: up to 65 m


@dataclass(frozen=True)
class Storage:
    """How a capture's files are stored, and for which frames.

    `jpeg_quality` None stores images as PNG. Novel views are stored for every `novel_every`-th
    frame, the true depth for every `depth_every`-th, from the first. In OSN's layout `compact`
    stores label maps and depths as PNG; a row of pixels has `points_across` key points. Of a
    landscape every `novel_every`-th time is stored, and the depth of every `depth_every`-th camera;
    `compact` stores numbers in 16 bits. Of a rig `compact` stores the depth of the held-out camera
    in every `depth_every`-th frame, of the others in the first.
    """

    jpeg_quality: int | None = None
    novel_every: int = 1
    depth_every: int = 1
    compact: bool = False
    points_across: int = 80


def encode_srgb(linear: Float[np.ndarray, "H W 3"]) -> np.ndarray:
    """Turn linear light into 8-bit sRGB (IEC 61966-2-1); brighter than white is cut off."""
    light = np.clip(linear, 0.0, 1.0)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(curve * 255.0).astype(np.uint8)


def write_image(path: Path, linear: Float[np.ndarray, "H W 3"], storage: Storage) -> Path:
    """Write a linear image as PNG or JPEG (colour not subsampled), and return the file."""
    picture = Image.fromarray(encode_srgb(linear))
    if storage.jpeg_quality is None:
        return _write(path.with_suffix(".png"), picture, "PNG", optimize=True)
    quality = storage.jpeg_quality
    return _write(path.with_suffix(".jpg"), picture, "JPEG", quality=quality, subsampling=0)


def write_mask(path: Path, mask: Bool[np.ndarray, "H W"]) -> None:
    """Write a mask as a PNG of one bit per pixel."""
    _write(path, Image.fromarray(mask.astype(np.uint8) * 255).convert("1"), "PNG", optimize=True)


def write_depth(path: Path, depth: Float[np.ndarray, "H W"]) -> None:
    """Write z-depth in metres as a 16-bit PNG of DEPTH_UNIT per count, 0 where unknown."""
    counts = np.rint(np.clip(depth / DEPTH_UNIT, 0, 65535)).astype(np.uint16)
    _write(path, Image.fromarray(counts), "PNG", optimize=True)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_tracks(path: Path, **arrays: np.ndarray) -> None:
    """Write arrays as a compressed .npz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def camera_json(camera: Camera) -> dict[str, Any]:
    """Give a camera's pose and intrinsics as nested lists."""
    return {
        "camera_from_world": camera.camera_from_world.tolist(),
        "intrinsics": camera.intrinsics.tolist(),
    }


def _write(path: Path, picture: Image.Image, kind: str, **options: Any) -> Path:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path
