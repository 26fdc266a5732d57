"""Randomness that survives an interruption: every stream is derived, none is carried along."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def generator(seed: int, *keys: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """Make the random generator that belongs to a seed and a list of keys.

    Own. The state is a hash of seed and keys, so a loop that asks for
    `generator(seed, "move", step)` draws the same numbers at a step whether it came there in one
    go or was stopped and resumed: no generator state needs to be saved.

    >>> first = torch.rand(2, generator=generator(0, "move", 7))
    >>> bool((first == torch.rand(2, generator=generator(0, "move", 7))).all())
    True
    """
    # repr keeps 1 and "1", and ("a", "b") and ("ab",), apart.
    digest = hashlib.sha256(repr((int(seed), *keys)).encode()).digest()
    # Half the range of manual_seed, so that the number is a valid signed integer everywhere.
    number = int.from_bytes(digest[:8], "little") >> 1
    return torch.Generator(device=device).manual_seed(number)


@contextmanager
def deterministic() -> Iterator[None]:
    """Have torch use only operations that give the same bits each time, inside the block.

    Raises:
        RuntimeError: by torch, when an operation without a deterministic form is used.
    """
    if torch.cuda.is_available():
        # cuBLAS is deterministic only with a fixed workspace, read when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    was_on = torch.are_deterministic_algorithms_enabled()
    warned_only = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    # Filling every fresh tensor costs time and only matters to code that reads it unwritten.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=warned_only)
        torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
