"""Depth layers on disk: each body's own depth, also where it is hidden."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture.sizes import scale_depth
from fourfold.errors import InputError


def read_layers(path: Path, unit: float, size: tuple[int, int]) -> Float[Tensor, "K H W"]:
    """Read a stack of depths; float32, NaN where a body is not.

    Args:
        unit: scene units per count.
        size: (width, height) to which it is scaled, by nearest neighbours.

    Raises:
        InputError: missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            counts = file["layers"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"the layers are damaged ({error})", path=path, expected="layers of (K, H, W)"
        ) from error
    if counts.ndim != 3 or counts.dtype != np.uint16:
        raise InputError(
            f"layers of shape {counts.shape} and type {counts.dtype}",
            path=path,
            expected="(K, H, W), 16-bit unsigned",
        )
    depths = np.where(counts > 0, counts * np.float32(unit), np.float32(np.nan))
    return torch.from_numpy(np.stack([scale_depth(layer, size) for layer in depths]))
