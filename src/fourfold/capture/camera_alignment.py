"""The similarity between two solutions of one camera's path."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture.bodies import RigidBody
from fourfold.geometry import (
    Camera,
    closest_rotation,
    decompose_similarity,
    rigid_matrix,
    similarity_matrix,
)

# Rounds of refitting with weights that fall with the residual (Geman-McClure).
_ROUNDS = 30
# A path shorter than this, measured by its distance to the origin, is a point.
_SHORTEST_PATH = 1e-5


def fit_camera_paths(
    source_from_camera: Float[Tensor, "T 4 4"], target_from_camera: Float[Tensor, "T 4 4"]
) -> Float[Tensor, "4 4"]:
    """Fit the similarity `target_from_source` between two solutions of the same cameras, float64.

    Own. The rotation comes from the cameras' axes, so that a path along a line, or of two
    cameras, leaves nothing open; scale and translation come from their centres. The target is
    taken as exact: noise of the source does not shrink the scale. Robust: pairs count less the
    worse they fit, the measure being the median residual, so almost half of them may be wrong.

    Raises:
        ValueError: fewer than two cameras, or one of the paths is a point: no scale.
    """
    source, target = source_from_camera.double(), target_from_camera.double()
    if source.shape != target.shape or len(source) < 2:
        raise ValueError(f"need two equal paths of 2 cameras or more, got {len(source)}")
    rotation = _fit_rotation(target[:, :3, :3] @ source[:, :3, :3].mT)
    turned = source[:, :3, 3] @ rotation.mT
    scale, translation = _fit_scale(turned, target[:, :3, 3])
    return similarity_matrix(scale, rotation, translation)


def fit_body(
    body: RigidBody, object_from_camera: Float[Tensor, "T 4 4"]
) -> Float[Tensor, "4 4"] | None:
    """Fit the similarity from a body's frame and units to the true object's, float64.

    Args:
        object_from_camera: true poses in all frames.

    Returns:
        None where the camera does not move about the body, or has fewer than two poses.
    """
    if len(body.frames) < 2:
        return None
    own = torch.stack([body.object_from_camera[frame] for frame in body.frames])
    try:
        return fit_camera_paths(own, object_from_camera[list(body.frames)])
    except ValueError:
        return None


def move_camera(camera: Camera, target_from_source: Float[Tensor, "4 4"]) -> Camera:
    """Give the camera in the target's world that sees there what `camera` sees in the source's.

    Its depths are the source's, times the similarity's scale.
    """
    scale, rotation, translation = decompose_similarity(target_from_source.double())
    turned = camera.camera_from_world[:3, :3].double() @ rotation.mT
    shift = scale * camera.camera_from_world[:3, 3].double() - turned @ translation
    return camera.moved(rigid_matrix(turned, shift).float())


def _fit_rotation(rotations: Float[Tensor, "T 3 3"]) -> Float[Tensor, "3 3"]:
    mean = closest_rotation(rotations.median(dim=0).values)
    for _ in range(_ROUNDS):
        weights = _weights((rotations - mean).flatten(1).norm(dim=1))
        mean = closest_rotation((weights[:, None, None] * rotations).sum(0))
    return mean


def _fit_scale(
    source: Float[Tensor, "T 3"], target: Float[Tensor, "T 3"]
) -> tuple[Float[Tensor, ""], Float[Tensor, "3"]]:
    scale = _median_scale(source, target)
    translation = (target - scale * source).median(dim=0).values
    for _ in range(_ROUNDS):
        weights = _weights((scale * source + translation - target).norm(dim=1))[:, None]
        weights = weights / weights.sum()
        source_mean, target_mean = (weights * source).sum(0), (weights * target).sum(0)
        a, b = source - source_mean, target - target_mean
        shared = (weights * a * b).sum()
        if not shared > 0:
            break
        scale = (weights * b.square()).sum() / shared
        translation = target_mean - scale * source_mean
    return scale, translation


def _median_scale(source: Float[Tensor, "T 3"], target: Float[Tensor, "T 3"]) -> Float[Tensor, ""]:
    """Compare the distances between cameras, those that are far from each other."""
    near, far = torch.triu_indices(len(source), len(source), 1)
    ours, theirs = ((path[near] - path[far]).norm(dim=1) for path in (source, target))
    for distances, path in ((ours, source), (theirs, target)):
        if not distances.median() > _SHORTEST_PATH * path.norm(dim=1).median():
            raise ValueError("the camera stays in one place: the scale cannot be fitted")
    long = theirs >= theirs.median()
    return (theirs[long] / ours[long].clamp_min(1e-12 * ours.max())).median()


def _weights(residuals: Float[Tensor, "T"]) -> Float[Tensor, "T"]:
    spread = residuals.median().clamp_min(1e-9)
    return (1 + (residuals / spread).square()).reciprocal().square()
