"""From a velocity field to looping objects of a scene."""

import math

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators import surface_depth
from fourfold.methods.mom.canvas import Canvas
from fourfold.methods.mom.config import LoopConfig
from fourfold.methods.mom.nearest import nearest_pixel
from fourfold.scene import LoopMotion

FAST = 0.95
"""Quantile of a region's speeds that must keep to the longest path."""
FEATHER = 3.0
"""Pixels before the banks over which matter that comes there vanishes."""
SHORE, SHORE_SHARE = 0.019, 0.02
"""Matter counts less, down to this share, the nearer its own place is to a bank or the border,
within this part of the longer side (24 px at 1280), or half of the way to the region's middle:
where a flow leaves a bank, the end of a copy would show as a second bank."""
CROSSOVER = 0.5
"""Difference of the patches' noise, in standard deviations, over which phases mix."""
MARGIN = 4
"""Pixels of the chart around a region, where nothing is present."""


def loop_motion(
    region: Bool[Tensor, "H W"],
    velocity: Float[Tensor, "H W 2"],
    canvas: Canvas,
    config: LoopConfig,
    seed: int,
) -> LoopMotion:
    """Let a region's matter flow in a loop on the surface on which it lies.

    Own. Its speed and the length of the loop say into how many sub-loops it is cut; patches of
    smooth noise fade at different times. The chart is the part of the canvas around the region.

    Args:
        region: where it is on the canvas.
        velocity: over the canvas, in pixels per frame.
    """
    rows, columns = _box(region)
    mask, inside = region[rows, columns], velocity[region]
    fast = float(np.quantile(torch.linalg.vector_norm(inside, dim=-1).numpy(), FAST))
    surface = surface_depth(canvas.landscape, region)[rows, columns]
    size = columns.stop - columns.start, rows.stop - rows.start
    camera = canvas.camera.cropped(columns.start, rows.start, *size)
    longer = max(region.shape)
    phases = phase_shares(
        (mask.shape[0], mask.shape[1]), config.phases, config.patch * longer, seed
    )
    return LoopMotion(
        velocity=_extended(velocity[rows, columns], mask),
        surface=surface.contiguous(),
        presence=_presence(mask),
        cycles=torch.full(tuple(mask.shape), float(count_cycles(fast, config))),
        shares=phases * inland(region, SHORE * longer)[rows, columns],
        period=torch.tensor(float(config.frames)),
        intrinsics=camera.intrinsics,
        camera_from_world=camera.camera_from_world,
    )


def count_cycles(speed: float, config: LoopConfig) -> int:
    """Give the sub-loops in a loop so that a path at this speed is not longer than allowed.

    >>> count_cycles(2.0, LoopConfig(frames=120, longest_path=70.0))
    4
    """
    return max(math.ceil(speed * config.frames / config.longest_path), 1)


def phase_shares(
    size: tuple[int, int], phases: int, patch: float, seed: int
) -> Float[Tensor, "G H W"]:
    """Give places to phases by patches of smooth noise; the shares of a place sum to 1.

    Args:
        size: (H, W).
        patch: standard deviation of the noise's smoothing, in pixels.
    """
    random = np.random.default_rng(seed)
    fields = []
    for _ in range(phases):
        noise = cv2.GaussianBlur(random.standard_normal(size).astype(np.float32), (0, 0), patch)
        fields.append(noise / max(float(noise.std()), 1e-12))
    noise = torch.from_numpy(np.stack(fields))
    shares = (1.0 - (noise.amax(0) - noise) / CROSSOVER).clamp_min(0.0)
    return shares / shares.sum(0)


def _box(mask: Bool[Tensor, "H W"]) -> tuple[slice, slice]:
    spans = []
    for axis, length in zip((1, 0), mask.shape, strict=True):
        places = torch.nonzero(mask.any(axis))[:, 0]
        first, last = max(int(places[0]) - MARGIN, 0), min(int(places[-1]) + 1 + MARGIN, length)
        spans.append(slice(first, last))
    return spans[0], spans[1]


def _extended(
    velocity: Float[Tensor, "H W 2"], mask: Bool[Tensor, "H W"]
) -> Float[Tensor, "H W 2"]:
    """Let places outside move like the nearest inside, so that paths do not slow down there."""
    _, rows, columns = nearest_pixel(mask.numpy())
    return velocity[torch.from_numpy(rows), torch.from_numpy(columns)]


def inland(region: Bool[Tensor, "H W"], shore: float) -> Float[Tensor, "H W"]:
    """Give what matter of a place counts: little at the banks and at the border, 1 from `shore` on.

    Args:
        shore: pixels; half of the way to the region's middle where that is less.
    """
    padded = np.pad(region.numpy().astype(np.uint8), 1)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    width = max(min(shore, 0.5 * float(inside.max())), 1.0)
    return torch.from_numpy((inside / width).clip(SHORE_SHARE, 1.0))


def _presence(mask: Bool[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """Fade from 1 inside to 0 at the banks, over less where they are close to each other.

    The canvas's border is no bank.
    """
    padded = np.pad(mask.numpy().astype(np.uint8), 1, mode="edge")
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    inside = (inside - 0.5).clip(0.0, FEATHER)
    size = 2 * math.ceil(FEATHER) + 1
    middle = cv2.dilate(inside, np.ones((size, size), np.uint8))
    return torch.from_numpy(inside / middle.clip(min=0.5))
