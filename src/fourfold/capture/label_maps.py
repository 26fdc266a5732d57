"""Label maps on disk, `.npy` or `.png`: which body is seen at each pixel, 0 for the background."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from fourfold.capture.arrays import read_array
from fourfold.capture.images import opened, require_size
from fourfold.capture.names import files_of_frames
from fourfold.capture.source import MasksLoader
from fourfold.errors import InputError

LABEL_SUFFIXES = frozenset({".npy", ".png"})


def read_label_map(
    path: Path, size: tuple[int, int], frame: str | None = None
) -> Int[np.ndarray, "H W"]:
    """Read a label map; int64.

    Args:
        size: (width, height) that it must have.

    Raises:
        InputError: damaged, of another size, or not of whole numbers from 0.
    """
    if path.suffix.lower() == ".npy":
        labels = read_array(path, (size[1], size[0]))
    else:
        require_size(path, size, frame or path.stem, "label map")
        with opened(path, frame) as image:
            labels = np.asarray(image)
    if labels.ndim != 2 or (labels != np.rint(labels)).any() or labels.min() < 0:
        raise InputError(
            "not a label map",
            path=path,
            frame=frame,
            expected="whole numbers from 0, one per pixel",
        )
    return labels.astype(np.int64)


def find_label_maps(folder: Path, frames: Sequence[str], known: frozenset[str]) -> dict[str, Path]:
    """Find the label maps in a folder and pair them with the frames by name.

    Args:
        frames: names of the frames that are used; each needs a map.
        known: names of all frames there are; each map must belong to one of them.

    Raises:
        InputError: a frame has none, or a map belongs to no frame.
    """
    return files_of_frames(
        folder,
        LABEL_SUFFIXES,
        frames,
        known,
        "label map",
        "one .npy or .png per frame, named like the frame",
    )


def label_loaders(
    paths: dict[str, Path], frames: Sequence[str], size: tuple[int, int], num_objects: int
) -> dict[str, MasksLoader]:
    """Build one loader of the masks of the objects 1, 2, ... per frame."""
    return {f: partial(_object_masks, paths[f], size, f, num_objects) for f in frames}


def _object_masks(
    path: Path, size: tuple[int, int], frame: str, num_objects: int
) -> Bool[np.ndarray, "K H W"]:
    labels = read_label_map(path, size, frame)
    if labels.max() > num_objects:
        raise InputError(
            f"the label map has the label {labels.max()}",
            path=path,
            frame=frame,
            expected=f"0 for the background, 1 to {num_objects} for the objects",
        )
    return labels == np.arange(1, num_objects + 1)[:, None, None]
