"""How an osn run is measured: flat figures, and a report to look at."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import fourfold
from fourfold.capture import Capture, RigidTruth
from fourfold.evaluation import (
    Lpips,
    Picture,
    Report,
    contact_sheet,
    mean_of_records,
    score_frames,
    training_curves,
    write_report,
)
from fourfold.exporters import color_depth, color_objects
from fourfold.files import write_atomic
from fourfold.geometry import orbit_camera
from fourfold.methods.osn.config import OSNConfig
from fourfold.methods.osn.scoring import score_scenes
from fourfold.methods.osn.valid_set import judge, true_layers
from fourfold.methods.osn.views import Record
from fourfold.scene import SAFE_MARGIN, ScaleSet, Scene, orbit_pivot
from fourfold.training import Run, generator

SHEET_SAMPLES = 5
"""Combinations of scales on the contact sheet."""
SHEET_FRAMES = 3
SHEET_ANGLES = (-30, -15, 15, 30)
"""Degrees of azimuth of its novel views."""


def evaluate(run: Run, capture: Capture, lpips: Lpips | None = None) -> dict[str, float]:
    """Measure a run; write metrics.json, contact_sheet.png and report.html; return the figures.

    Keys: train_psnr, train_ssim, train_object_psnr, train_mask_iou (and train_lpips) on the filmed
    frames, at typical scales. With test views psnr, ssim, ssimae, pq, miou, lpips where the metric
    is given, and covisible_psnr, covisible_ssim, covisible_lpips of the part that training frames
    saw: the mean over SAMPLES valid combinations of scales; with the prefix oracle_, the one of
    them with the best psnr, which peeks at the truth; with true_scale_, the true scales;
    ceiling_psnr, perfect geometry at the same samples; scale_mse, of the oracle's scales. With
    several true combinations all of these are means over them. With true layers the keys of
    `judge`, and true_scale_score (0 where they lie outside of the ranges) and
    true_combinations_inside, the share of several true combinations that the set holds.
    samples_valid: 0 where no combination is valid, so that the best ones stood in; seconds,
    peak_memory_mb, num_gaussians, or num_voxels of fields.
    """
    config, scene = run.config(OSNConfig), Scene.load(run.scene_folder)
    scale_set = scene.scale_set
    assert scale_set is not None
    typical = scene.at_typical_scales()
    frames = score_frames(typical, capture, range(capture.num_frames), lpips)
    metrics: dict[str, float] = mean_of_records(list(frames.values()), "train_")
    truth = capture.rigid_truth
    if truth is not None:
        metrics |= score_scenes(scene, scale_set, capture, truth, config.seed, lpips)
        metrics |= _judge_set(scale_set, truth, capture, config.seed)
    metrics["samples_valid"] = float(scale_set.sample(1).valid.float().mean())
    metrics |= {**run.costs(), **_size(scene)}
    run.write_metrics(metrics)
    sheet = picture_sheet(scene, typical, capture, config.seed)
    write_atomic(run.path / "contact_sheet.png", sheet)
    write_report(run.report_path, _report(run, capture, scene, metrics, sheet))
    return metrics


def _judge_set(scale_set: ScaleSet, truth: RigidTruth, capture: Capture, seed: int) -> Record:
    """Judge the set of scales where the true layers are known, and the score of the true scales."""
    true = truth.scales()
    if true is None or bool(true.isnan().any()) or not scale_set.object_names:
        return {}
    relative = (true[1:] / true[0])[None]
    places = scale_set.places(relative)
    in_box = bool(((places >= 0) & (places <= 1)).all())
    figures = {"true_scale_score": float(scale_set.accuracy(relative)[0]) if in_box else 0.0}
    if truth.combinations is not None:
        inside = scale_set.contains(relative * truth.combinations)
        figures["true_combinations_inside"] = float(inside.float().mean())
    layers = true_layers(truth, capture.num_frames, true)
    return figures if layers is None else figures | judge(scale_set, layers, seed)


def _size(scene: Scene) -> Record:
    """Count what the scene is made of, under the name of its kind."""
    if scene.volume_objects:
        return {"num_voxels": float(scene.num_voxels)}
    return {"num_gaussians": float(scene.num_gaussians)}


def _report(
    run: Run, capture: Capture, scene: Scene, metrics: Mapping[str, Any], sheet: bytes
) -> Report:
    scale_set = scene.scale_set
    assert scale_set is not None
    matter = (
        f"{scene.num_voxels} voxels" if scene.volume_objects else f"{scene.num_gaussians} Gaussians"
    )
    return Report(
        title=f"{capture.path.name}: osn",
        subtitle=f"{capture.num_frames} frames of {capture.width}x{capture.height}, "
        f"{len(scene.objects) - 1} objects, {matter}",
        metrics=metrics,
        notes=scale_set.describe(),
        pictures=[
            Picture(
                "Input, reconstruction, depth and objects; then sampled scales, each the same "
                "video, from the sides",
                sheet,
            )
        ],
        frame_curves=[],
        training_curves=training_curves(run.log_entries()),
        laps=run.stopwatch.laps,
        settings=run.plain_config,
        footer=f"Fourfold {fourfold.__version__}",
    )


@torch.no_grad()
def picture_sheet(scene: Scene, typical: Scene, capture: Capture, seed: int) -> bytes:
    """Lay out the scene at typical scales, then several valid ones from the sides, as a PNG."""
    assert scene.scale_set is not None
    last = scene.num_frames - 1
    moments = sorted({round(k * last / max(SHEET_FRAMES - 1, 1)) for k in range(SHEET_FRAMES)})
    rows = [_moment_row(typical, capture, frame) for frame in moments]
    samples = scene.scale_set.sample(SHEET_SAMPLES, generator(seed, "sheet"), SAFE_MARGIN)
    for number in range(len(samples)):
        rows.append(_sample_row(scene, samples.mapping(number), last / 2))
    return contact_sheet(rows)


def _moment_row(scene: Scene, capture: Capture, frame: int) -> list[tuple[str, Tensor]]:
    time = float(frame)
    drawn = scene.render(scene.camera_at(time), time, {"rgb", "depth", "objects"})
    known = drawn["depth"][~drawn["depth"].isnan()]
    near, far = known.quantile(torch.tensor([0.02, 0.98])).tolist() if len(known) else (1.0, 2.0)
    return [
        (f"input, frame {capture.frames[frame]}", capture.image(frame)),
        ("reconstruction", drawn["rgb"].clamp(0, 1)),
        ("depth", color_depth(drawn["depth"], near, far)),
        ("objects", color_objects(drawn["rgb"].clamp(0, 1), drawn["objects"], background=True)),
    ]


def _sample_row(scene: Scene, scales: Mapping[str, float], time: float) -> list[tuple[str, Tensor]]:
    camera = scene.camera_at(time)
    pivot = orbit_pivot(scene, camera, time)
    named = ", ".join(f"{name} {scale:.2f}" for name, scale in scales.items()) or "no object"
    row = []
    for angle in SHEET_ANGLES:
        side = orbit_camera(camera, pivot, 0.0, float(angle), scene.up)
        drawn = scene.render(side, time, scales=dict(scales))
        row.append((f"{angle:+d}°  {named}", drawn["rgb"].clamp(0, 1)))
    return row
