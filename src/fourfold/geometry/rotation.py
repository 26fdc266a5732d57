"""Rotations as unit quaternions (wxyz) and as matrices.

A quaternion of any length stands for the rotation of its normalised self, so that optimisers may
move all four numbers freely. Every function is differentiable in all its arrays and keeps their
dtype and device.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# Below this angle between two quaternions (radians) slerp and normalised lerp agree to float32.
_SLERP_MIN_ANGLE = 1e-3


def normalize_quaternion(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Scale quaternions to length one.

    >>> normalize_quaternion(torch.tensor([0.0, 0.0, 0.0, 2.0]))
    tensor([0., 0., 0., 1.])
    """
    return functional.normalize(quaternion, dim=-1)


def quaternion_conjugate(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Give the inverse rotation: (w, -x, -y, -z)."""
    return quaternion * quaternion.new_tensor([1.0, -1.0, -1.0, -1.0])


def quaternion_multiply(
    first: Float[Tensor, "*#batch 4"], second: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*#batch 4"]:
    """Compose rotations by the Hamilton product: `second` acts first, then `first`.

    Broadcasts over the batch. The length of the product is the product of the lengths.
    """
    aw, ax, ay, az = first.unbind(-1)
    bw, bx, by, bz = second.unbind(-1)
    return torch.stack(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ),
        dim=-1,
    )


def quaternion_rotate(
    quaternion: Float[Tensor, "*#batch 4"], vector: Float[Tensor, "*#batch 3"]
) -> Float[Tensor, "*#batch 3"]:
    """Rotate vectors by quaternions of any length; the batch dimensions broadcast.

    >>> quarter_turn_about_z = torch.tensor([1.0, 0.0, 0.0, 1.0])
    >>> quaternion_rotate(quarter_turn_about_z, torch.tensor([1.0, 0.0, 0.0])).round(decimals=6)
    tensor([0., 1., 0.])
    """
    unit = normalize_quaternion(quaternion)
    axis = unit[..., 1:]
    axis, vector = torch.broadcast_tensors(axis, vector)
    # v + 2 w (a x v) + 2 a x (a x v): fewer products than through the matrix
    twice_cross = 2.0 * torch.linalg.cross(axis, vector)
    return vector + unit[..., :1] * twice_cross + torch.linalg.cross(axis, twice_cross)


def quaternion_to_matrix(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Turn quaternions of any length into rotation matrices."""
    w, x, y, z = normalize_quaternion(quaternion).unbind(-1)
    twice_x, twice_y, twice_z = 2 * x, 2 * y, 2 * z
    wx, wy, wz = w * twice_x, w * twice_y, w * twice_z
    xx, yy, zz = x * twice_x, y * twice_y, z * twice_z
    xy, xz, yz = x * twice_y, x * twice_z, y * twice_z
    rows = (1 - yy - zz, xy - wz, xz + wy, xy + wz, 1 - xx - zz, yz - wx, xz - wy, yz + wx)
    return torch.stack((*rows, 1 - xx - yy), dim=-1).unflatten(-1, (3, 3))


def matrix_to_quaternion(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Turn rotation matrices into unit quaternions with w >= 0.

    The symmetric 4x4 matrix 4 q q^T is linear in the rotation matrix; its row with the largest
    diagonal entry is q times a number far from zero (Shepperd 1978), so every rotation, half
    turns included, is read without cancellation.
    """
    (m00, m01, m02), (m10, m11, m12), (m20, m21, m22) = (
        row.unbind(-1) for row in matrix.unbind(-2)
    )
    wx, wy, wz = m21 - m12, m02 - m20, m10 - m01
    xy, xz, yz = m01 + m10, m02 + m20, m12 + m21
    ww, xx = 1 + m00 + m11 + m22, 1 + m00 - m11 - m22
    yy, zz = 1 - m00 + m11 - m22, 1 - m00 - m11 + m22
    outer = torch.stack((ww, wx, wy, wz, wx, xx, xy, xz, wy, xy, yy, yz, wz, xz, yz, zz), dim=-1)
    outer = outer.unflatten(-1, (4, 4))
    largest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    row = outer.take_along_dim(largest[..., None, None], dim=-2).squeeze(-2)
    unit = normalize_quaternion(row)
    return torch.where(unit[..., :1] < 0, -unit, unit)


def axis_angle_to_quaternion(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Turn rotation vectors (axis times angle in radians) into unit quaternions.

    Differentiable at the zero vector too.

    >>> axis_angle_to_quaternion(torch.tensor([0.0, 0.0, torch.pi])).round(decimals=6)
    tensor([-0., 0., 0., 1.])
    """
    angle = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    # sin(angle / 2) / angle, which is 1/2 at zero; torch.sinc(x) is sin(pi x) / (pi x)
    scale = 0.5 * torch.sinc(angle / (2 * torch.pi))
    return torch.cat((torch.cos(0.5 * angle), scale * vector), dim=-1)


def quaternion_slerp(
    start: Float[Tensor, "*#batch 4"], end: Float[Tensor, "*#batch 4"], fraction: float | Tensor
) -> Float[Tensor, "*#batch 4"]:
    """Interpolate rotations at constant angular speed along the shorter arc (Shoemake 1985).

    `fraction` 0 gives `start`, 1 gives `end` (perhaps with the other sign: the same rotation). A
    tensor of fractions has the shape of the batch.
    """
    start, end = normalize_quaternion(start), normalize_quaternion(end)
    weight = torch.as_tensor(fraction, dtype=start.dtype, device=start.device).unsqueeze(-1)
    cosine = (start * end).sum(-1, keepdim=True)
    end = torch.where(cosine < 0, -end, end)
    # 2 atan2(|a-b|, |a+b|) keeps its precision at small angles, where acos loses it
    angle = 2.0 * torch.atan2(
        torch.linalg.vector_norm(end - start, dim=-1, keepdim=True),
        torch.linalg.vector_norm(end + start, dim=-1, keepdim=True),
    )
    small = angle < _SLERP_MIN_ANGLE
    # the branch that is not taken must stay finite, or its gradient turns into NaN
    safe = torch.where(small, torch.ones_like(angle), angle)
    left = torch.where(small, 1.0 - weight, torch.sin((1.0 - weight) * safe) / torch.sin(safe))
    right = torch.where(small, weight, torch.sin(weight * safe) / torch.sin(safe))
    return normalize_quaternion(left * start + right * end)


def closest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Find the rotation nearest to each matrix in the Frobenius norm (orthogonal Procrustes).

    Differentiable where the singular values differ.
    """
    left, _, right = torch.linalg.svd(matrix)
    sign = torch.linalg.det(left @ right)
    flip = torch.stack((torch.ones_like(sign), torch.ones_like(sign), sign), dim=-1)
    return (left * flip.unsqueeze(-2)) @ right
