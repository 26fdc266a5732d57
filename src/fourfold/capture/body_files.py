"""Reading a folder of rigid bodies: OSN's preprocessed folder, with a head of ours.

Poses in it are camera-to-object with OpenGL camera axes, and its pixel (0, 0) is the centre of the
first pixel; both are turned into ours here, and back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture.arrays import read_array
from fourfold.capture.bodies import BACKGROUND, KeyPoints, RigidBody
from fourfold.capture.body_head import (
    ANEW,
    HEAD,
    order_of_bodies,
    positions_of_frames,
    read_head,
    stored_intrinsics,
)
from fourfold.errors import InputError

OPENGL_FROM_OPENCV = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
# OSN counts pixel centres from 0, we from 0.5.
PIXEL_OFFSET = 0.5


@dataclass(frozen=True, eq=False)
class Trajectories:
    """The point tracks from which the bodies were solved.

    Attributes:
        pixels: (P, N, 2) x and y, the centre of the first pixel at 0.5.
        visible: (P, N).
        bodies: (P,) index of the body, 0 for the background.
    """

    pixels: Float[np.ndarray, "P N 2"]
    visible: Bool[np.ndarray, "P N"]
    bodies: Int[np.ndarray, "P"]


@dataclass(frozen=True, eq=False)
class BodiesFolder:
    """What a folder of bodies holds.

    Attributes:
        bodies: the background first; frames are counted among those that were asked for.
        intrinsics: (3, 3) in pixels of the size that was asked for; None where not stored.
        files: what was read.
        notes: what a user should know, sentences.
    """

    bodies: tuple[RigidBody, ...]
    intrinsics: Float[Tensor, "3 3"] | None
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def read_bodies(
    folder: Path,
    object_names: Sequence[str],
    known_frames: Sequence[str],
    size: tuple[int, int],
    frames: Sequence[str] | None = None,
) -> BodiesFolder:
    """Read a folder of bodies, ours or the original's.

    Frames are paired by name where `bodies.json` names them; the original's folder counts the
    capture's frames in order.

    Args:
        object_names: of the capture, without the background, in its order.
        known_frames: names of all its frames, in order.
        size: (width, height) of the capture's pictures as stored.
        frames: names of the frames to keep, in order; all by default.

    Raises:
        InputError: the folder is damaged, or of other objects or frames.
    """
    head = read_head(folder)
    order = order_of_bodies(folder, object_names)
    positions = positions_of_frames(folder, head, known_frames, frames or known_frames)
    num_frames = len(head["frames"]) if head else len(known_frames)
    notes: list[str] = []
    bodies = []
    for name, index in zip((BACKGROUND, *object_names), order, strict=True):
        body, dropped = _read_body(folder, name, index, num_frames)
        if dropped:
            notes.append(f"{name}: {dropped} key points without a depth were left out")
        bodies.append(body.of_frames(positions))
    if head:
        factors = size[0] / head["width"], size[1] / head["height"]
        bodies = [body.resized(*factors) for body in bodies]
    notes += _registration_notes(bodies, len(positions))
    files = [*(folder / "poses").glob("*.npy"), *(folder / "depth").glob("*.npy")]
    # the truth of a synthetic capture is no input
    files = [file for file in files if file.name != "scales_gt.npy"]
    return BodiesFolder(
        tuple(bodies),
        None if head is None else stored_intrinsics(folder, head, size),
        tuple(sorted(files)) + ((folder / HEAD,) if head else ()),
        tuple(notes),
    )


def read_trajectories(folder: Path) -> Trajectories | None:
    """Read the point tracks of a folder of bodies; None where they are not stored.

    Raises:
        InputError: a file is damaged or missing.
    """
    if not (folder / "trajectories.npy").is_file():
        return None
    pixels = read_array(folder / "trajectories.npy", (None, None, 2))
    visible = read_array(folder / "visibilities.npy", pixels.shape[:2])
    bodies = read_array(folder / "segm_preds.npy", pixels.shape[:1])
    return Trajectories(
        pixels.astype(np.float32) + PIXEL_OFFSET, visible.astype(bool), bodies.astype(np.int64)
    )


def _read_body(folder: Path, name: str, index: int, num_frames: int) -> tuple[RigidBody, int]:
    poses = folder / "poses"
    matrices = read_array(poses / f"pose{index}.npy", (num_frames, 4, 4))
    seen = read_array(poses / f"vis{index}.npy", (num_frames,)).astype(bool)
    bounds = _read_bounds(poses / f"bbox{index}.npy")
    scales = _read_scales(folder / "depth" / f"scale{index}.npy") if index else None
    opengl = torch.from_numpy(matrices.astype(np.float32))
    in_opencv = {int(t): opengl[t] @ OPENGL_FROM_OPENCV for t in np.flatnonzero(seen)}
    points, dropped = _read_points(folder / "depth", index, num_frames)
    try:
        return RigidBody(name, in_opencv, bounds, scales, points), dropped
    except ValueError as error:
        raise InputError(str(error), path=poses / f"pose{index}.npy", mend=ANEW) from error


def _read_bounds(file: Path) -> Float[Tensor, "2 3"] | None:
    if not file.is_file():
        return None
    bounds = torch.tensor(read_array(file, (3, 2)).T, dtype=torch.float32)
    if not bool((bounds[0] <= bounds[1]).all()):
        raise InputError(
            f"the bounds are no box: {bounds.tolist()}",
            path=file,
            expected="a lowest and a highest x, y and z",
            mend=ANEW,
        )
    return bounds


def _read_scales(file: Path) -> tuple[float, float]:
    low, high = (float(end) for end in read_array(file, (2,)))
    if not 0 < low <= high < math.inf:
        raise InputError(
            f"the scales go from {low:g} to {high:g}",
            path=file,
            expected="a lowest and a highest one above 0",
            mend=ANEW,
        )
    return low, high


def _read_points(folder: Path, index: int, num_frames: int) -> tuple[KeyPoints, int]:
    table = read_array(folder / f"depth{index}.npy", (None, 5)).astype(np.float32)
    frames = read_array(folder / f"vid{index}.npy", (len(table),)).astype(np.int64)
    inside = (frames >= 0) & (frames < num_frames)
    if not inside.all():
        raise InputError(
            f"a key point is in frame {frames[~inside][0]}",
            path=folder / f"vid{index}.npy",
            expected=f"0 to {num_frames - 1}",
        )
    usable = np.isfinite(table).all(1) & (table[:, 2] > 0) & (table[:, 3:] >= 0).all(1)
    kept, dropped = torch.from_numpy(table[usable]), int((~usable).sum())
    points = KeyPoints(
        pixels=kept[:, :2] + PIXEL_OFFSET,
        depths=kept[:, 2],
        frames=torch.from_numpy(frames[usable]),
        weights=kept[:, 4],
        errors=kept[:, 3],
    )
    return points, dropped


def _registration_notes(bodies: Sequence[RigidBody], num_frames: int) -> list[str]:
    return [
        f"{body.name} is registered in {len(body.frames)} of {num_frames} frames"
        for body in bodies
        if len(body.frames) < num_frames
    ]
