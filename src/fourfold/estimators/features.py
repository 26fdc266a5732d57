"""Point matches between two frames: corners tracked by KLT, SIFT where the motion is too large.

All points are pixels in the house's convention (first centre at 0.5); OpenCV's own is half a
pixel lower.
"""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators.flow import luminance_bytes

MAX_CORNERS = 400
CORNER_QUALITY = 0.005  # of the strongest corner; low, so that faint sky and grass count too
CORNERS_PER_SIDE = 48  # closest spacing: the longer side over this
WINDOW = 21  # KLT window in pixels (Bouguet's pyramidal Lucas-Kanade)
ROUND_TRIP = 0.5  # pixels a track may miss its start by when followed back
SIFT_RATIO = 0.75  # Lowe 2004 uses 0.8; fewer wrong matches matter more here
RANSAC_PIXELS = 2.0
FEWEST_MATCHES = 12  # a homography needs 4; with fewer than this RANSAC is a guess


class Frame(NamedTuple):
    """What matching needs of an image: luminance bytes and which pixels may be used (0/255)."""

    luminance: np.ndarray
    free: np.ndarray

    @staticmethod
    def of(image: Float[Tensor, "H W 3"], free: Bool[Tensor, "H W"]) -> "Frame":
        """Prepare an RGB image in [0, 1] and its usable pixels."""
        return Frame(luminance_bytes(image), free.cpu().numpy().astype(np.uint8) * 255)


class PointMatches(NamedTuple):
    """Pixels of one frame and where they are in another, float64."""

    source: Float[Tensor, "M 2"]
    target: Float[Tensor, "M 2"]

    def __len__(self) -> int:
        return self.source.shape[0]


def find_corners(frame: Frame) -> np.ndarray:
    """Find trackable corners off the objects, as OpenCV (N, 2) float32 points."""
    spacing = max(max(frame.luminance.shape) / CORNERS_PER_SIDE, 3.0)
    corners = cv2.goodFeaturesToTrack(
        frame.luminance, MAX_CORNERS, CORNER_QUALITY, spacing, mask=frame.free
    )
    if corners is None:
        return np.zeros((0, 2), np.float32)
    return np.asarray(corners, np.float32).reshape(-1, 2)


def track_corners(
    source: Frame,
    target: Frame,
    corners: np.ndarray,
    guess: Float[Tensor, "3 3"] | None = None,
) -> PointMatches:
    """Follow corners from one frame to another and back, and keep those that return.

    Args:
        source, target: the frames.
        corners: (N, 2) from `find_corners(source)`.
        guess: homography target_from_source; the source is warped by it first, so that only
            the remainder is tracked and the windows look alike.
    """
    if len(corners) == 0:
        return _no_matches()
    shape = source.luminance.shape
    image, start = source.luminance, corners
    if guess is not None:
        matrix = _opencv_homography(guess)
        image = cv2.warpPerspective(image, matrix, shape[::-1], flags=cv2.INTER_CUBIC)
        start = cv2.perspectiveTransform(corners[None].astype(np.float64), matrix)[0]
        start = start.astype(np.float32)
    inside = _inside(start, shape, WINDOW // 2 if guess is not None else 0)
    corners, start = corners[inside], start[inside]
    if len(start) == 0:
        return _no_matches()
    options = {"winSize": (WINDOW, WINDOW), "maxLevel": 2 if guess is not None else 4}
    end, found, _ = cv2.calcOpticalFlowPyrLK(image, target.luminance, start, None, **options)  # type: ignore[call-overload]
    back, returned, _ = cv2.calcOpticalFlowPyrLK(target.luminance, image, end, None, **options)  # type: ignore[call-overload]
    kept = (found[:, 0] == 1) & (returned[:, 0] == 1) & _inside(end, shape, 0)
    kept &= np.linalg.norm(back - start, axis=1) <= ROUND_TRIP
    column, row = np.clip(np.nan_to_num(end).round().astype(int), 0, np.array(shape[::-1]) - 1).T
    kept &= target.free[row, column] > 0
    return _house(corners[kept], end[kept])


def match_sift(source: Frame, target: Frame) -> PointMatches:
    """Match SIFT keypoints (Lowe 2004) by the ratio test, both ways."""
    sift = cv2.SIFT.create(nfeatures=2000)
    points0, words0 = sift.detectAndCompute(source.luminance, source.free)
    points1, words1 = sift.detectAndCompute(target.luminance, target.free)
    if words0 is None or words1 is None or len(words0) < 2 or len(words1) < 2:
        return _no_matches()
    forward = _ratio_matches(words0, words1)
    backward = _ratio_matches(words1, words0)
    pairs = [(a, b) for a, b in sorted(forward.items()) if backward.get(b) == a]
    if not pairs:
        return _no_matches()
    return _house(
        np.array([points0[a].pt for a, _ in pairs]), np.array([points1[b].pt for _, b in pairs])
    )


def ransac_homography(
    matches: PointMatches,
) -> tuple[Float[Tensor, "3 3"] | None, Bool[Tensor, " M"]]:
    """Fit the homography target_from_source most matches agree on (within 2 px).

    OpenCV's RANSAC draws from a fixed seed, so the answer repeats. None when there are too few
    matches to tell.
    """
    nothing = torch.zeros(len(matches), dtype=torch.bool)
    if len(matches) < FEWEST_MATCHES:
        return None, nothing
    matrix, inliers = cv2.findHomography(
        matches.source.numpy(), matches.target.numpy(), cv2.RANSAC, RANSAC_PIXELS, maxIters=2000
    )
    if matrix is None or inliers.sum() < FEWEST_MATCHES:
        return None, nothing
    return torch.from_numpy(matrix), torch.from_numpy(inliers[:, 0] > 0)


def _ratio_matches(words0: np.ndarray, words1: np.ndarray) -> dict[int, int]:
    candidates = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words0, words1, k=2)
    return {
        best.queryIdx: best.trainIdx
        for best, second in candidates
        if best.distance < SIFT_RATIO * second.distance
    }


def _inside(points: np.ndarray, shape: tuple[int, ...], margin: float) -> np.ndarray:
    low, high = margin, np.array(shape[1::-1]) - 1 - margin
    good = np.isfinite(points) & (points >= low) & (points <= high)
    return np.asarray(good.all(axis=1))


def _opencv_homography(matrix: Tensor) -> np.ndarray:
    half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    return np.linalg.inv(half) @ matrix.double().cpu().numpy() @ half


def _house(source: np.ndarray, target: np.ndarray) -> PointMatches:
    def convert(points: np.ndarray) -> Tensor:
        return torch.from_numpy(points.astype(np.float64)) + 0.5

    return PointMatches(convert(source), convert(target))


def _no_matches() -> PointMatches:
    return PointMatches(
        torch.zeros(0, 2, dtype=torch.float64), torch.zeros(0, 2, dtype=torch.float64)
    )
