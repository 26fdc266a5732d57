"""Whether tables read from a file are what the kernel may read: it does not look where it goes."""

from __future__ import annotations

import torch
from torch import Tensor

from fourfold.scene.scale_set.lookups import LookUps

# Axes of each table; all hold float32 but those of `_WHOLE`, which hold int64.
_AXES = {
    "pairs": 2,
    "pair_axes": 2,
    "pair_guides": 2,
    "pair_steps": 1,
    "pair_values": 1,
    "joints": 2,
    "joint_axes": 3,
    "joint_warps": 2,
    "joint_tables": 3,
    "groups": 2,
    "others": 1,
    "thresholds": 1,
    "weights": 1,
}
_WHOLE = {"pairs", "pair_guides", "joints", "groups", "others"}


def check_tables(tables: LookUps, num_bodies: int) -> None:
    """Refuse tables whose indices lead out of them, or that are not of so many bodies.

    Raises:
        ValueError: a table does not fit the others; it is named.
    """
    for name, axes in _AXES.items():
        tensor = getattr(tables, name)
        kind = torch.int64 if name in _WHOLE else torch.float32
        _require(tensor.dim() == axes and tensor.dtype == kind, name)
    _require(tables.error_bound.numel() == 1, "error_bound")
    _check_pairs(tables, num_bodies)
    _check_joints(tables, num_bodies)
    _check_listing(tables, num_bodies)


def _check_pairs(tables: LookUps, num_bodies: int) -> None:
    count, steps = len(tables.pairs), len(tables.pair_steps)
    _require(tables.pairs.shape == (count, 2) and _within(tables.pairs, num_bodies), "pairs")
    _require(tables.pair_axes.shape == (count, 2), "pair_axes")
    guides = tables.pair_guides
    _require(
        len(guides) == count and guides.shape[1] >= 3 and _within(guides, steps), "pair_guides"
    )
    _require(len(tables.pair_values) == steps, "pair_values")


def _check_joints(tables: LookUps, num_bodies: int) -> None:
    count, side = len(tables.joints), tables.joint_tables.shape[-1]
    _require(tables.joints.shape == (count, 3) and _within(tables.joints, num_bodies), "joints")
    _require(tables.joint_axes.shape == (count, 2, 2), "joint_axes")
    _require(tables.joint_tables.shape == (count, side, side) and side >= 2, "joint_tables")
    warps = tables.joint_warps
    fits = len(warps) == 2 * count and warps.shape[1] >= 2
    _require(fits and bool(((warps >= 0) & (warps <= side - 1)).all()), "joint_warps")


def _check_listing(tables: LookUps, num_bodies: int) -> None:
    groups, thresholds = tables.groups, 0
    _require(_within(tables.others, num_bodies), "others")
    _require(groups.shape[1] == 5 and _within(groups[:, 0], num_bodies), "groups")
    for _, first, last, begin, end in groups.tolist():
        # as many hidden bodies as the kernel has room for
        hidden = 0 <= first <= last <= len(tables.others) and last - first <= num_bodies
        _require(hidden and 0 <= begin <= end <= len(tables.weights), "groups")
        thresholds += (last - first) * (end - begin)
    _require(thresholds == len(tables.thresholds), "thresholds")


def _within(indices: Tensor, length: int) -> bool:
    return bool(((indices >= 0) & (indices < length)).all())


def _require(fits: bool, name: str) -> None:
    if not fits:
        raise ValueError(f"the table {name} of the scale set does not fit the others")
