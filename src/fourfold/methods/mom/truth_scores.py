"""A scene beside what is known of a synthetic photo: depth, motion, other views."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import LandscapeTruth
from fourfold.evaluation import endpoint_error, masked_ssim, mean_of_records, psnr, ssim
from fourfold.methods.mom.rest_scores import Record, at_rest
from fourfold.scene import LoopMotion, Scene

SEEN = 0.5
"""Share of a pixel that makes it a moving region's."""
LEAST_SPEED = 0.05
"""Pixels per frame; where the truth is slower nothing counts as moving."""


@torch.no_grad()
def score_truth(scene: Scene, truth: LandscapeTruth) -> Record:
    """Compare with the truth.

    `novel_psnr`, `novel_ssim` of the still scene in the truth's other views, `novel_masked_psnr`,
    `novel_masked_ssim` of the moving regions in them, where the scene shows them; `animated_psnr`
    and so on of views some frames later, where a loop cannot be all that the truth is;
    `depth_error`, the mean of |z / truth - 1| without the sky, 1 in a hole; `motion_epe` in pixels
    per frame where the truth moves, and `motion_error`, relative to its mean speed.
    """
    still = at_rest(scene)
    novel, animated = [], []
    for view in truth.views():
        shown = scene if view.time > 0 else still
        drawn = shown.render(view.camera, view.time, ("rgb", "objects"))
        moving = _moving_share(scene, drawn["objects"]) > SEEN
        record = _compare(drawn["rgb"].clamp(0, 1), view.image(), moving)
        (animated if view.time > 0 else novel).append(record)
    record = mean_of_records(novel, "novel_") | mean_of_records(animated, "animated_")
    return record | _score_photo(scene, truth)


def _compare(
    picture: Float[Tensor, "H W 3"], target: Float[Tensor, "H W 3"], moving: Bool[Tensor, "H W"]
) -> Record:
    record = {"psnr": float(psnr(picture, target)), "ssim": float(ssim(picture, target))}
    if bool(moving.any()):
        record["masked_psnr"] = float(psnr(picture, target, moving))
        record["masked_ssim"] = float(masked_ssim(picture, target, moving))
    return record


def _score_photo(scene: Scene, truth: LandscapeTruth) -> Record:
    drawn = scene.render(scene.cameras[0], 0.0, ("depth", "flow"))
    depth, motion = truth.depth(), truth.motion()
    solid = depth.isfinite()
    speeds = torch.linalg.vector_norm(motion, dim=-1)
    flows = speeds > LEAST_SPEED
    epe = float(endpoint_error(drawn["flow"], motion, flows))
    return {
        "depth_error": float((drawn["depth"].nan_to_num() / depth - 1.0)[solid].abs().mean()),
        "motion_epe": epe,
        "motion_error": epe / float(speeds[flows].mean()),
    }


def _moving_share(scene: Scene, objects: Float[Tensor, "H W K"]) -> Float[Tensor, "H W"]:
    moves: Sequence[bool] = [isinstance(item.motion, LoopMotion) for item in scene.objects]
    return objects[..., torch.tensor(moves)].sum(-1)
