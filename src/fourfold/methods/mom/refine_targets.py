"""The frames that the stage refine aims at: the photo's own view, animated over one loop."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from fourfold.errors import FourfoldError, InputError, UsageError
from fourfold.geometry import Camera, unproject_pixels
from fourfold.methods.mom.animator import load_animator
from fourfold.methods.mom.photo import Photo
from fourfold.scene import LoopMotion, blend_pictures

STILL_SHARE = 1e-4
"""What the photo counts where nothing has come to: it gives way to all that moves."""


KERNEL = 4
"""Pixels over which Lanczos' kernel reaches to each side."""


class Targets(Protocol):
    """The photo's view at a frame of the loop; right inside the moving regions."""

    def __call__(self, frame: int) -> Float[Tensor, "H W 3"]: ...


@dataclass(frozen=True, eq=False)
class PathTargets:
    """The photo read along the paths on which the scene's own matter moves; own.

    Each copy of each phase of a `LoopMotion` becomes a picture: a pixel shows what the photo has
    at the place from which the copy's matter came. They are blended as the scene is. So the
    targets are what the scene would look like if it were drawn without gaps and without blur, and
    both agree on which place fades when. (`EulerAnimator` knows one phase only: the scene would
    learn to fade where it does not.) Made when asked for; nothing is kept.
    """

    photo: Photo
    motions: Sequence[LoopMotion]

    def __call__(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Give the photo at a frame, in [0,1]; outside the regions it stays to the bit."""
        shown = self.photo.image.clone()
        for motion in self.motions:
            place = _place(motion, self.photo.camera)
            part = shown[place.rows, place.columns]
            part[place.inside] = self._animate(motion, place, float(frame))
        return shown

    def _animate(self, motion: LoopMotion, place: "_Place", time: float) -> Float[Tensor, "N 3"]:
        """Animate one region: the colours of its pixels, row by row."""
        inside, still = place.inside, self.photo.image[place.rows, place.columns]
        rows, columns = torch.nonzero(inside).unbind(-1)
        pixels = torch.stack((columns + place.columns.start, rows + place.rows.start), dim=-1)
        pictures, shares = [], []
        for source, counts in _sources(motion, pixels + 0.5 - place.corner, time):
            come = counts > 0
            picture, share = still.clone(), torch.full(inside.shape, STILL_SHARE)
            read = _read(self.photo.image, source + place.corner)
            # at the banks what moves thins out, as in the scene
            weight = (place.presence[inside] * come).unsqueeze(-1)
            picture[inside] = torch.lerp(still[inside], read, weight)
            share[inside] = torch.where(come, counts, STILL_SHARE)
            pictures.append(picture)
            shares.append(share)
        return blend_pictures(pictures, shares)[inside].clamp(0, 1)


@dataclass(frozen=True, eq=False)
class GivenTargets:
    """The frames of an animator, kept as bytes."""

    frames: UInt8[Tensor, "T H W 3"]

    def __call__(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Give a frame in [0,1]."""
        return self.frames[frame].float() / 255.0


def given_targets(
    name: str,
    photo: Photo,
    mask: Bool[Tensor, "H W"],
    velocity: Float[Tensor, "H W 2"],
    num_frames: int,
) -> GivenTargets:
    """Have an animator (see `load_animator`) make the frames of one loop.

    Raises:
        UsageError: there is no such animator, it fails, or what it gives is no such video.
        InputError: a folder's pictures do not fit.
    """
    animate = load_animator(name)
    try:
        frames = animate(photo.image, mask, velocity, num_frames)
    except FourfoldError:
        raise
    except Exception as error:
        raise UsageError(
            f"the animator {name} failed: {type(error).__name__}: {error}",
            expected="a callable (image, mask, velocity, frames) -> (T,H,W,3)",
        ) from error
    expected = (num_frames, *photo.image.shape)
    if not isinstance(frames, Tensor) or tuple(frames.shape) != expected:
        found = tuple(frames.shape) if isinstance(frames, Tensor) else type(frames).__name__
        raise UsageError(f"the animator {name} gave {found}", expected=f"a tensor of {expected}")
    return GivenTargets(torch.stack([_to_bytes(frame, name) for frame in frames]))


def _to_bytes(frame: Float[Tensor, "H W 3"], name: str) -> UInt8[Tensor, "H W 3"]:
    if not bool(frame.isfinite().all()):
        raise InputError(f"the animator {name} gave NaN or infinite colours", expected="0 to 1")
    return (frame.detach().cpu().clamp(0, 1) * 255.0).round().byte()


class _Place(NamedTuple):
    """Where a motion's chart is on the photo: its corner, their common part, presence there."""

    corner: Float[Tensor, " 2"]
    rows: slice
    columns: slice
    presence: Float[Tensor, "h w"]

    @property
    def inside(self) -> Bool[Tensor, "h w"]:
        return self.presence > 0


def _place(motion: LoopMotion, camera: Camera) -> _Place:
    corner = (camera.intrinsics - motion.intrinsics)[:2, 2].round()
    x, y = map(int, corner.tolist())
    height, width = motion.surface.shape
    rows = slice(max(y, 0), min(y + height, camera.height))
    columns = slice(max(x, 0), min(x + width, camera.width))
    presence = motion.presence[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return _Place(corner, rows, columns, presence)


def _sources(
    motion: LoopMotion, pixels: Float[Tensor, "N 2"], time: float
) -> Iterator[tuple[Float[Tensor, "N 2"], Float[Tensor, " N"]]]:
    """Tell for each copy of each phase from where on the chart the matter at its pixels came.

    Returns:
        the places, and what the copy counts there: 0 where the place is not in the region.
    """
    points = unproject_pixels(motion.camera, pixels, torch.ones(len(pixels)))
    binding = motion.bind(points)
    for phase in range(len(motion.shares)):
        over = (time * binding.cycles / motion.period + phase / len(motion.shares)) % 1.0
        for turns, counts in ((-over, 1.0 - over), (1.0 - over, over)):
            start, places = motion.carry(points, turns, binding)
            shares = motion.bind(start).shares[:, phase]
            yield places, counts * shares * _within(motion, places)


def _within(motion: LoopMotion, places: Float[Tensor, "N 2"]) -> Bool[Tensor, " N"]:
    height, width = motion.surface.shape
    x, y = places.floor().long().unbind(-1)
    on_chart = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return on_chart & (motion.presence[y.clamp(0, height - 1), x.clamp(0, width - 1)] > 0)


def _read(image: Float[Tensor, "H W 3"], places: Float[Tensor, "N 2"]) -> Float[Tensor, "N 3"]:
    """Read the photo between its pixels, sharply; beyond its borders it is mirrored, as the canvas.

    The mirror is made first, since OpenCV's Lanczos kernel leaves a dark line at borders. And
    OpenCV takes no more than 32767 places in a row, so they come as a block.
    """
    height, width = image.shape[:2]
    low, high = places.amin(0), places.amax(0) - places.new_tensor([width, height])
    beyond = max(float(-low.amin()), float(high.amax()), 0.0)
    rim = min(math.ceil(beyond) + KERNEL, height - 1, width - 1)
    wide = cv2.copyMakeBorder(image.numpy(), *(rim,) * 4, borderType=cv2.BORDER_REFLECT_101)
    rows = -(-len(places) // width)
    block = np.zeros((rows * width, 2), np.float32)
    block[: len(places)] = places.numpy() - 0.5 + rim
    x, y = np.ascontiguousarray(block.reshape(rows, width, 2).transpose(2, 0, 1))
    read = cv2.remap(wide, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(read.reshape(-1, 3)[: len(places)])
