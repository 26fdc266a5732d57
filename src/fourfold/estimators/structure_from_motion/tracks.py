"""Tracks of a body's surface: chained flow predicts, matching against the first window decides.

Own, after OSN's trajectories (chained flow, stopped where it is inconsistent or leaves the mask).
Chaining adds up errors; here each window is matched again against the frame it was chosen in, in
an image warped by the chained flow, so that a track's last position is as precise as its first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from fourfold.estimators.structure_from_motion._matching import match_windows
from fourfold.estimators.structure_from_motion.clip_flow import ClipFlow

FEWEST_FRAMES = 3  # a track in two frames cannot be checked
MOST_REFERENCES = 12  # frames in which tracks begin
WINDOWS_PER_SIDE = 80  # window radius: the longer side over this, between the bounds below
WINDOW_RADII = (4, 8)
LEAST_CORRELATION = 0.8
SHADING = 1.7  # window radii over which light is even: the mean of a square of twice that
CORRELATION_AGAIN = 0.9
# Standard deviation of a match, px, that texture must allow at the noise assumed of images.
LARGEST_DEVIATION = 0.2
IMAGE_NOISE = 0.02
# Corrections of the prediction are smoothed over this many cells between windows.
_SMOOTHING_CELLS = 1.5
_FADED = 1e-3  # of one match's weight: far from all matches


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where P surface points are seen in T frames.

    pixels: (P, T, 2) x, y, first centre at 0.5; NaN where not visible.
    references: (P,) the frame in which each point was chosen.
    """

    pixels: Float[np.ndarray, "P T 2"]
    references: Int[np.ndarray, "P"]

    @property
    def visible(self) -> Bool[np.ndarray, "P T"]:
        """Where each point is seen."""
        return np.isfinite(self.pixels[..., 0])

    @property
    def num_frames(self) -> int:
        """How many frames there are."""
        return self.pixels.shape[1]

    def __len__(self) -> int:
        return len(self.pixels)

    def pick(self, which: np.ndarray) -> Tracks:
        """Keep some of the points."""
        return Tracks(self.pixels[which], self.references[which])


@dataclass(frozen=True, eq=False)
class Crop:
    """The part of the reference frame that is tracked, and where its pixels are now.

    places: (h, w, 2) array indices in the current frame, float32.
    """

    left: int
    top: int
    image: np.ndarray
    weight: np.ndarray
    places: np.ndarray


def track_body(
    clip: ClipFlow,
    regions: Bool[np.ndarray, "T H W"],
    *,
    max_tracks: int = 3000,
    advance: Callable[[], None] = lambda: None,
) -> Tracks:
    """Track a body's surface through a clip.

    Windows are chosen in up to 12 reference frames and followed from there both ways.

    Args:
        clip: frames and the flow of this body (`background_flow`, `object_flow`).
        regions: the body's pixels in each frame.
        max_tracks: at most this many points.
        advance: called after each reference frame.

    Returns:
        Points seen in at least three frames.
    """
    stride = math.ceil(clip.num_frames / MOST_REFERENCES)
    references = range(stride // 2, clip.num_frames, stride)
    share = max(max_tracks // len(references), 1)
    found = []
    for reference in references:
        found.append(_track_reference(clip, regions, reference, share))
        advance()
    owners = np.repeat(np.array(references), [len(pixels) for pixels in found])
    return Tracks(np.concatenate(found), owners)


def count_references(num_frames: int) -> int:
    """Count the reference frames of `track_body`, for progress."""
    stride = math.ceil(num_frames / MOST_REFERENCES)
    return len(range(stride // 2, num_frames, stride))


def _track_reference(
    clip: ClipFlow, regions: np.ndarray, reference: int, most: int
) -> Float[np.ndarray, "P T 2"]:
    radius = window_radius(clip.images.shape[1:3])
    crop = crop_reference(clip, regions, reference)
    if crop is None:
        return np.zeros((0, clip.num_frames, 2))
    corners, spacing = _choose_corners(crop, most, radius)
    pixels = np.full((len(corners), clip.num_frames, 2), np.nan)
    pixels[:, reference] = corners + np.array([crop.left + 0.5, crop.top + 0.5])
    for direction in (1, -1):
        _follow(clip, regions, crop, corners, spacing, pixels, reference, direction)
    return pixels[np.isfinite(pixels[..., 0]).sum(axis=1) >= FEWEST_FRAMES]


def window_radius(shape: tuple[int, ...]) -> int:
    """Give the radius of matching windows for frames of (height, width)."""
    low, high = WINDOW_RADII
    return min(max(round(max(shape) / WINDOWS_PER_SIDE), low), high)


def crop_reference(clip: ClipFlow, regions: np.ndarray, reference: int) -> Crop | None:
    """Cut a body out of a reference frame; None where it is not visible."""
    margin = window_radius(clip.images.shape[1:3]) + 2
    rows, columns = np.nonzero(regions[reference])
    if len(rows) == 0:
        return None
    height, width = regions.shape[1:]
    top, bottom = max(rows.min() - margin, 0), min(rows.max() + margin + 1, height)
    left, right = max(columns.min() - margin, 0), min(columns.max() + margin + 1, width)
    part = (slice(top, bottom), slice(left, right))
    grid = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    image = clip.images[reference][part].astype(np.float32) / 255
    weight = regions[reference][part].astype(np.float32)
    return Crop(
        left=int(left),
        top=int(top),
        image=_without_shading(image, weight, margin - 2),
        weight=weight,
        places=np.stack(grid, axis=-1).astype(np.float32),
    )


def _choose_corners(crop: Crop, most: int, radius: int) -> tuple[Float[np.ndarray, "N 2"], float]:
    """Choose the best corner in each cell of a grid over the body, as (x, y) in the crop."""
    gray = cv2.cvtColor(crop.image, cv2.COLOR_RGB2GRAY)
    strength = cv2.cornerMinEigenVal(gray, 2 * (radius // 2) + 1)
    inside = cv2.erode(crop.weight, np.ones((3, 3), np.float32)) > 0
    inside[: radius + 1] = inside[-radius - 1 :] = False
    inside[:, : radius + 1] = inside[:, -radius - 1 :] = False
    strength = np.where(inside, strength, 0)
    side = max(math.sqrt(inside.sum() / most), 2.0)
    rows, columns = np.nonzero(strength > 0)
    cell = (rows / side).astype(int) * 100_000 + (columns / side).astype(int)
    order = np.lexsort((columns, rows, -strength[rows, columns], cell))
    _, first = np.unique(cell[order], return_index=True)
    best = order[first]
    strongest = np.argsort(-strength[rows[best], columns[best]], kind="stable")[:most]
    best = best[np.sort(strongest)]
    return np.stack((columns[best], rows[best]), axis=-1).astype(np.float64), side


def _follow(
    clip: ClipFlow,
    regions: np.ndarray,
    crop: Crop,
    corners: np.ndarray,
    spacing: float,
    pixels: np.ndarray,
    reference: int,
    direction: int,
) -> None:
    """Follow corners from the reference frame in one direction, writing into `pixels`."""
    places, followed = crop.places, np.ones(len(corners), bool)
    index = corners.astype(int)
    last = clip.num_frames if direction > 0 else -1
    for frame in range(reference + direction, last, direction):
        step = clip.step(frame - direction, frame)
        reliable = nearest(step.valid, places[index[:, 1], index[:, 0]])
        places = places + sample_field(step.flow.astype(np.float32), places)
        shift, correlation = rematch(clip, regions, crop, places, corners, frame)
        # What was lost, behind another body for instance, has to look the more alike to be back.
        needed = np.where(followed & reliable, LEAST_CORRELATION, CORRELATION_AGAIN)
        followed = correlation >= needed
        followed &= nearest(regions[frame], places[index[:, 1], index[:, 0]])
        if followed.any():
            found = sample_field(places, (corners + shift)[followed]) + 0.5
            pixels[followed, frame] = within(found, regions.shape[1:])
            places = _corrected(places, corners[followed], shift[followed], spacing)


def rematch(
    clip: ClipFlow,
    regions: np.ndarray,
    crop: Crop,
    places: np.ndarray,
    corners: np.ndarray,
    frame: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Match the reference's windows in the frame, warped to where they are expected.

    Returns:
        shifts (N, 2) in the crop, and correlations (N,), -2 where nothing was found.
    """
    image = clip.images[frame].astype(np.float32) / 255
    warped = _warp(image, places, cv2.INTER_CUBIC)
    weight = _warp(regions[frame].astype(np.float32), places, cv2.INTER_LINEAR)
    weight *= _inside(places, image.shape[:2])
    radius = window_radius(clip.images.shape[1:3])
    warped = _without_shading(warped, weight, radius)
    found = match_windows(crop.image, crop.weight, warped, weight, corners, radius)
    needed = (IMAGE_NOISE / LARGEST_DEVIATION) ** 2 / (3 * (2 * radius + 1) ** 2)
    return found[:, :2], np.where(found[:, 3] >= needed, found[:, 2], -2.0)


def _without_shading(image: np.ndarray, weight: np.ndarray, radius: int) -> np.ndarray:
    """Take out what changes slowly over a body: light stays where it is when the body turns."""
    side = 2 * round(SHADING * radius) + 1
    total = cv2.blur(weight, (side, side))
    smooth = cv2.blur(image * weight[..., None], (side, side))
    return (image - smooth / np.maximum(total, 1e-3)[..., None]) * weight[..., None]


def _corrected(
    places: np.ndarray, corners: np.ndarray, shift: np.ndarray, spacing: float
) -> np.ndarray:
    """Move the whole prediction by what the matches say of it, smoothed over the surface."""
    height, width = places.shape[:2]
    cells = math.ceil(height / spacing), math.ceil(width / spacing)
    spread = np.zeros((*cells, 3), np.float32)
    column, row = (corners / spacing).astype(int).T
    np.add.at(spread, (row, column), np.pad(shift, ((0, 0), (0, 1)), constant_values=1.0))
    smooth = cv2.GaussianBlur(spread, (0, 0), _SMOOTHING_CELLS)
    # Far from all matches, where the weights fade, the prediction stays as it was.
    coarse = smooth[..., :2] / (smooth[..., 2:] + _FADED)
    size = (round(cells[1] * spacing), round(cells[0] * spacing))
    shifts = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    short = (height - shifts.shape[0], width - shifts.shape[1])
    shifts = np.pad(shifts, ((0, max(short[0], 0)), (0, max(short[1], 0)), (0, 0)), mode="edge")
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    return sample_field(places, grid + shifts)


def sample_field(field: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Read a (H, W, 2) field bilinearly at array indices (N, 2) or (h, w, 2)."""
    return _warp(field, at.reshape(len(at), -1, 2), cv2.INTER_LINEAR).reshape(at.shape)


def _warp(image: np.ndarray, places: np.ndarray, interpolation: int) -> np.ndarray:
    """Read an image at array indices (h, w, 2); border values go on outside."""
    where = places.astype(np.float32)
    nothing: Any = None  # OpenCV's second map, which its stubs do not let be absent
    return cv2.remap(image, where, nothing, interpolation, borderMode=cv2.BORDER_REPLICATE)


def within(pixels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Put NaN in the place of pixels outside an image of (height, width)."""
    x, y = pixels.T
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    return np.where(inside[:, None], pixels, np.nan)


def _inside(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    x, y = places[..., 0], places[..., 1]
    return (x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1)


def nearest(mask: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Read a mask at array indices (N, 2), False outside."""
    height, width = mask.shape
    x, y = np.rint(at).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return inside & mask[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
