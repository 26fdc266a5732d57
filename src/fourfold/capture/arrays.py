"""Arrays on disk, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fourfold.errors import InputError


def read_array(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read a `.npy` array of numbers; None in the shape stands for any length.

    Raises:
        InputError: missing, damaged, or of another shape.
    """
    expected = f"numbers of shape ({', '.join('any' if n is None else str(n) for n in shape)})"
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError("there is no such file", path=path, expected=expected) from error
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"damaged ({error})", path=path, expected=expected) from error
    same = len(array.shape) == len(shape)
    same = same and all(n is None or n == m for n, m in zip(shape, array.shape, strict=True))
    if not same or array.dtype.kind not in "fiub":
        raise InputError(
            f"an array of shape {array.shape} and type {array.dtype}", path=path, expected=expected
        )
    return array
