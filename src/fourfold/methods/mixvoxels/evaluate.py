"""How a mixvoxels run is measured: flat figures, and a report to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import fourfold
from fourfold.capture import Capture
from fourfold.evaluation import (
    Lpips,
    Picture,
    Report,
    has_flip,
    has_jod,
    mean_of_records,
    mean_over_frames,
    psnr,
    training_curves,
    write_report,
)
from fourfold.files import write_atomic
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.render_speed import render_seconds
from fourfold.methods.mixvoxels.rig_pictures import picture_sheet
from fourfold.methods.mixvoxels.rig_scores import Record, RigView, score_view
from fourfold.scene import Scene
from fourfold.training import Progress, Run

TRAIN_PICTURES = 60
"""Pictures of the training cameras, spread evenly, that stand in where none is held out."""
# Figures that are also given for each camera.
_PER_CAMERA = ("psnr", "psnr_static", "ssim", "depth_error", "motion_iou")


def evaluate(run: Run, capture: Capture, lpips: Lpips | None = None) -> dict[str, float]:
    """Measure a run; write metrics.json, contact_sheet.png and report.html; return the figures.

    Keys: those of `score_view`, means over the held-out cameras, and with _CAMERA behind it psnr,
    ssim, psnr_static, depth_error and motion_iou of each; without held-out cameras only
    train_psnr; render_seconds_per_frame of a camera that stands and render_seconds_per_frame_moving
    of one that moves, kernels warm; model_mb, the size of the saved scene; seconds,
    peak_memory_mb; num_voxels, num_gaussians.
    """
    config, scene = run.config(MixVoxelsConfig), Scene.load(run.scene_folder)
    capture = capture.as_views()
    held_out = _views(scene, capture, capture.held_out_views)
    shown = held_out or _views(scene, capture, capture.train_views)
    if held_out:
        metrics = _score_held_out(held_out, config.voxels.still_target, lpips)
    else:
        metrics = {"train_psnr": _score_training(shown)}
    metrics |= render_seconds(scene, shown[0].name)
    metrics |= {"model_mb": _megabytes(run.scene_folder), **run.costs()}
    counts = {"num_voxels": scene.num_voxels, "num_gaussians": scene.num_gaussians}
    metrics |= {key: float(count) for key, count in counts.items() if count}
    run.write_metrics(metrics)
    sheet = picture_sheet(shown)
    write_atomic(run.path / "contact_sheet.png", sheet)
    notes = [*run.notes, *_notes(scene, capture, bool(lpips))]
    write_report(run.report_path, _report(run, capture, scene, metrics, notes, sheet))
    return metrics


def _views(scene: Scene, capture: Capture, names: Sequence[str]) -> list[RigView]:
    return [RigView(scene, capture, name) for name in names if name in scene.rig]


def _score_held_out(
    views: Sequence[RigView], still_target: str, lpips: Lpips | None
) -> dict[str, float]:
    records: dict[str, Record] = {}
    with Progress(sum(view.num_frames for view in views), "measuring") as bar:
        for view in views:
            records[view.name] = score_view(view, still_target, lpips, bar.advance)
    metrics = mean_of_records(records.values())
    for name, record in records.items():
        metrics |= {f"{key}_{name}": record[key] for key in _PER_CAMERA if key in record}
    return metrics


@torch.no_grad()
def _score_training(views: Sequence[RigView]) -> float:
    pairs = [(view, frame) for view in views for frame in range(view.num_frames)]
    count = min(TRAIN_PICTURES, len(pairs))
    values = []
    for index in torch.linspace(0, len(pairs) - 1, count).round().long().tolist():
        view, frame = pairs[index]
        image = view.scene.render(view.camera(frame), float(frame))["rgb"]
        values.append(float(psnr(image.clamp(0.0, 1.0), view.image(frame))))
    return mean_over_frames(values)


def _megabytes(folder: Path) -> float:
    """Give the size of a folder's files in MB of 10^6 bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _notes(scene: Scene, capture: Capture, has_lpips: bool) -> list[str]:
    """Say what the figures are of, and what is missing among them."""
    notes = list(capture.notes)
    lost = [name for name in capture.held_out_views if name not in scene.rig]
    if lost:
        notes.append(f"Held out, but without a pose, so that nothing is measured: {_list(lost)}.")
    if not any(name in scene.rig for name in capture.held_out_views):
        notes.append(
            "No camera is held out: train_psnr is of pictures that were trained on, and says "
            "nothing of other views; drawn in the mean exposure of the cameras. --test-cameras "
            "holds some out."
        )
        return notes
    missing = {
        "lpips (its weights are not given: --lpips)": not has_lpips,
        "flip (pip install flip-evaluator)": not has_flip(),
        "jod (pip install pyfvvdp, for non-commercial use)": not has_jod(),
    }
    left_out = [name for name, is_missing in missing.items() if is_missing]
    if left_out:
        notes.append(f"Not measured: {_list(left_out)}.")
    return notes


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)


def _report(
    run: Run,
    capture: Capture,
    scene: Scene,
    metrics: Mapping[str, Any],
    notes: Sequence[str],
    sheet: bytes,
) -> Report:
    made_of = (
        f"{scene.num_voxels} voxels" if scene.num_voxels else f"{scene.num_gaussians} Gaussians"
    )
    caption = "As filmed, rendering, what stands still, what moves, depth"
    if not any(name in scene.rig for name in capture.held_out_views):
        caption += "; cameras that were trained on"
    return Report(
        title=f"{capture.path.name}: mixvoxels",
        subtitle=f"{len(capture.train_views)} cameras, {scene.num_frames} frames of "
        f"{capture.width}x{capture.height}, {made_of}",
        metrics=metrics,
        notes=notes,
        pictures=[Picture(caption, sheet)],
        training_curves=training_curves(run.log_entries()),
        laps=run.stopwatch.laps,
        settings=run.plain_config,
        footer=f"Fourfold {fourfold.__version__}",
    )
