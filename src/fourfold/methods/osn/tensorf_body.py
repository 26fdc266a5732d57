"""A body as a field in its own box, drawn along rays in the camera's frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.fields import (
    BoxSpace,
    Part,
    ProductSettings,
    Rays,
    TensorVMField,
    accumulate,
    render_rays,
)
from fourfold.geometry import Camera, invert_similarity, similarity_matrix
from fourfold.methods.osn.body import Body, Drawing, Fit
from fourfold.methods.osn.footage import Footage
from fourfold.scene import Motion, RigidMotion, Volume, VolumeObject
from fourfold.training import adam_state, load_adam_state

RATES = {"planes": 0.02, "lines": 0.02, "network": 0.003}
"""Learning rates at the start, by group (TensoRF's, with three times its network's)."""
SLOWED = 0.1
"""What is left of them at the end."""
NEAR = 0.01
"""Where rays begin, as scenes are drawn."""
STEP = 0.5
"""Length of a piece of a ray in voxels, where pictures are drawn."""
RAYS_AT_ONCE = 1 << 12
SMALLEST_ALPHA = 1e-10
VANISHED = -12.0
"""Logarithm of the scale of a body where it is not registered: too small to be seen."""


@dataclass
class TensorBody(Body):
    """One body's field in its box, and its poses (T,4,4) camera_from_object, which stay.

    `occupancy` (X,Y,Z) over the box says where it may have density.
    """

    name: str
    field: TensorVMField
    space: BoxSpace
    occupancy: Bool[Tensor, "X Y Z"]
    poses: Float[Tensor, "T 4 4"]
    optimizer: torch.optim.Adam

    @staticmethod
    def of(
        name: str,
        field: TensorVMField,
        space: BoxSpace,
        occupancy: Bool[Tensor, "X Y Z"],
        poses: Float[Tensor, "T 4 4"],
    ) -> TensorBody:
        """Make leaves of the field's parameters, and their optimiser."""
        return TensorBody(name, field, space, occupancy, poses, _optimizer(field))

    def camera_from_object(self, frame: int) -> Float[Tensor, "4 4"]:
        return self.poses[frame]

    def part(
        self, rays: Rays, frames: int | Int[Tensor, " R"], factor: float, step: float = STEP
    ) -> Part:
        """Carry rays of the camera's frame into the body's, enlarged about the camera's centre.

        `frames`: that of all rays, or of each. The picture does not change with the factor, and
        no opacity; distances multiply.
        """
        rotations, shifts = self.poses[:, :3, :3], self.poses[:, :3, 3]
        enlarged = similarity_matrix(factor, rotations, factor * shifts)
        own = rays.moved(invert_similarity(enlarged)[frames])
        return Part(self.field, self.space, self.occupancy, own, step)

    def draw_alone(self, camera: Camera, frame: int) -> Drawing:
        return _draw([self], camera, frame, [1.0], torch.zeros(3))

    def draw_with(
        self,
        others: Sequence[Body],
        camera: Camera,
        frame: int,
        factors: Sequence[float],
        color: Float[Tensor, " 3"],
    ) -> Drawing:
        bodies = [self, *(body for body in others if isinstance(body, TensorBody))]
        return _draw(bodies, camera, frame, factors, color)

    def refine(self, resolution: tuple[int, int, int]) -> None:
        """Go on with a finer grid, and a new optimiser (as TensoRF)."""
        self.field = self.field.upsampled(resolution)
        self.optimizer = _optimizer(self.field)

    def set_rates(self, progress: float) -> None:
        """Set every learning rate for a point of the way, 0 to 1."""
        for group in self.optimizer.param_groups:
            group["lr"] = RATES[group["name"]] * SLOWED**progress

    def step(self) -> None:
        """Move every tensor that has a gradient."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def scene_object(
        self, motion: Motion, shown: Bool[Tensor, " T"], scale_range: tuple[float, float] | None
    ) -> VolumeObject:
        tensors = {name: tensor.detach().clone() for name, tensor in self.field.tensors().items()}
        field = replace(self.field, grids=tensors)
        if isinstance(motion, RigidMotion) and not bool(shown.all()):
            motion = _vanishing(motion, shown)
        volume = Volume(field, self.space, self.occupancy, STEP)
        return VolumeObject(self.name, volume, motion, scale_range)

    def state(self) -> dict[str, Any]:
        return {
            "field": self.field.tensors(),
            "adam": adam_state(self.optimizer),
            "box": self.space.tensors(),
            "occupancy": self.occupancy,
            "poses": self.poses,
        }

    @staticmethod
    def restore(name: str, state: Mapping[str, Any]) -> TensorBody:
        """Go on from what `state` returned."""
        tensors = {key: tensor.clone() for key, tensor in state["field"].items()}
        field, space = TensorVMField(tensors, ProductSettings()), BoxSpace(**state["box"])
        body = TensorBody.of(name, field, space, state["occupancy"], state["poses"])
        load_adam_state(body.optimizer, state["adam"])
        return body


@dataclass(frozen=True, eq=False)
class TensorFit(Fit):
    """Bodies of fields, the background first."""

    bodies: Sequence[TensorBody]

    @staticmethod
    def restore(footage: Footage, state: list[Mapping[str, Any]]) -> TensorFit:
        """Go on from what `state` returned."""
        pairs = zip(footage.names, state, strict=True)
        return TensorFit([TensorBody.restore(name, saved) for name, saved in pairs])


def view_rays(directions: Float[Tensor, "R 3"]) -> tuple[Rays, Float[Tensor, " R"]]:
    """Give rays of the camera's frame through points at z = 1, and z per distance along them."""
    lengths = directions.norm(dim=1)
    near, far = torch.full_like(lengths, NEAR), torch.full_like(lengths, torch.inf)
    rays = Rays(torch.zeros_like(directions), directions / lengths[:, None], near, far)
    return rays, 1 / lengths


@torch.no_grad()
def _draw(
    bodies: Sequence[TensorBody],
    camera: Camera,
    frame: int,
    factors: Sequence[float],
    color: Float[Tensor, " 3"],
) -> Drawing:
    """Draw fields together, a part of the picture at a time. Not differentiable."""
    size = (camera.height, camera.width)
    rays, cosines = view_rays(camera.directions(camera.pixel_grid()).reshape(-1, 3))
    found: list[tuple[Tensor, ...]] = []
    for start in range(0, len(rays), RAYS_AT_ONCE):
        shown = rays.select(slice(start, start + RAYS_AT_ONCE))
        parts = [
            body.part(shown, frame, factor) for body, factor in zip(bodies, factors, strict=True)
        ]
        seen = render_rays(parts, background=color)
        unscaled = seen.samples.distances / torch.tensor(factors)[seen.owners.long()]
        sums = accumulate(seen.weights, unscaled[:, None], seen.samples)[:, 0]
        found.append((seen.colors, seen.part_alphas, seen.alphas, sums))
    colors, shares, alphas, sums = (torch.cat(each) for each in zip(*found, strict=True))
    depths = cosines * sums / alphas.clamp_min(SMALLEST_ALPHA)
    return Drawing(
        colors.view(*size, 3),
        shares.view(*size, len(bodies)),
        alphas.view(size),
        depths.view(size),
        tuple(range(len(bodies))),
    )


def _optimizer(field: TensorVMField) -> torch.optim.Adam:
    """Make leaves of a field's parameters; each group of them has its own rate."""
    groups: dict[str, list[Tensor]] = {name: [] for name in RATES}
    for name, tensor in sorted(field.parameters().items()):
        groups[name.rsplit(".", 1)[-1]].append(tensor.requires_grad_())
    named = [{"params": tensors, "name": name, "lr": 0.0} for name, tensors in groups.items()]
    return torch.optim.Adam(named, betas=(0.9, 0.99), eps=1e-15, fused=True)


def _vanishing(motion: RigidMotion, shown: Bool[Tensor, " T"]) -> RigidMotion:
    """Shrink a body to a point in frames in which it is not shown."""
    poses = [motion.pose(float(frame)) for frame in range(len(shown))]
    return RigidMotion(
        torch.arange(len(shown), dtype=torch.float32),
        torch.stack([pose.quaternion for pose in poses]),
        torch.stack([pose.translation for pose in poses]),
        torch.where(shown, 0.0, VANISHED),
    )
