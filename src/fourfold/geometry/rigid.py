"""Rigid motions and similarities as 4x4 matrices, and the similarity that fits two point sets."""

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry.rotation import closest_rotation


def similarity_matrix(
    scale: float | Float[Tensor, "*#batch"],
    rotation: Float[Tensor, "*#batch 3 3"],
    translation: Float[Tensor, "*#batch 3"],
) -> Float[Tensor, "*#batch 4 4"]:
    """Build the matrix of x -> scale * rotation @ x + translation.

    Differentiable in all three.
    """
    factor = torch.as_tensor(scale, dtype=rotation.dtype, device=rotation.device)
    linear = factor[..., None, None] * rotation
    batch = torch.broadcast_shapes(linear.shape[:-2], translation.shape[:-1])
    linear = linear.expand(*batch, 3, 3)
    top = torch.cat((linear, translation.expand(*batch, 3).unsqueeze(-1)), dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*batch, 1, 4)
    return torch.cat((top, bottom), dim=-2)


def rigid_matrix(
    rotation: Float[Tensor, "*#batch 3 3"], translation: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*#batch 4 4"]:
    """Build the matrix of x -> rotation @ x + translation. Differentiable in both."""
    return similarity_matrix(1.0, rotation, translation)


def invert_rigid(transform: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Invert rigid motions by transposing; exact where a general inverse rounds.

    The matrices must have scale one; for a similarity use `invert_similarity`.
    """
    inverse = transform[..., :3, :3].mT
    return rigid_matrix(inverse, -(inverse @ transform[..., :3, 3:]).squeeze(-1))


def decompose_similarity(
    transform: Float[Tensor, "*batch 4 4"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    """Split similarities into scale (> 0), rotation and translation; differentiable.

    Raises:
        ValueError: a matrix mirrors or is singular, so that it is not a similarity.
    """
    linear = transform[..., :3, :3]
    determinant = torch.linalg.det(linear)
    if not bool((determinant > 0).all()):
        raise ValueError("not a similarity: the determinant of the 3x3 part is not positive")
    scale = determinant.pow(1.0 / 3.0)
    return scale, linear / scale[..., None, None], transform[..., :3, 3]


def invert_similarity(transform: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Invert similarities x -> s R x + t, giving x -> R^T (x - t) / s. Differentiable."""
    scale, rotation, translation = decompose_similarity(transform)
    inverse = rotation.mT
    moved = -(inverse @ translation.unsqueeze(-1)).squeeze(-1) / scale.unsqueeze(-1)
    return similarity_matrix(1.0 / scale, inverse, moved)


def transform_points(
    transform: Float[Tensor, "*#batch 4 4"], points: Float[Tensor, "*#batch N 3"]
) -> Float[Tensor, "*#batch N 3"]:
    """Apply affine 4x4 matrices to points; the batch dimensions broadcast.

    Differentiable in both.

    >>> shift = torch.eye(4)
    >>> shift[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    >>> transform_points(shift, torch.zeros(1, 3))
    tensor([[1., 2., 3.]])
    """
    return points @ transform[..., :3, :3].mT + transform[..., None, :3, 3]


def fit_similarity(
    source: Float[Tensor, "N 3"],
    target: Float[Tensor, "N 3"],
    weights: Float[Tensor, " N"] | None = None,
) -> Float[Tensor, "4 4"]:
    """Fit the similarity that takes `source` onto `target` with the least squared error.

    Umeyama 1991, "Least-squares estimation of transformation parameters between two point
    patterns", with non-negative weights per pair. Never mirrors. Where the points leave a
    rotation open (they lie on one line), one of the best fits is returned.

    Raises:
        ValueError: fewer than two pairs, or all weighted source points in one place, so that
            the scale is open.
    """
    if source.shape != target.shape or source.shape[0] < 2:
        raise ValueError(f"need two equal sets of 2 points or more, got {source.shape[0]}")
    share = torch.ones_like(source[:, 0]) if weights is None else weights
    share = (share / share.sum()).unsqueeze(-1)
    source_mean, target_mean = (share * source).sum(0), (share * target).sum(0)
    source_offset, target_offset = source - source_mean, target - target_mean
    variance = (share * source_offset.square()).sum()
    if not float(variance.detach()) > 0.0:
        raise ValueError("all source points lie in one place: the scale cannot be fitted")
    covariance = (share * target_offset).mT @ source_offset
    rotation = closest_rotation(covariance)
    scale = (rotation * covariance).sum() / variance
    return similarity_matrix(scale, rotation, target_mean - scale * (rotation @ source_mean))
