"""What is trained on: the frames of the training cameras, and the rays through their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture import Capture, FrameStore
from fourfold.errors import InputError
from fourfold.fields import Rays
from fourfold.geometry import Camera

BLUR = 1.0 / 300.0
"""Width of the blur of deviations over time, in shares of the picture's longer side."""


@dataclass(frozen=True)
class Footage:
    """The training cameras of a rig.

    `views` are the capture's view numbers, V of them; `frames` its frame numbers, T of them;
    `cameras` by view and frame; `bounds` (V,2) nearest and farthest z, NaN where unknown. Below,
    views and frames are positions in these. `store` holds all views and frames of the capture.
    """

    capture: Capture
    store: FrameStore
    views: tuple[int, ...]
    frames: tuple[int, ...]
    cameras: Sequence[Sequence[Camera]]
    bounds: Float[Tensor, "V 2"]

    @property
    def num_views(self) -> int:
        """How many cameras are trained on."""
        return len(self.views)

    @property
    def num_frames(self) -> int:
        """How many frames are trained on."""
        return len(self.frames)

    @cached_property
    def sizes(self) -> Int[Tensor, "V 2"]:
        """Width and height of each view."""
        return torch.tensor([[row[0].width, row[0].height] for row in self.cameras])

    @cached_property
    def _lenses(self) -> tuple[Float[Tensor, "V*T 3 3"], Float[Tensor, "V*T 3"]]:
        """The matrix from pixels to directions in the world of z = 1, and the place, of each."""
        cameras = [camera for row in self.cameras for camera in row]
        poses = torch.stack([camera.world_from_camera for camera in cameras])
        inverse = torch.stack([camera.intrinsics for camera in cameras]).inverse()
        return poses[:, :3, :3] @ inverse, poses[:, :3, 3]

    def rays(
        self, views: Int[Tensor, " B"], frames: Int[Tensor, " B"], pixels: Float[Tensor, "B 2"]
    ) -> tuple[Rays, Float[Tensor, " B"]]:
        """Give the rays through points of pictures, and depth z per unit of distance along each.

        Pixel centres are at +0.5. The rays begin at the camera and have no end.
        """
        turns, places = self._lenses
        which = views * self.num_frames + frames
        x, y = pixels.unbind(1)
        turn = turns[which]
        seen = turn[:, :, 0] * x[:, None] + turn[:, :, 1] * y[:, None] + turn[:, :, 2]
        cosines = 1.0 / seen.norm(dim=1)
        count = len(views)
        rays = Rays(
            places[which],
            seen * cosines[:, None],
            torch.zeros(count),
            torch.full((count,), torch.inf),
        )
        return rays, cosines

    def colors(
        self, views: Int[Tensor, " B"], frames: Int[Tensor, " B"], pixels: Int[Tensor, "B 2"]
    ) -> Float[Tensor, "B 3"]:
        """Read the colours of pixels."""
        stored = torch.tensor(self.views)[views], torch.tensor(self.frames)[frames]
        return self.store.colors(*stored, pixels[:, 0], pixels[:, 1])

    def draw(
        self, count: int, random: torch.Generator
    ) -> tuple[Int[Tensor, " B"], Int[Tensor, " B"], Int[Tensor, "B 2"]]:
        """Draw pixels of all views and frames alike."""
        shares = self.sizes.prod(1).double()
        views = torch.multinomial(shares, count, replacement=True, generator=random)
        frames = torch.randint(self.num_frames, (count,), generator=random)
        places = torch.rand(count, 2, generator=random)
        return views, frames, (places * self.sizes[views]).long()


def rig_of(capture: Capture, static: bool) -> Capture:
    """Give the capture as cameras side by side: of a still scene, frames of a camera that moved."""
    return capture.as_views() if static and len(capture.views) == 1 else capture


def training_views(capture: Capture) -> tuple[int, ...]:
    """Give the numbers of the views to train on.

    Raises:
        InputError: fewer than two.
    """
    views = tuple(capture.views.index(name) for name in capture.train_views)
    if len(views) < 2:
        raise InputError(
            f"{len(views)} cameras to train on",
            path=capture.path,
            expected="two or more that film the same scene",
            mend="Give a capture of several cameras; --test-cameras none holds out none",
        )
    return views


def read_footage(capture: Capture, store: FrameStore, frames: Sequence[int]) -> Footage:
    """Gather the training cameras of a capture at some of its frames.

    Raises:
        InputError: fewer than two cameras, a camera without a pose, or one that moves.
    """
    views = training_views(capture)
    cameras = []
    for view in views:
        found = [capture.camera(frame, view) for frame in frames]
        known = [camera for camera in found if camera is not None]
        if len(known) < len(found):
            raise InputError(
                f"the camera {capture.views[view]} has no pose",
                path=capture.path,
                mend="fourfold prepare poses finds poses",
            )
        if moves(known):
            raise InputError(
                f"the camera {capture.views[view]} moves",
                path=capture.path,
                expected="cameras that stand still: what changes in their pictures moves",
                mend="Of a still scene, train with --static",
            )
        cameras.append(known)
    bounds = [capture.bounds(view) or (torch.nan, torch.nan) for view in views]
    return Footage(capture, store, views, tuple(frames), cameras, torch.tensor(bounds).float())


def moves(cameras: Sequence[Camera]) -> bool:
    """Say whether a camera stands elsewhere at some time."""
    first = cameras[0].camera_from_world
    return any(not torch.equal(first, camera.camera_from_world) for camera in cameras)


def changing_pixels(
    deviations: Sequence[Float[Tensor, "H W"]], threshold: float
) -> list[Bool[Tensor, "H W"]]:
    """Find, in each view, the pixels whose colour changes over time.

    The original's measure (MixVoxels, Wang et al. 2023): the standard deviation over time, its
    mean over the channels, blurred; own: the blur's width goes with the picture's.
    """
    return [_blur(each, BLUR * max(each.shape)) > threshold for each in deviations]


def _blur(values: Float[Tensor, "H W"], sigma: float) -> Float[Tensor, "H W"]:
    return torch.from_numpy(cv2.GaussianBlur(values.numpy(), (0, 0), sigma))
