"""One similarity per key time: an object that moves, turns and is scaled as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import quaternion_multiply, transform_points
from fourfold.geometry.harmonics import rotate_harmonics
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.keyframes import check_times, keyframe_weights
from fourfold.scene.motion import Motion
from fourfold.scene.poses import Pose, check_pose_keys, identity_pose_keys, pose_at


@dataclass(frozen=True, eq=False)
class RigidMotion(Motion):
    """An object's pose at each key time: world = exp(log_scale) R canonical + translation.

    `times` (T,) in frames, increasing; `quaternions` (T,4) wxyz of any length; `translations`
    (T,3) in scene units; `log_scales` (T,).
    """

    kind: ClassVar[str] = "rigid"

    times: Float[Tensor, " T"]
    quaternions: Float[Tensor, "T 4"]
    translations: Float[Tensor, "T 3"]
    log_scales: Float[Tensor, " T"]

    def __post_init__(self) -> None:
        check_times(self.times)
        check_pose_keys(self.times, self.quaternions, self.translations, self.log_scales)

    @staticmethod
    def at_rest(times: Float[Tensor, " T"]) -> RigidMotion:
        """Build the motion that stays in the canonical frame, to start an optimisation from."""
        return RigidMotion(times, *identity_pose_keys(times))

    def pose(self, time: float) -> Pose:
        """Give the pose world_from_canonical at `time`."""
        keys = keyframe_weights(self.times, time)
        return pose_at(self.quaternions, self.translations, self.log_scales, *keys)

    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        pose = self.pose(time)
        return Gaussians(
            means=transform_points(pose.matrix(), gaussians.means),
            quaternions=quaternion_multiply(pose.quaternion, gaussians.quaternions),
            log_scales=gaussians.log_scales + pose.log_scale,
            logit_opacities=gaussians.logit_opacities,
            harmonics=rotate_harmonics(gaussians.harmonics, pose.quaternion),
        )

    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        return transform_points(self.pose(time).matrix(), points)

    def similarity(self, time: float) -> Float[Tensor, "4 4"]:
        return self.pose(time).matrix()
