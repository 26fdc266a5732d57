"""An object's poses: one similarity per key time, and the curve between them."""

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from fourfold.geometry import quaternion_to_matrix, similarity_matrix
from fourfold.scene.keyframes import blend_keys, blend_quaternion_keys


class Pose(NamedTuple):
    """A similarity x -> exp(log_scale) R x + translation, with R as a unit quaternion wxyz."""

    quaternion: Float[Tensor, "4"]
    translation: Float[Tensor, "3"]
    log_scale: Float[Tensor, ""]

    def matrix(self) -> Float[Tensor, "4 4"]:
        """Give the similarity as a matrix."""
        rotation = quaternion_to_matrix(self.quaternion)
        return similarity_matrix(self.log_scale.exp(), rotation, self.translation)


def pose_at(
    quaternions: Float[Tensor, "T 4"],
    translations: Float[Tensor, "T 3"],
    log_scales: Float[Tensor, " T"],
    index: Int[Tensor, "4"],
    weights: Float[Tensor, "4"],
) -> Pose:
    """Interpolate keyed poses by `keyframe_weights`. Differentiable in the keys."""
    return Pose(
        blend_quaternion_keys(quaternions, index, weights),
        blend_keys(translations, index, weights),
        blend_keys(log_scales, index, weights),
    )


def identity_pose_keys(times: Float[Tensor, " T"]) -> tuple[Tensor, Tensor, Tensor]:
    """Give the quaternions, translations and log-scales of the identity at every key."""
    count = len(times)
    quaternions = times.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1)
    return quaternions, times.new_zeros(count, 3), times.new_zeros(count)


def check_pose_keys(
    times: Tensor, quaternions: Tensor, translations: Tensor, log_scales: Tensor
) -> None:
    """Check that there is one pose per key time.

    Raises:
        ValueError: another number of poses, or tensors of a wrong shape.
    """
    count = len(times)
    shapes = tuple(quaternions.shape), tuple(translations.shape), tuple(log_scales.shape)
    if shapes != ((count, 4), (count, 3), (count,)):
        raise ValueError(f"{count} key times need {count} poses, got tensors of shape {shapes}")
