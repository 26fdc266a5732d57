"""Which pixels of a test view the training frames saw."""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators import FlowEstimator, dense_inverse_search, pixel_centres, sample_image
from fourfold.estimators.sampling import inside_image

# The check of the original: |f + b(x + f)| < 0.5 (|f| + |b|) + 0.5 pixels.
_RELATIVE, _ABSOLUTE = 0.5, 0.5
# Seen by at least two frames, and by a tenth of them.
_LEAST_FRAMES, _LEAST_SHARE = 2, 0.1
# Pixels of the longer side that images are matched at. Every view is matched with every frame,
# and back: at 640 pixels that would take longer than all other figures together.
_MATCHED_SIDE = 320
# What the matcher takes at least.
_LEAST_SIDE = 16


def covisibility_mask(
    image: Float[Tensor, "H W 3"],
    training_images: Sequence[Float[Tensor, "H W 3"]],
    *,
    estimator: FlowEstimator = dense_inverse_search,
) -> Bool[Tensor, "H W"]:
    """Mark the pixels of a test view that enough training frames saw.

    After DyCheck (Gao et al., NeurIPS 2022) with OSN's thresholds, matched by our own flow at no
    more than 320 pixels of the longer side.

    Args:
        image: the test view, RGB in [0, 1].
        training_images: all training frames, of its size.
        estimator: the matcher.

    Raises:
        InputError: sizes differ, or a side is below 16 pixels.
    """
    small = _matched_size(image)
    frames = (_matched_size(other) for other in training_images)
    pairs = ((estimator(small, other), estimator(other, small)) for other in frames)
    seen = covisible_by_flow(pairs, small.shape[0], small.shape[1])
    height, width = image.shape[:2]
    grown = cv2.resize(seen.byte().numpy(), (width, height), interpolation=cv2.INTER_NEAREST)
    return torch.from_numpy(grown.astype(np.bool_))


def covisible_by_flow(
    flows: Iterable[tuple[Float[Tensor, "H W 2"], Float[Tensor, "H W 2"]]],
    height: int,
    width: int,
) -> Bool[Tensor, "H W"]:
    """Mark the pixels whose match is confirmed in max(2, a tenth) of the training frames.

    A match is confirmed when going to the frame and coming back ends near the start,
    |f + b| < 0.5 (|f| + |b|) + 0.5 pixels with b read where f leads, inside the frame.

    Args:
        flows: per training frame the flow from the test view to it, and back; pixels.
    """
    confirmed, count = torch.zeros(height, width, dtype=torch.int64), 0
    for forward, backward in flows:
        confirmed += _consistent(forward, backward)
        count += 1
    return confirmed >= max(_LEAST_FRAMES, _LEAST_SHARE * count)


def _matched_size(image: Float[Tensor, "H W 3"]) -> Float[Tensor, "h w 3"]:
    height, width = image.shape[:2]
    ratio = max(_MATCHED_SIDE / max(height, width), _LEAST_SIDE / min(height, width))
    if ratio >= 1:
        return image
    size = round(ratio * width), round(ratio * height)
    return torch.from_numpy(cv2.resize(image.numpy(), size, interpolation=cv2.INTER_AREA))


def _consistent(
    forward: Float[Tensor, "H W 2"], backward: Float[Tensor, "H W 2"]
) -> Bool[Tensor, "H W"]:
    height, width = forward.shape[:2]
    target = pixel_centres(height, width, forward) + forward
    back = sample_image(backward, target)
    miss = (forward + back).norm(dim=-1)
    allowed = _RELATIVE * (forward.norm(dim=-1) + back.norm(dim=-1)) + _ABSOLUTE
    return (miss < allowed) & inside_image(target, height, width)
