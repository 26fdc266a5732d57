"""The photo continued beyond its borders, so that a moving camera does not see them. Own."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from fourfold.estimators import LandscapeDepth
from fourfold.geometry import Camera

MARGIN = 0.035
"""Share of the longer side: 45 px at 1280, where the camera paths show up to 30."""
SAME_SURFACE = 0.25
"""Relative step of 1/z up to which the border and what lies a margin inside are one surface."""


@dataclass(frozen=True)
class Canvas:
    """A photo with its depth, continued by `margin` pixels on each side.

    image: (H, W, 3); landscape: on the same pixels; camera: the photo's, widened, so that points
    keep their place in the world.
    """

    image: Float[Tensor, "H W 3"]
    landscape: LandscapeDepth
    camera: Camera
    margin: int

    @property
    def invented(self) -> Bool[Tensor, "H W"]:
        """The pixels outside the photo."""
        mask = torch.ones(self.image.shape[:2], dtype=torch.bool)
        self.photo(mask)[...] = False
        return mask

    def photo(self, chart: Shaped[Tensor, "H W *C"]) -> Shaped[Tensor, "h w *C"]:
        """Give the part of a map over the canvas that lies on the photo, as a view."""
        height, width = chart.shape[:2]
        return chart[self.margin : height - self.margin, self.margin : width - self.margin]

    def extend(self, chart: Shaped[Tensor, "h w *C"]) -> Shaped[Tensor, "H W *C"]:
        """Continue a map over the photo (masks, velocities) as the picture is: mirrored."""
        return _mirror(chart, self.margin)


def extend_canvas(
    image: Float[Tensor, "h w 3"],
    landscape: LandscapeDepth,
    camera: Camera,
    margin: float = MARGIN,
) -> Canvas:
    """Continue a photo and its depth outward.

    The picture is mirrored at its borders, which leaves no seam (exemplar fill does, where nothing
    is known on the far side, and takes eight seconds). 1/z goes on linearly, so planes go on as
    planes; where a mirrored pixel lies on another surface than the border, it keeps its depth.

    Args:
        margin: in shares of the longer side; at most what can be mirrored.
    """
    height, width = image.shape[:2]
    pixels = min(round(margin * max(height, width)), height - 1, width - 1)
    inverse = (1 / landscape.depth.double()).numpy()
    least, most = inverse.min(), inverse.max()
    for axis in (0, 1):
        inverse = _continue(inverse, pixels, axis)
    # Nothing goes beyond infinity, and nothing comes to the camera's nose.
    depth = torch.from_numpy((1 / inverse.clip(least, 1.5 * most)).astype(np.float32))
    sky = _mirror(landscape.sky, pixels)
    extended = replace(
        landscape,
        depth=torch.where(sky, _mirror(landscape.depth, pixels), depth),
        sky=sky,
        ground=_mirror(landscape.ground, pixels),
        horizon=landscape.horizon + pixels,
    )
    wide = camera.cropped(-pixels, -pixels, width + 2 * pixels, height + 2 * pixels)
    return Canvas(_mirror(image, pixels), extended, wide, pixels)


def _continue(inverse: np.ndarray, pixels: int, axis: int) -> np.ndarray:
    padding = [(0, 0), (0, 0)]
    padding[axis] = (pixels, pixels)
    mirrored = np.pad(inverse, padding, mode="reflect")
    border = np.pad(inverse, padding, mode="edge")
    linear = 2 * border - mirrored
    return np.where(np.abs(mirrored - border) <= SAME_SURFACE * border, linear, mirrored)


def _mirror(chart: Tensor, pixels: int) -> Tensor:
    array = chart.numpy()
    if array.dtype == np.bool_:
        return _mirror(torch.from_numpy(array.astype(np.uint8)), pixels) > 0
    wide = cv2.copyMakeBorder(array, *(pixels,) * 4, borderType=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(wide.reshape(*wide.shape[:2], *chart.shape[2:]))
