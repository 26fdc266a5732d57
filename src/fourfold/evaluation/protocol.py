"""How a scene is scored against its capture: the same for all methods, under flat keys."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture import Capture, Tracks
from fourfold.evaluation.alignment import align_camera, fit_alignment
from fourfold.evaluation.baselines import warp_nearest_frame
from fourfold.evaluation.billboards import view_with_cards
from fourfold.evaluation.lpips import Lpips
from fourfold.evaluation.metrics import (
    front_most,
    mask_iou,
    mean_over_frames,
    psnr,
    ssim,
)
from fourfold.evaluation.ordering import (
    count_ordered_pairs,
    depth_order_accuracy,
    median_depths,
)
from fourfold.evaluation.tracks import (
    counted_entries,
    first_visible,
    predict_tracks,
    track_epe_2d,
    track_epe_3d,
)
from fourfold.scene import Scene

Record = dict[str, float]


def score_image(
    image: Float[Tensor, "H W 3"],
    target: Float[Tensor, "H W 3"],
    masks: Bool[Tensor, "K H W"],
    labels: Int[Tensor, "H W"],
    indices: Sequence[int] | None = None,
    lpips: Lpips | None = None,
) -> Record:
    """Score one image: psnr, ssim, object_psnr (pixels of the masks), mask_iou (mean of objects).

    `labels` say which object is in front, `indices[k]` being that of mask k. What the frame does
    not determine (no object visible) is NaN. Also lpips where the metric is given.
    """
    record = {
        "psnr": float(psnr(image, target)),
        "ssim": float(ssim(image, target)),
        "object_psnr": float(psnr(image, target, masks.any(dim=0))),
        "mask_iou": mean_over_frames(mask_iou(labels, masks, indices)),
    }
    return record if lpips is None else record | {"lpips": float(lpips(image, target))}


@torch.no_grad()
def score_frames(
    scene: Scene, capture: Capture, frames: Sequence[int], lpips: Lpips | None = None
) -> dict[int, Record]:
    """Score a scene on frames of its capture, as `score_image` does."""
    indices = [scene.object_names.index(name) for name in capture.object_names]
    records = {}
    for frame in frames:
        drawn = scene.render(scene.camera_at(float(frame)), float(frame), {"rgb", "objects"})
        records[frame] = score_image(
            drawn["rgb"].clamp(0, 1),
            capture.image(frame),
            capture.masks(frame),
            front_most(drawn["objects"]),
            indices,
            lpips,
        )
    return records


def score_warped_frames(
    capture: Capture, trained: Sequence[int], heldout: Sequence[int], lpips: Lpips | None = None
) -> dict[int, Record]:
    """Score the baseline `warp_nearest_frame` on held-out frames, as `score_image` does."""
    records = {}
    for frame in heldout:
        guess = warp_nearest_frame(frame, trained, capture.image, capture.masks)
        # Where two guesses overlap the later object was painted over the earlier one.
        ranks = torch.arange(1, len(guess.masks) + 1)[:, None, None]
        labels = (guess.masks * ranks).amax(dim=0) - 1
        target, masks = capture.image(frame), capture.masks(frame)
        records[frame] = score_image(guess.image, target, masks, labels, lpips=lpips)
    return records


@torch.no_grad()
def score_against_truth(scene: Scene, capture: Capture, trained: Sequence[int]) -> Record:
    """Score what only a synthetic capture's truth can judge; empty without truth.

    Keys, as far as the truth holds what they need: novel<angle>_psnr and _ssim, both signs of an
    angle together; the same with prefix billboard_ for the scene with flat cards instead of its
    objects (`view_with_cards`); track_epe_2d, track_epe_3d; depth_order_accuracy. Novel views and
    tracks in space are measured after one similarity, fitted on the trained frames.
    """
    if capture.truth is None:
        return {}
    truth_from_scene = _alignment(scene, capture, trained)
    scores = _score_tracks(scene, capture, trained, truth_from_scene)
    scores |= _score_order(scene, capture)
    if truth_from_scene is not None:
        scores |= _score_novel_views(scene, capture, truth_from_scene)
    return {key: value for key, value in scores.items() if value == value}


def query_objects(
    capture: Capture, queries: Float[Tensor, "N 2"], frames: Int[Tensor, "N"]
) -> list[str | None]:
    """Name the object whose input mask a query pixel lies in; None where it is not just one."""
    found: list[str | None] = []
    masks = {frame: capture.masks(frame) for frame in frames.unique().tolist()}
    for (x, y), frame in zip(queries.floor().long().tolist(), frames.tolist(), strict=True):
        _, height, width = masks[frame].shape
        at = masks[frame][:, min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
        hits = at.nonzero()[:, 0].tolist()
        found.append(capture.object_names[hits[0]] if len(hits) == 1 else None)
    return found


def _alignment(
    scene: Scene, capture: Capture, trained: Sequence[int]
) -> Float[Tensor, "4 4"] | None:
    truth = capture.truth
    assert truth is not None
    depths, cameras = {}, {}
    for frame in trained:
        depth, camera = truth.depth(frame), capture.camera(frame)
        if depth is not None and camera is not None:
            depths[frame], cameras[frame] = depth, camera
    if not depths:
        return None
    return fit_alignment(scene, list(depths), cameras.__getitem__, depths.__getitem__)


def _score_novel_views(
    scene: Scene, capture: Capture, truth_from_scene: Float[Tensor, "4 4"]
) -> Record:
    assert capture.truth is not None
    columns: dict[str, list[float]] = {}
    for view in capture.truth.novel_views():
        camera = align_camera(view.camera, truth_from_scene)
        image = scene.render(camera, float(view.frame), {"rgb"})["rgb"].clamp(0, 1)
        cards = view_with_cards(scene, capture, view.frame, camera)
        target = view.image()
        for prefix, shown in (("", image), ("billboard_", cards)):
            key = f"{prefix}novel{abs(view.angle):.0f}"
            columns.setdefault(f"{key}_psnr", []).append(float(psnr(shown, target)))
            columns.setdefault(f"{key}_ssim", []).append(float(ssim(shown, target)))
    return {key: mean_over_frames(values) for key, values in columns.items()}


def _score_tracks(
    scene: Scene,
    capture: Capture,
    trained: Sequence[int],
    truth_from_scene: Float[Tensor, "4 4"] | None,
) -> Record:
    assert capture.truth is not None
    truth = capture.truth.tracks()
    if truth is None:
        return {}
    frames = first_visible(truth.visible, trained)
    truth, frames = _with_queries(truth, frames)
    queries = truth.pixels[frames, torch.arange(len(frames))]
    objects = query_objects(capture, queries, frames)
    predicted = predict_tracks(scene, queries, frames, objects)
    counted = counted_entries(truth.visible, frames)
    scores = {"track_epe_2d": track_epe_2d(predicted.pixels, truth.pixels, counted)}
    if truth_from_scene is not None:
        scores["track_epe_3d"] = track_epe_3d(
            predicted.points, truth.points, counted, truth_from_scene
        )
    return scores


def _with_queries(truth: Tracks, frames: Int[Tensor, "N"]) -> tuple[Tracks, Int[Tensor, "N"]]:
    """Leave out the tracks that no trained frame shows."""
    asked = frames >= 0
    kept = Tracks(
        truth.points[:, asked],
        truth.pixels[:, asked],
        truth.visible[:, asked],
        truth.objects[asked],
    )
    return kept, frames[asked]


def _score_order(scene: Scene, capture: Capture) -> Record:
    assert capture.truth is not None
    counts = []
    for frame in range(capture.num_frames):
        order = capture.truth.order(frame)
        if order is not None:
            drawn = scene.render(scene.camera_at(float(frame)), float(frame), {"depth", "objects"})
            labels = front_most(drawn["objects"])
            depths = median_depths(drawn["depth"], labels, scene.object_names)
            counts.append(count_ordered_pairs(depths, order))
    return {"depth_order_accuracy": depth_order_accuracy(counts)}
