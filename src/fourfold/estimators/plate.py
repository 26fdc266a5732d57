"""The background plate: what a clip shows behind its objects, as one wide picture.

Own. Every frame is laid onto the plate by its homography; a pixel of the plate is the median of
the frames that see it free of objects; what no frame sees is filled with pieces of the rest and
told.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.completion import complete
from fourfold.estimators.frame_sequence import FrameSequence
from fourfold.estimators.sampling import inside_image, pixel_centres, sample_image
from fourfold.geometry import Camera, project_points, unproject_pixels

FRAMES_IN_MEDIAN = 61  # more frames change the median little and cost memory and time
BAND_ROWS = 64  # plate rows worked on at once, which bounds memory
TELEA_RADIUS = 4  # pixels; Telea's fast marching continues edges, but only nearby
TELEA_REACH = 12  # pixels from known ones, beyond which the smooth fill takes over


class Plate(NamedTuple):
    """image: (H, W, 3) in [0, 1], filled everywhere; valid: (H, W) seen in at least one frame."""

    image: Float[Tensor, "H W 3"]
    valid: Bool[Tensor, "H W"]


class PlateToFrame(Protocol):
    """Where a frame sees points of the plate."""

    def __call__(
        self, frame: int, points: Float[Tensor, "R C 2"], rows: slice
    ) -> tuple[Float[Tensor, "R C 2"], Bool[Tensor, "R C"]]:
        """Return the frame's pixels for the plate's pixels in `rows`, and which lie ahead."""
        ...


def by_homographies(homographies: Float[Tensor, "T 3 3"]) -> PlateToFrame:
    """Lay frames onto a plate by homographies frame_from_plate."""

    def locate(frame: int, points: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        return _transfer(homographies[frame].double(), points)

    return locate


def by_depth(
    cameras: Sequence[Camera], view: Camera, depth: Float[Tensor, "Hp Wp"]
) -> PlateToFrame:
    """Lay frames onto a plate of known depth, seen by `view`."""

    def locate(frame: int, points: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
        world = unproject_pixels(view, points.to(depth), depth[rows])
        pixels, z = project_points(cameras[frame], world)
        return pixels, z > 0

    return locate


def median_plate(
    images: FrameSequence,
    free: FrameSequence,
    locate: PlateToFrame,
    height: int,
    width: int,
) -> Plate:
    """Lay all frames onto the plate and take the median of what is free of objects.

    Args:
        images: T times (H, W, 3) in [0, 1].
        free: T times (H, W) bool, background pixels.
        locate: where each frame sees the plate's points.
        height, width: of the plate.
    """
    chosen = torch.linspace(0, len(images) - 1, min(len(images), FRAMES_IN_MEDIAN)).round().int()
    frames = [(t, images[t].float(), free[t]) for t in chosen.tolist()]
    image = torch.zeros(height, width, 3)
    valid = torch.zeros(height, width, dtype=torch.bool)
    points = pixel_centres(height, width)
    for top in range(0, height, BAND_ROWS):
        rows = slice(top, min(top + BAND_ROWS, height))
        samples = [
            _lay(picture, background, *locate(t, points[rows], rows))
            for t, picture, background in frames
        ]
        median = torch.stack(samples).nanmedian(dim=0).values
        valid[rows] = median.isfinite().all(dim=-1)
        image[rows] = median
    return Plate(complete(image, valid, fill_unseen(image, valid)), valid)


def render_plate(
    plate: Float[Tensor, "H W 3"],
    frame_from_plate: Float[Tensor, "3 3"],
    height: int,
    width: int,
) -> Float[Tensor, "{height} {width} 3"]:
    """Show the plate as a frame sees it; pixels off the plate repeat its border."""
    points = pixel_centres(height, width)
    source, _ = _transfer(torch.linalg.inv(frame_from_plate.double()), points)
    return sample_image(plate, source.float(), mode="bicubic").clamp(0, 1)


def fill_unseen(
    image: Float[Tensor, "H W 3"], known: Bool[Tensor, "H W"]
) -> Float[Tensor, "H W 3"]:
    """Fill unknown pixels: near known ones by Telea's inpainting (2004), else by push-pull.

    With nothing known the answer is mid-grey. Values of unknown pixels may be NaN.
    """
    if known.all():
        return image
    if not known.any():
        return torch.full_like(image, 0.5)
    smooth = torch.where(known[..., None], image, _push_pull(image.nan_to_num(), known))
    hole = (~known).numpy().astype(np.uint8)
    away = torch.from_numpy(cv2.distanceTransform(hole, cv2.DIST_L2, 5))
    near = hole * (away <= TELEA_REACH).numpy()
    pixels = (smooth.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()
    telea = torch.from_numpy(cv2.inpaint(pixels, near, TELEA_RADIUS, cv2.INPAINT_TELEA)) / 255
    share = ((TELEA_REACH - away) / TELEA_REACH).clamp(0, 1)[..., None]
    return torch.where(known[..., None], image, share * telea + (1 - share) * smooth)


def _push_pull(image: Tensor, known: Tensor) -> Tensor:
    """Average the known pixels down a pyramid and spread them up again (Gortler et al. 1996)."""
    levels = [(image.permute(2, 0, 1)[None] * known, known[None, None].to(image))]
    while max(levels[-1][0].shape[2:]) > 1:
        colour, weight = (F.avg_pool2d(x, 2, ceil_mode=True) for x in levels[-1])
        full = weight.clamp(min=1e-8)
        covered = (weight * 4).clamp(max=1)  # one known child suffices
        levels.append((colour / full * covered, covered))
    colour, weight = levels.pop()
    result = colour / weight.clamp(min=1e-8)
    while levels:
        colour, weight = levels.pop()
        wide = F.interpolate(result, colour.shape[2:], mode="bilinear", align_corners=False)
        result = colour + (1 - weight) * wide
    return result[0].permute(1, 2, 0)


def _lay(image: Tensor, free: Tensor, pixels: Tensor, ahead: Tensor) -> Tensor:
    """Sample one frame on a band of the plate, NaN where it does not see the background."""
    seen = inside_image(pixels, *image.shape[:2]) & ahead
    if not seen.any():
        return torch.full((*seen.shape, 3), torch.nan)
    pixels = pixels.float()
    seen &= sample_image(free[..., None].to(image), pixels)[..., 0] > 0.999
    colour = sample_image(image, pixels, mode="bicubic").clamp(0, 1)
    return torch.where(seen[..., None], colour, torch.nan)


def _transfer(homography: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Map pixels in double precision; also tell which lie ahead (homographies with det > 0)."""
    points = points.double()
    mapped = points @ homography[:, :2].T + homography[:, 2]
    depth = mapped[..., 2:]
    return mapped[..., :2] / depth, depth[..., 0] > 1e-9
