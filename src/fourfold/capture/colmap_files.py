"""The files of a COLMAP model: `cameras`, `images`, `points3D`, each `.bin` or `.txt`.

Both forms are documented at colmap.github.io/format.html.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from fourfold.capture.colmap_cameras import MODELS
from fourfold.errors import InputError

_OBSERVATION = np.dtype([("x", "<f8"), ("y", "<f8"), ("point", "<i8")])
# A track's element: the picture's number and the observation's place in it.
_ELEMENT_BYTES = 8


@dataclass(frozen=True, eq=False)
class RawImage:
    """A picture as the file has it: pose of the world in the camera, and the points it sees."""

    name: str
    camera: int
    quaternion: tuple[float, ...]
    translation: tuple[float, ...]
    pixels: Float[np.ndarray, "M 2"]
    points: Int[np.ndarray, "M"]


@dataclass(frozen=True, eq=False)
class RawModel:
    """What the three files hold, by COLMAP's numbers.

    `cameras`: model, (width, height), parameters. `points`: x, y, z.
    """

    cameras: dict[int, tuple[str, tuple[int, int], tuple[float, ...]]]
    images: list[RawImage]
    points: dict[int, tuple[float, float, float]]


def count_images(folder: Path) -> int:
    """Count the pictures of the model in a folder, without reading all of it.

    Raises:
        InputError: the file is damaged.
    """
    binary = folder / "images.bin"
    if binary.is_file():
        with _damage(binary), binary.open("rb") as file:
            return struct.unpack("<Q", file.read(8))[0]
    with _damage(folder / "images.txt"):
        return len(_lines(folder / "images.txt")) // 2


def read_binary(files: Sequence[Path]) -> RawModel:
    """Read the three `.bin` files.

    Raises:
        InputError: a file is damaged or cut off.
    """
    readers = (_binary_cameras, _binary_images, _binary_points)
    return RawModel(*_read_all(readers, files, lambda file: _Bytes(file.read_bytes())))


def read_text(files: Sequence[Path]) -> RawModel:
    """Read the three `.txt` files.

    Raises:
        InputError: a file is damaged.
    """
    return RawModel(*_read_all((_text_cameras, _text_images, _text_points), files, _lines))


def _read_all(readers: Sequence[Any], files: Sequence[Path], load: Any) -> list[Any]:
    found = []
    for reader, file in zip(readers, files, strict=True):
        with _damage(file):
            found.append(reader(load(file)))
    return found


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, struct.error, ValueError, IndexError) as error:
        raise InputError(
            f"the COLMAP model is damaged or cut off ({error})",
            path=path,
            expected="cameras, images, points3D as COLMAP writes them",
        ) from error


class _Bytes:
    """A place in the bytes of a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{form}", self._data, self._at)
        self._at += struct.calcsize(f"<{form}")
        return values

    def text(self) -> str:
        end = self._data.index(b"\0", self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def records(self, kind: np.dtype, count: int) -> np.ndarray:
        values = np.frombuffer(self._data, kind, count, self._at)
        self._at += kind.itemsize * count
        return values

    def skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise ValueError("the end is missing")


def _binary_cameras(data: _Bytes) -> dict[int, Any]:
    cameras = {}
    for _ in range(data.take("Q")[0]):
        key, model, width, height = data.take("IiQQ")
        if not 0 <= model < len(MODELS):
            raise ValueError(f"camera model {model}")
        name, count = MODELS[model]
        cameras[key] = (name, (width, height), data.take(f"{count}d"))
    return cameras


def _binary_images(data: _Bytes) -> list[RawImage]:
    images = []
    for _ in range(data.take("Q")[0]):
        numbers = data.take("I7dI")
        name = data.text()
        seen = data.records(_OBSERVATION, data.take("Q")[0])
        seen = seen[seen["point"] >= 0]
        pixels = np.stack((seen["x"], seen["y"]), axis=1)
        images.append(
            RawImage(name, numbers[8], numbers[1:5], numbers[5:8], pixels, seen["point"].copy())
        )
    return images


def _binary_points(data: _Bytes) -> dict[int, Any]:
    points = {}
    for _ in range(data.take("Q")[0]):
        key, *values = data.take("Q3d3BdQ")
        points[key] = tuple(values[:3])
        data.skip(_ELEMENT_BYTES * values[7])
    return points


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def _text_cameras(lines: list[str]) -> dict[int, Any]:
    cameras = {}
    for line in filter(str.strip, lines):
        key, model, width, height, *values = line.split()
        cameras[int(key)] = (model, (int(width), int(height)), tuple(map(float, values)))
    return cameras


def _text_images(lines: list[str]) -> list[RawImage]:
    """Read two lines for each picture: the second is empty where it sees no point."""
    images = []
    for head, seen in zip(lines[::2], [*lines[1::2], ""], strict=False):
        if not head.strip():
            break
        words = head.split(maxsplit=9)
        numbers = tuple(map(float, words[1:8]))
        table = np.array(seen.split(), np.float64).reshape(-1, 3)
        table = table[table[:, 2] >= 0]
        images.append(
            RawImage(
                words[9].strip(),
                int(words[8]),
                numbers[:4],
                numbers[4:],
                table[:, :2],
                table[:, 2].astype(np.int64),
            )
        )
    return images


def _text_points(lines: list[str]) -> dict[int, Any]:
    points = {}
    for line in filter(str.strip, lines):
        key, *values = line.split()
        points[int(key)] = tuple(float(value) for value in values[:3])
    return points
