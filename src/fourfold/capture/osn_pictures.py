"""How pictures, label maps, depths and layers are stored in OSN's layout."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt16
from PIL import Image
from torch import Tensor

from fourfold.errors import UsageError

_MAX_COUNT = 65535
_MAX_LABEL = 255


@dataclass(frozen=True)
class PictureFormat:
    """Which files hold what.

    Attributes:
        compact: labels and depths as PNG, not as `.npy`.
        jpeg_quality: of pictures; None for PNG.
        depth_unit: scene units per count of 16-bit depths.
    """

    compact: bool
    jpeg_quality: int | None
    depth_unit: float

    def write_images(
        self, folder: Path, names: Sequence[str], images: Sequence[Float[Tensor, "H W 3"]]
    ) -> None:
        """Write pictures as 8-bit PNG or JPEG."""
        for name, image in zip(names, images, strict=True):
            picture = Image.fromarray(np.rint(image.clamp(0, 1).numpy() * 255).astype(np.uint8))
            if self.jpeg_quality is None:
                _save(folder / f"{name}.png", picture, "PNG")
            else:
                # colour at full resolution: subsampling bleeds over the edges of objects
                quality = {"quality": self.jpeg_quality, "subsampling": 0}
                _save(folder / f"{name}.jpg", picture, "JPEG", **quality)

    def write_labels(
        self, folder: Path, names: Sequence[str], labels: Sequence[Int[Tensor, "H W"]]
    ) -> None:
        """Write label maps as `.npy` (int64, as the original) or 8-bit PNG.

        Raises:
            UsageError: a label is below 0 or above 255.
        """
        for name, label in zip(names, labels, strict=False):
            values = label.numpy().astype(np.int64)
            if values.min() < 0 or values.max() > _MAX_LABEL:
                raise UsageError(
                    f"the labels of {name} lie between {values.min()} and {values.max()}",
                    expected=f"0 to {_MAX_LABEL}",
                )
            if self.compact:
                _save(folder / f"{name}.png", Image.fromarray(values.astype(np.uint8)), "PNG")
            else:
                _save_array(folder / f"{name}.npy", values)

    def write_depths(
        self, folder: Path, names: Sequence[str], depths: Sequence[Float[Tensor, "H W"]]
    ) -> None:
        """Write depths as `.npy` (float32, NaN where unknown) or 16-bit PNG (0 where unknown).

        Raises:
            UsageError: a depth is beyond what the unit can hold.
        """
        for name, depth in zip(names, depths, strict=False):
            if self.compact:
                _save(folder / f"{name}.png", Image.fromarray(self._counts(depth, name)), "PNG")
            else:
                _save_array(folder / f"{name}.npy", depth.numpy().astype(np.float32))

    def write_layers(
        self, folder: Path, names: Sequence[str], layers: Sequence[Float[Tensor, "K H W"]]
    ) -> None:
        """Write stacks of depths as compressed 16-bit `.npz`, 0 where absent.

        Raises:
            UsageError: a depth is beyond what the unit can hold.
        """
        for name, stack in zip(names, layers, strict=False):
            folder.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(folder / f"{name}.npz", layers=self._counts(stack, name))

    def _counts(self, depth: Float[Tensor, "*S"], name: str) -> UInt16[np.ndarray, "*S"]:
        known = np.nan_to_num(depth.numpy().astype(np.float64), nan=0.0)
        # what is there must not be rounded to "absent"
        counts = np.where(known > 0, np.maximum(np.rint(known / self.depth_unit), 1), 0)
        if counts.max(initial=0) > _MAX_COUNT:
            raise UsageError(
                f"a depth of {counts.max() * self.depth_unit:g} in {name} is too far",
                expected=f"at most {_MAX_COUNT * self.depth_unit:g}",
                mend="Give a larger depth_unit",
            )
        return counts.astype(np.uint16)


def _save(file: Path, picture: Image.Image, kind: str, **options: Any) -> None:
    # Encoded in memory, so that a full disk is an OSError of ours and not half a picture.
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(buffer.getvalue())


def _save_array(file: Path, array: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, array)
