"""What the stage move optimises: leaf tensors, one optimiser each, and the way back to a draft."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, axis_angle_to_quaternion, project_points, quaternion_to_matrix
from fourfold.methods.dreamscene4d.camera_path import spread_cameras
from fourfold.methods.dreamscene4d.draft import Draft, control_nodes
from fourfold.methods.dreamscene4d.trainable import TrainableObject
from fourfold.priors import Prior
from fourfold.scene import Gaussians, SceneObject, Skinning
from fourfold.training import adam_state, load_adam_state

# Learning rates at the start and at the end. Lengths are in pixels of the input (the scene units a
# pixel covers at the object's depth), so that no rate depends on the scale of a scene.
RATES: dict[str, tuple[float, float]] = {
    "means": (0.15, 0.015),
    "quaternions": (0.01, 0.001),
    "log_scales": (0.01, 0.002),
    "logit_opacities": (0.05, 0.01),
    "harmonics": (0.03, 0.005),
    "changes": (0.01, 0.003),
    "node_translations": (0.3, 0.02),
    "translations": (0.1, 0.01),
    "node_quaternions": (0.01, 0.001),
    "camera_turns": (1e-4, 1e-5),
}
LENGTHS = ("means", "node_translations", "translations")
WIDEST = 8.0
"""No Gaussian of an object may be wider than this, in pixels (standard deviation)."""
GROWTH = 1.5
"""No Gaussian of the background may grow by more than this: long ones are spikes from the side."""


@dataclass
class Fit:
    """All that is optimised. ``units`` are scene units per pixel, by owner."""

    background: dict[str, Tensor]
    objects: dict[str, TrainableObject]
    cameras: dict[str, Tensor]
    poses: Float[Tensor, "T 4 4"]
    units: dict[str, float]
    cameras_given: bool
    background_color: Float[Tensor, " 3"]
    background_widest: Float[Tensor, "N 1"]
    """Largest logarithmic scale of each Gaussian of the background."""
    optimizers: dict[tuple[str, str], torch.optim.Adam] = field(default_factory=dict)
    skinnings: dict[str, Skinning] = field(default_factory=dict)

    def groups(self) -> list[tuple[str, dict[str, Tensor]]]:
        """Return every dictionary of optimised tensors, with the name of its owner."""
        found = [("background", self.background), ("cameras", self.cameras)]
        for owner, moving in self.objects.items():
            found += [(owner, moving.surface), (owner, moving.joints)]
        return found

    def tensors(self) -> dict[tuple[str, str], Tensor]:
        """Return every optimised tensor by (owner, name)."""
        return {
            (owner, name): tensor
            for owner, group in self.groups()
            for name, tensor in group.items()
        }

    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint needs to go on, nested."""
        state: dict[str, Any] = {}
        for (owner, name), tensor in self.tensors().items():
            adam = adam_state(self.optimizers[owner, name])
            state.setdefault(owner, {})[name] = {"value": tensor, "adam": adam}
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state; numbers of Gaussians may differ from the start's."""
        for owner, group in self.groups():
            for name in group:
                saved = state[owner][name]
                group[name] = saved["value"].clone().requires_grad_()
                self.optimizers[owner, name] = make_optimizer(group[name])
                load_adam_state(self.optimizers[owner, name], saved["adam"])
        self.rebind()

    def camera_from_world(self, frame: int) -> Float[Tensor, "4 4"]:
        """Return a frame's pose with its correction; differentiable in the correction."""
        turn = quaternion_to_matrix(
            axis_angle_to_quaternion(self.cameras["camera_turns"][frame, :3])
        )
        correction = torch.cat([turn, self.cameras["camera_turns"][frame, 3:, None]], 1)
        bottom = self.poses.new_tensor([[0.0, 0.0, 0.0, 1.0]])
        return torch.cat([correction, bottom]) @ self.poses[frame]

    def rebind(self) -> None:
        """Decide anew which nodes move which Gaussians."""
        self.skinnings = {owner: moving.bind() for owner, moving in self.objects.items()}

    def set_rates(self, progress: float) -> None:
        """Set every learning rate for a point of the way, 0 to 1."""
        for (owner, name), optimizer in self.optimizers.items():
            first, last = RATES[name]
            rate = first * (last / first) ** progress
            if name in LENGTHS:
                rate *= self.units[owner]
            if owner == "cameras" and self.cameras_given:
                rate = 0.0
            optimizer.param_groups[0]["lr"] = rate

    def step(self) -> None:
        """Move every tensor that has a gradient, and keep sizes within bounds."""
        for optimizer in self.optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            scales = self.background["log_scales"]
            scales.copy_(torch.minimum(scales, self.background_widest))
            for owner, moving in self.objects.items():
                widest = torch.log(torch.tensor(WIDEST * self.units[owner]))
                moving.surface["log_scales"].clamp_(max=widest)


def start_fit(draft: Draft, prior: Prior) -> Fit:
    """Make leaf tensors and optimisers of a draft."""
    leaves = {k: v.detach().clone().requires_grad_() for k, v in draft.background.tensors().items()}
    objects = {front.name: TrainableObject.of(front, prior) for front in draft.fronts}
    poses = torch.stack([camera.camera_from_world for camera in draft.cameras])
    turns = {"camera_turns": torch.zeros(len(poses), 6, requires_grad=True)}
    given = draft.notes["camera"]["mode"] == "given"
    color = torch.tensor(draft.notes["background_color"])
    widest = draft.background.log_scales.amax(1, keepdim=True) + math.log(GROWTH)
    fit = Fit(leaves, objects, turns, poses, _units(draft), given, color, widest)
    fit.optimizers = {key: make_optimizer(tensor) for key, tensor in fit.tensors().items()}
    fit.rebind()
    return fit


def make_optimizer(tensor: Tensor) -> torch.optim.Adam:
    """Make the optimiser of one tensor; its rate is set before each step."""
    return torch.optim.Adam([tensor], lr=0.0, eps=1e-15, fused=True)


def finish_fit(fit: Fit, draft: Draft) -> Draft:
    """Put the optimised tensors back into a draft, cut off from the gradient."""
    fronts = [_front_of(fit.objects[front.name]) for front in draft.fronts]
    background = Gaussians(**{name: tensor.detach() for name, tensor in fit.background.items()})
    cameras = _corrected_cameras(fit, draft)
    return replace(draft, background=background, fronts=fronts, cameras=cameras)


@torch.no_grad()
def _corrected_cameras(fit: Fit, draft: Draft) -> list[Camera]:
    """Return the cameras with their corrections; untrained frames lie between trained ones."""
    if fit.cameras_given:
        return draft.cameras
    trained = draft.notes["trained_frames"]
    corrected = [draft.cameras[t].moved(fit.camera_from_world(t)) for t in trained]
    return spread_cameras(corrected, trained, len(draft.cameras))


def _front_of(moving: TrainableObject) -> SceneObject:
    joints = {name: tensor.detach() for name, tensor in moving.joints.items()}
    appearance = moving.current_appearance()
    return SceneObject(
        moving.name,
        moving.front.detach(),
        replace(moving.motion, **joints),
        replace(appearance, coefficients=appearance.coefficients.detach()),
    )


def _units(draft: Draft) -> dict[str, float]:
    """Scene units that one pixel covers, at the median depth of each owner."""
    camera = draft.cameras[0]
    focal = sum(camera.focal) / 2
    units = {
        "background": float(project_points(camera, draft.background.means)[1].median()) / focal
    }
    for front in draft.fronts:
        motion = control_nodes(front)
        middle = len(motion.times) // 2
        camera = draft.cameras[int(motion.times[middle])]
        _, depth = project_points(camera, motion.translations[middle])
        units[front.name] = float(depth) / focal
    return {**units, "cameras": 1.0}
