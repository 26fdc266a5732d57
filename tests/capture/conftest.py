"""Tiny captures on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Save = Callable[..., Path]


@pytest.fixture
def save() -> Save:
    """Return a function that stores an array as a picture, its folders made on the way."""

    def store(path: Path, array: np.ndarray, mode: str | None = None, **options) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(array)
        (picture if mode is None else picture.convert(mode)).save(path, **options)
        return path

    return store


@pytest.fixture
def clip(tmp_path: Path, save: Save) -> Callable[..., Path]:
    """Return a function that makes a DAVIS clip: frame t is grey 10 t; the mask a row t."""

    def make(frames: int = 3, width: int = 8, height: int = 6, masks: bool = True) -> Path:
        root = tmp_path / "clip"
        for t in range(frames):
            grey = np.full((height, width, 3), 10 * t, np.uint8)
            save(root / "JPEGImages" / "v" / f"{t:05d}.png", grey)
            if masks:
                mask = np.zeros((height, width), np.uint8)
                mask[t] = 255
                save(root / "Annotations" / "v" / "001" / f"{t:05d}.png", mask)
        return root

    return make
