"""Dense optical flow with a forward-backward check, weight-free by default.

The matcher is OpenCV's DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV
2016). Whatever is known of the motion beforehand is taken out before matching: a prior flow for a
whole image, the change of the mask's place and size for an object.
"""

from typing import NamedTuple, Protocol

import cv2
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.estimators.sampling import inside_image, pixel_centres, sample_image

# Forward-backward consistency as in UnFlow (Meister et al. 2018) and DreamScene4D:
# |f + b(x + f)| <= RELATIVE (|f| + |b|) + ABSOLUTE pixels.
RELATIVE_TOLERANCE = 0.01
ABSOLUTE_TOLERANCE = 0.5
# DIS finds nothing in images smaller than its patch pyramid.
SMALLEST_SIDE = 16


class Flow(NamedTuple):
    """Motion of each pixel to the next image.

    flow: (H, W, 2) pixels, x then y; finite everywhere, meaningful where `valid`.
    valid: (H, W) bool, the match was confirmed from the other side.
    """

    flow: Float[Tensor, "H W 2"]
    valid: Bool[Tensor, "H W"]


class FlowEstimator(Protocol):
    """What a matcher has to offer; a pretrained network fits this slot."""

    def __call__(
        self, image0: Float[Tensor, "H W 3"], image1: Float[Tensor, "H W 3"]
    ) -> Float[Tensor, "H W 2"]:
        """Return the flow from image0 to image1 (RGB in [0, 1]), pixels, x then y."""
        ...


def dense_inverse_search(
    image0: Float[Tensor, "H W 3"], image1: Float[Tensor, "H W 3"]
) -> Float[Tensor, "H W 2"]:
    """Match two images by OpenCV's DIS on luminance, medium preset down to full resolution.

    Full resolution costs three times the preset's half resolution and cuts the error of matches
    that pass the forward-backward check by a third on FlyingChairs.

    Raises:
        InputError: sizes differ or a side is below 16 px.
    """
    _check_pair(image0, image1)
    matcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    matcher.setFinestScale(0)
    flow = matcher.calc(luminance_bytes(image0), luminance_bytes(image1), None)  # type: ignore[arg-type]
    return torch.from_numpy(flow).to(image0)


def luminance_bytes(image: Float[Tensor, "H W 3"]):
    """Return the 8-bit luminance (BT.601) of an RGB image in [0, 1] as OpenCV takes it."""
    bytes_ = (image.detach().clamp(0, 1) * 255 + 0.5).to(torch.uint8).cpu().contiguous()
    return cv2.cvtColor(bytes_.numpy(), cv2.COLOR_RGB2GRAY)


def forward_backward_valid(
    forward: Float[Tensor, "H W 2"], backward: Float[Tensor, "H W 2"]
) -> Bool[Tensor, "H W"]:
    """Tell where going forward and coming back ends at the start.

    |f + b| <= 0.01 (|f| + |b|) + 0.5 pixels, b read where f leads; matches that leave the image
    are invalid.
    """
    height, width = forward.shape[:2]
    target = pixel_centres(height, width, forward) + forward
    back = sample_image(backward, target)
    miss = (forward + back).norm(dim=-1)
    allowed = RELATIVE_TOLERANCE * (forward.norm(dim=-1) + back.norm(dim=-1)) + ABSOLUTE_TOLERANCE
    return (miss <= allowed) & inside_image(target, height, width)


def estimate_flow(
    image0: Float[Tensor, "H W 3"],
    image1: Float[Tensor, "H W 3"],
    *,
    prior: Float[Tensor, "H W 2"] | None = None,
    estimator: FlowEstimator = dense_inverse_search,
) -> Flow:
    """Estimate the flow from image0 to image1 and where it can be trusted.

    Own. With a prior, image1 is first warped by it, so only the remainder is matched: motions
    far beyond the matcher's reach become small.

    Args:
        image0, image1: RGB in [0, 1].
        prior: a rough flow in pixels, e.g. from a homography or a mask's motion.
        estimator: the matcher.

    Raises:
        InputError: sizes differ, or a side is below 16 px.
    """
    _check_pair(image0, image1)
    if prior is None:
        forward = estimator(image0, image1)
        return Flow(forward, forward_backward_valid(forward, estimator(image1, image0)))
    height, width = image0.shape[:2]
    centres = pixel_centres(height, width, image0)
    warped = sample_image(image1, centres + prior)
    remainder = estimator(image0, warped)
    consistent = forward_backward_valid(remainder, estimator(warped, image0))
    # image0(x) = warped(x + d) = image1(x + d + prior(x + d))
    flow = remainder + sample_image(prior, centres + remainder)
    return Flow(flow, consistent & inside_image(centres + flow, height, width))


def _check_pair(image0: Tensor, image1: Tensor) -> None:
    if image0.shape != image1.shape:
        raise InputError(
            f"flow between images of {tuple(image0.shape[:2])} and {tuple(image1.shape[:2])} "
            "(height, width)",
            expected="two images of one size",
        )
    if min(image0.shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"flow on an image of {tuple(image0.shape[:2])} (height, width)",
            expected=f"at least {SMALLEST_SIDE} pixels on each side",
        )
