"""Values between key times: a smooth curve that passes exactly through the keys."""

from bisect import bisect_right

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.geometry import normalize_quaternion


def check_times(times: Float[Tensor, " T"]) -> None:
    """Check that there are key times and that they increase.

    Raises:
        ValueError: none, or not strictly increasing.
    """
    if times.ndim != 1 or len(times) == 0 or not bool((times.diff() > 0).all()):
        raise ValueError("the key times must be a non-empty, strictly increasing list")


def keyframe_weights(
    times: Float[Tensor, " T"], time: float
) -> tuple[Int[Tensor, "4"], Float[Tensor, "4"]]:
    """Find which four keys count at `time`, and how much.

    Catmull-Rom (1974) for keys at any distances: cubic Hermite pieces whose slope at a key is
    that of the parabola through it and its neighbours; at the first and last key, that of the
    chord. Before the first and after the last key the value stays. At a key its weight is
    exactly 1 and all others are 0; the weights always sum to 1 (a value that moves at constant
    speed is met exactly).

    >>> index, weights = keyframe_weights(torch.tensor([0.0, 1.0, 2.0, 3.0]), 1.5)
    >>> index.tolist(), weights.tolist()
    ([0, 1, 2, 3], [-0.0625, 0.5625, 0.5625, -0.0625])
    """
    keys = times.tolist()
    last = len(keys) - 1
    if last == 0 or time <= keys[0]:
        indices, weights = (0, 0, min(1, last), min(2, last)), (0.0, 1.0, 0.0, 0.0)
    elif time >= keys[last]:
        indices, weights = (max(last - 2, 0), last - 1, last, last), (0.0, 0.0, 1.0, 0.0)
    else:
        left = bisect_right(keys, time) - 1
        indices = (max(left - 1, 0), left, left + 1, min(left + 2, last))
        weights = _hermite_weights([keys[i] for i in indices], time)
    return torch.tensor(indices, device=times.device), times.new_tensor(weights)


def _hermite_weights(keys: list[float], time: float) -> tuple[float, float, float, float]:
    """Weigh the four values around `time`; a repeated outer key marks an end of the list."""
    gap = keys[2] - keys[1]
    s = (time - keys[1]) / gap
    value0, value1 = (1.0 + 2.0 * s) * (1.0 - s) ** 2, s * s * (3.0 - 2.0 * s)
    slope0, slope1 = s * (1.0 - s) ** 2 * gap, s * s * (s - 1.0) * gap
    # each slope, written as weights of the chord before (a), of this one (b) and after (c)
    a = b = c = 0.0
    before, after = keys[1] - keys[0], keys[3] - keys[2]
    share0, share1 = before / (before + gap), after / (after + gap)
    b = slope0 * share0 + slope1 * share1
    if before > 0:
        a = slope0 * (1.0 - share0) / before
    else:
        b += slope0
    if after > 0:
        c = slope1 * (1.0 - share1) / after
    else:
        b += slope1
    return -a, value0 + a - b / gap, value1 + b / gap - c, c


def blend_keys(
    values: Float[Tensor, "T *shape"], index: Int[Tensor, "4"], weights: Float[Tensor, "4"]
) -> Float[Tensor, "*shape"]:
    """Combine key values linearly by `keyframe_weights`. Differentiable in the values."""
    # index_select: the gradient of values[index] costs ten times as much
    return torch.tensordot(weights.to(values), values.index_select(0, index), dims=1)


def blend_quaternion_keys(
    quaternions: Float[Tensor, "T *batch 4"], index: Int[Tensor, "4"], weights: Float[Tensor, "4"]
) -> Float[Tensor, "*batch 4"]:
    """Combine key rotations by `keyframe_weights`: aligned in sign, summed, normalised.

    Quaternions of any length. Differentiable in them.
    """
    keys = normalize_quaternion(quaternions.index_select(0, index))
    same_side = (keys * keys[1]).sum(-1, keepdim=True) >= 0
    return normalize_quaternion(torch.tensordot(weights.to(keys), keys.where(same_side, -keys), 1))
