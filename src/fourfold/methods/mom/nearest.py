"""The nearest pixel of a shape, for every pixel."""

from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import ndimage


def nearest_pixel(
    shape: Bool[np.ndarray, "H W"],
) -> tuple[Float[np.ndarray, "H W"], Int[np.ndarray, "H W"], Int[np.ndarray, "H W"]]:
    """Find each pixel's distance (pixels, 0 inside) to a shape, and its nearest pixel there.

    Args:
        shape: at least one pixel.

    Returns:
        The distance, the row and the column.

    >>> nearest_pixel(np.array([[False, True, False]]))[2]
    array([[1, 1, 1]], dtype=int32)
    """
    found = ndimage.distance_transform_edt(~shape, return_indices=True)
    away, (row, column) = cast(tuple[np.ndarray, np.ndarray], found)
    return away, row, column
