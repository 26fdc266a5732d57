"""What is optimised: each body's Gaussians and the corrections of its poses, as leaf tensors."""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import (
    axis_angle_to_quaternion,
    quaternion_to_matrix,
    rigid_matrix,
    similarity_matrix,
)
from fourfold.methods.osn.config import BodyConfig
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.start import first_gaussians
from fourfold.scene import Gaussians
from fourfold.training import Progress, adam_state, load_adam_state

# Learning rates at the start and at the end. Lengths are in pixels (the units that one pixel covers
# at the body's median depth), so that no rate depends on the scale of a capture.
RATES: dict[str, tuple[float, float]] = {
    "means": (0.15, 0.015),
    "quaternions": (0.01, 0.001),
    "log_scales": (0.01, 0.002),
    "logit_opacities": (0.05, 0.01),
    "harmonics": (0.035, 0.005),
    "turns": (2e-4, 1e-5),
    "shifts": (0.02, 0.002),
}
LENGTHS = ("means", "shifts")
JOINTS = ("turns", "shifts")
WIDEST = 6.0
"""No Gaussian may be wider than this, in pixels (standard deviation)."""


@dataclass
class TrainableBody:
    """One body's Gaussians in its own frame, and its poses with corrections that start at zero.

    `tensors`: those of `Gaussians`, and `turns` (T,3) axis-angle and `shifts` (T,3) in body units,
    applied after `poses` (T,4,4) camera_from_object; `unit`: body units per pixel.
    """

    name: str
    tensors: dict[str, Tensor]
    poses: Float[Tensor, "T 4 4"]
    unit: float
    optimizers: dict[str, torch.optim.Adam] = field(default_factory=dict)

    @property
    def gaussians(self) -> Gaussians:
        """The Gaussians in the body's frame."""
        return Gaussians(**{k: v for k, v in self.tensors.items() if k not in JOINTS})

    def camera_from_object(self, frame: int) -> Float[Tensor, "4 4"]:
        """Give the corrected pose; differentiable in the correction."""
        turn = quaternion_to_matrix(axis_angle_to_quaternion(self.tensors["turns"][frame]))
        return rigid_matrix(turn, self.tensors["shifts"][frame]) @ self.poses[frame]

    def seen(self, frame: int, scale: float = 1.0) -> Gaussians:
        """Give the Gaussians in the camera's frame, enlarged about the camera's centre.

        Neither the picture nor an opacity changes with the scale; depths multiply.
        """
        pose = self.camera_from_object(frame)
        return self.gaussians.transformed(
            similarity_matrix(scale, pose[:3, :3], scale * pose[:3, 3])
        )

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
            widest = torch.log(torch.tensor(WIDEST * self.unit))
            self.tensors["log_scales"].clamp_(max=widest)


@dataclass
class Fit:
    """All that is optimised, the background first."""

    bodies: list[TrainableBody]

    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint needs to go on, nested."""
        return {
            f"body{index}": {
                "poses": body.poses,
                "unit": torch.tensor(body.unit, dtype=torch.float64),
                **{
                    name: {"value": tensor, "adam": adam_state(body.optimizers[name])}
                    for name, tensor in body.tensors.items()
                },
            }
            for index, body in enumerate(self.bodies)
        }

    @staticmethod
    def restore(footage: Footage, state: dict[str, Any]) -> "Fit":
        """Go on from a checkpoint's state."""
        bodies = []
        for index, name in enumerate(footage.names):
            saved = dict(state[f"body{index}"])
            poses, unit = saved.pop("poses"), float(saved.pop("unit"))
            leaves = {key: entry["value"] for key, entry in saved.items()}
            body = make_body(name, leaves, poses, unit)
            for key, optimizer in body.optimizers.items():
                load_adam_state(optimizer, saved[key]["adam"])
            bodies.append(body)
        return Fit(bodies)


def start_fit(footage: Footage, config: BodyConfig, progress: Progress) -> Fit:
    """Make the first Gaussians of every body."""
    bodies = []
    for index, name in enumerate(footage.names):
        shape, unit = first_gaussians(footage, index, config.max_gaussians)
        zeros = {joint: torch.zeros(footage.num_frames, 3) for joint in JOINTS}
        poses = footage.poses[index]
        bodies.append(make_body(name, {**shape.tensors(), **zeros}, poses, unit))
        progress.advance()
    return Fit(bodies)


def make_body(
    name: str, tensors: dict[str, Tensor], poses: Float[Tensor, "T 4 4"], unit: float
) -> TrainableBody:
    """Make leaf tensors and one optimiser each; rates are set before each step."""
    leaves = {key: value.detach().clone().requires_grad_() for key, value in tensors.items()}
    optimizers = {
        key: torch.optim.Adam([leaf], lr=0.0, eps=1e-15, fused=True) for key, leaf in leaves.items()
    }
    return TrainableBody(name, leaves, poses, unit, optimizers)
