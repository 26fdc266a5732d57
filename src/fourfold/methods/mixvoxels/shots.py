"""What Gaussians are fitted to: the pictures of the training cameras, and where those stand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.gaussian_lenses import Lens, depth_bounds, training_lenses


@dataclass(frozen=True, eq=False)
class Shots:
    """The training cameras' footage; views and frames are counted from 0.

    Attributes:
        cameras: one per view; they stand still.
        num_frames: T.
        image: reads a frame of a view, (view, frame) -> (H, W, 3).
        still: each view without what moves: its median over time.
        bounds: nearest and farthest depth of each view, in scene units.
        lenses: the cameras and their nearest depths.
    """

    cameras: Sequence[Camera]
    num_frames: int
    image: Callable[[int, int], UInt8[np.ndarray, "H W 3"]]
    still: Sequence[UInt8[np.ndarray, "H W 3"]]
    bounds: Sequence[tuple[float, float]]
    lenses: Sequence[Lens]

    @property
    def num_views(self) -> int:
        """How many cameras there are."""
        return len(self.cameras)

    def seen_by(self, view: int, frame: int, reduced: int) -> tuple[Camera, Float[Tensor, "h w 3"]]:
        """Give a view's camera and its frame in [0, 1], smaller by a whole number."""
        camera = smaller(self.cameras[view], reduced)
        return camera, _floats(self.image(view, frame), camera)

    def deviation(self, view: int, frame: int, reduced: int) -> Float[Tensor, "h w"]:
        """Measure how far a frame is from the still picture: the largest channel, in [0, 1]."""
        difference = cv2.absdiff(self.image(view, frame), self.still[view]).max(2)
        return _floats(difference, smaller(self.cameras[view], reduced))


def read_shots(footage: Footage) -> Shots:
    """Take what Gaussians need from the footage of a rig."""
    store, views, frames = footage.store, footage.views, footage.frames
    cameras = [row[0] for row in footage.cameras]
    return Shots(
        cameras,
        footage.num_frames,
        lambda view, frame: store.image(frames[frame], views[view]),
        [_still(footage, view) for view in range(len(views))],
        depth_bounds(footage),
        training_lenses(footage),
    )


def _still(footage: Footage, view: int) -> UInt8[np.ndarray, "H W 3"]:
    stored = footage.views[view]
    if footage.num_frames == 1:  # one of perhaps many that the store holds
        return np.asarray(footage.store.image(footage.frames[0], stored))
    return footage.store.median(stored)


def smaller(camera: Camera, reduced: int) -> Camera:
    """Give a camera whose picture has sides smaller by a whole number."""
    return camera.resized(max(camera.width // reduced, 1), max(camera.height // reduced, 1))


def reduction(camera: Camera, longest: int) -> int:
    """Give the whole number by which a picture is made smaller to be at most so long."""
    return -(-max(camera.width, camera.height) // longest)


def _floats(values: UInt8[np.ndarray, "H W *C"], camera: Camera) -> Float[Tensor, "h w *C"]:
    size = (camera.width, camera.height)
    if values.shape[1::-1] != size:
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)) / 255
