"""What keeps the motion of an object plausible where no image can: one function per term."""

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import quaternion_rotate, quaternion_to_matrix
from fourfold.scene import ControlNodeMotion


def rigidity(motion: ControlNodeMotion, keys: list[int]) -> Float[Tensor, ""]:
    """Ask neighbouring nodes to keep the offset that each node's own rotation gives them.

    As-rigid-as-possible in the form of embedded deformation (Sumner et al. 2007, eq. 6):
    mean over edges ij of ``|(p_j - p_i) - R_i (n_j - n_i)|^2`` in units of the node spacing. The
    rotation is applied as it stands: transposed (as in the original program) the term would be
    zero for nodes that turn against their surroundings. Differentiable in the motion.
    """
    neighbors = motion.neighbors[:, 1:]
    if not neighbors.numel():
        return motion.node_translations.new_zeros(())  # a single node has no edge
    rest = motion.nodes[neighbors] - motion.nodes[:, None]
    placed = motion.nodes + motion.node_translations[keys]
    now = placed[:, neighbors] - placed[:, :, None]
    turned = quaternion_rotate(motion.node_quaternions[keys][:, :, None], rest[None])
    spacing = motion.radii.mean()
    return ((now - turned) / spacing).square().sum(-1).mean()


def acceleration(motion: ControlNodeMotion, key: int) -> Float[Tensor, ""]:
    """Ask nodes and pose to go on at their speed through a key, in units of the node spacing.

    Second difference over the keys before and after, for keys at any distances. Zero at the ends.
    """
    if not 0 < key < len(motion.times) - 1:
        return motion.node_translations.new_zeros(())
    around = slice(key - 1, key + 2)
    before, after = motion.times[around].diff()
    weights = torch.stack([after, -(before + after), before]) / (before + after) * 2
    spacing = motion.radii.mean()
    nodes = torch.tensordot(weights, motion.node_translations[around], 1) / spacing
    pose = torch.tensordot(weights, motion.translations[around], 1) / spacing
    return (nodes.square().sum(-1) + 1e-6).sqrt().mean() + 0.1 * (pose.square().sum() + 1e-6).sqrt()


def drift_in_depth(
    motion: ControlNodeMotion, key: int, forward: Float[Tensor, " 3"]
) -> Float[Tensor, ""]:
    """Ask nodes to stay at the depth of their object: one camera cannot see them leave it.

    ``forward`` is the camera's viewing direction in the world; in units of the node spacing.
    """
    rotation = quaternion_to_matrix(motion.quaternions[key])
    along = motion.node_translations[key] @ (rotation.T @ forward)
    return (along / motion.radii.mean()).square().mean()
