"""What each step of the stage move looks at: a whole frame, or a window around one object."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.training import generator

BACKGROUND_EVERY = 3
"""Every third step fits the background to a whole frame, the others an object in its window."""
MARGIN = 16
"""Pixels of background around an object in its window."""


@dataclass(frozen=True)
class View:
    """A frame, a window (x, y, width, height) of it, and the object it is about.

    ``index`` says which object, or is None for the background.
    """

    frame: int
    window: tuple[int, int, int, int]
    index: int | None

    @property
    def pixels(self) -> int:
        """Number of pixels of the window."""
        return self.window[2] * self.window[3]

    def crop(self, picture: Float[Tensor, "H W *C"]) -> Float[Tensor, "h w *C"]:
        """Cut the window out of a picture."""
        x, y, width, height = self.window
        return picture[y : y + height, x : x + width]

    def camera(self, camera: Camera) -> Camera:
        """Return the camera that sees the window only."""
        return camera.cropped(*self.window)


def choose_view(clip: Clip, step: int, seed: int) -> View:
    """Go through frames and objects in shuffled orders, the background every third step."""
    shown = [(t, k) for k in range(clip.num_objects) for t in clip.visible_frames(k)]
    turn, position = divmod(step, BACKGROUND_EVERY)
    if position == 0:
        return whole_frame(clip, _pick(clip.trained, turn, seed, "background"))
    frame, index = _pick(shown, turn * (BACKGROUND_EVERY - 1) + position - 1, seed, "objects")
    return View(frame, object_window(clip, frame, index), index)


def _pick(items, count: int, seed: int, purpose: str):
    """Return the item at a place of an endless sequence of shuffled rounds."""
    order = torch.randperm(len(items), generator=generator(seed, purpose, count // len(items)))
    return items[int(order[count % len(items)])]


def whole_frame(clip: Clip, frame: int) -> View:
    """Return the view of a frame without a window."""
    return View(frame, (0, 0, clip.width, clip.height), None)


def object_window(clip: Clip, frame: int, index: int) -> tuple[int, int, int, int]:
    """Return the box of an object's mask and inpainted part with a margin, within the picture."""
    mask, hidden = clip.masks[frame, index], clip.hidden.get((frame, index))
    y, x = torch.nonzero(mask if hidden is None else mask | hidden.mask, as_tuple=True)
    left, top = max(int(x.min()) - MARGIN, 0), max(int(y.min()) - MARGIN, 0)
    right = min(int(x.max()) + MARGIN + 1, clip.width)
    bottom = min(int(y.max()) + MARGIN + 1, clip.height)
    return left, top, right - left, bottom - top
