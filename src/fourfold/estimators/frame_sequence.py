"""What is asked of the frames of a clip: that they can be counted and read one by one."""

from typing import Protocol

from torch import Tensor


class FrameSequence(Protocol):
    """A tensor with frames along its first axis, a list of tensors, or anything lazy like them."""

    def __len__(self) -> int:
        """Count the frames."""
        ...

    def __getitem__(self, index: int, /) -> Tensor:
        """Read one frame."""
        ...
