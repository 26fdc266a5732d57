"""Tracks a second time, guided by the geometry that the first time found.

Own. Chained flow loses what gets hidden, and now and then takes one brick of a wall for the next.
With a pose for each frame and depths for each reference frame, a window's place in any frame is
known beforehand: matches reach over occlusions, and a pose is kept only when the body's windows
look right there. Frames are gone through from the best-supported one outward, each pose tried as it
was found and as the motion so far goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
from scipy.spatial import QhullError

from fourfold.estimators.structure_from_motion.clip_flow import ClipFlow
from fourfold.estimators.structure_from_motion.growing import FEWEST_POINTS, pose_from
from fourfold.estimators.structure_from_motion.model import Lens, Model, in_cameras
from fourfold.estimators.structure_from_motion.tracks import (
    FEWEST_FRAMES,
    LEAST_CORRELATION,
    Crop,
    Tracks,
    crop_reference,
    nearest,
    rematch,
    sample_field,
    within,
)

NEAREST_REFERENCES = 3  # that a pose is found from
# A pose with which this share of the windows agrees needs no rival.
_CONVINCING = 0.6
_AGREEMENT = 1.5  # px within which a window supports a pose, as the lens's tolerance counts them
_FEWEST_DEPTHS = 8  # in a reference frame, to guide its windows
_LATER = 0.1  # of a body's usual support that a pose needs to be believed


@dataclass(frozen=True, eq=False)
class _Reference:
    """A reference frame with depth.

    corners: (N, 2) its windows in the crop; index: (N,) their points; places: camera-frame points
    of the crop's pixels (h, w, 3) and of the windows (N, 3).
    """

    frame: int
    crop: Crop
    corners: np.ndarray
    index: np.ndarray
    surface: np.ndarray

    @property
    def points(self) -> Float[np.ndarray, "N 3"]:
        column, row = self.corners.astype(int).T
        return self.surface[row, column]


def retrack(
    clip: ClipFlow, regions: Bool[np.ndarray, "T H W"], tracks: Tracks, model: Model
) -> tuple[Tracks, Model]:
    """Check every pose against the images, and match all windows again where it says they are.

    Args:
        clip: the frames (the flow is not used).
        regions: the body's pixels in each frame.
        tracks, model: the first result.

    Returns:
        New tracks (of the same points, some without observations left out), and the model with
        poses as they are now; its points are to be triangulated anew.
    """
    references = _references(clip, regions, tracks, model)
    if not references:
        return tracks, model
    poses = _walk(clip, regions, model, references)
    pixels = np.full_like(tracks.pixels, np.nan)
    for reference in references:
        pixels[reference.index, reference.frame] = tracks.pixels[reference.index, reference.frame]
        for frame in np.nonzero(np.isfinite(poses[:, 0, 0]))[0]:
            if frame != reference.frame and np.isfinite(poses[reference.frame, 0, 0]):
                found, _ = _match(clip, regions, model.lens, reference, poses, int(frame))
                pixels[reference.index, frame] = found
    kept = np.isfinite(pixels[..., 0]).sum(axis=1) >= FEWEST_FRAMES
    shape = (int(kept.sum()), tracks.num_frames)
    renewed = replace(
        model, poses=poses, points=np.full((shape[0], 3), np.nan), used=np.zeros(shape, bool)
    )
    return Tracks(pixels[kept], tracks.references[kept]), renewed


def _references(
    clip: ClipFlow, regions: np.ndarray, tracks: Tracks, model: Model
) -> list[_Reference]:
    found = []
    depths = in_cameras(model)[..., 2]
    for frame in np.unique(tracks.references):
        index = np.nonzero(tracks.references == frame)[0]
        crop = crop_reference(clip, regions, int(frame))
        if crop is None or not model.registered[frame]:
            continue
        corners = tracks.pixels[index, frame] - (crop.left + 0.5, crop.top + 0.5)
        known = model.used[index, frame] & (depths[index, frame] > 0)
        if known.sum() < _FEWEST_DEPTHS:
            continue
        inverse = _filled(corners[known], 1 / depths[index, frame][known], crop.weight.shape)
        rays = model.lens.rays(crop.places.astype(np.float64) + 0.5)
        found.append(
            _Reference(
                int(frame),
                crop,
                np.rint(corners),
                index,
                (rays / inverse[..., None]).astype(np.float32),
            )
        )
    return found


def _filled(at: np.ndarray, values: np.ndarray, shape: tuple[int, ...]) -> Float[np.ndarray, "h w"]:
    """Interpolate values over an image: linear between the points, the nearest one's outside."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    where = np.stack((column, row), axis=-1).astype(np.float64)
    outside = NearestNDInterpolator(at, values)(where)
    try:
        inside = LinearNDInterpolator(at, values)(where)
    except QhullError:  # points on a line
        return outside
    return np.where(np.isfinite(inside), inside, outside)


def _walk(
    clip: ClipFlow, regions: np.ndarray, model: Model, references: list[_Reference]
) -> Float[np.ndarray, "T 4 4"]:
    """Find the pose of each frame anew, from the best-supported reference frame outward."""
    support = np.where(model.registered, model.used.sum(axis=0), 0)
    start = max((r.frame for r in references), key=lambda frame: support[frame])
    usual = float(np.median(support[support > 0]))
    poses = np.full_like(model.poses, np.nan)
    poses[start] = model.poses[start]
    for direction in (1, -1):
        last = clip.num_frames if direction > 0 else -1
        for frame in range(start + direction, last, direction):
            trials = [model.poses[frame], *_continuations(poses, frame, direction)]
            fewest = max(FEWEST_POINTS, _LATER * min(usual, 1000.0) / NEAREST_REFERENCES)
            best, most = None, fewest
            for trial in trials:
                if not np.isfinite(trial[0, 0]):
                    continue
                pose, count, asked = _tried(clip, regions, model, references, poses, frame, trial)
                if pose is not None and count > most:
                    best, most = pose, count
                if best is not None and most >= _CONVINCING * asked:
                    break
            if best is not None:
                poses[frame] = best
    return poses


def _continuations(poses: np.ndarray, frame: int, direction: int) -> list[Float[np.ndarray, "4 4"]]:
    """Give the poses with which the motion so far goes on: steadily, or not at all."""
    known = np.nonzero(np.isfinite(poses[:, 0, 0]))[0]
    before = known[np.argsort(np.abs(known - frame))][:2]
    latest = poses[before[0]]
    if len(before) < 2 or abs(int(before[0]) - int(before[1])) != 1:
        return [latest]
    step = latest @ np.linalg.inv(poses[before[1]])
    steady = latest
    for _ in range(abs(frame - int(before[0]))):
        steady = step @ steady
    return [steady, latest]


def _tried(
    clip: ClipFlow,
    regions: np.ndarray,
    model: Model,
    references: list[_Reference],
    poses: np.ndarray,
    frame: int,
    trial: np.ndarray,
) -> tuple[Float[np.ndarray, "4 4"] | None, int, int]:
    """Match windows where a pose says they are, fit the pose to them, and count who agrees.

    Returns:
        The pose (None where too few agree), how many windows agree, and of how many.
    """
    known = [r for r in references if np.isfinite(poses[r.frame, 0, 0])]
    near = sorted(known, key=lambda r: abs(r.frame - frame))[:NEAREST_REFERENCES]
    now = poses.copy()
    now[frame] = trial
    count = asked = 0
    for _ in range(2):
        pixels, points, asked = [], [], 0
        for reference in near:
            found, shown = _match(clip, regions, model.lens, reference, now, frame)
            asked += shown
            good = np.isfinite(found[:, 0])
            back = np.linalg.inv(poses[reference.frame])
            pixels.append(found[good])
            points.append(reference.points[good] @ back[:3, :3].T + back[:3, 3])
        where, what = np.concatenate(pixels), np.concatenate(points)
        if len(where) < FEWEST_POINTS:
            return None, 0, asked
        error = _AGREEMENT * model.lens.tolerance
        pose, count = pose_from(model.lens, where, what, now[frame], error)
        if pose is None:
            return None, 0, asked
        now[frame] = pose
    return now[frame], count, asked


def _match(
    clip: ClipFlow,
    regions: np.ndarray,
    lens: Lens,
    reference: _Reference,
    poses: np.ndarray,
    frame: int,
) -> tuple[Float[np.ndarray, "N 2"], int]:
    """Match a reference's windows in a frame; pixels, NaN where they do not look alike.

    Also how many of them should be seen, on the body as the frame's mask has it.
    """
    between = poses[frame] @ np.linalg.inv(poses[reference.frame])
    between = between.astype(np.float32)
    local = reference.surface @ between[:3, :3].T + between[:3, 3]
    places = lens.project(local) - 0.5
    places = np.nan_to_num(places, nan=-1e3).clip(-1e3, 1e5).astype(np.float32)
    found = np.full((len(reference.corners), 2), np.nan)
    column, row = reference.corners.astype(int).T
    shown = nearest(regions[frame], places[row, column])
    if not shown.any():
        return found, 0
    shift, correlation = rematch(clip, regions, reference.crop, places, reference.corners, frame)
    good = shown & (correlation >= LEAST_CORRELATION)
    if good.any():
        exact = sample_field(places, (reference.corners + shift)[good]) + 0.5
        found[good] = within(exact, regions.shape[1:])
    return found, int(shown.sum())
