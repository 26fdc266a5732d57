"""Deforming objects: blended skinning over control nodes that each move rigidly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.geometry import quaternion_multiply, quaternion_to_matrix, transform_points
from fourfold.geometry.harmonics import rotate_harmonics
from fourfold.scene.deformation import deform
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.keyframes import (
    blend_keys,
    blend_quaternion_keys,
    check_times,
    keyframe_weights,
)
from fourfold.scene.motion import Motion
from fourfold.scene.poses import Pose, check_pose_keys, identity_pose_keys, pose_at
from fourfold.scene.skinning import Skinning, bind_points


@dataclass(frozen=True, eq=False)
class ControlNodeMotion(Motion):
    """Control nodes deform the object in its own frame; a keyed pose carries it into the world.

    Embedded deformation (Sumner et al. 2007): node n takes x to R (x - n) + n + t, and points
    take the blend of their nodes' maps; Gaussians turn with the blended quaternion. Then the
    pose x -> exp(log_scale) R x + translation is applied.

    `nodes` (M,3) canonical; `neighbors` (M,K) the nodes that may move the points nearest to a
    node: itself first, then its geodesic neighbours, -1 where there are fewer; `radii` (M,) of
    influence, > 0, in canonical units; `times` (T,) keys in frames; `node_quaternions` (T,M,4)
    and `node_translations` (T,M,3); the pose's `quaternions` (T,4), `translations` (T,3) and
    `log_scales` (T,).
    """

    kind: ClassVar[str] = "control_nodes"

    nodes: Float[Tensor, "M 3"]
    neighbors: Int[Tensor, "M K"]
    radii: Float[Tensor, " M"]
    times: Float[Tensor, " T"]
    node_quaternions: Float[Tensor, "T M 4"]
    node_translations: Float[Tensor, "T M 3"]
    quaternions: Float[Tensor, "T 4"]
    translations: Float[Tensor, "T 3"]
    log_scales: Float[Tensor, " T"]

    def __post_init__(self) -> None:
        check_times(self.times)
        check_pose_keys(self.times, self.quaternions, self.translations, self.log_scales)
        count, keys = len(self.nodes), len(self.times)
        expected = {
            "nodes": (count, 3),
            "radii": (count,),
            "node_quaternions": (keys, count, 4),
            "node_translations": (keys, count, 3),
        }
        for name, shape in expected.items():
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(
                    f"{name} has shape {tuple(getattr(self, name).shape)}, not {shape}"
                )
        _check_neighbors(self.neighbors, count)

    @staticmethod
    def at_rest(
        nodes: Float[Tensor, "M 3"],
        neighbors: Int[Tensor, "M K"],
        radii: Float[Tensor, " M"],
        times: Float[Tensor, " T"],
    ) -> ControlNodeMotion:
        """Build the motion that stays in the canonical frame, to start an optimisation from."""
        keys, count = len(times), len(nodes)
        turned = nodes.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(keys, count, 1)
        moved = nodes.new_zeros(keys, count, 3)
        return ControlNodeMotion(
            nodes, neighbors, radii, times, turned, moved, *identity_pose_keys(times)
        )

    def bind(self, points: Float[Tensor, "N 3"]) -> Skinning:
        """Skin canonical points to the nodes; see `bind_points`."""
        return bind_points(points, self.nodes, self.neighbors, self.radii)

    def binding(self) -> tuple[Tensor, ...]:
        return self.nodes, self.neighbors, self.radii

    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        skinning = self.bind(gaussians.means) if binding is None else binding
        pose, maps, turns = self._maps_at(time)
        means, quaternions = deform(maps, turns, gaussians.means, gaussians.quaternions, skinning)
        harmonics = gaussians.harmonics
        if harmonics.shape[1] > 1:
            unturned = turns.new_tensor([[1.0, 0.0, 0.0, 0.0]]).expand(len(gaussians), 4)
            _, blended = deform(maps, turns, gaussians.means, unturned, skinning)
            harmonics = rotate_harmonics(harmonics, blended)
        return Gaussians(
            means=means,
            quaternions=quaternions,
            log_scales=gaussians.log_scales + pose.log_scale,
            logit_opacities=gaussians.logit_opacities,
            harmonics=harmonics,
        )

    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        skinning = self.bind(points) if binding is None else binding
        _, maps, turns = self._maps_at(time)
        return deform(maps, turns, points, points.new_empty(0, 4), skinning)[0]

    def _maps_at(self, time: float) -> tuple[Pose, Float[Tensor, "M 3 4"], Float[Tensor, "M 4"]]:
        """Give the pose, and each node's affine map and rotation into the world.

        The weights of a point sum to 1, so the pose may be applied to the M nodes' maps instead
        of the N points.
        """
        keys = keyframe_weights(self.times, time)
        pose = pose_at(self.quaternions, self.translations, self.log_scales, *keys)
        turns = blend_quaternion_keys(self.node_quaternions, *keys)
        turns = quaternion_multiply(pose.quaternion, turns)
        linear = quaternion_to_matrix(turns) * pose.log_scale.exp()
        places = self.nodes + blend_keys(self.node_translations, *keys)
        offset = transform_points(pose.matrix(), places)
        offset = offset - (linear * self.nodes.unsqueeze(1)).sum(-1)
        return pose, torch.cat((linear, offset.unsqueeze(-1)), dim=-1), turns


def _check_neighbors(neighbors: Int[Tensor, "M K"], count: int) -> None:
    if neighbors.ndim != 2 or len(neighbors) != count or neighbors.dtype != torch.int64:
        raise ValueError(f"neighbors must be int64 of shape ({count}, K)")
    if not bool((neighbors[:, 0] == torch.arange(count, device=neighbors.device)).all()):
        raise ValueError("the first neighbor of each node must be the node itself")
    if int(neighbors.min()) < -1 or int(neighbors.max()) >= count:
        raise ValueError(f"neighbors must be in -1 … {count - 1}")
