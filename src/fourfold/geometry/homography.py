"""Homographies: what a turning camera does to its image."""

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry.rotation import closest_rotation


def apply_homography(
    homography: Float[Tensor, "*#batch 3 3"], pixels: Float[Tensor, "*#batch N 2"]
) -> Float[Tensor, "*#batch N 2"]:
    """Map pixels (x, y) by homographies; the batch dimensions broadcast.

    Pixels that the homography sends to infinity come back as inf or NaN. Differentiable in both.

    >>> double = torch.diag(torch.tensor([2.0, 2.0, 1.0]))
    >>> apply_homography(double, torch.tensor([[1.0, 3.0]]))
    tensor([[2., 6.]])
    """
    mapped = pixels @ homography[..., :, :2].mT + homography[..., None, :, 2]
    return mapped[..., :2] / mapped[..., 2:]


def homography_from_rotation(
    intrinsics: Float[Tensor, "3 3"], rotation: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Give the homography K R K^-1 from the pixels of camera a to those of camera b.

    `rotation` is b_from_a; both cameras share `intrinsics` and stand in one place. Differentiable
    in both.
    """
    return intrinsics @ rotation @ torch.linalg.inv(intrinsics)


def rotation_from_homography(
    intrinsics: Float[Tensor, "3 3"], homography: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Find the rotation b_from_a closest to the one that a homography of any scale stands for.

    Exact for the homography of a pure rotation; else the nearest in the Frobenius norm after
    K^-1 H K is scaled to determinant one.
    """
    matrix = torch.linalg.inv(intrinsics) @ homography @ intrinsics
    determinant = torch.linalg.det(matrix)
    # H and -H are the same map; only the one with a positive determinant can be a rotation
    return closest_rotation(matrix * torch.sign(determinant)[..., None, None])
