"""`poses_bounds.npy` of LLFF: a pose, a focal length and depth bounds for each camera, in one row.

A row is a 3x5 matrix, row by row (three columns of a rotation, the position, height-width-focal
length of the full picture), then the nearest and the farthest depth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float

from fourfold.capture.cameras import rigid_pose
from fourfold.capture.pose_axes import (
    LEFT_HANDED,
    LLFF,
    RIGHT_HANDED,
    STILL_SIZE,
    Axes,
    Still,
    choose_axes,
)
from fourfold.capture.sizes import fit_size, same_aspect
from fourfold.errors import InputError
from fourfold.geometry import Camera

FILE = "poses_bounds.npy"
_ROW = 17


@dataclass(frozen=True)
class RigCameras:
    """What the file says of the cameras that were asked for, by view.

    Attributes:
        cameras: in pixels of the sizes given, OpenCV axes, the world as in the file.
        bounds: nearest and farthest depth in world units.
        axes: which axes the columns of the rotations were taken for.
        notes: what had to be found out or mended, sentences.
    """

    cameras: dict[str, Camera]
    bounds: dict[str, tuple[float, float]]
    axes: str
    notes: tuple[str, ...]

    @property
    def poses_from(self) -> str:
        """Say where the poses are from, and how they were read."""
        return f"{FILE}, columns {self.axes}"


def read_poses_bounds(file: Path) -> Float[np.ndarray, "N 17"]:
    """Read the rows of a `poses_bounds.npy`.

    Raises:
        InputError: not an array of N rows of 17 numbers.
    """
    try:
        rows = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"cannot read the array ({error})", path=file) from error
    if rows.ndim != 2 or rows.shape[1] != _ROW or rows.dtype.kind not in "fiu":
        raise InputError(
            f"the array has shape {rows.shape} and type {rows.dtype}",
            path=file,
            expected="(N, 17) numbers: for each camera a 3x5 matrix (rotation, position, and "
            "height, width, focal length), then the nearest and farthest depth",
        )
    return rows.astype(np.float64)


def rig_cameras(
    file: Path,
    rows: dict[str, Float[np.ndarray, "17"]],
    sizes: dict[str, tuple[int, int]],
    picture: Callable[[str], Float[np.ndarray, "H W 3"]],
) -> RigCameras:
    """Turn rows into cameras; which axes the columns are is found out from the pictures.

    Args:
        file: where the rows are from, for errors.
        rows: view -> its row.
        sizes: view -> (width, height) of its pictures; the focal length is scaled to it.
        picture: gives a picture of a view, of any size.

    Raises:
        InputError: numbers that are not finite, sizes of another aspect, bounds or columns that
            cannot be, or mirrored poses that the pictures cannot set right.
    """
    views = list(rows)
    for view in views:
        _check_row(file, view, rows[view], sizes[view])
    matrices = np.stack([rows[view][:15].reshape(3, 5) for view in views])
    columns, positions = matrices[:, :, :3], matrices[:, :, 3]
    intrinsics = [_intrinsics(rows[view], sizes[view]) for view in views]

    def still(index: int) -> Still:
        view = views[index]
        return _still(picture(view), intrinsics[index], sizes[view])

    axes, notes = _find_axes(file, views, columns, positions, still)
    cameras = {}
    for index, pose in enumerate(axes.read(columns, positions)):
        checked = rigid_pose(torch.from_numpy(pose), file, views[index])
        matrix = torch.from_numpy(intrinsics[index]).float()
        cameras[views[index]] = Camera(checked, matrix, *sizes[views[index]])
    bounds = {view: (float(rows[view][15]), float(rows[view][16])) for view in views}
    return RigCameras(cameras, bounds, axes.name, notes)


def _check_row(file: Path, view: str, row: Float[np.ndarray, "17"], size: tuple[int, int]) -> None:
    if not np.isfinite(row).all():
        raise InputError(
            f"the row of camera {view} has numbers that are not finite",
            path=file,
            mend="Calibrate it again, or take the camera's frames and its row away",
        )
    height, width, focal = row[[4, 9, 14]]
    if min(height, width, focal) <= 0 or not same_aspect((round(width), round(height)), size):
        raise InputError(
            f"the row of camera {view} is of pictures of {width:g}x{height:g} pixels with a focal "
            f"length of {focal:g}, and its frames have {size[0]}x{size[1]}",
            path=file,
            expected="the frames' size, or a size of the same aspect",
        )
    near, far = row[15:]
    if not 0 < near < far:
        raise InputError(
            f"the depth bounds of camera {view} are {near:g} and {far:g}",
            path=file,
            expected="two numbers above 0, the nearest first",
        )


def _intrinsics(row: Float[np.ndarray, "17"], size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Scale the focal length to a picture's size; the axis meets its middle."""
    height, width, focal = row[[4, 9, 14]]
    fx, fy = focal * size[0] / width, focal * size[1] / height
    return np.array([[fx, 0, size[0] / 2], [0, fy, size[1] / 2], [0, 0, 1]])


def _still(
    picture: Float[np.ndarray, "H W 3"],
    intrinsics: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
) -> Still:
    small = fit_size(size, STILL_SIZE)
    grey = cv2.cvtColor(
        cv2.resize(picture, small, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
    )
    scale = np.diag([small[0] / size[0], small[1] / size[1], 1.0])
    return Still(np.round(grey * 255).astype(np.uint8), scale @ intrinsics)


def _find_axes(
    file: Path,
    views: Sequence[str],
    columns: Float[np.ndarray, "N 3 3"],
    positions: Float[np.ndarray, "N 3"],
    still: Callable[[int], Still],
) -> tuple[Axes, tuple[str, ...]]:
    """Find which axes the columns are, and what is to be said about it."""
    handed = np.sign(np.linalg.det(columns))
    odd = [view for view, sign in zip(views, handed, strict=True) if sign != handed[0]]
    if odd:
        raise InputError(
            f"some cameras are mirrored, and others are not ({views[0]} and {odd[0]} differ)",
            path=file,
            expected="rotations of one handedness",
        )
    readings = RIGHT_HANDED if handed[0] > 0 else LEFT_HANDED
    axes = choose_axes(readings, columns, positions, still)
    if axes is not None:
        said = f"the columns of {FILE} are {axes.name}, as the pictures say"
        return axes, () if axes is LLFF else (said,)
    if handed[0] > 0:
        unsure = (
            f"the pictures do not tell the order of the columns of {FILE}; assumed: {LLFF.name}"
        )
        return LLFF, (unsure,)
    raise InputError(
        "the poses are mirrored (their determinant is -1), and the pictures do not tell how",
        path=file,
        expected=f"columns {LLFF.name}, whose determinant is 1",
        mend="Write the poses anew, for example with fourfold prepare poses",
    )
