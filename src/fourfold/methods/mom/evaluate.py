"""How a mom run is measured: flat figures, and a report to look at."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import fourfold
from fourfold.capture import Capture
from fourfold.evaluation import Lpips, Picture, Report, contact_sheet, training_curves, write_report
from fourfold.files import write_atomic
from fourfold.methods.mom.config import MOMConfig
from fourfold.methods.mom.hint_scores import score_hints
from fourfold.methods.mom.path_scores import PLACES, path_cameras, score_consistency, score_paths
from fourfold.methods.mom.photo import Photo, read_photo
from fourfold.methods.mom.rest_scores import MOMENTS, NEIGHBORS, score_loop, score_rest
from fourfold.methods.mom.truth_scores import score_truth
from fourfold.scene import LANDSCAPE_PATHS, Scene
from fourfold.training import Progress, Run

SHEET_MOMENTS = (0.0, 0.15, 0.4, 0.65)
"""Shares of the loop that the contact sheet shows."""


def evaluate(run: Run, capture: Capture, lpips: Lpips | None = None) -> dict[str, float]:
    """Measure a run; write metrics.json, contact_sheet.png and report.html; return the figures.

    Keys: `score_rest` (rest_psnr and so on; rest_lpips where the metric is given), `score_loop`
    (loop_seam_db, sharpness_min, sharpness_max, still_psnr), `score_hints` (hint_angle_deg,
    hint_speed_error, hints_used), `score_paths` (holes, invented), `score_consistency` (flow_epe),
    with truth `score_truth` (novel_psnr, depth_error, motion_epe and so on); what the motion stage
    measured; seconds, peak_memory_mb, num_gaussians.
    """
    config, scene, photo = run.config(MOMConfig), Scene.load(run.scene_folder), read_photo(capture)
    moving = photo.moving.any(0)
    steps = MOMENTS + 2 * NEIGHBORS + 2 + PLACES * len(LANDSCAPE_PATHS)
    with Progress(steps, "measuring") as bar:
        metrics = score_rest(scene, photo, lpips)
        metrics |= score_loop(scene, moving, bar.advance)
        metrics |= score_paths(scene, bar.advance)
    metrics |= score_hints(scene, photo.hints, moving, config.speed)
    metrics |= score_consistency(scene)
    metrics |= scene.provenance.get("figures", {})
    if capture.landscape_truth is not None:
        metrics |= score_truth(scene, capture.landscape_truth)
    metrics |= {**run.costs(), "num_gaussians": float(scene.num_gaussians)}
    if "refine" in run.stopwatch.laps:
        metrics["refine_seconds"] = run.stopwatch.laps["refine"]
    run.write_metrics(metrics)
    sheet = picture_sheet(scene, photo)
    write_atomic(run.path / "contact_sheet.png", sheet)
    write_report(run.report_path, _report(run, capture, scene, metrics, sheet))
    return metrics


def _report(
    run: Run, capture: Capture, scene: Scene, metrics: Mapping[str, Any], sheet: bytes
) -> Report:
    pictures = [Picture("The loop in the photo's view; the ends of the camera paths", sheet)]
    captions = {"depth": f"Depth: {scene.provenance['depth']}", "motion": "Velocity, and hints"}
    for picture in run.previews:
        if picture.stem in captions:
            pictures.append(Picture(captions[picture.stem], picture))
    return Report(
        title=f"{capture.path.name}: mom",
        subtitle=f"{capture.width}x{capture.height}, {scene.period:g} frames, "
        f"{scene.num_gaussians} Gaussians",
        metrics=metrics,
        notes=_notes(scene, capture),
        pictures=pictures,
        frame_curves=[],
        training_curves=training_curves(run.log_entries()),
        laps=run.stopwatch.laps,
        settings=run.plain_config,
        footer=f"Fourfold {fourfold.__version__}",
    )


def _notes(scene: Scene, capture: Capture) -> list[str]:
    """Say where the depth is from, and what went less than well."""
    notes = [f"Depth: {scene.provenance['depth']}.", *capture.notes]
    for region in scene.provenance["regions"]:
        if region["note"]:
            notes.append(f"{region['region']}, {region['pixels']} pixels: {region['note']}.")
    if "refine" in scene.provenance:
        notes.append(f"{scene.provenance['refine']}.")
    unused = scene.provenance["unused_hints"]
    if unused:
        notes.append(f"Too far from every moving region: {', '.join(unused)}.")
    return notes


@torch.no_grad()
def picture_sheet(scene: Scene, photo: Photo) -> bytes:
    """Lay out the photo, moments of the loop, and the ends of the camera paths, as a PNG."""
    assert scene.period is not None
    first: list[tuple[str, Tensor]] = [("photo", photo.image)]
    for share in SHEET_MOMENTS:
        time = share * scene.period
        picture = scene.render(scene.cameras[0], time)["rgb"].clamp(0, 1)
        first.append((f"frame {time:g}", picture))
    second = []
    for name in LANDSCAPE_PATHS:
        camera = path_cameras(scene, name)[-1]
        picture = scene.render(camera, 0.25 * scene.period)["rgb"].clamp(0, 1)
        second.append((f"{name}, end", picture))
    return contact_sheet([first, second])
