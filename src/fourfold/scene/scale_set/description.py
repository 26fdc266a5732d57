"""What is known about the scales of a scene, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from fourfold.scene.scale_set.contested import MIN_PIXELS

if TYPE_CHECKING:
    from fourfold.scene.scale_set.contests import Contests
    from fourfold.scene.scale_set.scale_set import Mode, ScaleSet

# Combinations of one view of the set that the other is asked about.
_CHECKED = 2000
# Pairs without an order that are named.
_LISTED = 6


def describe(scale_set: ScaleSet) -> list[str]:
    """Say what is known about the scales: share, intervals, orders, what is free or disagrees."""
    if not scale_set.object_names:
        return ["There is no object but the background: nothing is left open."]
    lines = [*_share(scale_set), *_pins(scale_set)]
    if scale_set.contests is not None:
        lines += [*_orders(scale_set), *_free_pairs(scale_set), *_agreement(scale_set)]
        lines += _always_wrong(scale_set.contests)
    return lines


def _share(scale_set: ScaleSet) -> list[str]:
    drawn = scale_set.sample(_CHECKED)
    if not bool(drawn.valid.any()):
        return [drawn.note]
    lines = [
        f"{_percent(drawn.share)} of the combinations of scales are valid ({_rule(scale_set)})."
    ]
    for number, name in enumerate(scale_set.object_names):
        column, (low, high) = drawn.scales[:, number], scale_set.ranges[number]
        found = f"{float(column.min()):.3g} to {float(column.max()):.3g}"
        lines.append(f"{name}: {found} of the range {low:.3g} to {high:.3g}.")
    return lines


def _rule(scale_set: ScaleSet) -> str:
    if scale_set.mode == "computed":
        return f"occlusion accuracy above {scale_set.tolerance:g}"
    if scale_set.mode == "network":
        return f"score of the network above {scale_set.score_threshold:g}"
    return f"each pair of bodies right in all but {scale_set.outliers:.2%} of its pixels"


def _pins(scale_set: ScaleSet) -> list[str]:
    return [f"{name} is pinned at {scale:.4g}." for name, scale in scale_set.pinned.items()]


def _orders(scale_set: ScaleSet) -> list[str]:
    polytope, names = scale_set.polytope, scale_set.names
    if polytope.empty:
        return [f"Strictly, the occlusions contradict each other: {polytope.explain_conflict()}."]
    lines = []
    for i, j, ratio in polytope.orders():
        if j == 0:
            lines.append(f"{names[i]} hides the background: its scale is below {ratio:.3g}.")
        elif i == 0:
            lines.append(
                f"{names[j]} is hidden by the background: its scale is above {1 / ratio:.3g}."
            )
        else:
            what = f"its scale is below {ratio:.3g} times that of {names[j]}"
            lines.append(f"{names[i]} hides {names[j]}: {what}.")
    return lines


def _free_pairs(scale_set: ScaleSet) -> list[str]:
    names = scale_set.names
    pairs = [f"{names[i]} and {names[j]}" for i, j in scale_set.polytope.unconstrained_pairs()]
    if not pairs:
        return []
    if len(pairs) <= _LISTED:
        return [f"No occlusion orders {', '.join(pairs)}."]
    return [f"No occlusion orders {len(pairs)} pairs, such as {', '.join(pairs[:_LISTED])}."]


def _agreement(scale_set: ScaleSet) -> list[str]:
    """Ask each of the views of the set about the others' combinations."""
    modes: list[Mode] = ["polytope", "computed"]
    if scale_set.network is not None:
        modes.append("network")
    sets = {mode: scale_set.using(mode) for mode in modes}
    lines = []
    for mode in modes:
        drawn = sets[mode].sample(_CHECKED, torch.Generator().manual_seed(1))
        if not bool(drawn.valid.any()):
            continue
        for other in modes:
            if other != mode:
                share = float(sets[other].contains(drawn.scales).float().mean())
                lines.append(f"{share:.1%} of the {mode} set lie in the {other} set.")
    return lines


def _always_wrong(contests: Contests) -> list[str]:
    wrong, right = int(contests.always_wrong.sum()), int(contests.counts.sum())
    if wrong == 0:
        return []
    return [
        f"{wrong} contested pixels cannot be right at any scale and are left out, beside {right} "
        f"that count; pairs with fewer than {MIN_PIXELS} do not."
    ]


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.01 else f"{100 * share:.2g} %"
