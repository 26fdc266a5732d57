"""Rigid bodies: the background and the moving objects, each solved as a static world of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

# How far R R^T may be from the identity before a pose is not a rotation.
_RIGID_TOLERANCE = 2e-3
BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class KeyPoints:
    """Pixels of a body whose depth structure from motion has found.

    Attributes:
        pixels: (M, 2) x and y in working pixels, the centre of the first pixel at 0.5.
        depths: (M,) z along the camera axis in units of the body, above 0.
        frames: (M,) int64, index among the capture's selected frames.
        weights: (M,) from 0 up, of the depth in a loss; the original's lie between 0 and 2.
        errors: (M,) reprojection error in pixels, from 0 up.
    """

    pixels: Float[Tensor, "M 2"]
    depths: Float[Tensor, "M"]
    frames: Int[Tensor, "M"]
    weights: Float[Tensor, "M"]
    errors: Float[Tensor, "M"]

    def __post_init__(self) -> None:
        columns = (self.depths, self.frames, self.weights, self.errors)
        if self.pixels.ndim != 2 or self.pixels.shape[1] != 2:
            raise ValueError(f"key points have pixels of shape {tuple(self.pixels.shape)}")
        if any(column.shape != (len(self),) for column in columns):
            raise ValueError(f"columns of {[len(c) for c in columns]} for {len(self)} key points")
        if not (self.depths.isfinite() & (self.depths > 0)).all():
            raise ValueError("a key point's depth is not above 0")
        if not (self.weights.isfinite() & (self.weights >= 0) & (self.errors >= 0)).all():
            raise ValueError("a key point's weight or error is below 0")
        if (self.frames < 0).any():
            raise ValueError("a key point is in a frame below 0")

    def __len__(self) -> int:
        return len(self.pixels)

    @staticmethod
    def none() -> KeyPoints:
        """Build an empty set."""
        empty = torch.zeros(0)
        return KeyPoints(torch.zeros(0, 2), empty, empty.long(), empty, empty)

    def where(self, kept: Bool[Tensor, "M"]) -> KeyPoints:
        """Give the key points that are marked."""
        return KeyPoints(
            self.pixels[kept],
            self.depths[kept],
            self.frames[kept],
            self.weights[kept],
            self.errors[kept],
        )


@dataclass(frozen=True, eq=False)
class RigidBody:
    """One rigid body, seen by cameras that move in its frame.

    A body's units are its own: it may be enlarged by a factor s about the camera's centre in each
    frame, `x_camera = s (camera_from_object x_object)`, and no picture changes.

    Attributes:
        name: "background", or the name of an object.
        object_from_camera: frame index -> (4, 4) rigid pose of the camera (OpenCV axes) in the
            body's frame, body units; only the frames in which it is registered.
        bounds: (2, 3) lowest and highest corner of the body in its frame; None where unknown.
        scale_range: lowest and highest s; None for the background, whose s is 1.
        points: its key points.
    """

    name: str
    object_from_camera: Mapping[int, Float[Tensor, "4 4"]]
    bounds: Float[Tensor, "2 3"] | None
    scale_range: tuple[float, float] | None
    points: KeyPoints

    def __post_init__(self) -> None:
        for frame, pose in self.object_from_camera.items():
            if frame < 0 or not is_rigid(pose):
                raise ValueError(f"the pose of {self.name} in frame {frame} is not rigid")
        bounds, scales = self.bounds, self.scale_range
        if bounds is not None and (
            bounds.shape != (2, 3) or not bool((bounds[0] <= bounds[1]).all())
        ):
            raise ValueError(f"the bounds of {self.name} are no box: {bounds.tolist()}")
        if scales is not None and not 0 < scales[0] <= scales[1] < float("inf"):
            raise ValueError(f"the scale range of {self.name} is {scales}")

    @property
    def frames(self) -> tuple[int, ...]:
        """The indices of the frames in which the body is registered, in order."""
        return tuple(sorted(self.object_from_camera))

    def resized(self, factor_x: float, factor_y: float) -> RigidBody:
        """Give the body of the same capture with another number of pixels."""
        factors = self.points.pixels.new_tensor([factor_x, factor_y])
        return replace(self, points=replace(self.points, pixels=self.points.pixels * factors))

    def of_frames(self, frames: Sequence[int | None]) -> RigidBody:
        """Give what the body has in some frames, which are then counted in this order from 0.

        None stands for a frame that the body does not know; its number is used up.
        """
        new = {frame: index for index, frame in enumerate(frames) if frame is not None}
        points = self.points
        kept = points.where(torch.isin(points.frames, torch.tensor(list(new), dtype=torch.int64)))
        moved = torch.tensor([new[frame] for frame in kept.frames.tolist()], dtype=torch.int64)
        poses = self.object_from_camera
        return replace(
            self,
            object_from_camera={new[frame]: poses[frame] for frame in new if frame in poses},
            points=replace(kept, frames=moved),
        )


def is_rigid(pose: Float[Tensor, "4 4"]) -> bool:
    """Say whether a matrix is a rotation and a translation."""
    if pose.shape != (4, 4) or not bool(pose.isfinite().all()):
        return False
    rotation = pose[:3, :3].double()
    error = (rotation @ rotation.mT - torch.eye(3, dtype=rotation.dtype)).abs().max()
    bottom = pose[3].tolist() == [0.0, 0.0, 0.0, 1.0]
    return bottom and float(error) <= _RIGID_TOLERANCE and float(torch.det(rotation)) > 0
