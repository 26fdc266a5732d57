"""A smooth choice among the planes of a cost volume: semi-global matching.

After Hirschmüller, "Stereo processing by semiglobal matching and mutual information" (2008): costs
are summed along eight straight paths to each pixel, on which a step of one plane costs little and
a jump more, less so where the colour changes.
"""

from itertools import product

import numpy as np
from jaxtyping import Bool, Float

STEP_COST = 0.5
"""Cost of going to the next plane."""
JUMP_COST = 8.0
"""Cost of going to any other one, in even colour."""
EDGE_CONTRAST = 1 / 15
"""Difference of colours at which a jump costs 1/e of that."""
LEAST_JUMP = 1.5
"""A jump costs at least so many steps."""


def smooth_planes(
    costs: Float[np.ndarray, "H W D"],
    image: Float[np.ndarray, "H W 3"],
    seen: Bool[np.ndarray, "H W"],
) -> Float[np.ndarray, "H W"]:
    """Choose a plane in each pixel, counted from 0, with a fraction between planes.

    Args:
        costs: of each plane in each pixel, finite; 2 planes or more.
        image: colours in [0, 1], at whose edges planes may jump.
        seen: no path passes pixels that are not marked; what is chosen there has no meaning.
    """
    total = np.zeros_like(costs)
    for down, across in product((1, -1), (-1, 0, 1)):
        total += _along(costs, image, seen, down, across)
    turned = [np.ascontiguousarray(np.swapaxes(each, 0, 1)) for each in (costs, image, seen)]
    for down in (1, -1):
        total += np.swapaxes(_along(turned[0], turned[1], turned[2], down, 0), 0, 1)
    return _lowest(total)


def _along(
    costs: Float[np.ndarray, "H W D"],
    image: Float[np.ndarray, "H W 3"],
    seen: Bool[np.ndarray, "H W"],
    down: int,
    across: int,
) -> Float[np.ndarray, "H W D"]:
    """Sum the costs along paths that come from `down` rows above and `across` columns beside."""
    summed = costs.copy()
    height, width = seen.shape
    to = slice(max(across, 0), width + min(across, 0))
    of = slice(max(-across, 0), width + min(-across, 0))
    for row in range(1, height) if down > 0 else range(height - 2, -1, -1):
        before = summed[row - down, of]
        contrast = np.abs(image[row, to] - image[row - down, of]).mean(1, keepdims=True)
        jump = np.maximum(JUMP_COST * np.exp(-contrast / EDGE_CONTRAST), LEAST_JUMP * STEP_COST)
        lowest = before.min(1, keepdims=True)
        best = np.minimum(before, lowest + jump)
        best[:, 1:] = np.minimum(best[:, 1:], before[:, :-1] + STEP_COST)
        best[:, :-1] = np.minimum(best[:, :-1], before[:, 1:] + STEP_COST)
        summed[row, to] += (best - lowest) * seen[row - down, of, None]
    return summed


def _lowest(costs: Float[np.ndarray, "H W D"]) -> Float[np.ndarray, "H W"]:
    """Find the lowest cost, between planes by the parabola through it and its neighbours."""
    best = costs.argmin(2)
    middle = best.clip(1, max(costs.shape[2] - 2, 1))
    if costs.shape[2] < 3:
        return best.astype(np.float32)
    before, here, after = (
        np.take_along_axis(costs, (middle + step)[..., None], 2)[..., 0] for step in (-1, 0, 1)
    )
    bend = np.maximum(before - 2 * here + after, 1e-6)
    offset = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return np.where(best == middle, best + offset, best).astype(np.float32)
