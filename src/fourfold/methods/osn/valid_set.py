"""How good a set of valid scales is, against brute force on the true layers."""

import time

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import RigidTruth
from fourfold.methods.osn.layers import Layers
from fourfold.scene import SAFE_MARGIN, ScaleSet, brute_force_accuracy
from fourfold.training import generator

COMBINATIONS = 1_000_000
"""Combinations that a set is judged on, uniform in linear scale."""
DRAWN = 1000
"""Samples whose share of valid ones is measured."""


def true_layers(
    truth: RigidTruth, num_frames: int, true_scales: Float[Tensor, " K"]
) -> Layers | None:
    """Read every body's true layer in body units, and who is seen; None where not known."""
    depths, labels = [], []
    for frame in range(num_frames):
        layers, seen = truth.layers(frame), truth.labels(frame)
        if layers is None or seen is None:
            return None
        depths.append((layers / true_scales[:, None, None]).float())
        labels.append(seen)
    return depths, labels


def judge(scale_set: ScaleSet, layers: Layers, seed: int) -> dict[str, float]:
    """Compare a set with brute force on the true layers.

    Keys: scale_box_share, the share of the box that is valid; precision and recall of the computed
    set (scale_), the strict polytope (polytope_) and the network (network_); the time it
    takes to evaluate the computed set (scale_set_seconds) and to draw 1000 samples
    (sample_seconds), and the share of these that is valid (sample_valid_share).
    """
    random = generator(seed, "judge")
    places = torch.rand(COMBINATIONS, len(scale_set.ranges), generator=random)
    scales = scale_set.scales_at(places)
    true = brute_force_accuracy(*layers, scales) > scale_set.tolerance
    figures = {"scale_box_share": float(true.float().mean())}
    started = time.perf_counter()
    computed = scale_set.using("computed").contains(scales)
    figures["scale_set_seconds"] = time.perf_counter() - started
    sets: list[tuple[str, Bool[Tensor, " N"]]] = [
        ("scale", computed),
        ("polytope", scale_set.using("polytope").contains(scales)),
    ]
    if scale_set.network is not None:
        sets.append(("network", scale_set.using("network").contains(scales)))
    for name, found in sets:
        figures[f"{name}_precision"] = _share(true, found)
        figures[f"{name}_recall"] = _share(found, true)
    started = time.perf_counter()
    drawn = scale_set.sample(DRAWN, generator(seed, "draw"), SAFE_MARGIN).scales
    figures["sample_seconds"] = time.perf_counter() - started
    valid = brute_force_accuracy(*layers, drawn) > scale_set.tolerance
    return figures | {"sample_valid_share": float(valid.float().mean())}


def _share(wanted: Bool[Tensor, " N"], of: Bool[Tensor, " N"]) -> float:
    """Give the share of `of` that is wanted; NaN where there is none."""
    return float((wanted & of).sum() / of.sum()) if bool(of.any()) else float("nan")
