"""Flow of one object: mask-aligned crops are matched instead of whole images.

Own. A small fast object is beyond the reach of a coarse-to-fine matcher, whose coarse levels do
not see it. Its masks tell most of the motion; the matcher finds the rest.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.estimators.flow import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    Flow,
    FlowEstimator,
    dense_inverse_search,
)
from fourfold.estimators.sampling import inside_image, pixel_centres, sample_image

# Crops are resampled into this range of sizes: below, DIS patches (8 px) are coarse against the
# object; above, time goes without gain.
CROP_SIZES = (160, 512)
CROP_MARGIN = 1.3  # crop side over the longer side of the mask's box
LARGEST_ZOOM = 1.6  # between two frames; more than this is a mask that was cut or torn


class _Placement(NamedTuple):
    """A square window laid over an object: centre in pixels, side in pixels."""

    centre: Float[Tensor, "2"]
    side: float


def estimate_object_flow(
    image0: Float[Tensor, "H W 3"],
    image1: Float[Tensor, "H W 3"],
    mask0: Bool[Tensor, "H W"],
    mask1: Bool[Tensor, "H W"],
    *,
    estimator: FlowEstimator = dense_inverse_search,
) -> Flow:
    """Estimate the flow of one object from its place in image0 to its place in image1.

    Several alignments of the masks are tried (by centroid and area, by centroid alone, by the
    box, not at all) and the one kept whose matches are confirmed on most of the object.

    Args:
        image0, image1: RGB in [0, 1].
        mask0, mask1: the object's pixels.

    Returns:
        Flow in pixels of the full image, zero outside mask0; valid inside mask0 where the match
        is consistent both ways and lands in mask1. Nothing is valid when a mask is empty.

    Raises:
        InputError: the four arrays are not of one size.
    """
    if not (image0.shape[:2] == image1.shape[:2] == mask0.shape == mask1.shape):
        raise InputError("images and masks of an object are not of one size")
    best = Flow(torch.zeros_like(image0[..., :2]), torch.zeros_like(mask0))
    if not (mask0.any() and mask1.any()):
        return best
    for place0, place1 in _alignments(mask0, mask1):
        flow = _match_crops(image0, image1, mask0, mask1, place0, place1, estimator)
        if flow.valid.sum() > best.valid.sum() or not best.flow.any():
            best = flow
    return best


def _alignments(mask0: Tensor, mask1: Tensor) -> list[tuple[_Placement, _Placement]]:
    low0, high0 = _box(mask0)
    low1, high1 = _box(mask1)
    middle = (low0 + high0) / 2
    side = float((high0 - low0).max()) * CROP_MARGIN + 8
    shift = _centroid(mask1) - _centroid(mask0)
    area_zoom = _clamp_zoom(float(mask1.sum() / mask0.sum()) ** 0.5)
    box_zoom = _clamp_zoom(float(((high1 - low1) / (high0 - low0)).prod()) ** 0.5)
    start = _Placement(middle, side)
    # Scaling about the centroid moves the middle of the box by (zoom - 1) times its offset.
    grown = _centroid(mask1) + area_zoom * (middle - _centroid(mask0))
    ends = [
        _Placement(grown, side * area_zoom),
        _Placement(middle + shift, side),
        _Placement((low1 + high1) / 2, side * box_zoom),
        start,
    ]
    return [(start, end) for end in ends]


def _match_crops(
    image0: Tensor,
    image1: Tensor,
    mask0: Tensor,
    mask1: Tensor,
    place0: _Placement,
    place1: _Placement,
    estimator: FlowEstimator,
) -> Flow:
    size = int(min(max(place0.side, CROP_SIZES[0]), CROP_SIZES[1]))
    density = size / place0.side
    crop0 = sample_image(image0, _window(place0, size, image0))
    crop1 = sample_image(image1, _window(place1, size, image0))
    forward, backward = estimator(crop0, crop1), estimator(crop1, crop0)

    height, width = mask0.shape
    centres = pixel_centres(height, width, image0)
    in_crop0 = (centres - place0.centre) * density + size / 2
    step = sample_image(forward, in_crop0)
    back = sample_image(backward, in_crop0 + step)
    target = place1.centre + (in_crop0 + step - size / 2) * (place1.side / size)
    flow = (target - centres) * mask0[..., None]
    # The check is made on the remainder, in full-image pixels: stricter than on the whole flow.
    allowed = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * flow.norm(dim=-1)
    consistent = (step + back).norm(dim=-1) / density <= allowed
    lands = sample_image(mask1[..., None].to(image0), target, padding="zeros")[..., 0] > 0.25
    return Flow(flow, mask0 & consistent & lands & inside_image(target, height, width))


def _window(place: _Placement, size: int, like: Tensor) -> Tensor:
    offset = (pixel_centres(size, size, like) - size / 2) * (place.side / size)
    return place.centre.to(like) + offset


def _box(mask: Tensor) -> tuple[Tensor, Tensor]:
    y, x = torch.nonzero(mask, as_tuple=True)
    points = torch.stack([x, y], dim=-1).float()
    return points.amin(dim=0), points.amax(dim=0) + 1


def _centroid(mask: Tensor) -> Tensor:
    y, x = torch.nonzero(mask, as_tuple=True)
    return torch.stack([x.float().mean(), y.float().mean()]) + 0.5


def _clamp_zoom(zoom: float) -> float:
    return min(max(zoom, 1 / LARGEST_ZOOM), LARGEST_ZOOM)
