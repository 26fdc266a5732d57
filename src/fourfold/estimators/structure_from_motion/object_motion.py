"""Flow of a rigid object that others may hide: its whole visible part is aligned first.

Own. Dense matching of whole images gives a small object the motion of what surrounds it, and takes
one brick of a wall for the next. All of an object's pixels together are hardly ever ambiguous: a
search over shifts and an affine alignment (ECC, Evangelidis and Psarakis, PAMI 2008) of what both
frames show of it leave the matcher only the parallax within the object.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float

from fourfold.estimators.flow import dense_inverse_search
from fourfold.estimators.structure_from_motion._matching import search_shift
from fourfold.estimators.structure_from_motion.clip_flow import ClipFlow, Step, continued

SEARCH_SIDE = 160  # longer side of the image in which shifts are searched
SEARCH_SHARE = 0.1  # farthest motion per frame, as a share of the longer side
LEAST_OVERLAP = 0.5  # of the smaller mask
_ECC_STEPS, _ECC_CHANGE = 50, 1e-4
_LARGEST_CHANGE = 6.0  # px by which ECC may differ from the search's result
_MARGIN = 24  # pixels around the object that the matcher sees
_SMALLEST_CROP = 160  # smaller crops are enlarged: the matcher's patches have 8 pixels
CONFIRMED = 0.5  # px between going there and coming back


def object_flow(clip: ClipFlow, regions: Bool[np.ndarray, "T H W"]) -> ClipFlow:
    """Give the flow of one object, continued from it to the pixels around it.

    Args:
        regions: the object's pixels in each frame.
    """
    forward, backward = [], []
    shift = np.zeros(2)
    for frame in range(clip.num_frames - 1):
        pair, masks = clip.images[frame : frame + 2], regions[frame : frame + 2]
        if not (masks[0].any() and masks[1].any()):
            still = Step(np.zeros((*masks.shape[1:], 2), np.float16), np.zeros_like(masks[0]))
            forward.append(still)
            backward.append(still)
            continue
        shift = _search(pair, masks, shift)
        there = _align(pair, masks, np.column_stack((np.eye(2), shift)))
        back = _align(pair[::-1], masks[::-1], cv2.invertAffineTransform(there))
        forward.append(_step(pair, masks, there))
        backward.append(_step(pair[::-1], masks[::-1], back))
    return ClipFlow(clip.images, tuple(forward), tuple(backward))


def _search(images: np.ndarray, masks: np.ndarray, around: np.ndarray) -> Float[np.ndarray, "2"]:
    """Find the object's shift in pixels, to the precision of a search at a small size."""
    shrink = min(1.0, SEARCH_SIDE / max(masks.shape[1:]))
    small = [_shrunk(image.astype(np.float32), shrink) for image in images]
    shown = [_shrunk(mask.astype(np.float32), shrink) > 0.5 for mask in masks]
    least = LEAST_OVERLAP * min(mask.sum() for mask in shown)
    radius = round(SEARCH_SHARE * SEARCH_SIDE)
    middle = np.rint(around * shrink)
    found = search_shift(small[0], shown[0], small[1], shown[1], middle, radius, max(least, 1.0))
    return found[:2] / shrink if found[2] > 0 else np.zeros(2)


def _shrunk(image: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1.0:
        return image
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _align(
    images: np.ndarray, masks: np.ndarray, start: Float[np.ndarray, "2 3"]
) -> Float[np.ndarray, "2 3"]:
    """Refine target_from_source (array indices) on what both frames show of the object."""
    height, width = masks.shape[1:]
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    landed = cv2.warpAffine(masks[1].astype(np.uint8), start, (width, height), flags=flags)
    common = masks[0].astype(np.uint8) * (landed > 0)
    grays = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _ECC_STEPS, _ECC_CHANGE)
    try:
        _, found = cv2.findTransformECC(
            grays[0], grays[1], start.astype(np.float32), cv2.MOTION_AFFINE, criteria, common, 3
        )
    except cv2.error:  # it does not converge, or there is next to nothing in common
        return start
    corners = np.argwhere(masks[0])[:, ::-1] @ (found - start)[:, :2].T + (found - start)[:, 2]
    moved = np.linalg.norm(corners, axis=1).max()
    return found.astype(np.float64) if moved <= _LARGEST_CHANGE else start


def _step(images: np.ndarray, masks: np.ndarray, affine: np.ndarray) -> Step:
    """Match what the alignment leaves, and check it from the other side."""
    height, width = masks.shape[1:]
    size, inverse = (width, height), cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(images[1], affine, size, flags=cv2.INTER_CUBIC | inverse)
    landed = cv2.warpAffine(
        masks[1].astype(np.uint8), affine, size, flags=cv2.INTER_NEAREST | inverse
    )
    common = masks[0] & (landed > 0)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    flow = grid @ affine[:, :2].T + affine[:, 2] - grid
    if not common.any():
        return Step(flow.astype(np.float16), np.zeros_like(common))
    part, rest, back = _match_common(images[0], warped, common)
    linear = affine[:, :2]
    flow[part] += rest @ linear.T
    coming = _read_at(back, rest)
    confirmed = np.zeros_like(common)
    confirmed[part] = np.linalg.norm(rest + coming, axis=-1) <= CONFIRMED
    confirmed &= common
    if not confirmed.any():
        return Step(flow.astype(np.float16), confirmed)
    return Step(continued(flow.astype(np.float16), confirmed), confirmed)


def _match_common(
    source: np.ndarray, target: np.ndarray, common: np.ndarray
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Match two aligned images there and back, where both show the object; both alike elsewhere."""
    rows, columns = np.nonzero(common)
    part = (
        slice(max(rows.min() - _MARGIN, 0), rows.max() + _MARGIN + 1),
        slice(max(columns.min() - _MARGIN, 0), columns.max() + _MARGIN + 1),
    )
    shown = common[part][..., None]
    plain = source[common].mean(axis=0).astype(np.uint8)
    crops = [np.where(shown, image[part], plain) for image in (source, target)]
    height, width = common[part].shape
    zoom = max(1.0, _SMALLEST_CROP / min(height, width))
    larger = (round(width * zoom), round(height * zoom))
    images = [
        torch.from_numpy(cv2.resize(crop, larger, interpolation=cv2.INTER_CUBIC)).float() / 255
        for crop in crops
    ]
    flows = [dense_inverse_search(*images), dense_inverse_search(*images[::-1])]
    factor = np.array([width / larger[0], height / larger[1]])
    there, back = (
        cv2.resize(flow.numpy(), (width, height), interpolation=cv2.INTER_AREA) * factor
        for flow in flows
    )
    return part, there, back


def _read_at(field: np.ndarray, offset: np.ndarray) -> np.ndarray:
    height, width = field.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    where = (grid + offset).astype(np.float32)
    x, y = where[..., 0], where[..., 1]
    return cv2.remap(
        field.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
