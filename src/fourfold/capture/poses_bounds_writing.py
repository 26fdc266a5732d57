"""Write `poses_bounds.npy` of LLFF."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from fourfold.geometry import Camera


def poses_bounds_rows(
    cameras: Sequence[Camera], bounds: Sequence[tuple[float, float]]
) -> Float[np.ndarray, "N 17"]:
    """Give a row for each camera, as LLFF's `imgs2poses` writes it (Mildenhall et al. 2019).

    A row is a 3x5 matrix row by row, then the nearest and the farthest depth. Its columns are the
    camera's down, right and backward axes in the world, its position, and (height, width, focal
    length in pixels). There is no room for a principal point beside the middle, for pixels that
    are not square (the mean focal length is taken), or for a lens distortion.
    """
    rows = []
    for camera, (near, far) in zip(cameras, bounds, strict=True):
        pose = camera.world_from_camera.double()
        right, down, forward = pose[:3, :3].unbind(1)
        size = pose.new_tensor([camera.height, camera.width, sum(camera.focal) / 2])
        matrix = torch.stack((down, right, -forward, pose[:3, 3], size), dim=1)
        rows.append([*matrix.flatten().tolist(), near, far])
    return np.array(rows, np.float64).reshape(-1, 17)
