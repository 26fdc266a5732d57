"""Skinning: how much each control node moves each point."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

# Largest number of point-node distances held at once: 64 MB of float32.
_MAX_DISTANCES = 1 << 24


class Skinning(NamedTuple):
    """Which nodes move each point and how much; and the same entries sorted by node.

    `index` (N,K) of nodes, each point's nearest node first; `weights` (N,K) >= 0, each row sums
    to 1. `sorted_points` and `sorted_weights` (N*K,) are the entries' points and weights sorted
    by node, and those of node m lie between `offsets[m]` and `offsets[m + 1]`: the gradient sums
    over them in this fixed order.
    """

    index: Int[Tensor, "N K"]
    weights: Float[Tensor, "N K"]
    sorted_points: Int[Tensor, " NK"]
    sorted_weights: Float[Tensor, " NK"]
    offsets: Int[Tensor, " M+1"]


def bind_points(
    points: Float[Tensor, "N 3"],
    nodes: Float[Tensor, "M 3"],
    neighbors: Int[Tensor, "M K"],
    radii: Float[Tensor, " M"],
) -> Skinning:
    """Skin points to the neighbours of their nearest node. Own, after Sumner et al. 2007.

    Only the nearest node's own neighbours count, so a limb is not moved by nodes that are near
    in space but far along the body. `neighbors` lists each node itself first; -1 stands for no
    neighbour. Weights are Gaussian, exp(-d^2 / (2 r^2)) with each node's radius r, normalised.
    Constant for the gradient.
    """
    with torch.no_grad():
        nearest = _nearest_node(points, nodes)
        listed = neighbors[nearest]
        index = listed.clamp_min(0)
        distance2 = (points.unsqueeze(1) - nodes[index]).square().sum(-1)
        exponent = -0.5 * distance2 / radii[index].square()
        # softmax: a point far from all its nodes still gets weights that sum to 1
        weights = exponent.masked_fill(listed < 0, -torch.inf).softmax(dim=1)
        order = torch.argsort(index.flatten(), stable=True)
        sorted_points = torch.div(order, index.shape[1], rounding_mode="floor")
        counts = torch.bincount(index.flatten(), minlength=len(nodes))
        offsets = torch.cat((counts.new_zeros(1), counts.cumsum(0)))
        return Skinning(index, weights, sorted_points, weights.flatten()[order], offsets)


def _nearest_node(points: Float[Tensor, "N 3"], nodes: Float[Tensor, "M 3"]) -> Int[Tensor, " N"]:
    rows = max(1, _MAX_DISTANCES // len(nodes))
    # the plain formula: the faster one through a matrix product rounds equal distances apart
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cat(
        [torch.cdist(part, nodes, compute_mode=exact).argmin(1) for part in points.split(rows)]
    )
