"""A scale set among what a scene's files hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from fourfold.scene.scale_set.contests import Contests, ScaleRange
from fourfold.scene.scale_set.network import ScaleNetwork
from fourfold.scene.scale_set.scale_set import ScaleSet


def scale_set_structure(scale_set: ScaleSet) -> dict[str, Any]:
    """Give what scene.json holds of a scale set."""
    network = scale_set.network
    return {
        "names": list(scale_set.names),
        "ranges": [list(ends) for ends in scale_set.ranges],
        "tolerance": scale_set.tolerance,
        "mode": scale_set.mode,
        "score_threshold": scale_set.score_threshold,
        "pinned": dict(scale_set.pinned),
        "contests": None
        if scale_set.contests is None
        else [list(ends) for ends in scale_set.contests.scale_ranges],
        "network": None if network is None else network.config(),
    }


def scale_set_tensors(scale_set: ScaleSet) -> dict[str, Tensor]:
    """Give the tensors of a scale set by name."""
    groups: dict[str, Mapping[str, Tensor]] = {}
    if scale_set.contests is not None:
        groups["contests"] = scale_set.contests.tensors()
    if scale_set.network is not None:
        groups["network"] = scale_set.network.tensors()
    return {
        f"{group}.{name}": tensor
        for group, tensors in groups.items()
        for name, tensor in tensors.items()
    }


def restore_scale_set(structure: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ScaleSet:
    """Rebuild a scale set from its structure and tensors.

    Raises:
        KeyError, TypeError, ValueError: they do not make one up.
    """
    names = tuple(structure["names"])
    contests = network = None
    if structure["contests"] is not None:
        found = _group(tensors, "contests.")
        contests = Contests.restore(names, _pairs(structure["contests"]), found)
    if structure["network"] is not None:
        network = ScaleNetwork.restore(structure["network"], _group(tensors, "network."))
    return ScaleSet(
        names,
        _pairs(structure["ranges"]),
        contests,
        structure["tolerance"],
        structure["mode"],
        network,
        structure["score_threshold"],
        dict(structure["pinned"]),
    )


def _pairs(ranges: Sequence[Sequence[float]]) -> tuple[ScaleRange, ...]:
    return tuple((low, high) for low, high in ranges)


def _group(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    found = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): tensor for name, tensor in found.items()}
