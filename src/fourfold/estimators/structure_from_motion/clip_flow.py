"""The frames of a clip as bytes, and the flow between neighbours both ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy import ndimage
from torch import Tensor

from fourfold.estimators.flow import FlowEstimator, dense_inverse_search, forward_backward_valid
from fourfold.estimators.frame_sequence import FrameSequence


@dataclass(frozen=True, eq=False)
class Step:
    """Flow from one frame to a neighbour: (H, W, 2) pixels in half precision, and its check."""

    flow: Float[np.ndarray, "H W 2"]
    valid: Bool[np.ndarray, "H W"]


@dataclass(frozen=True, eq=False)
class ClipFlow:
    """Frames as bytes, and the steps t -> t + 1 (`forward`) and t + 1 -> t (`backward`).

    Half precision keeps long clips small; matches are refined against the images afterwards.
    """

    images: UInt8[np.ndarray, "T H W 3"]
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]

    @property
    def num_frames(self) -> int:
        """How many frames there are."""
        return len(self.images)

    def image(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Give a frame as RGB in [0, 1]."""
        return torch.from_numpy(self.images[frame]).float() / 255

    def step(self, source: int, target: int) -> Step:
        """Give the flow from a frame to a neighbour of it."""
        return self.forward[source] if target > source else self.backward[target]


def clip_flow(
    images: FrameSequence,
    *,
    estimator: FlowEstimator = dense_inverse_search,
    advance: Callable[[], None] = lambda: None,
) -> ClipFlow:
    """Match each frame with the next, both ways.

    Args:
        images: RGB in [0, 1], all of one size; each is read once.
        advance: called after each frame.

    Raises:
        InputError: frames below 16 px.
    """
    kept, forward, backward = [], [], []
    before: Tensor | None = None
    for index in range(len(images)):
        image = images[index]
        kept.append((image.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy())
        if before is not None:
            there, back = estimator(before, image), estimator(image, before)
            forward.append(_step(there, forward_backward_valid(there, back)))
            backward.append(_step(back, forward_backward_valid(back, there)))
        before = image
        advance()
    return ClipFlow(np.stack(kept), tuple(forward), tuple(backward))


def background_flow(clip: ClipFlow, regions: Bool[np.ndarray, "T H W"]) -> ClipFlow:
    """Give the flow of the background: that of whole images, continued to the pixels around it.

    Args:
        regions: the background's pixels in each frame.
    """
    steps = range(clip.num_frames - 1)
    forward = tuple(_continued_step(clip.forward[t], regions[t]) for t in steps)
    backward = tuple(_continued_step(clip.backward[t], regions[t + 1]) for t in steps)
    return ClipFlow(clip.images, forward, backward)


def _continued_step(step: Step, region: np.ndarray) -> Step:
    confirmed = step.valid & region
    return Step(continued(step.flow, confirmed), confirmed)


def continued(flow: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Give each pixel the flow of the nearest known one, so that reading between pixels is safe."""
    if known.all() or not known.any():
        return flow
    _, nearest = ndimage.distance_transform_edt(~known, return_indices=True)  # type: ignore[misc]
    return flow[nearest[0], nearest[1]]


def _step(flow: Tensor, valid: Tensor) -> Step:
    return Step(flow.numpy().astype(np.float16), valid.numpy())
