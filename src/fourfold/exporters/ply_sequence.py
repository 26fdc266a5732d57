"""One 3DGS `.ply` per frame: the form of a moving splat that most viewers play."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from fourfold.files import replace_folder
from fourfold.scene import Gaussians, Scene, write_ply


@torch.no_grad()
def write_ply_sequence(
    folder: Path, scene: Scene, step: Callable[[int], None] = lambda done: None
) -> Path:
    """Write `frame_00000.ply` … , every frame whole, in the coordinates of the capture.

    SuperSplat and others take the files of the folder as one animation. The background comes
    with the objects. `step` is told how many frames are done.

    Raises:
        OutputError: it cannot be written; what was there is still there.
    """
    to_capture = torch.linalg.inv(scene.normalization)
    with replace_folder(folder) as staging:
        for index in range(scene.num_frames):
            whole = Gaussians.cat(scene.at(float(index))).transformed(to_capture)
            write_ply(staging / f"frame_{index:05d}.ply", whole)
            step(index + 1)
    return folder
