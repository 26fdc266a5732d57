"""The background of a clip and the camera that filmed it.

Own. The camera is given, stands still, or turns on the spot (which is all that a monocular clip
with little parallax tells); "auto" decides and says why. Behind given cameras that move, the
background's depth is triangulated where they show enough parallax.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import InputError, UsageError
from fourfold.estimators.camera_path import CameraPath, fit_cameras
from fourfold.estimators.depth import (
    BackgroundDepth,
    Triangulation,
    depth_in_view,
    triangulate_frames,
)
from fourfold.estimators.features import Frame
from fourfold.estimators.frame_sequence import FrameSequence
from fourfold.estimators.plate import Plate, by_depth, by_homographies, median_plate
from fourfold.estimators.plate_view import plate_view
from fourfold.estimators.registration import PairMatches, register_frames
from fourfold.geometry import Camera, apply_homography

DEFAULT_FOV = 49.1  # degrees, vertical: DreamScene4D's
MATTING_HALO = 0.01  # masks grow by this share of the longer side: blurred rims belong to objects
INLIER_PIXELS = 1.5
NEAR_QUANTILE = 0.02  # of the triangulated depths: the nearest background, without outliers
STANDING = 1e-6  # scene units: cameras closer together than this stand in one place


@dataclass(frozen=True)
class Background:
    """A background, the cameras that saw it, and how well they explain it.

    mode: "static", "rotation" or "given"; reason: why, in a sentence.
    cameras: one per frame; the first is the identity unless they were given.
    plate: (Hp, Wp, 3) in [0, 1]; plate_valid: seen in some frame, else filled.
    plate_camera: whose image the plate is.
    plate_depth: dense z-depth of the plate with its confidence, or None: far away.
    triangulation: the background's points, seen by given cameras that move; None when they stand
        in one place or show too little parallax.
    homographies: (T, 3, 3) frame_from_plate in pixels, of what is far away.
    residual: (T,) median distance in pixels between matched background points and where the
        cameras put them (for moving cameras: their distance from the epipolar line), over all
        frames matched with this one; NaN without matches.
    inlier_share: (T,) share of those matches within 1.5 px.
    free_residual: the median over the whole clip for homographies of any kind: what no turning
        camera could do away with. NaN when it was not needed.
    """

    mode: str
    reason: str
    cameras: list[Camera]
    plate: Float[Tensor, "Hp Wp 3"]
    plate_valid: Bool[Tensor, "Hp Wp"]
    plate_camera: Camera
    plate_depth: BackgroundDepth | None
    triangulation: Triangulation | None
    homographies: Float[Tensor, "T 3 3"]
    residual: Float[Tensor, " T"]
    inlier_share: Float[Tensor, " T"]
    free_residual: float


def estimate_background(
    images: FrameSequence,
    masks: FrameSequence,
    cameras: Literal["auto", "static", "rotation"] | Sequence[Camera] = "auto",
    fov: float = DEFAULT_FOV,
) -> Background:
    """Find the camera of each frame and the background behind the objects.

    Args:
        images: T times (H, W, 3) in [0, 1]: a (T, H, W, 3) tensor or any lazy sequence.
        masks: T times (K, H, W) bool: what is not background. K may be 0.
        cameras: what to assume, or the cameras themselves, which are then kept as they are.
        fov: vertical field of view in degrees to start from; a clip in which the camera turns
            enough corrects it, horizontally and vertically apart (squashed pixels), and per
            frame where it zooms.

    Raises:
        InputError: sizes do not fit together, or there is no frame.
        UsageError: another number of cameras than frames, or an unknown mode.
    """
    height, width = _check(images, masks, cameras)
    free = [background_pixels(masks[t]) for t in range(len(images))]
    frames = [Frame.of(images[t], free[t]) for t in range(len(images))]
    registration = register_frames(frames)
    if isinstance(cameras, str):
        path = fit_cameras(registration, cameras, Camera.from_fov(width, height, fov))
    else:
        path = CameraPath("given", "the cameras were given", list(cameras))
    if _moving(path.cameras):
        plate, view, depth, triangulation = _plate_in_depth(images, free, path.cameras)
        residual, inlier_share = _frame_residuals(registration.pairs, path.cameras, _epipolar_miss)
    else:
        plate, view = _plate_far_away(images, free, path.cameras)
        depth, triangulation = None, None
        residual, inlier_share = _frame_residuals(registration.pairs, path.cameras, _far_miss)
    return Background(
        mode=path.mode,
        reason=path.reason,
        cameras=path.cameras,
        plate=plate.image,
        plate_valid=plate.valid,
        plate_camera=view,
        plate_depth=depth,
        triangulation=triangulation,
        homographies=_far_homographies(view, path.cameras).float(),
        residual=residual,
        inlier_share=inlier_share,
        free_residual=path.free_residual,
    )


def grow_mask(mask: Bool[Tensor, "H W"], pixels: int) -> Bool[Tensor, "H W"]:
    """Dilate a mask by a disc."""
    if pixels <= 0:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    grown = cv2.dilate(mask.cpu().numpy().astype(np.uint8), disc)
    return torch.from_numpy(grown > 0)


def background_pixels(masks: Bool[Tensor, "K H W"]) -> Bool[Tensor, "H W"]:
    """Tell which pixels are background for sure: off all objects and their blurred rims."""
    halo = max(round(MATTING_HALO * max(masks.shape[1:])), 1)
    return ~grow_mask(masks.any(dim=0), halo)


def _plate_far_away(
    images: FrameSequence, free: FrameSequence, cameras: list[Camera]
) -> tuple[Plate, Camera]:
    view = plate_view(cameras)
    locate = by_homographies(_far_homographies(view, cameras))
    return median_plate(images, free, locate, view.height, view.width), view


def _plate_in_depth(
    images: FrameSequence, free: FrameSequence, cameras: list[Camera]
) -> tuple[Plate, Camera, BackgroundDepth | None, Triangulation | None]:
    """Triangulate, lay the frames onto the depth, and let the plate's edges sharpen the depth."""
    triangulation = triangulate_frames(images, free, cameras)
    if triangulation is None:
        return *_plate_far_away(images, free, cameras), None, None
    middle = cameras[len(cameras) // 2]
    ahead = triangulation.points @ middle.forward - middle.position @ middle.forward
    near = float(ahead[ahead > 0].sort().values[int(NEAR_QUANTILE * int((ahead > 0).sum()))])
    view = plate_view(cameras, near)
    depth = depth_in_view(triangulation, view)
    if depth is None:
        return *_plate_far_away(images, free, cameras), None, triangulation
    plate = median_plate(images, free, by_depth(cameras, view, depth.depth), *depth.depth.shape)
    depth = depth_in_view(triangulation, view, plate.image)
    assert depth is not None  # the points cover the view as they did before
    plate = median_plate(images, free, by_depth(cameras, view, depth.depth), *depth.depth.shape)
    return plate, view, depth, triangulation


def _moving(cameras: list[Camera]) -> bool:
    positions = torch.stack([camera.position for camera in cameras])
    return bool((positions - positions[0]).norm(dim=-1).max() > STANDING)


def _far_homographies(view: Camera, cameras: list[Camera]) -> Float[Tensor, "T 3 3"]:
    return torch.stack([_far_homography(view, camera) for camera in cameras])


def _far_homography(source: Camera, target: Camera) -> Float[Tensor, "3 3"]:
    """Give target_from_source for points far away."""
    turn = target.camera_from_world[:3, :3].double() @ source.camera_from_world[:3, :3].double().T
    return target.intrinsics.double() @ turn @ torch.linalg.inv(source.intrinsics.double())


def _far_miss(pair: PairMatches, first: Camera, second: Camera) -> Float[Tensor, " M"]:
    predicted = apply_homography(_far_homography(first, second), pair.points.source)
    return (predicted - pair.points.target).norm(dim=-1)


def _epipolar_miss(pair: PairMatches, first: Camera, second: Camera) -> Float[Tensor, " M"]:
    """Measure how far matches lie from the line on which the second camera sees their ray."""
    source, target = pair.points
    relative = second.camera_from_world.double() @ first.world_from_camera.double()
    far = apply_homography(_far_homography(first, second), source)
    epipole = second.intrinsics.double() @ relative[:3, 3]
    along = epipole[:2] - far * epipole[2]  # direction in which a point comes nearer
    offset = target - far
    across = (offset[:, 0] * along[:, 1] - offset[:, 1] * along[:, 0]).abs()
    return across / along.norm(dim=-1).clamp(min=1e-9)


def _frame_residuals(
    pairs: list[PairMatches], cameras: list[Camera], measure
) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"]]:
    """Sum up each frame's matches: median distance in pixels, share within 1.5 px."""
    distances: list[list[Tensor]] = [[] for _ in cameras]
    for pair in pairs:
        miss = measure(pair, cameras[pair.first], cameras[pair.second])
        distances[pair.first].append(miss)
        distances[pair.second].append(miss)
    residual, share = torch.full((2, len(cameras)), torch.nan)
    for t, each in enumerate(distances):
        if sum(len(miss) for miss in each):
            gathered = torch.cat(each)
            residual[t] = gathered.median()
            share[t] = (gathered < INLIER_PIXELS).double().mean()
    return residual, share


def _check(images: FrameSequence, masks: FrameSequence, cameras) -> tuple[int, int]:
    if len(images) == 0 or len(images) != len(masks):
        raise InputError(
            f"{len(images)} images and {len(masks)} sets of masks", expected="one per frame"
        )
    height, width = images[0].shape[:2]
    for t in range(len(images)):
        if images[t].shape[:2] != (height, width) or masks[t].shape[1:] != (height, width):
            raise InputError("image and masks are not of the first frame's size", frame=t)
    if isinstance(cameras, str):
        if cameras not in ("auto", "static", "rotation"):
            raise UsageError(f"camera mode {cameras!r}", expected="auto, static or rotation")
    elif len(cameras) != len(images):
        raise UsageError(f"{len(cameras)} cameras for {len(images)} frames")
    return height, width
