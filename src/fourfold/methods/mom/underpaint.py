"""The colours of a background that is hidden: pieces of what is seen of it. Own."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators import complete, fill_unseen, grow_mask

MIXED = 2
"""Pixels at the border of the visible background that hold some of the foreground's colour."""


def underpaint(
    image: Float[Tensor, "H W 3"], hole: Bool[Tensor, "H W"], background: Bool[Tensor, "H W"]
) -> Float[Tensor, "H W 3"]:
    """Fill a hole with pieces of the background alone.

    Args:
        image: in [0, 1].
        hole: pixels to fill.
        background: pixels that show the background; the rest (the foreground, what lies beyond the
            hole) is neither looked at nor taken from.

    Returns:
        The picture with its hole filled; without any background, as it was.
    """
    if not hole.any() or not background.any():
        return image
    seen = background & ~grow_mask(~background, MIXED)
    seen = seen if seen.any() else background
    smooth = fill_unseen(image, seen)
    unclean = hole | (background & ~seen & grow_mask(hole, MIXED + 1))
    filled = complete(smooth, ~unclean, smooth, sources=seen)
    return torch.where(hole[..., None], filled, image)
