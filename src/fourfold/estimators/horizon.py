"""The row of the horizon in a landscape photo taken without roll. Own."""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.guided_filter import coarse_copy

USUAL, SPREAD = 0.4, 0.25
"""Share of the height at which photographers put the horizon, and how far they stray from it."""
STRAY_ROWS = 0.005
"""Share of the pixels of a region that a bound ignores: masks overshoot."""
BAND = 0.03
"""Share of the height over which colours above and below a row are compared."""
FAR_GROUND = 0.02
"""Share of the height that is left between the horizon and the ground known to be nearest to it."""


class Horizon(NamedTuple):
    """A row in pixels (may lie outside the photo), and in a few words where it is from."""

    row: float
    reason: str


def find_horizon(
    image: Float[Tensor, "H W 3"], sky: Bool[Tensor, "H W"], ground: Bool[Tensor, "H W"]
) -> Horizon:
    """Guess the row of the horizon.

    All sky lies above it and all level ground below. Between the two it is the row across which
    the colours change most, weighed by where horizons usually are (at 0.4 of the height). Where
    the two leave no room, the lowest sky counts. Without sky it is the usual row, or just above
    the ground that is known.

    Args:
        image: in [0, 1].
        sky: known or detected; may be empty.
        ground: pixels known to be level ground or water; may be empty.
    """
    height = image.shape[0]
    top = _quantile_row(ground, STRAY_ROWS)
    if not sky.any():
        usual = USUAL * height
        if top is None or top > usual + FAR_GROUND * height:
            return Horizon(usual, "no sky: the usual row")
        return Horizon(top - FAR_GROUND * height, "no sky: just above the ground that is known")
    low = _quantile_row(sky, 1 - STRAY_ROWS)
    assert low is not None  # there is sky
    low = max(low, _lowest_skyline(sky))
    high = height * (1 - FAR_GROUND) if top is None else top
    if high - low <= FAR_GROUND * height:
        return Horizon(low, "where the sky ends")
    return Horizon(_clearest_row(image, low, high), "the clearest level edge below the sky")


def _lowest_skyline(sky: Tensor) -> float:
    """Give the row above which the lowest points of the sky lie, in nearly all columns."""
    rows = np.where(sky.numpy().any(axis=0), sky.shape[0] - sky.numpy()[::-1].argmax(axis=0), 0)
    return float(np.quantile(rows[rows > 0], 1 - STRAY_ROWS))


def _quantile_row(mask: Tensor, share: float) -> float | None:
    rows = np.nonzero(mask.numpy())[0]
    return float(np.quantile(rows, share)) + 0.5 if len(rows) else None


def _clearest_row(image: Tensor, low: float, high: float) -> float:
    """Find the row across which the colours change most, in most columns."""
    small = cv2.cvtColor(coarse_copy(image).numpy(), cv2.COLOR_RGB2Lab)
    height = small.shape[0]
    factor = height / image.shape[0]
    band = max(round(BAND * height), 1)
    padded = np.pad(small, ((band, band), (0, 0), (0, 0)), mode="edge")
    sums = np.pad(padded.cumsum(axis=0, dtype=np.float64), ((1, 0), (0, 0), (0, 0)))
    means = (sums[band:] - sums[:-band]) / band  # of the `band` rows from a row on
    change = np.linalg.norm(means[band:] - means[:-band], axis=-1)  # across the row's upper edge
    edges = np.median(change, axis=1)
    places = (np.arange(len(edges)) / height - USUAL) / SPREAD
    score = edges * np.exp(-0.5 * places**2)
    first = min(max(round(low * factor), 0), height - 1)
    last = max(min(round(high * factor), height), first + 1)
    return float((first + score[first:last].argmax()) / factor)
