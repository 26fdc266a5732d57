"""A dense motion field that the user gives, made fit for the moving regions. Own."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.methods.mom.nearest import nearest_pixel


@dataclass(frozen=True, eq=False)
class DenseField:
    """A cleaned field.

    Args:
        velocity: (H,W,2) pixels per frame, finite, 0 outside the moving regions.
        filled: share of the moving pixels where the field was not finite, filled by the nearest.
        outside: share of the field's motion (sum of speeds) outside the regions, left out.
        median_speed: over the moving pixels.
        largest_speed: the same.
    """

    velocity: Float[Tensor, "H W 2"]
    filled: float
    outside: float
    median_speed: float
    largest_speed: float


def clean_field(field: Float[Tensor, "H W 2"], moving: Bool[Tensor, "H W"]) -> DenseField:
    """Keep a given field inside the moving regions; elsewhere all rests.

    Nothing is smoothed and no border is faded: matter slides along its bank at full speed, and the
    animation decides what happens where it leaves.

    Args:
        field: pixels per frame at 30 fps; what is not finite is unknown.

    Raises:
        InputError: nothing moves, or the field knows or moves nothing in the moving regions.
    """
    values, inside = field.cpu().numpy(), moving.cpu().numpy()
    known = np.asarray(np.isfinite(values).all(axis=-1))
    if not inside.any():
        raise InputError("the masks are empty", mend="Draw a region that moves")
    speed = np.linalg.norm(np.where(known[..., None], values, 0.0), axis=-1)
    if not (inside & (speed > 0)).any():
        raise InputError(
            "the motion field rests in all moving regions",
            mend="Give a field and a mask of the same photo",
        )
    _, row, column = nearest_pixel(inside & known)
    velocity = np.where(inside[..., None], values[row, column], 0.0).astype(np.float32)
    speeds = np.linalg.norm(velocity[inside], axis=-1)
    return DenseField(
        torch.from_numpy(velocity),
        filled=float((inside & ~known).sum() / inside.sum()),
        outside=float(speed[~inside].sum() / speed.sum()),
        median_speed=float(np.median(speeds)),
        largest_speed=float(speeds.max()),
    )
