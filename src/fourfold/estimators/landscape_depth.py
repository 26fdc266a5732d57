"""The depth of a landscape photo: given, estimated by a pretrained model, or laid out in layers.

Own. The layers: sky at infinity, level ground down to the horizon, and what stands on it. The unit
of depth is the height of the camera above the ground.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.estimators.background import grow_mask
from fourfold.estimators.given_depth import fill_gaps, scale_to, sharpen_edges, unknown_sky
from fourfold.estimators.guided_filter import (
    coarse_copy,
    coarse_mask,
    enlarged,
    fine_mask,
    snap_mask,
)
from fourfold.estimators.horizon import find_horizon
from fourfold.estimators.mask_parts import connected_parts, largest_part, nearest_part, parts_where
from fourfold.estimators.popup import (
    SMALLEST,
    Ground,
    contact_inverse_depth,
    falling_inverse_depth,
    find_standing,
    standing_inverse_depth,
)
from fourfold.estimators.sky import detect_sky
from fourfold.geometry import Camera

SKY_DEPTH = 1000.0
"""Camera heights. While what is 3 away moves by 30 px, the sky moves by 0.1."""
FARTHEST = 200.0
"""Camera heights at which level ground ends, and the nearest that anything there may be."""
ROOM_WITHOUT_SKY = 4.0
"""A photo without sky shows a forest, a gorge, a wall: times its nearest ground it ends."""
KINDS = ("sky", "ground", "water", "vertical", "motion")
MOVING_SKY = 0.1
"""Share of a moving part, its rim included, that must be detected sky for it to be clouds."""
MOVING_RIM = 3
"""Pixels."""
OUTLINE = 0.006
"""Share of the longer side by which hand-drawn outlines are moved onto the photo's edges."""


class DepthEstimator(Protocol):
    """Anything that estimates depth from one picture."""

    def __call__(self, image: Float[Tensor, "H W 3"]) -> Float[Tensor, "H W"]:
        """Give z > 0 up to a common factor; infinite or NaN where unknown."""
        ...


@dataclass(frozen=True)
class LandscapeDepth:
    """The depth of a photo, in camera heights above the ground.

    depth: (H, W) float32 z, finite and positive; SKY_DEPTH in the sky.
    sky: (H, W) to be drawn without parallax.
    ground: (H, W) level ground, water included.
    horizon: row in pixels of the photo; may lie outside.
    source: where all this is from, in a few words.
    scale: camera heights per unit of a depth map that was given; 1 else.
    """

    depth: Float[Tensor, "H W"]
    sky: Bool[Tensor, "H W"]
    ground: Bool[Tensor, "H W"]
    horizon: float
    source: str
    scale: float = 1.0


def estimate_landscape_depth(
    image: Float[Tensor, "H W 3"],
    camera: Camera,
    regions: Mapping[str, Bool[Tensor, "H W"]],
    given: Float[Tensor, "H W"] | None = None,
    estimator: DepthEstimator | None = None,
) -> LandscapeDepth:
    """Give a landscape photo a depth map.

    A given depth map counts first, then an estimator; both are scaled so that their ground lies one
    camera height below the camera. Without either, the photo is laid out in layers: the ground is
    z = height * f / (row - horizon), things above the horizon and regions labelled "vertical" stand
    where they touch it, the sky is SKY_DEPTH away. Never metric, and cardboard at close range.

    Args:
        image: in [0, 1].
        camera: of the photo, without roll.
        regions: masks by name; what a name begins with says what it is: sky, ground, water,
            vertical, motion. They may overlap: vertical counts before sky, sky before ground.
        given: z in any unit; NaN, infinite or not positive where unknown.
        estimator: asked where no depth is given.

    Raises:
        InputError: a mask or depth map of another size, an unknown kind of region, a depth map
            without any depth.
    """
    _check(image, camera, regions, given)
    known = None if given is None else _has_depth(given)
    layout = _lay_out(image, camera, regions, known)
    if given is not None:
        return _measured(image, layout, given, "given")
    if estimator is not None:
        depth = estimator(image)
        if depth.shape != image.shape[:2]:
            raise InputError(f"the estimated depth is {tuple(depth.shape)}", expected="the photo's")
        return _measured(image, layout, sharpen_edges(depth), "estimated")
    return layout


def _lay_out(
    image: Tensor, camera: Camera, regions: Mapping[str, Tensor], known_depth: Tensor | None
) -> LandscapeDepth:
    shape = image.shape[:2]
    reach = round(OUTLINE * max(shape))
    snapped = [snap_mask(mask, image, reach) for mask in _of_kind(regions, "vertical")]
    upright = [mask for mask in snapped if mask.any()]
    vertical = _union(upright, shape)
    moving = _union(_of_kind(regions, "motion"), shape)
    level = _union([*_of_kind(regions, "ground"), *_of_kind(regions, "water")], shape) & ~vertical
    if kinds := _of_kind(regions, "sky"):
        sky, sky_source = snap_mask(_union(kinds, shape), image, reach), "labelled sky"
    else:
        sky = _find_sky(image, moving & ~level)
        sky = sky if known_depth is None else unknown_sky(known_depth, sky)
        sky_source = "detected sky" if sky.any() else "no sky"
    sky &= ~vertical & ~level
    known_ground = (level | (moving & ~vertical)) & ~sky
    horizon = find_horizon(image, sky, known_ground)
    ground = Ground.below(camera, horizon.row, _farthest(camera, horizon.row, bool(sky.any())))
    rows = torch.arange(shape[0])[:, None] + 0.5
    inverse = ground.inverse_depth(rows).expand(shape).clone()
    standing = _stand_up(image, inverse, ground, sky | vertical, known_ground)
    for mask in upright:
        _stand_label(inverse, mask, ground)
    water = moving & known_ground & ~level
    fallen = falling_inverse_depth(water, standing | vertical, inverse, ground)
    inverse = torch.where(water, fallen, inverse)
    depth = (1 / inverse).masked_fill(sky, SKY_DEPTH)
    on_ground = ~(sky | vertical | standing) & (rows > horizon.row)
    source = f"layers: {sky_source}; horizon at row {horizon.row:.0f} ({horizon.reason})"
    return LandscapeDepth(depth, sky, on_ground, horizon.row, source)


def _find_sky(image: Tensor, moving: Tensor) -> Tensor:
    """Detect the sky, and moving parts that show some of it: clouds."""
    sky = detect_sky(image)
    parts = connected_parts(grow_mask(moving, MOVING_RIM).numpy())
    total = np.bincount(parts.ravel()).clip(1)
    share = np.bincount(parts.ravel(), weights=sky.numpy().ravel()) / total
    # A mask over the whole photo is not all sky because its upper half is.
    low = np.bincount(parts.ravel(), weights=_low(moving).ravel()) / total
    clouds = parts_where(parts, (share >= MOVING_SKY) & (low < 0.5))
    return sky | (torch.from_numpy(clouds) & moving)


def _low(mask: Tensor) -> np.ndarray:
    rows = np.arange(mask.shape[0])[:, None] >= mask.shape[0] / 2
    return mask.numpy() & rows


def _farthest(camera: Camera, horizon: float, with_sky: bool) -> float:
    nearest = Ground.below(camera, horizon, FARTHEST).inverse_depth(
        torch.tensor(float(camera.height))
    )
    return FARTHEST if with_sky else min(FARTHEST, ROOM_WITHOUT_SKY / float(nearest))


def _stand_up(
    image: Tensor, inverse: Tensor, ground: Ground, taken: Tensor, known: Tensor
) -> Tensor:
    """Write the 1/z of what stands without a label into `inverse`; return where that is.

    Args:
        taken: sky and labelled things.
        known: ground for sure.
    """
    small = coarse_copy(image)
    shape = (small.shape[0], small.shape[1])
    factor = image.shape[0] / shape[0]
    coarse = Ground(ground.horizon / factor, ground.gain * factor, ground.least)
    blocked, level = coarse_mask(taken, shape), coarse_mask(known, shape)
    standing = find_standing(small, coarse.horizon, blocked, level)
    if not standing.any():
        return torch.zeros_like(taken)
    depths = enlarged(standing_inverse_depth(small, standing, coarse), image.shape)
    risen = torch.arange(image.shape[0])[:, None] + 0.5 < ground.horizon
    everywhere = (fine_mask(standing, image) | risen) & ~taken & ~known  # no gaps to the sky
    inverse[everywhere] = depths[everywhere]
    return everywhere


def _stand_label(inverse: Tensor, mask: Tensor, ground: Ground) -> None:
    """Stand each connected part of a labelled region on its contact, in place."""
    owners = torch.from_numpy(nearest_part(mask.numpy(), SMALLEST * mask.numel()))
    for index in owners.unique().tolist():
        part = mask & (owners == index)
        body = torch.from_numpy(largest_part(part.numpy()))
        inverse[part] = contact_inverse_depth(body, ground).expand(mask.shape)[part]


def _measured(image: Tensor, layout: LandscapeDepth, depth: Tensor, kind: str) -> LandscapeDepth:
    """Take a depth map for what it is worth: its shape, in the layout's unit and sky."""
    known = _has_depth(depth)
    if not known.any():
        raise InputError(f"the {kind} depth map holds no depth", expected="some finite z > 0")
    sky, ground = layout.sky, layout.ground
    depth = fill_gaps(torch.where(known, depth.float(), torch.nan), ~sky, image)
    scale = scale_to(depth, layout.depth, ground, ~sky)
    depth = (depth * scale).clamp(max=SKY_DEPTH / 2).masked_fill(sky, SKY_DEPTH)
    source = f"{kind} depth times {scale:.3g}; {layout.source.removeprefix('layers: ')}"
    return LandscapeDepth(depth, sky, ground, layout.horizon, source, scale)


def _has_depth(depth: Tensor) -> Tensor:
    return depth.isfinite() & (depth > 0)


def _of_kind(regions: Mapping[str, Tensor], kind: str) -> list[Tensor]:
    return [mask for name, mask in regions.items() if name.startswith(kind) and mask.any()]


def _union(masks: list[Tensor], shape: torch.Size | tuple[int, ...]) -> Tensor:
    return torch.stack([torch.zeros(shape, dtype=torch.bool), *masks]).any(dim=0)


def _check(image: Tensor, camera: Camera, regions: Mapping[str, Tensor], given: Tensor | None):
    size = tuple(image.shape[:2])
    if (camera.height, camera.width) != size:
        raise InputError(
            f"the camera is {camera.width}x{camera.height}", expected=f"{size[1]}x{size[0]}"
        )
    for name, mask in regions.items():
        if not name.startswith(KINDS):
            raise InputError(f"region {name!r} is of no known kind", expected=", ".join(KINDS))
        if tuple(mask.shape) != size:
            raise InputError(f"region {name!r} is {tuple(mask.shape)}", expected=f"{size}")
    if given is not None and tuple(given.shape) != size:
        raise InputError(f"the depth map is {tuple(given.shape)}", expected=f"{size}")
