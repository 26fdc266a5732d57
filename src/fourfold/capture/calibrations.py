"""Calibration files of rigs: caliscope, anipose and pose2sim (TOML), Qualisys (XML)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import torch
from jaxtyping import Float

from fourfold.capture.cameras import rigid_pose
from fourfold.errors import InputError
from fourfold.geometry import Camera

# Qualisys counts pixels of the sensor in 64ths, and writes millimetres.
_PER_PIXEL = 64.0
_MILLIMETRES = 1000.0
# OpenCV and Qualisys count pixel centres from 0, we from 0.5.
_FIRST_CENTER = 0.5


def read_calibration(path: Path) -> dict[str, Camera]:
    """Read the cameras of a rig by name, in the order of the file.

    Worlds of Qualisys files are in metres, others in the file's units. Lenses may carry a
    distortion. Cameras that the file says to ignore are left out.

    Raises:
        InputError: the file is not readable, or says nothing usable of a camera.
    """
    read: Callable[[Path], dict[str, Camera]] = (
        _read_toml if path.suffix.lower() == ".toml" else _read_qualisys
    )
    try:
        cameras = read(path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ElementTree.ParseError) as error:
        raise _unreadable(path, error) from error
    if len(cameras) < 2:
        raise InputError(
            f"{len(cameras)} cameras are calibrated", path=path, expected="two cameras or more"
        )
    return cameras


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"the calibration is not readable ({error})",
        path=path,
        expected="a calibration of caliscope, anipose, pose2sim (.toml) or Qualisys (.qca.txt)",
    )


def _read_toml(path: Path) -> dict[str, Camera]:
    """Read caliscope's [cameras.0] with a `cam_id`, or anipose's and pose2sim's [cam_01].

    The pose is the camera from the world in all of them; `rotation` is a matrix or Rodrigues' axis
    times angle.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    cameras = {}
    for section, entry in data.get("cameras", data).items():
        if not isinstance(entry, dict) or "matrix" not in entry or entry.get("ignore"):
            continue
        number = entry.get("cam_id", entry.get("port"))
        name = str(entry.get("name", section)) if number is None else f"cam_{number}"
        try:
            cameras[name] = _toml_camera(entry, path, name)
        except (KeyError, TypeError, ValueError, cv2.error) as error:
            raise InputError(
                f"the camera {name} is not whole ({type(error).__name__}: {error})",
                path=path,
                expected="matrix, distortions, rotation, translation, size of each camera",
                mend="Calibrate the camera again, or mark it with ignore = true",
            ) from error
    return cameras


def _toml_camera(entry: dict[str, Any], path: Path, name: str) -> Camera:
    turn = np.array(entry["rotation"], np.float64)
    rotation = turn if turn.shape == (3, 3) else cv2.Rodrigues(turn.reshape(3))[0]
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, np.array(entry["translation"], np.float64).reshape(3)
    lens = [float(value) for value in np.ravel(entry["distortions"])]
    if entry.get("fisheye") or len(lens) not in (4, 5):
        raise InputError(
            f"the lens of {name} has {len(lens)} coefficients"
            + (" of a fisheye" if entry.get("fisheye") else ""),
            path=path,
            expected="k1, k2, p1, p2 and perhaps k3",
            mend="Calibrate it with OpenCV's standard model, or take the distortion out first",
        )
    width, height = (round(side) for side in entry["size"])
    matrix = np.array(entry["matrix"], np.float64).reshape(3, 3)
    return _camera(pose, matrix, (width, height), lens, path, name)


def _read_qualisys(path: Path) -> dict[str, Camera]:
    tree = ElementTree.parse(path)
    cameras = {}
    for entry in tree.iter("camera"):
        if entry.get("active", "1") == "0":
            continue
        name = str(entry.get("serial"))
        try:
            cameras[name] = _qualisys_camera(entry, path, name)
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(
                f"the camera {name} is not whole ({error})",
                path=path,
                expected="transform, intrinsic and fov_video of each camera",
            ) from error
    return cameras


def _qualisys_camera(entry: ElementTree.Element, path: Path, name: str) -> Camera:
    """Turn Qualisys' camera (y up, looking along -z, rotation row by row) into OpenCV's."""
    if entry.get("viewrotation", "0") != "0":
        raise InputError(
            f"the camera {name} is turned by {entry.get('viewrotation')} degrees",
            path=path,
            expected='viewrotation="0"',
            mend="Convert the calibration to pose2sim's Calib.toml",
        )
    place, lens = _numbers(entry, "transform"), _numbers(entry, "intrinsic")
    area = _numbers(entry, "fov_video")
    rows = [[place[f"r{row}{column}"] for column in (1, 2, 3)] for row in (1, 2, 3)]
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.array(rows).T @ np.diag([1.0, -1.0, -1.0])
    world_from_camera[:3, 3] = np.array([place[axis] for axis in "xyz"]) / _MILLIMETRES
    matrix = np.eye(3)
    matrix[0, 0], matrix[1, 1] = lens["focalLengthU"], lens["focalLengthV"]
    matrix[:2, 2] = lens["centerPointU"], lens["centerPointV"]
    matrix[:2] /= _PER_PIXEL
    matrix[:2, 2] -= area["left"], area["top"]
    size = round(area["right"] - area["left"]) + 1, round(area["bottom"] - area["top"]) + 1
    # Qualisys writes "tangental"
    names = ("radialDistortion1", "radialDistortion2", "tangentalDistortion1")
    names = (*names, "tangentalDistortion2", "radialDistortion3")
    distortion = [lens.get(key, 0.0) for key in names]
    return _camera(np.linalg.inv(world_from_camera), matrix, size, distortion, path, name)


def _numbers(entry: ElementTree.Element, tag: str) -> dict[str, float]:
    found = entry.find(tag)
    if found is None:
        raise ValueError(f"no {tag}")
    return _Fields({key: float(value) for key, value in found.attrib.items()})


class _Fields(dict[str, float]):
    """Numbers by name; one that is missing is named."""

    def __missing__(self, key: str) -> float:
        raise ValueError(f"no {key}")


def _camera(
    camera_from_world: Float[np.ndarray, "4 4"],
    matrix: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    lens: list[float],
    path: Path,
    name: str,
) -> Camera:
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise InputError(f"the camera {name} has no focal length", path=path, expected="above 0")
    intrinsics = torch.from_numpy(matrix.copy())
    intrinsics[:2, 2] += _FIRST_CENTER
    pose = rigid_pose(torch.from_numpy(camera_from_world), path, name)
    distortion = tuple(lens) if any(lens) else None
    return Camera(pose, intrinsics.float(), *size, distortion=distortion)
