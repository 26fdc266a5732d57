"""Dense motion fields on disk: `.flo`, `.npz`, `.npy`.

All hold pixels per frame of the field's own grid. So do StyleCineGAN's `(1, 2, h, w)` arrays, whose
authors call them normalised to [-1, 1]: they are resized to any picture by interpolation and a
multiplication by the ratio of the sizes (issue 3 of its repository), so a value of 1 is one pixel
of the 512 of its grid, two of 1024. Such a grid is square, whatever the photo's aspect.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fourfold.capture.sizes import same_aspect
from fourfold.errors import InputError

MOTION_SUFFIXES = (".npy", ".npz", ".flo")
# The first number of a Middlebury .flo, and the size from which its values mean "unknown".
_FLO_TAG = 202021.25
_FLO_UNKNOWN = 1e9
_NPZ_KEYS = ("flow", "motion")
_EXPECTED = "numbers of shape (height, width, 2), (2, height, width) or (1, 2, height, width)"


@dataclass(frozen=True, eq=False)
class MotionField:
    """A motion field in its own grid.

    Attributes:
        values: (h, w, 2) x and y in pixels of its grid per frame, float32, finite.
        stretched: its grid is a square for photos of any aspect.
    """

    values: Float[np.ndarray, "h w 2"]
    stretched: bool


def read_motion_field(path: Path, size: tuple[int, int]) -> MotionField:
    """Read a motion field for a photo of (width, height); the field may have another size.

    What a `.flo` calls unknown does not move.

    Raises:
        InputError: missing, damaged, no motion field, without any motion, or of another aspect.
    """
    readers = {".flo": _read_flo, ".npz": _read_npz, ".npy": _read_npy}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            "not a motion field", path=path, expected=f"a file {', '.join(MOTION_SUFFIXES)}"
        )
    field = _arranged(_read(reader, path), path)
    if not np.isfinite(field.values).all():
        raise InputError("the motion field has values that are not finite", path=path)
    if not field.values.any():
        raise InputError("the motion field is 0 everywhere", path=path, expected="some motion")
    height, width = field.values.shape[:2]
    stretched = field.stretched and height == width
    if not stretched and not same_aspect((width, height), size):
        raise InputError(
            f"the motion field is {width}x{height}",
            path=path,
            expected=f"the aspect of the photo, {size[0]}x{size[1]}",
        )
    return MotionField(field.values, stretched)


def _read(reader: Callable[[Path], np.ndarray], path: Path) -> np.ndarray:
    try:
        return reader(path)
    except FileNotFoundError as error:
        raise InputError("there is no such file", path=path, expected="a motion field") from error
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the motion field is damaged ({error})", path=path, expected=_EXPECTED
        ) from error


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as archive:
        named = [key for key in _NPZ_KEYS if key in archive.files]
        if not named and len(archive.files) != 1:
            raise ValueError(f"it holds {', '.join(archive.files)}, and none is called flow")
        return archive[(named or archive.files)[0]]


def _read_flo(path: Path) -> np.ndarray:
    data = path.read_bytes()
    tag = np.frombuffer(data, "<f4", 1)[0]
    width, height = (int(side) for side in np.frombuffer(data, "<i4", 2, offset=4))
    if tag != np.float32(_FLO_TAG) or width < 1 or height < 1:
        raise ValueError("it does not begin as a .flo does")
    values = np.frombuffer(data, "<f4", 2 * width * height, offset=12).reshape(height, width, 2)
    unknown = ~(np.abs(values) < _FLO_UNKNOWN).all(-1, keepdims=True)
    return np.where(unknown, np.float32(0), values)


def _arranged(array: np.ndarray, path: Path) -> MotionField:
    if array.dtype.kind == "f":
        if array.ndim == 4 and array.shape[:2] == (1, 2):
            return MotionField(np.moveaxis(array[0], 0, -1).astype(np.float32), True)
        if array.ndim == 3 and array.shape[2] == 2:
            return MotionField(array.astype(np.float32), False)
        if array.ndim == 3 and array.shape[0] == 2:
            return MotionField(np.moveaxis(array, 0, -1).astype(np.float32), False)
    raise InputError(
        f"an array of shape {array.shape} and type {array.dtype}", path=path, expected=_EXPECTED
    )
