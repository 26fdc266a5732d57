"""What a reader hands on: where each channel of each frame comes from, and which frames to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from fourfold.capture.bodies import RigidBody
from fourfold.capture.hints import Hint
from fourfold.capture.view_choice import ViewChoice
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera

Item = TypeVar("Item")

ImageLoader = Callable[[], Float[np.ndarray, "H W 3"]]
MaskLoader = Callable[[], Bool[np.ndarray, "H W"]]
MasksLoader = Callable[[], Bool[np.ndarray, "K H W"]]
DepthLoader = Callable[[], Float[np.ndarray, "H W"]]
FieldLoader = Callable[[], Float[np.ndarray, "h w 2"]]

# Longer side of a capture where neither the user nor its layout says another.
DEFAULT_MAX_SIZE = 720


@dataclass(frozen=True)
class FrameSelection:
    """The frames start, start + step, ... below stop, as positions in the capture."""

    start: int = 0
    stop: int | None = None
    step: int = 1

    @staticmethod
    def parse(text: str | None) -> FrameSelection:
        """Read "a:b:step" (each part may be left out; b is not included) or one position "a".

        Raises:
            UsageError: the text says something else, or is negative, or the step is 0.

        >>> FrameSelection.parse("10:50:4")
        FrameSelection(start=10, stop=50, step=4)
        """
        if text is None:
            return FrameSelection()
        parts = text.split(":")
        try:
            numbers = [int(part) if part.strip() else None for part in parts]
        except ValueError:
            numbers = []
        if not 1 <= len(numbers) <= 3 or any(n is not None and n < 0 for n in numbers):
            raise _bad_selection(text)
        if len(numbers) == 1:
            if numbers[0] is None:
                raise _bad_selection(text)
            return FrameSelection(numbers[0], numbers[0] + 1)
        start, stop, step = (*numbers, None)[:3]
        if step == 0:
            raise _bad_selection(text)
        return FrameSelection(start or 0, stop, 1 if step is None else step)

    def keeps(self, position: int) -> bool:
        """Say whether the frame at this position is one of the selected."""
        below = self.stop is None or position < self.stop
        return position >= self.start and below and (position - self.start) % self.step == 0

    def pick(self, items: Sequence[Item], path: Path) -> tuple[Item, ...]:
        """Return the selected items.

        Raises:
            InputError: none is selected.
        """
        picked = tuple(items[self.start : self.stop : self.step])
        if not picked:
            raise InputError(
                f"the selection of frames {self} keeps none of {len(items)} frames",
                path=path,
                expected=f"positions from 0 to {len(items) - 1}",
            )
        return picked

    def __str__(self) -> str:
        return f"{self.start}:{'' if self.stop is None else self.stop}:{self.step}"


def _bad_selection(text: str) -> UsageError:
    return UsageError(
        f"cannot read the selection of frames {text!r}",
        expected="a:b:step with numbers from 0, b not included, for example 0:50:2",
    )


@dataclass(frozen=True)
class ReadOptions:
    """What the user asked of a reader: which frames, how large, how fast."""

    selection: FrameSelection = field(default_factory=FrameSelection)
    max_size: int = DEFAULT_MAX_SIZE
    fps: float | None = None


@dataclass(frozen=True)
class Source:
    """Where everything in a capture comes from; nothing is decoded yet.

    Channels are dictionaries whose keys name the view and the frame (never its position); a key
    that is not there means that this frame has no such channel. Sizes are (width, height) as
    stored and upright; cameras are in stored pixels and may carry a lens distortion.
    """

    layout: str
    views: tuple[str, ...]
    frames: tuple[str, ...]
    timestamps: tuple[float, ...]
    fps: float
    sizes: dict[str, tuple[int, int]]
    images: dict[tuple[str, str], ImageLoader]
    objects: tuple[str, ...] = ()
    masks: dict[tuple[str, str], MasksLoader] = field(default_factory=dict)
    depth: dict[tuple[str, str], DepthLoader] = field(default_factory=dict)
    cameras: dict[tuple[str, str], Camera] = field(default_factory=dict)
    # (object, frame) -> the image and the amodal mask with what hides the object taken away
    inpainted: dict[tuple[str, str], tuple[ImageLoader, MaskLoader]] = field(default_factory=dict)
    # all frames of the capture, also those that were not selected
    known_frames: frozenset[str] = frozenset()
    # what the layout keeps for tests, and what the user says of it
    held_out_views: tuple[str, ...] = ()
    view_choice: ViewChoice = field(default_factory=ViewChoice)
    # the file that each frame is read from, where it has one to itself
    image_files: dict[tuple[str, str], Path] = field(default_factory=dict)
    # view -> nearest and farthest depth in world units, where the capture says them
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    # of several cameras: the file of their poses and how it was read, a phrase
    poses_from: str | None = None
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    # whether nothing says the frame rate
    fps_assumed: bool = False
    truth_folder: Path | None = None
    # the background first; frames count the selected ones, pixels are stored ones
    bodies: tuple[RigidBody, ...] = ()
    bodies_folder: Path | None = None
    # views and frames whose camera has intrinsics, but no known pose
    unposed: frozenset[tuple[str, str]] = frozenset()
    # a capture in OSN's layout, whose truth lies beside the input
    rigid_truth_folder: Path | None = None
    # channels whose loaders give the working size: a video is decoded once, a photo by parts
    prescaled: frozenset[str] = frozenset()
    # of a single photo: arrows in stored pixels, and a field in pixels of its own grid per frame
    hints: tuple[Hint, ...] = ()
    motion_field: FieldLoader | None = None
    # what the user asked for that changes the input, beside files and sizes; for the fingerprint
    settings: tuple[str, ...] = ()
