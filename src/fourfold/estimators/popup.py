"""Things that stand on level ground, and how deep: where they touch it.

After Hoiem, Efros and Hebert, "Automatic Photo Pop-up" (2005): ground is a plane, what stands is
vertical, and its depth is that of the ground at its contact. Depths are kept as their inverses,
which are linear in the pixel on every plane.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from fourfold.estimators.mask_parts import connected_parts, large_parts, parts_where
from fourfold.estimators.membrane import fill_membrane
from fourfold.estimators.sky import split_by_colour
from fourfold.geometry import Camera

LOWEST = 0.1
"""Share of the height at the bottom that is taken for ground: photographers stand on some."""
ROUNDS = 3
"""Of GrabCut."""
FOOT_TRUST = 0.01
"""Weight of a pixel's own foot against the membrane between like colours: a reach of 7 pixels."""
SMALLEST = 1e-3
"""Share of the photo under which a thing is a speck."""
STRAIGHT = 0.6
"""Share of the columns of a contact that must lie on a line for the thing to be a wall."""
CONTACT_TOLERANCE = 0.01
"""Share of the height by which a contact strays from its line."""
CONTACT_QUANTILE = 0.98
NARROWEST_RIVER = 1 / 3
"""Share of the width: between things farther apart than this water does not fall, it is a sea."""
LEVEL, STEEP = 1.1, 1.3
"""Times 1/z of level ground: up to the one water between things is level, from the other steep."""
TRIALS = 24
"""Columns between which lines are tried."""


class Ground(NamedTuple):
    """Level ground one unit below a camera without roll: 1/z = gain * (row - horizon).

    horizon: row in pixels; gain: 1/(units x pixels); least: the smallest 1/z that ground may have.
    """

    horizon: float
    gain: float
    least: float

    @staticmethod
    def below(camera: Camera, horizon: float, farthest: float) -> "Ground":
        """Give the ground under a camera that sees the horizon at a row."""
        tilt = (horizon - float(camera.intrinsics[1, 2])) / camera.focal[1]
        return Ground(horizon, 1 / (camera.focal[1] * (1 + tilt * tilt) ** 0.5), 1 / farthest)

    def inverse_depth(self, rows: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Give 1/z of the ground seen at rows (in pixels, first centre at 0.5), kept above least.

        >>> Ground(10.0, 0.1, 0.01).inverse_depth(torch.tensor([0.0, 20.0]))
        tensor([0.0100, 1.0000])
        """
        return (self.gain * (rows - self.horizon)).clamp(min=self.least)


def find_standing(
    image: Float[Tensor, "h w 3"],
    horizon: float,
    sky: Bool[Tensor, "h w"],
    ground: Bool[Tensor, "h w"],
) -> Bool[Tensor, "h w"]:
    """Mark what stands: what rises above the horizon, and what below goes on in its colours.

    Args:
        image: in [0, 1], small.
        horizon: row in pixels of this picture.
        ground: pixels known to be ground; the lowest tenth of the picture is taken for ground too.
    """
    rows = torch.arange(image.shape[0])[:, None] + 0.5
    risen = (rows < horizon) & ~sky & ~ground
    level = ground | ((rows > (1 - LOWEST) * image.shape[0]) & (rows > horizon))
    if not risen.any():
        return risen
    standing = split_by_colour(image.numpy(), risen.numpy(), (level | sky).numpy(), ROUNDS)
    # Below the horizon only what is connected to something that rises above it.
    parts = connected_parts(standing)
    rising = np.bincount(parts[risen.numpy()], minlength=parts.max() + 1) > 0
    kept = large_parts(parts_where(parts, rising), SMALLEST * standing.size)
    return torch.from_numpy(kept) & ~sky & ~ground


def standing_inverse_depth(
    image: Float[Tensor, "h w 3"], standing: Bool[Tensor, "h w"], ground: Ground
) -> Float[Tensor, "h w"]:
    """Give each standing pixel the 1/z of the ground right below it, evened within like colours.

    Args:
        image: in [0, 1], small.
        ground: in pixels of this picture.

    Returns:
        The same continued smoothly beyond `standing`, which must not be empty.
    """
    feet = _feet(standing).to(torch.float32)
    weights = standing.float() * FOOT_TRUST
    return fill_membrane(ground.inverse_depth(feet), weights, image).clamp(min=ground.least)


def falling_inverse_depth(
    moving: Bool[Tensor, "h w"],
    standing: Bool[Tensor, "h w"],
    inverse: Float[Tensor, "h w"],
    ground: Ground,
) -> Float[Tensor, "h w"]:
    """Raise moving water that has standing things close by on both sides of it in its row.

    It lies between their depths. Between banks that is the water level again, since banks stand at
    its edge; between rocks that stand on a pool below it is a waterfall.

    Args:
        inverse: 1/z of what stands.

    Returns:
        1/z; that of level ground where water is not between standing things.
    """
    columns = np.arange(moving.shape[1])
    stands, values = standing.numpy(), inverse.numpy()
    left = np.maximum.accumulate(np.where(stands, columns, -1), axis=1)
    right = np.where(stands, columns, len(columns))[:, ::-1]
    right = np.minimum.accumulate(right, axis=1)[:, ::-1]
    between = moving.numpy() & (left >= 0) & (right < len(columns))
    between &= right - left <= NARROWEST_RIVER * len(columns)
    at_left = np.take_along_axis(values, left.clip(0), axis=1)
    at_right = np.take_along_axis(values, right.clip(max=len(columns) - 1), axis=1)
    share = (columns - left) / np.maximum(right - left, 1)
    raised = torch.from_numpy((1 - share) * at_left + share * at_right).to(inverse)
    level = ground.inverse_depth(torch.arange(len(moving))[:, None] + 0.5)
    steepness = ((raised / level - LEVEL) / (STEEP - LEVEL)).clamp(0, 1)
    return torch.where(torch.from_numpy(between), level.lerp(raised, steepness), level)


def contact_inverse_depth(mask: Bool[Tensor, "H W"], ground: Ground) -> Float[Tensor, " W"]:
    """Give the 1/z of one upright thing in each column, from its contact with the ground.

    A wall meets the ground along a line; what has no straight lower edge (a tree) stands on its
    lowest point. What the photo's lower border cuts stands at least as near as the border.

    Args:
        mask: one connected thing.
    """
    contact = _contact(mask.numpy())
    return ground.inverse_depth(torch.from_numpy(contact.astype(np.float32)))


def _contact(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    height, width = mask.shape
    columns = np.flatnonzero(mask.any(axis=0))
    bottoms = height - mask[::-1].argmax(axis=0)[columns].astype(np.float64)
    lowest = float(np.quantile(bottoms, CONTACT_QUANTILE))
    whole = bottoms < height
    line = None
    if whole.mean() > 0.5:
        line = _lower_line(columns[whole], bottoms[whole], max(1.5, CONTACT_TOLERANCE * height))
    if line is None:
        return np.full(width, lowest)
    return np.polyval(line, np.arange(width))


def _lower_line(columns: np.ndarray, rows: np.ndarray, tolerance: float) -> np.ndarray | None:
    """Find the line that most columns lie on and hardly any below, or None."""
    trials = np.unique(np.linspace(0, len(columns) - 1, TRIALS).round().astype(int))
    best, most = None, STRAIGHT * len(columns)
    for i, first in enumerate(trials):
        for second in trials[i + 1 :]:
            line = np.polyfit(columns[[first, second]], rows[[first, second]], 1)
            miss = rows - np.polyval(line, columns)
            on, below = np.abs(miss) <= tolerance, miss > tolerance
            if on.sum() >= most and below.mean() <= 1 - CONTACT_QUANTILE:
                best, most = on, on.sum() + 1
    return None if best is None else np.polyfit(columns[best], rows[best], 1)


def _feet(standing: Tensor) -> Tensor:
    """Give each pixel the row (lower edge) at which the standing run it belongs to ends."""
    height = len(standing)
    ends = torch.arange(height)[:, None].expand(standing.shape)
    free = torch.where(standing, height, ends)  # the pixel's upper edge where nothing stands
    return free.flip(0).cummin(dim=0).values.flip(0)
