"""The photo at rest, and the loop."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.evaluation import Lpips, masked_ssim, psnr, sharpness, ssim
from fourfold.methods.mom.photo import Photo
from fourfold.scene import Scene, StaticMotion

MOMENTS = 23
"""Times of the loop at which its sharpness is measured; not a divisor of the sub-loops' lengths."""
NEIGHBORS = 8
"""Pairs of neighbouring frames to which the seam is compared."""

Record = dict[str, float]


def at_rest(scene: Scene) -> Scene:
    """Give the scene with its motion disabled."""
    still = [replace(item, motion=StaticMotion()) for item in scene.objects]
    return replace(scene, objects=still, period=None)


@torch.no_grad()
def score_rest(scene: Scene, photo: Photo, lpips: Lpips | None = None) -> Record:
    """Compare the still scene with the photo, all of it; and inside the moving regions."""
    picture, moving = _picture(at_rest(scene), 0.0), photo.moving.any(0)
    record = {
        "rest_psnr": float(psnr(picture, photo.image)),
        "rest_ssim": float(ssim(picture, photo.image)),
        "rest_sharpness": float(sharpness(picture) / sharpness(photo.image)),
        "rest_masked_psnr": float(psnr(picture, photo.image, moving)),
        "rest_masked_ssim": float(masked_ssim(picture, photo.image, moving)),
    }
    if lpips is not None:
        record["rest_lpips"] = float(lpips(picture, photo.image))
    return record


@torch.no_grad()
def score_loop(
    scene: Scene, moving: Bool[Tensor, "H W"], step: Callable[[], None] = lambda: None
) -> Record:
    """Measure the seam, the sharpness of what moves, and the stillness of what does not.

    Args:
        moving: the regions, in the photo.
        step: called after each of `MOMENTS` + 2 * `NEIGHBORS` + 2 pictures.
    """
    assert scene.period is not None
    rest = _picture(at_rest(scene), 0.0)
    # nothing beyond the banks moves, but the footprints of what reaches them
    calm = ~_grown(moving, 3)
    ratios, stills = [], []
    for moment in range(MOMENTS):
        picture = _picture(scene, scene.period * (moment + 0.5) / MOMENTS)
        ratios.append(float(sharpness(picture, moving) / sharpness(rest, moving)))
        stills.append(float(psnr(picture, rest, calm)) if bool(calm.any()) else float("nan"))
        step()
    return {
        "sharpness_min": min(ratios),
        "sharpness_max": max(ratios),
        "still_psnr": min(stills),
        "loop_seam_db": _seam(scene, step),
    }


def _seam(scene: Scene, step: Callable[[], None]) -> float:
    """Give the PSNR of the last frame to the first, less the median between neighbours."""
    assert scene.period is not None
    frames = round(scene.period)
    starts = [frames - 1, *(frames * k // NEIGHBORS for k in range(NEIGHBORS))]
    alike = []
    for start in starts:
        first = _picture(scene, float(start))
        step()
        alike.append(float(psnr(first, _picture(scene, float((start + 1) % frames)))))
        step()
    return alike[0] - median(alike[1:])


def _picture(scene: Scene, time: float) -> Float[Tensor, "H W 3"]:
    return scene.render(scene.camera_at(time), time)["rgb"].clamp(0, 1)


def _grown(mask: Bool[Tensor, "H W"], pixels: int) -> Bool[Tensor, "H W"]:
    size = 2 * pixels + 1
    wide = torch.nn.functional.max_pool2d(mask.float()[None, None], size, 1, pixels)
    return wide[0, 0] > 0
