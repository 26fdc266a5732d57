"""Writing a folder of rigid bodies, so that the original OSN could read it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture.bodies import BACKGROUND, RigidBody
from fourfold.capture.body_files import OPENGL_FROM_OPENCV, PIXEL_OFFSET, Trajectories
from fourfold.capture.body_head import FORMAT, HEAD, VERSION
from fourfold.errors import UsageError
from fourfold.files import replace_folder


def write_bodies(
    folder: str | os.PathLike[str],
    bodies: Sequence[RigidBody],
    frame_names: Sequence[str],
    size: tuple[int, int],
    *,
    intrinsics: Float[Tensor, "3 3"] | None = None,
    true_scales: Sequence[float] | None = None,
    trajectories: Trajectories | None = None,
) -> Path:
    """Write a folder of bodies in the place of what is at `folder`; the original OSN reads it too.

    Args:
        bodies: the background first, then the objects in the capture's order.
        frame_names: of the frames that poses and key points count.
        size: (width, height) of the key points' pixels.
        intrinsics: of the pictures, in pixels of `size`.
        true_scales: (K,) true units per unit of each body, where they are known.
        trajectories: in pixels of `size`.

    Raises:
        UsageError: the bodies do not fit the frames.
        OutputError: it cannot be written; what was there stays.
    """
    with replace_folder(folder) as staging:
        fill_bodies(
            staging,
            bodies,
            frame_names,
            size,
            intrinsics=intrinsics,
            true_scales=true_scales,
            trajectories=trajectories,
        )
    return Path(folder)


def fill_bodies(
    folder: Path,
    bodies: Sequence[RigidBody],
    frame_names: Sequence[str],
    size: tuple[int, int],
    *,
    intrinsics: Float[Tensor, "3 3"] | None = None,
    true_scales: Sequence[float] | None = None,
    trajectories: Trajectories | None = None,
) -> None:
    """Write the files of `write_bodies` into a folder that the caller makes whole.

    Raises:
        UsageError: the bodies do not fit the frames.
    """
    _check(bodies, frame_names)
    for index, body in enumerate(bodies):
        _write_body(folder, index, body, len(frame_names))
    if true_scales is not None:
        np.save(folder / "depth" / "scales_gt.npy", np.asarray(true_scales, np.float64))
    if trajectories is not None:
        pixels = trajectories.pixels - PIXEL_OFFSET
        np.save(folder / "trajectories.npy", pixels.astype(np.float32))
        np.save(folder / "visibilities.npy", trajectories.visible.astype(np.int32))
        np.save(folder / "segm_preds.npy", trajectories.bodies.astype(np.int32))
    head = {
        "format": FORMAT,
        "version": VERSION,
        "bodies": [body.name for body in bodies],
        "frames": list(frame_names),
        "width": size[0],
        "height": size[1],
        "intrinsics": None if intrinsics is None else intrinsics.tolist(),
    }
    (folder / HEAD).write_text(json.dumps(head, indent=1) + "\n", encoding="utf-8")


def _check(bodies: Sequence[RigidBody], frame_names: Sequence[str]) -> None:
    names = [body.name for body in bodies]
    if not names or names[0] != BACKGROUND or len(set(names)) < len(names):
        raise UsageError(f"the bodies are {names}", expected='"background" first, no name twice')
    if len(set(frame_names)) < len(frame_names):
        raise UsageError("two frames of the bodies have one name")
    for body in bodies:
        last = max([*body.frames, *body.points.frames.tolist()], default=0)
        if last >= len(frame_names):
            raise UsageError(
                f"{body.name} has a frame {last}", expected=f"at most {len(frame_names) - 1}"
            )
        if body.name != BACKGROUND and body.scale_range is None:
            raise UsageError(f"{body.name} has no scale range", expected="a low and a high scale")


def _write_body(folder: Path, index: int, body: RigidBody, num_frames: int) -> None:
    poses, depth = folder / "poses", folder / "depth"
    poses.mkdir(exist_ok=True)
    depth.mkdir(exist_ok=True)
    matrices = np.tile(np.eye(4, dtype=np.float32), (num_frames, 1, 1))
    for frame, pose in body.object_from_camera.items():
        matrices[frame] = (pose.float() @ OPENGL_FROM_OPENCV).numpy()
    np.save(poses / f"pose{index}.npy", matrices)
    registered = np.isin(np.arange(num_frames), body.frames)
    np.save(poses / f"vis{index}.npy", registered.astype(np.int32))
    if body.bounds is not None:
        np.save(poses / f"bbox{index}.npy", body.bounds.float().numpy().T)
    points = body.points
    columns = (points.depths, points.errors, points.weights)
    table = torch.cat((points.pixels - PIXEL_OFFSET, torch.stack(columns, dim=1)), dim=1)
    np.save(depth / f"depth{index}.npy", table.float().numpy())
    np.save(depth / f"vid{index}.npy", points.frames.numpy().astype(np.int32))
    if body.scale_range is not None:
        np.save(depth / f"scale{index}.npy", np.asarray(body.scale_range, np.float64))
