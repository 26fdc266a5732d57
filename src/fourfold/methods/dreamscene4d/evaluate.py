"""How a dreamscene4d run is measured: flat figures, and a report to look at."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

import fourfold
from fourfold.capture import Capture
from fourfold.evaluation import (
    Curve,
    Lpips,
    Picture,
    Report,
    contact_sheet,
    front_most,
    mean_of_records,
    score_against_truth,
    score_frames,
    score_warped_frames,
    training_curves,
    write_report,
)
from fourfold.exporters import color_depth, color_objects
from fourfold.files import write_atomic
from fourfold.geometry import orbit_camera
from fourfold.methods.dreamscene4d.clip import Clip, read_clip
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig
from fourfold.methods.dreamscene4d.flows import ObjectFlows
from fourfold.methods.dreamscene4d.train import trained_frames
from fourfold.scene import Scene, orbit_pivot
from fourfold.training import Run

SHEET_FRAMES = 4
"""Moments of the clip on the contact sheet."""
SHEET_ANGLES = (-45, -20, 20, 45)
"""Degrees of azimuth of its novel views."""


def evaluate(run: Run, capture: Capture, lpips: Lpips | None = None) -> dict[str, float]:
    """Measure a run; write metrics.json, contact_sheet.png and report.html; return the figures.

    Keys: psnr, ssim, object_psnr, mask_iou (and lpips where the metric is given) over the trained
    frames; the same with the prefix ``heldout_`` and, of the warped nearest frame,
    ``baseline_heldout_``; flow_epe, against optical flow that was confirmed both ways, not a
    truth; with a synthetic truth the keys of ``score_against_truth``; seconds, peak_memory_mb,
    num_gaussians.
    """
    config = run.config(DreamScene4DConfig)
    scene = Scene.load(run.scene_folder)
    trained = trained_frames(len(capture.frames), config.holdout)
    heldout = [t for t in range(len(capture.frames)) if t not in trained]
    records = score_frames(scene, capture, range(len(capture.frames)), lpips)
    metrics = mean_of_records([records[t] for t in trained])
    metrics["flow_epe"] = flow_error(scene, read_clip(capture, trained))
    if heldout:
        metrics |= mean_of_records([records[t] for t in heldout], "heldout_")
        warped = score_warped_frames(capture, trained, heldout, lpips)
        metrics |= mean_of_records(list(warped.values()), "baseline_heldout_")
    if capture.truth is not None:
        metrics |= score_against_truth(scene, capture, trained)
    metrics |= {**run.costs(), "num_gaussians": float(scene.num_gaussians)}
    run.write_metrics(metrics)
    sheet = picture_sheet(scene, capture)
    write_atomic(run.path / "contact_sheet.png", sheet)
    write_report(run.report_path, _report(run, capture, scene, metrics, records, sheet))
    return metrics


@torch.no_grad()
def flow_error(scene: Scene, clip: Clip) -> float:
    """Mean distance in pixels between drawn and estimated flow of the objects.

    From each trained frame to the next that shows the object, where the estimated flow is confirmed
    forward and backward and the object is in front in the drawing.
    """
    flows, errors, counts = ObjectFlows(clip), 0.0, 0
    for frame in clip.trained:
        for index, name in enumerate(clip.object_names):
            target = flows.onward(index, frame)
            if target is None or not target.valid.any():
                continue
            drawn = scene.render(
                scene.camera_at(float(frame)),
                float(frame),
                {"flow", "objects"},
                next_camera=scene.camera_at(float(target.next_frame)),
                next_time=float(target.next_frame),
            )
            owner = scene.object_names.index(name)
            counted = target.valid & (front_most(drawn["objects"]) == owner)
            errors += float((drawn["flow"] - target.flow).norm(dim=-1)[counted].sum())
            counts += int(counted.sum())
    return errors / counts if counts else float("nan")


def _report(
    run: Run,
    capture: Capture,
    scene: Scene,
    metrics: Mapping[str, Any],
    records: Mapping[int, Mapping[str, float]],
    sheet: bytes,
) -> Report:
    frames = sorted(records)
    trained = trained_frames(len(frames), run.config(DreamScene4DConfig).holdout)
    marked = [frame not in trained for frame in frames]
    curves = [
        Curve(title, frames, [records[frame][key] for frame in frames], marked)
        for key, title in (
            ("psnr", "PSNR per frame"),
            ("object_psnr", "PSNR of the objects"),
            ("mask_iou", "Mask IoU"),
        )
    ]
    return Report(
        title=f"{capture.path.name}: dreamscene4d",
        subtitle=f"{len(frames)} frames of {capture.width}x{capture.height}, "
        f"{len(capture.object_names)} objects, {scene.num_gaussians} Gaussians",
        metrics=metrics,
        notes=_undetermined(scene),
        pictures=[
            Picture(
                "Input, reconstruction, four new views, depth and objects, at "
                "moments spread over the clip",
                sheet,
            )
        ],
        frame_curves=curves,
        training_curves=training_curves(run.log_entries()),
        laps=run.stopwatch.laps,
        settings=run.plain_config,
        footer=f"Fourfold {fourfold.__version__}",
    )


def _undetermined(scene: Scene) -> list[str]:
    """Say where depths come from, and what the clip does not tell."""
    notes = scene.provenance
    depth = notes["depth"]
    said = [f"Camera: {notes['camera']['mode']} ({notes['camera']['reason'].rstrip('.')})."]
    said += [f"Depth of {name}: {source}." for name, source in depth["objects"].items()]
    said.append(f"Depth of the background: {depth['background']}.")
    if notes["config"]["prior"] == "symmetry":
        said.append(
            "The far side of every object is the mirror image of its visible side, a guess."
        )
    return said


@torch.no_grad()
def picture_sheet(scene: Scene, capture: Capture) -> bytes:
    """Lay out input, reconstruction, views from the sides, depth and objects, as a PNG."""
    count = scene.num_frames
    moments = sorted(
        {round(k * (count - 1) / max(SHEET_FRAMES - 1, 1)) for k in range(SHEET_FRAMES)}
    )
    return contact_sheet([_sheet_row(scene, capture, t) for t in moments])


def _sheet_row(scene: Scene, capture: Capture, frame: int) -> Sequence[tuple[str, Tensor]]:
    time, camera = float(frame), scene.camera_at(float(frame))
    drawn = scene.render(camera, time, {"rgb", "depth", "objects"})
    row = [
        (f"input, frame {capture.frames[frame]}", capture.image(frame)),
        ("reconstruction", drawn["rgb"]),
    ]
    for angle in SHEET_ANGLES:
        side = orbit_camera(camera, orbit_pivot(scene, camera, time), 0.0, float(angle), scene.up)
        row.append((f"{angle:+d}°", scene.render(side, time)["rgb"]))
    known = drawn["depth"][~drawn["depth"].isnan()]
    near, far = known.quantile(torch.tensor([0.02, 0.98])).tolist() if len(known) else (1.0, 2.0)
    row.append(("depth", color_depth(drawn["depth"], near, far)))
    row.append(("objects", color_objects(drawn["rgb"], drawn["objects"], background=True)))
    return [(label, image.clamp(0, 1)) for label, image in row]
