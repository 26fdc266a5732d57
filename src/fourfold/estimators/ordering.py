"""Which of two objects is in front, told from their masks alone.

Own. Two kinds of evidence. Over time: the shape an object had while it stood free, laid onto its
visible rest, reaches under the mask that hides it ("which mask stays intact"). In one frame: where
three regions meet, the outline of the front object runs on straight (it fills half of a small
disc), that of the hidden one ends (T-junctions, Guzman 1968).
"""

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Int8
from torch import Tensor

CONTACT_REACH = 2  # pixels between masks that still count as touching: matting gaps
FREE_GAP = 0.02  # of the longer side: how far apart objects must be for a shape to be whole
HIDDEN_SHARE = 0.03  # of a shape under the other's mask, for the hiding to be believed
HIDDEN_RATIO = 2.0  # and how many times more than the other way round
JUNCTION_RADIUS = 0.015  # of the longer side, at least 5 px
JUNCTION_LEAD = 0.12  # of the disc, by which the front object must fill more of it
SMALLEST_OBJECT = 20  # pixels
FRONT, BEHIND, UNDETERMINED = 1, -1, 0


def occlusion_order(masks: Bool[Tensor, "T K H W"]) -> Int8[Tensor, "T K K"]:
    """Tell for each frame and each pair of objects which one is in front.

    Args:
        masks: visible pixels of each object.

    Returns:
        order[t, i, j]: 1 when i is in front of j, -1 when behind, 0 when they do not touch or
        the masks do not tell. Antisymmetric.
    """
    num_frames, num_objects = masks.shape[:2]
    order = torch.zeros(num_frames, num_objects, num_objects, dtype=torch.int8)
    arrays = masks.cpu().numpy()
    for i in range(num_objects):
        for j in range(i + 1, num_objects):
            for t, answer in enumerate(_order_of_pair(arrays[:, i], arrays[:, j])):
                order[t, i, j], order[t, j, i] = answer, -answer
    return order


def order_from_junctions(mask: Bool[Tensor, "H W"], other: Bool[Tensor, "H W"]) -> int:
    """Tell from one frame whether `mask` is in front of `other`: 1, -1, or 0 for no answer."""
    return _from_junctions(mask.cpu().numpy(), other.cpu().numpy())


def order_from_shapes(
    mask: Bool[Tensor, "H W"],
    other: Bool[Tensor, "H W"],
    free_mask: Bool[Tensor, "H W"],
    free_other: Bool[Tensor, "H W"],
) -> int:
    """Tell whether `mask` is in front of `other`, given each one's whole shape from elsewhere.

    Returns 1, -1, or 0 for no answer. The whole shapes may lie anywhere in the image.
    """
    arrays = (each.cpu().numpy() for each in (mask, other, free_mask, free_other))
    return _from_shapes(*arrays)


def _order_of_pair(first: np.ndarray, second: np.ndarray) -> list[int]:
    large = [min(a.sum(), b.sum()) >= SMALLEST_OBJECT for a, b in zip(first, second, strict=True)]
    touching = [
        ok and _touch(a, b, CONTACT_REACH) for ok, a, b in zip(large, first, second, strict=True)
    ]
    gap = max(round(FREE_GAP * max(first.shape[1:])), CONTACT_REACH + 1)
    whole = [
        t
        for t, (a, b) in enumerate(zip(first, second, strict=True))
        if large[t] and not touching[t] and not _touch(a, b, gap)
    ]
    answers = []
    for t in range(len(first)):
        answer = UNDETERMINED
        if touching[t] and whole:
            near = min(whole, key=lambda s: abs(s - t))
            answer = _from_shapes(first[t], second[t], first[near], second[near])
        if touching[t] and answer == UNDETERMINED:
            answer = _from_junctions(first[t], second[t])
        answers.append(answer)
    return answers


def _from_shapes(first, second, whole_first, whole_second) -> int:
    hidden_first = _hidden_share(whole_first, first, second)
    hidden_second = _hidden_share(whole_second, second, first)
    if hidden_second >= max(HIDDEN_SHARE, HIDDEN_RATIO * hidden_first):
        return FRONT
    if hidden_first >= max(HIDDEN_SHARE, HIDDEN_RATIO * hidden_second):
        return BEHIND
    return UNDETERMINED


def _hidden_share(whole: np.ndarray, visible: np.ndarray, other: np.ndarray) -> float:
    """Lay a whole shape where it covers the visible part best; tell how much `other` takes of it.

    Under `other` the shape is free to lie: only background below it speaks against a place.
    """
    rows, columns = np.nonzero(whole)
    shape = whole[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    height, width = shape.shape
    margin = ((height, height), (width, width))
    gain = np.pad(visible.astype(np.float32) * 2 + other, margin)
    fit = cv2.matchTemplate(gain, shape.astype(np.float32), cv2.TM_CCORR)
    row, column = np.unravel_index(int(fit.argmax()), fit.shape)
    taken = np.pad(other, margin)[row : row + height, column : column + width]
    return float((taken & shape).sum() / shape.sum())


def _from_junctions(first: np.ndarray, second: np.ndarray) -> int:
    radius = max(round(JUNCTION_RADIUS * max(first.shape)), 5)
    junctions = _junctions(first, second)
    if not junctions.any():
        return UNDETERMINED
    lead = (_share_of_disc(first, radius) - _share_of_disc(second, radius))[junctions].mean()
    if abs(lead) < JUNCTION_LEAD:
        return UNDETERMINED
    return FRONT if lead > 0 else BEHIND


def _junctions(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Find where both objects and what is neither meet; discs must not leave the image."""
    height, width = first.shape
    neither = ~(_grown(first, CONTACT_REACH) | _grown(second, CONTACT_REACH))
    reach = CONTACT_REACH + 1
    junctions = _grown(first, reach) & _grown(second, reach) & _grown(neither, reach)
    edge = max(round(JUNCTION_RADIUS * max(first.shape)), 5)
    inner = np.zeros_like(junctions)
    inner[edge : height - edge, edge : width - edge] = True
    return junctions & inner


def _share_of_disc(mask: np.ndarray, radius: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2).astype(np.float32)
    return cv2.filter2D(mask.astype(np.float32), -1, disc / disc.sum())


def _touch(first: np.ndarray, second: np.ndarray, reach: int) -> bool:
    return bool((_grown(first, reach) & second).any())


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1,) * 2)
    return cv2.dilate(mask.astype(np.uint8), disc) > 0
