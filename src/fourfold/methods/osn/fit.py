"""What is optimised: each body's Gaussians and the corrections of its poses, as leaf tensors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    quaternion_to_matrix,
    rigid_matrix,
    similarity_matrix,
)
from fourfold.methods.osn.body import Body, Drawing, Fit
from fourfold.methods.osn.config import BodyConfig
from fourfold.methods.osn.drawing import splat_alone, splat_together
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.start import first_gaussians
from fourfold.scene import Appearance, Gaussians, Motion, SceneObject
from fourfold.training import Progress, adam_state, load_adam_state

# Learning rates at the start and at the end. Lengths are in pixels (the units that one pixel covers
# at the body's median depth), so that no rate depends on the scale of a capture.
RATES: dict[str, tuple[float, float]] = {
    "means": (0.15, 0.015),
    "quaternions": (0.01, 0.001),
    "log_scales": (0.01, 0.002),
    "logit_opacities": (0.05, 0.01),
    "harmonics": (0.035, 0.005),
    "turns": (0.02, 0.002),
    "shifts": (0.02, 0.002),
}
LENGTHS = ("means",)
JOINTS = ("turns", "shifts")
"""Corrections of poses: one tensor per frame, so that a step moves only those of its frame."""
JOINT_EPS = 0.02
"""Adam's epsilon for them, loss per pixel: where pictures hardly pull, they hardly move."""
SURFACE = ("means", "quaternions", "log_scales", "logit_opacities", "harmonics")
GROWTH = 3.0
"""No Gaussian may grow by more than this: long ones reach where nothing was seen."""
FAINT = 0.02
"""Gaussians fainter than this are left out of the scene."""
HIDDEN_LOGIT = -12.0
"""Change of an opacity's logit that makes a body invisible where it is not registered."""


@dataclass
class TrainableBody(Body):
    """One body's Gaussians in its own frame, and its poses with corrections that start at zero.

    `leaves`, by name: the tensors of `Gaussians`, one each, and T tensors (3,) of `turns`
    (axis-angle) and of `shifts`, both in pixels that they move the picture, which are applied
    after `poses` (T,4,4) camera_from_object. `unit`: body units per pixel; `focal` in pixels.
    """

    name: str
    leaves: dict[str, list[Tensor]]
    poses: Float[Tensor, "T 4 4"]
    unit: float
    focal: float
    widest: Float[Tensor, "N 1"]
    """Largest logarithmic scale of each Gaussian."""
    optimizers: dict[str, torch.optim.Adam]

    @staticmethod
    def of(
        name: str,
        tensors: Mapping[str, list[Tensor]],
        poses: Float[Tensor, "T 4 4"],
        unit: float,
        focal: float,
        widest: Float[Tensor, "N 1"],
    ) -> "TrainableBody":
        """Make leaf tensors, and one optimiser for each name; rates are set before each step."""
        leaves = {
            key: [value.detach().clone().requires_grad_() for value in values]
            for key, values in tensors.items()
        }
        optimizers = {
            key: torch.optim.Adam(
                values, 0.0, eps=JOINT_EPS if key in JOINTS else 1e-15, fused=True
            )
            for key, values in leaves.items()
        }
        return TrainableBody(name, leaves, poses, unit, focal, widest, optimizers)

    @property
    def gaussians(self) -> Gaussians:
        """The Gaussians in the body's frame."""
        return Gaussians(**{name: self.leaves[name][0] for name in SURFACE})

    def camera_from_object(self, frame: int) -> Float[Tensor, "4 4"]:
        """Give the corrected pose; differentiable in the correction."""
        turn = axis_angle_to_quaternion(self.leaves["turns"][frame] / self.focal)
        shift = self.leaves["shifts"][frame] * self.unit
        return rigid_matrix(quaternion_to_matrix(turn), shift) @ self.poses[frame]

    def correction(self, frame: int) -> Float[Tensor, ""]:
        """Give the square of how far a frame's pose was corrected, in pixels; differentiable."""
        return sum((self.leaves[joint][frame].square().sum() for joint in JOINTS), torch.zeros(()))

    def seen(self, frame: int, scale: float = 1.0) -> Gaussians:
        """Give the Gaussians in the camera's frame, enlarged about the camera's centre.

        Neither the picture nor an opacity changes with the scale; depths multiply.
        """
        pose = self.camera_from_object(frame)
        return self.gaussians.transformed(
            similarity_matrix(scale, pose[:3, :3], scale * pose[:3, 3])
        )

    def draw_alone(self, camera: Camera, frame: int) -> Drawing:
        return splat_alone(self.gaussians, self.camera_from_object(frame), camera)

    def draw_with(
        self,
        others: Sequence[Body],
        camera: Camera,
        frame: int,
        factors: Sequence[float],
        color: Float[Tensor, " 3"],
    ) -> Drawing:
        bodies = [self, *(body for body in others if isinstance(body, TrainableBody))]
        parts = [body.seen(frame, factor) for body, factor in zip(bodies, factors, strict=True)]
        return splat_together(parts, factors, camera, color)

    def scene_object(
        self, motion: Motion, shown: Bool[Tensor, " T"], scale_range: tuple[float, float] | None
    ) -> SceneObject:
        shape = self.gaussians.detach().select(self.gaussians.opacities > FAINT)
        return SceneObject(self.name, shape, motion, _presence(shown, len(shape)), scale_range)

    def set_rates(self, progress: float, poses_move: bool) -> None:
        """Set every learning rate for a point of the way, 0 to 1."""
        for name, optimizer in self.optimizers.items():
            first, last = RATES[name]
            rate = first * (last / first) ** progress * (self.unit if name in LENGTHS else 1.0)
            if name in JOINTS and not poses_move:
                rate = 0.0
            optimizer.param_groups[0]["lr"] = rate

    def step(self) -> None:
        """Move every tensor that has a gradient, and keep sizes within bounds."""
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            scales = self.leaves["log_scales"][0]
            scales.copy_(torch.minimum(scales, self.widest))

    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint needs to go on, nested."""
        leaves = {
            name: {"values": values, "adam": adam_state(self.optimizers[name])}
            for name, values in self.leaves.items()
        }
        lengths = torch.tensor([self.unit, self.focal], dtype=torch.float64)
        return {"leaves": leaves, "poses": self.poses, "lengths": lengths, "widest": self.widest}

    @staticmethod
    def restore(name: str, state: Mapping[str, Any]) -> "TrainableBody":
        """Go on from what `state` returned."""
        saved = state["leaves"]
        values = {key: entry["values"] for key, entry in saved.items()}
        unit, focal = state["lengths"].tolist()
        body = TrainableBody.of(name, values, state["poses"], unit, focal, state["widest"])
        for key, optimizer in body.optimizers.items():
            load_adam_state(optimizer, saved[key]["adam"])
        return body


@dataclass(frozen=True, eq=False)
class GaussianFit(Fit):
    """Bodies of Gaussians, the background first."""

    bodies: Sequence[TrainableBody]

    @staticmethod
    def restore(footage: Footage, state: list[Mapping[str, Any]]) -> "GaussianFit":
        """Go on from what `state` returned."""
        pairs = zip(footage.names, state, strict=True)
        return GaussianFit([TrainableBody.restore(name, saved) for name, saved in pairs])


def start_fit(footage: Footage, config: BodyConfig, progress: Progress) -> GaussianFit:
    """Make the first Gaussians of every body."""
    bodies = []
    for index, name in enumerate(footage.names):
        shape, unit = first_gaussians(footage, index, config.max_gaussians)
        leaves = {key: [tensor] for key, tensor in shape.tensors().items()}
        leaves |= {key: [torch.zeros(3)] * footage.num_frames for key in JOINTS}
        widest = shape.log_scales.amax(1, keepdim=True) + math.log(GROWTH)
        focal = sum(footage.cameras[0].focal) / 2
        bodies.append(TrainableBody.of(name, leaves, footage.poses[index], unit, focal, widest))
        progress.advance()
    return GaussianFit(bodies)


def _presence(shown: Bool[Tensor, " T"], count: int) -> Appearance | None:
    """Hide a body in frames in which it is not shown; None where it always is."""
    if bool(shown.all()):
        return None
    coefficients = torch.zeros(count, 1, 4)
    coefficients[..., 3] = HIDDEN_LOGIT
    times = torch.arange(len(shown), dtype=torch.float32)
    return Appearance(times, (~shown).float()[:, None], coefficients)
