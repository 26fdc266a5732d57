"""A small photo is trained, measured, rendered and exported: quality, resuming, stages."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import fourfold as ff
from fourfold.capture import Capture
from fourfold.cli import main
from fourfold.errors import UsageError
from fourfold.methods.mom import train
from fourfold.methods.mom.config import LoopConfig, MOMConfig
from fourfold.scene import LoopMotion, Scene, StaticMotion, read_ply
from fourfold.training import Run
from tests.methods.mom.brook import (
    FAR_HINT,
    HEIGHT,
    NEAR_HINT,
    WIDTH,
    brook_capture,
    brook_mask,
    sky_mask,
)

# The small brook flows a third of a pixel a frame; three times that shows what a real one does.
CONFIG = MOMConfig(speed=3.0, loop=LoopConfig(frames=24))
STAGES = ("depth", "motion", "lift", "loop")


@pytest.fixture(scope="module")
def capture() -> Capture:
    return brook_capture()


@pytest.fixture(scope="module")
def whole(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was trained at once."""
    return ff.train("mom", capture, out=tmp_path_factory.mktemp("runs") / "whole", config=CONFIG)


@pytest.fixture(scope="module")
def scene(whole: Run) -> Scene:
    return Scene.load(whole.scene_folder)


@pytest.fixture(scope="module")
def metrics(whole: Run, capture: Capture) -> dict[str, float]:
    return ff.eval(whole, capture)


def stored_scene(run: Path) -> list[bytes]:
    return [(run / "scene" / name).read_bytes() for name in ("scene.json", "tensors.safetensors")]


def test_what_is_asked_of_the_method(metrics: dict[str, float]):
    assert metrics["rest_psnr"] >= 35.0
    assert metrics["rest_ssim"] >= 0.98
    assert metrics["rest_sharpness"] >= 0.9
    assert metrics["loop_seam_db"] >= -1.0
    assert metrics["hints_used"] == metrics["hints_given"] == 2.0
    for place in ("", "_near", "_far"):
        assert metrics[f"hint_angle_deg{place}"] <= 10.0
        assert metrics[f"hint_speed_error{place}"] <= 0.15
    assert 0.8 <= metrics["sharpness_min"] <= metrics["sharpness_max"] <= 1.25
    assert metrics["holes"] <= 0.001
    assert metrics["invented"] < 0.1
    assert metrics["flow_epe"] < 0.5
    assert metrics["still_psnr"] > 60.0


def test_the_figures_are_flat_and_complete(metrics: dict[str, float], whole: Run):
    assert {"rest_masked_psnr", "rest_masked_ssim", "seconds", "peak_memory_mb"} <= set(metrics)
    assert metrics["num_gaussians"] == Scene.load(whole.scene_folder).num_gaussians
    assert all(isinstance(value, float) for value in metrics.values())
    stored = json.loads((whole.path / "metrics.json").read_text())
    assert {key: stored[key] for key in metrics} == metrics
    report = whole.report_path.read_text()
    assert "horizon at row" in report
    # the contact sheet, the depth, the motion
    assert report.count("<img") >= 3
    assert (whole.path / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")


def test_the_scene_holds_what_stands_what_is_hidden_and_what_moves(scene: Scene):
    assert scene.object_names == ("background", "filled", "motion")
    still, filled, moving = (item.motion for item in scene.objects)
    assert isinstance(still, StaticMotion)
    assert isinstance(filled, StaticMotion)
    assert isinstance(moving, LoopMotion)
    assert (scene.period, scene.fps, scene.num_frames) == (24.0, 30.0, 24)
    assert torch.equal(scene.cameras[0].camera_from_world, torch.eye(4))
    provenance = scene.provenance
    assert provenance["method"] == "mom"
    assert provenance["config"]["speed"] == 3.0
    assert provenance["regions"][0]["hints"] == ["hint_0", "hint_1"]


def test_the_sky_has_no_parallax_and_the_brook_has(scene: Scene):
    pose = torch.eye(4)
    pose[0, 3] = 0.05
    aside = scene.cameras[0].moved(pose)
    here, there = (scene.render(camera, 0.0)["rgb"] for camera in (scene.cameras[0], aside))
    change = (here - there).abs().mean(-1)
    assert float(change[: HEIGHT // 5].max()) < 0.01
    assert float(change[brook_mask()].mean()) > 0.02


def test_a_video_that_loops(whole: Run, tmp_path: Path):
    (file,) = ff.render(whole, loop=True, out=tmp_path, progress=False)
    with av.open(file) as video:
        frames = list(video.decode(video=0))
    assert file.name == "circle_rgb.mp4"
    assert len(frames) == 24
    assert (frames[0].width, frames[0].height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("path", ["circle", "side"])
def test_the_last_picture_goes_over_into_the_first(whole: Run, tmp_path: Path, path: str):
    (folder,) = ff.render(whole, path=path, loop=True, format="png", out=tmp_path, progress=False)
    frames = [np.asarray(Image.open(file)).astype(float) for file in sorted(folder.iterdir())]
    pairs = zip(frames, [*frames[1:], frames[0]], strict=True)
    steps = [float(np.square(one - other).mean()) for one, other in pairs]
    # the camera's speed changes along its path; beside the turn it is the same on both sides
    assert steps[-1] < 1.26 * max(steps[-2], steps[0])


def test_exports_of_a_looping_scene(whole: Run, scene: Scene, tmp_path: Path):
    folder = ff.export(whole, "ply", out=tmp_path / "ply", progress=False)
    files = sorted(folder.iterdir())
    assert len(files) == 24
    moving = len(scene.object("motion").geometry)
    # a forward and a backward copy of each phase
    copies = 2 * CONFIG.loop.phases
    assert len(read_ply(files[5])) == scene.num_gaussians + (copies - 1) * moving
    with np.load(ff.export(whole, "tracks", out=tmp_path / "tracks.npz")) as tracks:
        assert tracks["names"].tolist() == ["background", "filled", "motion"]
        own = tracks["objects"] == 2
        flow = tracks["pixels"][1, own] - tracks["pixels"][0, own]
        assert own.sum() >= 32
        assert flow[:, 1].mean() > 0.3
        assert abs(flow[:, 0].mean()) < 0.05
    cameras = ff.export(whole, "cameras", out=tmp_path / "cameras", progress=False)
    assert len(json.loads((cameras / "transforms.json").read_text())["frames"]) == 24


def test_info_says_what_a_run_is(whole: Run, capsys: pytest.CaptureFixture[str]):
    assert main(["info", str(whole.path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is a run of mom on" in line
    assert "fourfold eval" in line


class StoppedError(Exception):
    """Someone pulled the plug."""


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_stopped_training_goes_on_to_the_same_scene(
    capture: Capture,
    whole: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    when: str,
):
    work, done = train._STAGES[stage], []

    def stopped(*arguments):
        if when == "after":
            work(*arguments)  # all of its work is done, but not that it is
        raise StoppedError

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setitem(train._STAGES, stage, stopped)
        with pytest.raises(StoppedError):
            ff.train("mom", capture, out=out, config=CONFIG)
    for name in STAGES:
        each = train._STAGES[name]
        monkeypatch.setitem(
            train._STAGES, name, lambda *a, name=name, each=each: (done.append(name), each(*a))[1]
        )
    ff.train("mom", capture, out=out, config=CONFIG)
    # what was done before is not done again
    assert tuple(done) == STAGES[STAGES.index(stage) :]
    assert stored_scene(out) == stored_scene(whole.path)


def test_stages_one_by_one_give_the_same_scene(capture: Capture, whole: Run, tmp_path: Path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="stage motion needs stage depth"):
        ff.train("mom", capture, out=out, config=replace(CONFIG, stages="motion"))
    for stage in STAGES:
        assert not (out / "scene").exists()
        ff.train("mom", capture, out=out, config=replace(CONFIG, stages=stage))
    assert stored_scene(out) == stored_scene(whole.path)
    shutil.rmtree(out / "scene")
    ff.train("mom", capture, out=out, config=CONFIG)  # makes it anew
    assert stored_scene(out) == stored_scene(whole.path)


def test_other_settings_are_another_run(capture: Capture, whole: Run):
    before = stored_scene(whole.path)
    with pytest.raises(UsageError, match="speed"):
        ff.train("mom", capture, out=whole.path, config=replace(CONFIG, speed=2.0))
    with pytest.raises(UsageError, match="capture"):
        ff.train("mom", brook_capture(hints=[NEAR_HINT]), out=whole.path, config=CONFIG)
    assert stored_scene(whole.path) == before


def test_another_seed_gives_another_loop_of_the_same_photo(
    capture: Capture, whole: Run, tmp_path: Path
):
    run = ff.train("mom", capture, out=tmp_path / "run", config=replace(CONFIG, seed=100))
    first, other = (Scene.load(each.scene_folder) for each in (whole, run))
    assert torch.equal(first.object("motion").geometry.means, other.object("motion").geometry.means)
    motions = [each.object("motion").motion for each in (first, other)]
    assert not torch.equal(motions[0].tensors()["shares"], motions[1].tensors()["shares"])


def test_clouds_and_a_brook_move_side_by_side(tmp_path: Path):
    clouds = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    clouds[3:15, 10:80] = True
    capture = brook_capture(
        regions={"motion_0": brook_mask(), "motion_1": clouds, "sky": sky_mask()},
        hints=[FAR_HINT, NEAR_HINT, ((30.0, 9.0), (45.0, 9.0))],
    )
    run = ff.train("mom", capture, out=tmp_path / "run", config=CONFIG)
    scene = Scene.load(run.scene_folder)
    assert set(scene.object_names) == {"background", "filled", "motion_0", "motion_1"}
    flow = scene.render(scene.cameras[0], 0.0, {"flow"})["flow"]
    # 15 and 14 pixels in 50 frames, three times as fast
    torch.testing.assert_close(flow[9, 45], torch.tensor([0.9, 0.0]), atol=0.05, rtol=0)
    torch.testing.assert_close(flow[53, 48], torch.tensor([0.0, 0.84]), atol=0.08, rtol=0)
