"""Where a landscape is seen from: the photo's camera, and places on 3D-MOM's four camera paths."""

import numpy as np
import torch
from jaxtyping import Float

from fourfold.geometry import Camera

PHOTO = "photo"
# Translations camera_from_world of the paths side, up-down, zoom-in at their ends, and of the
# circle where it is farthest back and a bit before it is nearest (3D-MOM's trajectory files).
_MOVES = {
    "left": (0.09, 0.0, 0.0),
    "right": (-0.09, 0.0, 0.0),
    "up": (0.0, 0.08, 0.0),
    "down": (0.0, -0.08, 0.0),
    "zoom": (0.0, 0.0, -0.24),
    "circle-back": (-0.04, 0.0, 0.09),
    "circle-front": (0.0, 0.04, -0.0636),
}
_WIDEST = 0.09
# how far the nearest 5 % move against infinity at the widest, in shares of the photo's width
_PARALLAX = 30.0 / 1280.0
_NEAREST = 0.05


def landscape_cameras(photo: Camera, depth: Float[np.ndarray, "H W"]) -> dict[str, Camera]:
    """Place cameras round the photo's, itself the first, all turned alike.

    The paths are enlarged so that the nearest 5 % of the photo move by 30 pixels of 1280 against
    infinity at the ends of the path to the side.

    Args:
        photo: the photo's camera.
        depth: z, infinite in the sky.
    """
    near = float(np.quantile(depth[np.isfinite(depth)], _NEAREST))
    unit = _PARALLAX * photo.width * near / photo.focal[0] / _WIDEST
    moved = {name: _shifted(photo, unit * np.array(move)) for name, move in _MOVES.items()}
    return {PHOTO: photo, **moved}


def _shifted(camera: Camera, move: Float[np.ndarray, "3"]) -> Camera:
    pose = camera.camera_from_world.clone()
    pose[:3, 3] += torch.from_numpy(move).to(pose.dtype)
    return camera.moved(pose)
