"""What a synthetic rig knows: the depth that each camera sees, and what moves. For evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture.cameras import read_json
from fourfold.capture.depths import DEFAULT_DEPTH_UNIT, read_depth
from fourfold.capture.mask_files import read_mask
from fourfold.capture.sizes import scale_depth, scale_mask
from fourfold.errors import InputError

_HEAD = "rig.json"
_FORMAT = "fourfold-rig-truth"


class RigTruth:
    """The truth of a synthetic rig, for the views, frames and sizes in use.

    A method never sees it. Views and frames are counted as in the capture, whose world is the
    truth's; lengths are in metres.
    """

    def __init__(
        self,
        folder: Path,
        views: Sequence[str],
        frames: Sequence[str],
        sizes: Mapping[str, tuple[int, int]],
    ) -> None:
        """Keep where the truth is; nothing is read.

        Args:
            folder: with `rig.json`.
            views: names of the capture's views.
            frames: names of the selected frames.
            sizes: working (width, height) by view.
        """
        self.folder = folder
        self._views, self._frames, self._sizes = tuple(views), tuple(frames), dict(sizes)

    @cached_property
    def _head(self) -> dict[str, Any]:
        file = self.folder / _HEAD
        head = read_json(file)
        if not isinstance(head, dict) or head.get("format") != _FORMAT or head.get("version") != 1:
            raise InputError(
                "not the truth of a rig",
                path=file,
                expected=f'"format": "{_FORMAT}", "version": 1',
            )
        missing = {"width", "height", "fps", "few", "moving"} - set(head)
        if missing:
            raise InputError(f"keys are missing: {', '.join(sorted(missing))}", path=file)
        return head

    @property
    def fps(self) -> float:
        """The frames per second at which the rig filmed."""
        return float(self._head["fps"])

    @property
    def few(self) -> tuple[str, ...]:
        """The cameras to train on in experiments with few: far apart, around the held-out one."""
        return tuple(self._head["few"])

    @property
    def moving_objects(self) -> tuple[str, ...]:
        """The names of what moves."""
        return tuple(self._head["moving"])

    def depth(self, frame: int, view: int = 0) -> Float[Tensor, "H W"] | None:
        """Read the true z-depth in metres, NaN where nothing is; None where it is not stored.

        Raises:
            InputError: the file is damaged.
        """
        name, path = self._file("depth", frame, view)
        if path is None:
            return None
        unit = float(self._head.get("depth_unit", DEFAULT_DEPTH_UNIT))
        depth = read_depth(path, self._stored_size, unit, self._frames[frame])
        return torch.from_numpy(np.ascontiguousarray(scale_depth(depth, self._sizes[name])))

    def moving(self, frame: int, view: int = 0) -> Bool[Tensor, "H W"] | None:
        """Read where what moves is seen, its shadow not; None where it is not stored.

        Raises:
            InputError: the file is damaged.
        """
        name, path = self._file("moving", frame, view)
        if path is None:
            return None
        mask = read_mask(path, self._stored_size, self._frames[frame])
        return torch.from_numpy(np.ascontiguousarray(scale_mask(mask, self._sizes[name])))

    @property
    def _stored_size(self) -> tuple[int, int]:
        return int(self._head["width"]), int(self._head["height"])

    def _file(self, what: str, frame: int, view: int) -> tuple[str, Path | None]:
        """Give the name of the view, and its file if there is one."""
        name = self._views[view]
        path = self.folder / what / name / f"{self._frames[frame]}.png"
        return name, path if path.is_file() else None


def is_rig_truth(folder: Path) -> bool:
    """Say whether a truth folder is that of a rig."""
    return (folder / _HEAD).is_file()
