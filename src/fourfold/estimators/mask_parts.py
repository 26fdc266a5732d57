"""Taking masks apart: connected parts, their sizes, the nearest marked pixel."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int


def connected_parts(mask: Bool[np.ndarray, "H W"]) -> Int[np.ndarray, "H W"]:
    """Number the parts of a mask that hang together by their sides, from 1; 0 is outside."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return np.asarray(parts, np.int64)


def parts_where(
    parts: Int[np.ndarray, "H W"], kept: Bool[np.ndarray, " parts"]
) -> Bool[np.ndarray, "H W"]:
    """Mark the numbered parts that are kept; what is outside (0) never is."""
    return kept[parts] & (parts > 0)


def large_parts(mask: Bool[np.ndarray, "H W"], least: float) -> Bool[np.ndarray, "H W"]:
    """Keep the connected parts of at least that many pixels."""
    parts = connected_parts(mask)
    return parts_where(parts, np.bincount(parts.ravel()) >= least)


def largest_part(mask: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Keep the largest connected part of a mask, which must not be empty."""
    parts = connected_parts(mask)
    return parts == 1 + np.bincount(parts[mask])[1:].argmax()


def nearest_marked(
    marked: Bool[np.ndarray, "H W"],
) -> tuple[Int[np.ndarray, "H W"], Int[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """Give for each pixel the row and column of the nearest marked one, and its distance.

    At least one pixel must be marked.
    """
    distance, labels = cv2.distanceTransformWithLabels(
        (~marked).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    names = np.asarray(labels, np.int64)
    places = np.argwhere(marked)
    rows, columns = np.zeros((2, names.max() + 1), np.int64)
    rows[names[marked]], columns[names[marked]] = places.T
    return rows[names], columns[names], np.asarray(distance)


def nearest_part(mask: Bool[np.ndarray, "H W"], least: float) -> Int[np.ndarray, "H W"]:
    """Give each pixel the number of the nearest connected part that has `least` pixels.

    Smaller parts go to the nearest large one; where none is large, all of the mask is part 1.
    The mask must not be empty.
    """
    large = large_parts(mask, least)
    seeds = connected_parts(large) if large.any() else mask.astype(np.int64)
    rows, columns, _ = nearest_marked(seeds > 0)
    return seeds[rows, columns]
