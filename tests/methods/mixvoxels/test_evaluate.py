"""What evaluating a run writes; its scene is the one that was filmed."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from fourfold.capture import Capture, FilmedView, open_capture, write_capture
from fourfold.evaluation import has_flip, has_jod
from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.evaluate import evaluate
from fourfold.scene import Scene
from fourfold.training import Run
from tests.rigs import rig_scene
from tests.tiny import NUM_FRAMES

DARKER = 13 / 255
PSNR = -20 * math.log10(DARKER)
# the stored picture has steps of 1/255, so that 13 of them may be 13.5
ROUNDING = 20 * math.log10(13.5 / 13.0)


def _cameras(scene: Scene, name: str) -> list[Camera]:
    cameras = list(scene.rig[name])
    return cameras * (NUM_FRAMES // len(cameras))


def _capture(folder: Path, test_cameras: str) -> Capture:
    scene, views = rig_scene(), {}
    for name in scene.rig:
        cameras = _cameras(scene, name)
        images = [scene.render(c, float(t))["rgb"] - DARKER for t, c in enumerate(cameras)]
        images = [image.clamp(0, 1) for image in images]
        views[name.replace(".", "_")] = FilmedView(images=images, cameras=cameras)
    write_capture(folder, views, fps=10.0)
    return open_capture(folder, test_cameras=test_cameras)


def _run(folder: Path, capture: Capture) -> Run:
    run = Run.open(
        folder,
        method="mixvoxels",
        config=MixVoxelsConfig(),
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
    )
    run.close()
    scene = rig_scene()
    rig = {name.replace(".", "_"): cameras for name, cameras in scene.rig.items()}
    replace(scene, rig=rig).save(run.scene_folder)
    return run


def test_figures_and_report_of_held_out_cameras(tmp_path: Path):
    capture = _capture(tmp_path / "rig", "cam00,cam_1")
    run = _run(tmp_path / "run", capture)
    metrics = evaluate(run, capture)
    written = json.loads((run.path / "metrics.json").read_text())
    assert written == metrics
    for name in ("psnr", "psnr_cam00", "psnr_cam_1"):
        assert metrics[name] == pytest.approx(PSNR, abs=ROUNDING)
    assert metrics["psnr_static"] == metrics["psnr_static_cam00"]
    assert "psnr_static_cam_1" not in metrics  # it moves
    assert metrics["ssim"] == pytest.approx((metrics["ssim_cam00"] + metrics["ssim_cam_1"]) / 2)
    assert 0.5 < metrics["motion_iou_deviation"] <= 1.0
    assert {"depth_error", "motion_iou", "train_psnr", "num_voxels"}.isdisjoint(metrics)
    assert has_flip() == ("flip" in metrics)
    assert has_jod() == ("jod" in metrics)
    assert 0.0 < metrics["render_seconds_per_frame"] < 5.0
    assert 0.0 < metrics["render_seconds_per_frame_moving"] < 5.0
    size = sum(file.stat().st_size for file in run.scene_folder.rglob("*") if file.is_file())
    assert metrics["model_mb"] == size / 1e6
    assert metrics["num_gaussians"] == rig_scene().num_gaussians
    assert {"seconds", "peak_memory_mb"} <= metrics.keys()
    page = run.report_path.read_text()
    assert "2 cameras" not in page  # one was trained on
    assert "1 cameras, 4 frames of 64x48" in page
    assert "lpips (its weights are not given: --lpips)" in page
    # three frames of each held-out camera; five pictures in a row
    with Image.open(run.path / "contact_sheet.png") as sheet:
        width, height = sheet.size
    assert height == 6 * (200 + 22 + 6) + 6
    assert width == 5 * round(200 * 64 / 48) + 6 * 6


def test_without_held_out_cameras_only_the_trained_ones_are_measured(tmp_path: Path):
    capture = _capture(tmp_path / "rig", "none")
    run = _run(tmp_path / "run", capture)
    metrics = evaluate(run, capture)
    assert metrics["train_psnr"] == pytest.approx(PSNR, abs=ROUNDING)
    assert {"psnr", "ssim", "motion_iou_deviation"}.isdisjoint(metrics)
    page = run.report_path.read_text()
    assert "No camera is held out" in page
    assert "Not measured" not in page


def test_a_held_out_camera_without_a_pose_is_named(tmp_path: Path):
    capture = _capture(tmp_path / "rig", "cam00,cam02")
    run = _run(tmp_path / "run", capture)
    scene = Scene.load(run.scene_folder)
    replace(scene, rig={n: c for n, c in scene.rig.items() if n != "cam02"}).save(run.scene_folder)
    metrics = evaluate(run, capture)
    assert "psnr_cam00" in metrics
    assert "psnr_cam02" not in metrics
    assert "nothing is measured: cam02" in run.report_path.read_text()
