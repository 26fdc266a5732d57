"""Footage on disk: all frames at working size as mapped bytes, so that memory does not grow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

# Bytes of one block of rows over all frames; small enough for a laptop, large enough for its disk.
_BLOCK = 1 << 25
# Frames that a median is taken of, at most: with more it hardly changes, and takes as much longer.
_MEDIAN_FRAMES = 64


@dataclass(frozen=True)
class FrameStore:
    """The frames of several views as mapped files; `store_frames` makes one.

    Attributes:
        views: names, in the order in which the methods count them.
        num_frames: T.
        pixels: view -> (U,H,W,3) uint8, mapped, each picture once.
        order: view -> (T,), which of the pictures each frame is.
    """

    views: tuple[str, ...]
    num_frames: int
    pixels: tuple[UInt8[np.ndarray, "U H W 3"], ...]
    order: tuple[Int[np.ndarray, "T"], ...]
    _medians: dict[int, UInt8[np.ndarray, "H W 3"]] = field(default_factory=dict, init=False)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """The (width, height) of each view."""
        return tuple((pixels.shape[2], pixels.shape[1]) for pixels in self.pixels)

    def image(self, frame: int, view: int = 0) -> UInt8[np.ndarray, "H W 3"]:
        """Return a frame; a read-only view of the file."""
        return self.pixels[view][self.order[view][frame]]

    def colors(
        self,
        views: Int[Tensor, "B"],
        frames: Int[Tensor, "B"],
        x: Int[Tensor, "B"],
        y: Int[Tensor, "B"],
    ) -> Float[Tensor, "B 3"]:
        """Read single pixels: float32 in [0, 1].

        Args:
            views, frames: counted from 0.
            x, y: column and row, below the view's width and height.
        """
        wanted = views.numpy()
        found = np.empty((len(wanted), 3), np.uint8)
        places = frames.numpy(), y.numpy(), x.numpy()
        for view in np.unique(wanted):
            chosen = np.flatnonzero(wanted == view)
            time, row, column = (place[chosen] for place in places)
            found[chosen] = self.pixels[view][self.order[view][time], row, column]
        return torch.from_numpy(found).float() / 255

    def moments(self, view: int) -> tuple[Float[np.ndarray, "H W 3"], Float[np.ndarray, "H W"]]:
        """Return the mean over time, and the standard deviation over time, averaged over RGB.

        Source: the deviation is what MixVoxels (ICCV 2023) labels moving pixels by, unblurred.

        Returns:
            mean, deviation: float32, of colours in [0, 1]; sums are exact.
        """
        width, height = self.sizes[view]
        mean, deviation = np.empty((height, width, 3), np.float32), np.empty((height, width))
        for rows in self._blocks(view):
            block = self.pixels[view][:, rows]
            total, squares = np.zeros(block.shape[1:]), np.zeros(block.shape[1:])
            for picture in self.order[view]:
                cv2.accumulate(block[picture], total)
                cv2.accumulateSquare(block[picture], squares)
            average = total / self.num_frames
            variance = np.maximum(squares / self.num_frames - average**2, 0)
            mean[rows] = average / 255
            deviation[rows] = np.sqrt(variance).mean(2) / 255
        return mean, deviation.astype(np.float32)

    def mean(self, view: int) -> Float[np.ndarray, "H W 3"]:
        """Return the mean over time; float32 in [0, 1]."""
        return self.moments(view)[0]

    def deviation(self, view: int) -> Float[np.ndarray, "H W"]:
        """Return the standard deviation over time, averaged over RGB; float32."""
        return self.moments(view)[1]

    def median(self, view: int) -> UInt8[np.ndarray, "H W 3"]:
        """Return the median over time of each channel, computed once; to be left as it is.

        Of more than 64 frames, of 64 that are spread evenly. What lies between two counts is
        rounded to the even one.
        """
        if view not in self._medians:
            self._medians[view] = self._median(view)
        return self._medians[view]

    def _median(self, view: int) -> UInt8[np.ndarray, "H W 3"]:
        width, height = self.sizes[view]
        median = np.empty((height, width, 3), np.uint8)
        count = min(self.num_frames, _MEDIAN_FRAMES)
        frames = np.linspace(0, self.num_frames - 1, count).round().astype(np.int64)
        pictures = self.order[view][frames]
        for rows in self._blocks(view):
            block = self.pixels[view][pictures, rows]
            # time last and in one piece: NumPy's stable sort of bytes counts them, in one pass
            series = np.sort(np.moveaxis(block, 0, -1).copy(), axis=-1, kind="stable")
            middle = series[..., [(count - 1) // 2, count // 2]]
            median[rows] = middle.mean(-1).round()
        return median

    def _blocks(self, view: int) -> Iterator[slice]:
        """Cut a view into blocks of rows that take little memory over all frames."""
        width, height = self.sizes[view]
        step = max(1, _BLOCK // (self.num_frames * width * 3))
        return (slice(top, min(top + step, height)) for top in range(0, height, step))


def open_mapped(file: Path) -> UInt8[np.ndarray, "U H W 3"]:
    """Map a stored view."""
    # A plain array, since each index into a memmap makes another memmap, slowly.
    return np.asarray(np.load(file, mmap_mode="r"))
