"""How well the rendered motion does what the hints say."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Hint
from fourfold.methods.mom.rest_scores import Record
from fourfold.scene import Scene

SAMPLES = 33
"""Places along a hint at which the motion is read."""


@dataclass(frozen=True)
class HintScore:
    """What became of a hint: the depth at its middle, degrees and share by which motion differs."""

    depth: float
    angle: float
    speed: float


@torch.no_grad()
def score_hints(
    scene: Scene, hints: Sequence[Hint], moving: Bool[Tensor, "H W"], speed: float
) -> Record:
    """Compare the flow of the rendered scene at time 0 with the hints, in the photo.

    The flow along a hint is the mean where it lies in a moving region. `hint_angle_deg` and
    `hint_speed_error` are means over the hints that are used, that is, along which anything moves;
    with `_near` and `_far`, over the nearer and the farther half of them.

    Args:
        moving: the regions.
        speed: what the hints' speed was multiplied by.
    """
    drawn = scene.render(scene.camera_at(0.0), 0.0, ("flow", "depth"))
    scores = [
        score
        for hint in hints
        if (score := _score(hint, drawn["flow"], drawn["depth"], moving, speed)) is not None
    ]
    record = {"hints_used": float(len(scores)), "hints_given": float(len(hints))}
    if not scores:
        return record
    scores.sort(key=lambda score: score.depth)
    half = (len(scores) + 1) // 2
    for name, part in (("", scores), ("_near", scores[:half]), ("_far", scores[-half:])):
        record[f"hint_angle_deg{name}"] = sum(score.angle for score in part) / len(part)
        record[f"hint_speed_error{name}"] = sum(score.speed for score in part) / len(part)
    return record


def _score(
    hint: Hint,
    flow: Float[Tensor, "H W 2"],
    depth: Float[Tensor, "H W"],
    moving: Bool[Tensor, "H W"],
    speed: float,
) -> HintScore | None:
    rows, columns = _line(hint, moving)
    inside = moving[rows, columns]
    found = flow[rows, columns][inside]
    if not bool(found.any()):
        return None
    x, y = found.mean(0).tolist()
    wanted_x, wanted_y = (speed * part for part in hint.velocity)
    across, along = wanted_x * y - wanted_y * x, wanted_x * x + wanted_y * y
    return HintScore(
        float(depth[rows, columns][inside].nanmedian()),
        math.degrees(abs(math.atan2(across, along))),
        abs(math.hypot(x, y) / math.hypot(wanted_x, wanted_y) - 1.0),
    )


def _line(hint: Hint, moving: Bool[Tensor, "H W"]) -> tuple[Tensor, Tensor]:
    """Give the pixels along a hint."""
    height, width = moving.shape
    share = torch.linspace(0, 1, SAMPLES)
    x = hint.start[0] + share * (hint.end[0] - hint.start[0])
    y = hint.start[1] + share * (hint.end[1] - hint.start[1])
    return y.long().clamp(0, height - 1), x.long().clamp(0, width - 1)
