"""How the camera moved, told by the background: it stood still or turned on the spot.

Own. Free homographies are refined first, as the measure of what any camera before a flat or
distant background could explain; turning cameras are then fitted from simple to free.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.estimators.features import PointMatches
from fourfold.estimators.refinement import (
    FreeMotion,
    Model,
    TurningCamera,
    refine,
    residuals,
)
from fourfold.estimators.registration import PairMatches, Registration
from fourfold.geometry import Camera, apply_homography, rotation_from_homography

STATIC_PIXELS = 0.35  # a background that never moves more than this stands still
# A freer camera is taken when it lowers the residual by this factor and by this many pixels.
WORTHWHILE_FACTOR, WORTHWHILE_PIXELS = 0.85, 0.03
FEWEST_LINKS = 8  # matches per frame, on average, to tell a motion


@dataclass(frozen=True)
class CameraPath:
    """Cameras of a clip; mode and reason as in `Background`; residual of free homographies."""

    mode: str
    reason: str
    cameras: list[Camera]
    free_residual: float = float("nan")


def fit_cameras(
    registration: Registration, mode: Literal["auto", "static", "rotation"], start: Camera
) -> CameraPath:
    """Decide how the camera moved, or fit the motion asked for.

    Args:
        registration: matches of the background.
        mode: "auto" decides between the other two.
        start: the first frame's camera as far as it is known: its lens, at the identity.

    Raises:
        InputError: "rotation" was asked for, and the background shows too few points to tell it.
    """
    num_frames = len(registration.homographies)
    still = [start] * num_frames
    if mode == "static" or num_frames == 1:
        why = "a static camera was asked for" if mode == "static" else "there is one frame"
        return CameraPath("static", why, still)
    num_matches = sum(len(pair.points) for pair in registration.pairs)
    if num_matches < FEWEST_LINKS * (num_frames - 1):
        if mode == "rotation":
            raise InputError(
                f"the background shows {num_matches} trackable points in {num_frames} frames",
                expected="texture that tells how the camera turned",
                mend="Give the cameras, or ask for a static one.",
            )
        return CameraPath("static", "too little texture to tell a motion", still)
    return _fit_moving(registration, mode, start)


def _fit_moving(registration: Registration, mode: str, start: Camera) -> CameraPath:
    pairs, half = _normalised(registration.pairs, start)
    free = refine(_free_start(registration.homographies, start, half), pairs, half)
    free_residual = _median_residual(free, pairs) * half
    motion = _largest_motion(free, start, half)
    if mode == "auto" and motion <= STATIC_PIXELS:
        why = f"the background moves by {motion:.2f} px at most"
        return CameraPath("static", why, [start] * len(free.matrices), free_residual)
    turning, kind = _fit_turning(free, pairs, start, half)
    residual = _median_residual(turning, pairs) * half
    why = (
        f"the background moves by up to {motion:.1f} px; {kind} explain it to {residual:.2f} px "
        f"(free homographies: {free_residual:.2f} px)"
    )
    return CameraPath("rotation", why, _cameras(turning, start, half), free_residual)


def _fit_turning(
    free: FreeMotion, pairs: list[PairMatches], start: Camera, half: float
) -> tuple[TurningCamera, str]:
    """Fit turning cameras from simple to free, and take the simplest that is about as good."""
    focal = torch.tensor(start.focal, dtype=torch.float64) / half
    calibration = torch.diag(torch.cat([focal, focal.new_ones(1)]))
    turned = rotation_from_homography(calibration, free.matrices)
    first = TurningCamera(turned, focal.log(), torch.zeros(len(turned)).double(), focal.log())
    fixed = refine(first, pairs, half)
    focal_free = refine(replace(fixed, fit_focal=True), pairs, half)
    zooming = refine(replace(focal_free, fit_zoom=True), pairs, half)
    best, best_kind = fixed, "rotations with the assumed lens"
    for rival, kind in (
        (focal_free, "rotations with a fitted lens"),
        (zooming, "rotations with a fitted, zooming lens"),
    ):
        old, new = (_median_residual(model, pairs) * half for model in (best, rival))
        if new <= WORTHWHILE_FACTOR * old and new <= old - WORTHWHILE_PIXELS:
            best, best_kind = rival, kind
    return best, best_kind


def _normalised(pairs: list[PairMatches], camera: Camera) -> tuple[list[PairMatches], float]:
    """Centre all matches and divide them by half the longer side."""
    half = max(camera.width, camera.height) / 2
    middle = torch.tensor([camera.width / 2, camera.height / 2], dtype=torch.float64)

    def convert(points: PointMatches) -> PointMatches:
        return PointMatches((points.source - middle) / half, (points.target - middle) / half)

    return [pair._replace(points=convert(pair.points)) for pair in pairs], half


def _pixels_from_normalised(camera: Camera, half: float) -> Tensor:
    return torch.tensor(
        [[half, 0, camera.width / 2], [0, half, camera.height / 2], [0, 0, 1]],
        dtype=torch.float64,
    )


def _free_start(homographies: Tensor, camera: Camera, half: float) -> FreeMotion:
    frame = _pixels_from_normalised(camera, half)
    return FreeMotion(torch.linalg.inv(frame) @ homographies @ frame)


def _largest_motion(free: FreeMotion, camera: Camera, half: float) -> float:
    """Measure how far the background moves over the clip: mean over a grid, worst frame, pixels."""
    frame = _pixels_from_normalised(camera, half)
    grid = camera.resized(8, 8).pixel_grid().double().reshape(-1, 2)
    grid = grid * torch.tensor([camera.width / 8, camera.height / 8], dtype=torch.float64)
    matrices = frame @ free.matrices @ torch.linalg.inv(frame)
    moved = (apply_homography(matrices, grid) - grid).norm(dim=-1)
    return float(moved.nan_to_num(posinf=1e6).mean(dim=-1).max())


def _median_residual(model: Model, pairs: list[PairMatches]) -> float:
    return float(torch.cat([residuals(model, pair) for pair in pairs]).median())


def _cameras(model: TurningCamera, start: Camera, half: float) -> list[Camera]:
    to_pixels = _pixels_from_normalised(start, half)
    cameras = []
    for calibration, rotation in zip(
        to_pixels @ model.calibrations, model.rotations @ model.rotations[0].T, strict=True
    ):
        pose = torch.eye(4)
        pose[:3, :3] = rotation.float()
        intrinsics = calibration.float()
        cameras.append(replace(start, camera_from_world=pose, intrinsics=intrinsics))
    return cameras
