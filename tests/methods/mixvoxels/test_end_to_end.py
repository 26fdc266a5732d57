"""A ball before a wall is filmed by five cameras and trained: quality, stops, stages, depths."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.capture import Capture
from fourfold.errors import UsageError
from fourfold.fields import RayColors
from fourfold.methods.mixvoxels import descent, gaussian_start, gaussian_train, moving_stage
from fourfold.methods.mixvoxels.config import MixVoxelsConfig, VoxelConfig
from fourfold.methods.mixvoxels.fit import Fit
from fourfold.methods.mixvoxels.gaussian_config import GaussianConfig
from fourfold.methods.mixvoxels.step import Batch
from fourfold.scene import Scene
from fourfold.training import Run
from tests.methods.mixvoxels.yard import (
    HELD_OUT,
    NAMES,
    NUM_FRAMES,
    ball,
    cameras,
    film,
    open_yard,
    write_depths,
    write_yard,
)

pytestmark = pytest.mark.slow

QUICK = MixVoxelsConfig(voxels=VoxelConfig(space="box", resolution=48, iterations=120, rays=1024))
"""As little as shows it; a box, since the cameras are turned towards one another."""
SHORT = replace(QUICK, voxels=replace(QUICK.voxels, resolution=32, iterations=24, rays=256))


@pytest.fixture(scope="module")
def whole(yard: Capture, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was trained at once."""
    return ff.train("mixvoxels", yard, out=tmp_path_factory.mktemp("runs") / "whole", config=QUICK)


@pytest.fixture(scope="module")
def scene(whole: Run) -> Scene:
    return Scene.load(whole.scene_folder)


@pytest.fixture(scope="module")
def metrics(whole: Run, yard: Capture) -> dict[str, float]:
    return ff.eval(whole, yard)


def stored_scene(run: Path) -> list[bytes]:
    return [(run / "scene" / name).read_bytes() for name in ("scene.json", "tensors.safetensors")]


# What is reconstructed


def test_the_held_out_camera_is_reconstructed(metrics: dict[str, float]):
    assert metrics["psnr"] > 26.0
    assert metrics["ssim"] > 0.93
    assert metrics["motion_iou"] > 0.6
    assert metrics["depth_error"] < 0.12


def test_the_scene_is_of_what_stands_still_and_what_moves(scene: Scene):
    assert scene.object_names == ("background", "moving")
    assert scene.num_frames == NUM_FRAMES
    assert list(scene.rig) == list(NAMES)
    assert [len(cameras) for cameras in scene.rig.values()] == [1] * len(NAMES)
    assert scene.fps == 10.0
    assert float(scene.up @ torch.tensor([0.0, -1.0, 0.0])) > 0.99
    assert scene.provenance["method"] == "mixvoxels"


@pytest.mark.parametrize("frame", [0, 3, 5])
def test_what_moves_is_where_the_ball_is(scene: Scene, frame: int):
    gaussians = scene.object("moving").at(float(frame))
    red = gaussians.colors()[:, 0] > gaussians.colors()[:, 1] + 0.3
    solid = (gaussians.opacities > 0.5) & red
    assert int(solid.sum()) > 10
    # four cameras tell its place across well, its depth by half its size
    offset = gaussians.means[solid].mean(0) - ball(frame)
    assert float(offset[:2].norm()) < 0.2
    assert abs(float(offset[2])) < 0.5


def test_between_frames_there_is_a_picture(scene: Scene):
    camera = cameras()[NAMES.index(HELD_OUT)]
    before, between, after = (scene.render(camera, time)["rgb"] for time in (2.0, 2.5, 3.0))
    assert float((between - 0.5 * (before + after)).abs().mean()) < 0.05
    assert float((before - after).abs().mean()) > 0.01


def test_few_cameras_without_depth_are_noted(whole: Run, still_run: Run):
    about = "4 cameras to train on and no known depth"
    assert [note.startswith(about) for note in whole.notes] == [True]
    assert not any(note.startswith(about) for note in still_run.notes)


def test_the_figures_are_flat_and_complete(metrics: dict[str, float], whole: Run):
    expected = {"psnr", "psnr_static", "ssim", "depth_error", "motion_iou", "seconds"}
    expected |= {"render_seconds_per_frame", "peak_memory_mb", "model_mb", "num_voxels"}
    assert expected <= metrics.keys()
    assert all(isinstance(value, float) for value in metrics.values())
    assert whole.report_path.read_text().count("<img") >= 1


# Stopping, stages


class StoppedError(Exception):
    """Someone pulled the plug."""


@pytest.mark.parametrize("stopped_at", [6, 17])
def test_a_stopped_training_goes_on_to_the_same_scene(
    yard: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_at: int
):
    ff.train("mixvoxels", yard, out=tmp_path / "whole", config=SHORT)
    see, steps = descent.see, []

    def watched(*arguments, **more):
        steps.append(len(steps))
        if len(steps) == stopped_at:
            raise StoppedError
        return see(*arguments, **more)

    monkeypatch.setattr(descent, "see", watched)
    monkeypatch.setattr("fourfold.training.watch.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(StoppedError):
        ff.train("mixvoxels", yard, out=tmp_path / "run", config=SHORT)
    assert not (tmp_path / "run" / "scene").exists()
    ff.train("mixvoxels", yard, out=tmp_path / "run", config=SHORT)
    # what was done was not done again, but for the step in which it was stopped
    assert len(steps) == SHORT.size.iterations + 1
    assert stored_scene(tmp_path / "run") == stored_scene(tmp_path / "whole")


def test_stages_one_by_one_give_the_same_scene(yard: Capture, tmp_path: Path):
    whole, out = tmp_path / "whole", tmp_path / "run"
    ff.train("mixvoxels", yard, out=whole, config=SHORT)
    with pytest.raises(UsageError, match="stage moving needs stage still"):
        ff.train("mixvoxels", yard, out=out, config=replace(SHORT, stages="moving"))
    for stages in ("still", "moving"):
        assert not (out / "scene").exists()
        ff.train("mixvoxels", yard, out=out, config=replace(SHORT, stages=stages))
    assert stored_scene(out) == stored_scene(whole)
    (out / "scene" / "scene.json").unlink()
    (out / "scene" / "tensors.safetensors").unlink()
    (out / "scene").rmdir()
    ff.train("mixvoxels", yard, out=out, config=SHORT)  # makes it anew of the checkpoint
    assert stored_scene(out) == stored_scene(whole)


# A scene in which nothing moves, and depth


@pytest.fixture(scope="module")
def wall_depths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """True depths of the wall, in two of the cameras that are trained on."""
    return write_depths(tmp_path_factory.mktemp("depth"), views=NAMES[:2])


@pytest.fixture(scope="module")
def still_run(yard: Capture, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model of one still per camera, with depths of two of them."""
    folder = tmp_path_factory.mktemp("still")
    depth = write_depths(folder / "depth", views=NAMES[:2], frame=0)
    config = replace(QUICK, static=True, depth=str(depth))
    config = replace(config, voxels=replace(QUICK.voxels, iterations=80))
    return ff.train("mixvoxels", yard, out=folder / "run", config=config)


def test_one_still_of_each_camera(still_run: Run, yard: Capture):
    scene = Scene.load(still_run.scene_folder)
    assert (scene.object_names, scene.num_frames) == (("background",), 1)
    # no other frame was decoded
    stored = sorted(still_run.frames_folder.glob("*.npy"))
    assert [len(np.load(file, mmap_mode="r")) for file in stored] == [1] * len(NAMES)
    metrics = ff.eval(still_run, yard)
    # the ball of the first frame is matter like all else
    assert metrics["psnr"] > 26.0
    assert metrics["depth_error"] < 0.08


def depth_of_wall(run: Run) -> float:
    """Give the mean relative error of the still part's depth in the held-out camera."""
    scene, camera = Scene.load(run.scene_folder), cameras()[NAMES.index(HELD_OUT)]
    still = replace(scene, objects=[scene.object("background")])
    depth = still.render(camera, 0.0, ("depth",))["depth"].nan_to_num(nan=20.0)
    truth = film(camera, None)[1]
    return float(((depth - truth).abs() / truth).mean())


@pytest.mark.parametrize("space", ["box", "ndc", "contracted"])
def test_depth_maps_bring_the_wall_to_its_place(
    yard: Capture, whole: Run, wall_depths: Path, tmp_path: Path, space: Any
):
    voxels = replace(QUICK.voxels, space=space)
    config = replace(QUICK, depth=str(wall_depths), voxels=voxels)
    run = ff.train("mixvoxels", yard, out=tmp_path / "run", config=config)
    metrics = ff.eval(run, yard)
    assert metrics["psnr"] > 28.0
    assert metrics["depth_error"] < 0.05
    if space == "box":
        assert depth_of_wall(run) < 0.4 * depth_of_wall(whole)


def test_depths_of_a_still_model_bring_the_wall_to_its_place(
    yard: Capture, whole: Run, still_run: Run, tmp_path: Path
):
    config = replace(QUICK, depth=f"static:{still_run.path}")
    run = ff.train("mixvoxels", yard, out=tmp_path / "run", config=config)
    assert depth_of_wall(run) < 0.6 * depth_of_wall(whole)


# Gaussians


def test_gaussians_of_the_same_rig(yard: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = MixVoxelsConfig(
        geometry="gaussians", gaussians=GaussianConfig(iterations=40, max_gaussians=3000)
    )
    run = ff.train("mixvoxels", yard, out=tmp_path / "whole", config=config)
    assert Scene.load(run.scene_folder).object_names == ("background", "moving")
    metrics = ff.eval(run, yard)
    assert metrics["psnr"] > 18.0
    assert metrics["num_gaussians"] > 500
    step, steps = gaussian_train.gaussian_step, []

    def watched(*arguments):
        steps.append(len(steps))
        if len(steps) == 25:
            raise StoppedError
        return step(*arguments)

    monkeypatch.setattr(gaussian_train, "gaussian_step", watched)
    monkeypatch.setattr("fourfold.training.watch.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(StoppedError):
        ff.train("mixvoxels", yard, out=tmp_path / "run", config=config)
    ff.train("mixvoxels", yard, out=tmp_path / "run", config=config)
    assert len(steps) == 41
    assert stored_scene(tmp_path / "run") == stored_scene(tmp_path / "whole")


# What goes wrong


def test_gaussians_that_start_at_random_say_so(
    yard: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gaussian_start, "LEAST_CONFIRMED", 1.1)
    few = GaussianConfig(iterations=10, max_gaussians=1000)
    config = MixVoxelsConfig(geometry="gaussians", gaussians=few)
    run = ff.train("mixvoxels", yard, out=tmp_path / "run", config=config)
    (note,) = run.notes
    assert note.endswith("of the pixels: too few, so that Gaussians start at random depths")
    assert Scene.load(run.scene_folder).provenance["notes"] == [note]
    ff.eval(run, yard)
    assert note in run.report_path.read_text()


def test_a_clip_in_which_nothing_moves_has_no_movers(yard: Capture, tmp_path: Path):
    still = ff.open_capture(yard.path, frames="0:1", test_cameras=HELD_OUT)
    run = ff.train("mixvoxels", still, out=tmp_path / "run", config=SHORT)
    assert Scene.load(run.scene_folder).object_names == ("background",)


@pytest.mark.parametrize("noisy", [False, True])
def test_where_nothing_moves_all_steps_are_spent_on_what_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noisy: bool
):
    """Also where pixels change, but no voxel does."""
    rig = write_yard(tmp_path / "rig", num_frames=3)
    if not noisy:
        for name in NAMES:
            first = (rig / "frames" / name / "0001.png").read_bytes()
            for frame in (2, 3):
                (rig / "frames" / name / f"000{frame}.png").write_bytes(first)
    see, nothing = descent.see, torch.zeros(32, 32, 32, dtype=torch.bool)
    steps = []

    def counted(
        fit: Fit, batch: Batch, random: torch.Generator, guided: bool, only_still: bool
    ) -> RayColors:
        steps.append(only_still)
        return see(fit, batch, random, guided, only_still)

    monkeypatch.setattr(descent, "see", counted)
    monkeypatch.setattr(moving_stage, "project_motion", lambda *_: nothing)
    run = ff.train("mixvoxels", open_yard(rig), out=tmp_path / "run", config=SHORT)
    assert steps == [True] * SHORT.size.iterations
    scene = Scene.load(run.scene_folder)
    assert (scene.object_names, scene.num_frames) == (("background",), 3)


def test_another_depth_is_another_run(yard: Capture, whole: Run, wall_depths: Path):
    with pytest.raises(UsageError, match="depth"):
        ff.train("mixvoxels", yard, out=whole.path, config=replace(QUICK, depth=str(wall_depths)))
