"""Depth maps on disk: .npy, 16-bit PNG, .pfm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fourfold.capture.images import opened
from fourfold.capture.names import files_of_frames
from fourfold.capture.source import DepthLoader
from fourfold.errors import InputError

DEPTH_SUFFIXES = frozenset({".npy", ".png", ".pfm"})
# Scene units per count of a 16-bit PNG where nothing says otherwise: millimetres to metres, as in
# nerfstudio and most sensors.
DEFAULT_DEPTH_UNIT = 0.001
# Width over height may differ by this share before a depth map is of another picture.
_ASPECT_TOLERANCE = 0.02


def find_depths(
    folder: Path,
    frames: Sequence[str],
    known: frozenset[str],
    size: tuple[int, int],
    unit: float = DEFAULT_DEPTH_UNIT,
) -> tuple[dict[str, DepthLoader], tuple[Path, ...]]:
    """Find the depth maps in a folder and pair them with the frames by name.

    Args:
        frames: names of the frames that are used; each needs a depth map.
        known: names of all frames there are; each map must belong to one of them.
        size: (width, height) of the frames; the maps may have another, of the same aspect.
        unit: scene units per count of a 16-bit PNG.

    Raises:
        InputError: the folder holds none, a frame has none, a map belongs to no frame.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder of depth maps", path=folder)
    paths = files_of_frames(
        folder,
        DEPTH_SUFFIXES,
        frames,
        known,
        "depth map",
        "a .npy, 16-bit .png or .pfm file for every frame, named like the frame",
    )
    loaders = {frame: partial(read_depth, paths[frame], size, unit, frame) for frame in frames}
    return loaders, tuple(paths[frame] for frame in frames)


def read_depth(
    path: Path,
    size: tuple[int, int],
    unit: float = DEFAULT_DEPTH_UNIT,
    frame: str | None = None,
) -> Float[np.ndarray, "H W"]:
    """Read a depth map: z along the camera axis, in scene units.

    What is not finite or not above 0 is unknown.

    Args:
        size: (width, height) of the frame; the map may have another, of the same aspect.
        unit: scene units per count of a 16-bit PNG.

    Returns:
        float32 in the map's own size, NaN where unknown.

    Raises:
        InputError: damaged, not a depth map, unknown everywhere, or of another aspect.
    """
    readers = {".npy": _read_npy, ".pfm": _read_pfm}
    reader = readers.get(path.suffix.lower())
    raw = _read_png(path, frame) * unit if reader is None else reader(path, frame)
    depth = raw.astype(np.float32)
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        raise InputError(
            "the depth map holds no depth: every value is NaN, infinite or not above 0",
            path=path,
            frame=frame,
            expected="z in scene units, NaN or 0 only where unknown",
        )
    _require_aspect(depth, size, path, frame)
    return np.where(known, depth, np.float32(np.nan))


def _require_aspect(
    depth: Float[np.ndarray, "H W"], size: tuple[int, int], path: Path, frame: str | None
) -> None:
    height, width = depth.shape
    if abs(width / height * size[1] / size[0] - 1) > _ASPECT_TOLERANCE:
        raise InputError(
            f"the depth map is {width}x{height} pixels",
            path=path,
            frame=frame,
            expected=f"the aspect of its frame, {size[0]}x{size[1]}",
        )


def _read_npy(path: Path, frame: str | None) -> Float[np.ndarray, "H W"]:
    try:
        array = _without_channel(np.load(path, allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"the depth map is damaged ({error})", path=path, frame=frame, expected="a .npy array"
        ) from error
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"the array has shape {array.shape} and type {array.dtype}",
            path=path,
            frame=frame,
            expected="numbers of shape (height, width)",
        )
    return array


def _without_channel(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        return array[0] if array.shape[0] == 1 else array[..., 0]
    return array


def _read_png(path: Path, frame: str | None) -> Float[np.ndarray, "H W"]:
    with opened(path, frame) as image:
        if not image.mode.startswith("I"):
            raise InputError(
                f"the picture is of mode {image.mode}",
                path=path,
                frame=frame,
                expected="16-bit grey, 0 where unknown",
                mend="Save depth as 16-bit PNG or as .npy",
            )
        return np.asarray(image).astype(np.float64)


def _read_pfm(path: Path, frame: str | None) -> Float[np.ndarray, "H W"]:
    # Portable float map: "Pf", width height, scale (negative: little endian), rows bottom up.
    data = path.read_bytes()
    header = re.match(rb"Pf\s+(\d+)\s+(\d+)\s+(-?[\d.eE+]+)\s", data)
    if header is None:
        raise InputError("not a grey .pfm file", path=path, frame=frame, expected="Pf <w> <h> <s>")
    width, height = int(header.group(1)), int(header.group(2))
    body = data[header.end() :]
    if len(body) < 4 * width * height:
        raise InputError(
            f"the file is cut off after {len(body)} of {4 * width * height} bytes",
            path=path,
            frame=frame,
        )
    order = "<f4" if float(header.group(3)) < 0 else ">f4"
    values = np.frombuffer(body, order, width * height)
    return values.reshape(height, width)[::-1]
