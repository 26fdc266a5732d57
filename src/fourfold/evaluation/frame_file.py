"""A video on disk while it is measured, so that memory does not grow with it."""

import tempfile
from typing import Self

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from fourfold.files import writing


class FrameFile:
    """Frames of one size, written one after another and read again as one mapped video.

    To be used as a context: the file is a temporary one (in the folder that TMPDIR names) and goes
    at its end.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by the context's end)
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, frame: UInt8[Tensor, "H W 3"]) -> None:
        """Write the next frame.

        Raises:
            ValueError: it is of another size than those before.
            OutputError: the disk is full.
        """
        if self._count and self._shape != frame.shape:
            raise ValueError(f"a frame of {tuple(frame.shape)} after {tuple(self._shape)}")
        # written, not mapped: a full disk would end the process without a word
        with writing(tempfile.gettempdir()):
            self._file.write(frame.contiguous().numpy().data)
            self._file.flush()
        self._shape = tuple(frame.shape)
        self._count += 1

    def video(self) -> UInt8[Tensor, "T H W 3"]:
        """Map the frames written so far; changes to them are not kept."""
        shape = (self._count, *self._shape)
        return torch.from_numpy(np.memmap(self._file, np.uint8, mode="c", shape=shape))
