"""A photo's moving regions animated in the photo's own view: what the stage refine aims at.

The slot of a video model, as 3D-MOM has StyleCineGAN in it: any callable (image, mask, velocity,
frames) -> frames, or a folder of its pictures. The default needs no weights: the photo is read
along the flow, at full sharpness, in a symmetric loop (Holynski et al. 2021).
"""

from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import open_capture
from fourfold.errors import InputError
from fourfold.methods.mom.euler import paths, read_at
from fourfold.methods.mom.named import load_callable
from fourfold.methods.mom.nearest import nearest_pixel

# Pixels of the window whose contrast is kept.
WINDOW = 17
# What a copy that left the region still counts, for where both did.
LEAST_TRUST = 1e-3


class Animator(Protocol):
    """What makes a video of a photo."""

    def __call__(
        self,
        image: Float[Tensor, "H W 3"],
        mask: Bool[Tensor, "H W"],
        velocity: Float[Tensor, "H W 2"],
        num_frames: int,
    ) -> Float[Tensor, "T H W 3"]:
        """Animate the photo inside the mask, over one period; frame T would be frame 0 again."""
        ...


class EulerAnimator:
    """Move the photo along its flow in a seamless loop.

    Frame t mixes the photo carried for t frames and carried for t - T frames, (1 - t/T) : t/T. Both
    read the photo backwards along the flow; where one of them would read what lies beyond the
    moving region or the picture, the other one counts. Detail that the mix averages away where the
    copies differ is given back: what deviates from the local mean is amplified until its energy is
    that of the copies, at most by 1 / sqrt(a^2 + b^2), the loss of unrelated ones.
    """

    def __init__(self, keep_contrast: bool = True) -> None:
        self.keep_contrast = keep_contrast

    def __call__(
        self,
        image: Float[Tensor, "H W 3"],
        mask: Bool[Tensor, "H W"],
        velocity: Float[Tensor, "H W 2"],
        num_frames: int,
    ) -> Float[Tensor, "T H W 3"]:
        """Animate the photo; outside the mask it stays to the bit."""
        if not bool(mask.any()):
            return image.expand(num_frames, *image.shape).clone()
        photo, inside = image.cpu().numpy(), mask.cpu().numpy()
        _, row, column = nearest_pixel(inside)
        flow = velocity.cpu().numpy()[row, column]
        # Matter that is here after t frames was t frames up the flow; the other copy will have been
        # T - t frames down it.
        start = _copies(photo, inside, -flow, num_frames)
        end = _copies(photo, inside, flow, num_frames + 1)[:0:-1]
        frames = []
        for t, ((first, trust), (second, other)) in enumerate(zip(start, end, strict=True)):
            share = t / num_frames
            weights = (1.0 - share) * (trust + LEAST_TRUST), share * (other + LEAST_TRUST)
            mixed = self._mix(first, second, weights[1] / (weights[0] + weights[1]))
            frames.append(np.where(inside[..., None], mixed.clip(0.0, 1.0), photo))
        return torch.from_numpy(np.stack(frames)).to(image)

    def _mix(self, first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
        mixed = first + share * (second - first)
        if not self.keep_contrast:
            return mixed
        mean = _local_mean(mixed)
        found = _local_mean((mixed - mean) ** 2)
        energy = [_local_mean((copy - _local_mean(copy)) ** 2) for copy in (first, second)]
        wanted = energy[0] + share * (energy[1] - energy[0])
        gain = np.sqrt(wanted / np.maximum(found, 1e-8))
        return mean + gain.clip(1.0, 1.0 / np.hypot(share, 1.0 - share)) * (mixed - mean)


def _copies(
    photo: np.ndarray, inside: np.ndarray, flow: np.ndarray, count: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Read the photo after 0, 1, ... frames along a flow.

    Returns:
        For each frame the picture, and (H,W,1) how far its path has stayed inside the region.
    """
    trust = np.ones((*inside.shape, 1), dtype=np.float32)
    room = np.pad(inside, 1).astype(np.float32)[..., None]
    copies = []
    for places in paths(flow, range(count)):
        trust = np.minimum(trust, read_at(room, places + 1.0))
        copies.append((read_at(photo, places, cv2.INTER_CUBIC), trust))
    return copies


def _local_mean(image: np.ndarray) -> np.ndarray:
    return cv2.blur(image, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)


def load_animator(name: str) -> Animator:
    """Find an animator: "" for the default, a folder of frames, or MODULE:NAME of a callable.

    Raises:
        UsageError: it is none of these, or the module or the name in it does not exist.
    """
    if not name:
        return EulerAnimator()
    if Path(name).is_dir():
        return FrameFolder(Path(name))
    expected = "a folder of frames, or MODULE:NAME of a callable"
    return cast(Animator, load_callable(name, "animator", expected))


class FrameFolder:
    """The frames of one period that another program made, one picture each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        image: Float[Tensor, "H W 3"],
        mask: Bool[Tensor, "H W"],
        velocity: Float[Tensor, "H W 2"],
        num_frames: int,
    ) -> Float[Tensor, "T H W 3"]:
        """Read the frames; outside the mask the photo stays.

        Raises:
            InputError: there are not as many pictures as frames, or they have another size.
        """
        video = open_capture(self.folder, max_size=max(image.shape[:2]))
        if video.num_frames != num_frames:
            raise InputError(
                f"there are {video.num_frames} pictures",
                path=self.folder,
                expected=f"one per frame of the loop, {num_frames}",
                mend="Set the loop's frames to their number, one period without its first again",
            )
        frames = torch.stack([video.image(t) for t in range(num_frames)])
        if frames.shape[1:] != image.shape:
            height, width = frames.shape[1:3]
            raise InputError(
                f"the pictures are {width}x{height}",
                path=self.folder,
                expected=f"the photo's working size, {image.shape[1]}x{image.shape[0]}",
            )
        return torch.where(mask[..., None], frames, image)
