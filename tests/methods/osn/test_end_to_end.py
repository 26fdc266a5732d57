"""Two cards are filmed, trained and looked at again: quality, valid scales, resuming, stages."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import fourfold as ff
from fourfold.capture import Capture
from fourfold.errors import UsageError
from fourfold.methods.osn import evaluate as evaluating
from fourfold.methods.osn import geometry, scoring, valid_set
from fourfold.methods.osn.evaluate import evaluate
from fourfold.scene import Scene
from fourfold.training import Run
from tests.methods.osn.short import QUICK, WITH_NETWORK

pytestmark = pytest.mark.slow

STEPS = 24
KILLED_AT = 17


@pytest.fixture(scope="module")
def whole(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was trained at once."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return ff.train("osn", capture, out=out, config=WITH_NETWORK)


@pytest.fixture(scope="module")
def scene(whole: Run) -> Scene:
    return Scene.load(whole.scene_folder)


@pytest.fixture(scope="module")
def metrics(whole: Run, capture: Capture) -> dict[str, float]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "SAMPLES", 4)
        patch.setattr(evaluating, "SHEET_SAMPLES", 1)
        patch.setattr(valid_set, "COMBINATIONS", 20_000)
        return evaluate(whole, capture)


def stored_scene(run: Path) -> list[bytes]:
    return [(run / "scene" / name).read_bytes() for name in ("scene.json", "tensors.safetensors")]


def test_the_cards_are_reconstructed(metrics: dict[str, float]):
    assert metrics["true_scale_psnr"] > 29
    assert metrics["true_scale_ssim"] > 0.95
    # two pixels around cards of 15: 54 steps reach .948
    assert metrics["true_scale_pq"] > 0.93
    assert metrics["true_scale_miou"] > 0.93
    assert metrics["train_psnr"] > 25
    assert metrics["train_mask_iou"] > 0.82


def test_the_valid_half_of_the_box_is_found(metrics: dict[str, float]):
    assert metrics["scale_box_share"] == pytest.approx(0.5, abs=0.02)
    for name in ("scale", "polytope", "network"):
        assert metrics[f"{name}_precision"] > 0.95
        assert metrics[f"{name}_recall"] > 0.93
    assert metrics["scale_precision"] > 0.99
    assert metrics["true_scale_score"] > 0.999
    assert metrics["sample_valid_share"] > 0.97


def test_the_figures_are_flat_and_complete(metrics: dict[str, float], whole: Run):
    scores = {"psnr", "ssim", "ssimae", "pq", "miou"}
    expected = scores | {p + name for p in ("oracle_", "true_scale_") for name in scores}
    expected |= {"train_psnr", "train_ssim", "train_object_psnr", "train_mask_iou"}
    expected |= {f"{s}_{what}" for s in ("scale", "network") for what in ("precision", "recall")}
    expected |= {"ceiling_psnr", "scale_mse", "scale_box_share", "scale_set_seconds"}
    expected |= {"true_scale_score", "seconds", "peak_memory_mb", "num_gaussians"}
    assert expected <= set(metrics)
    assert all(isinstance(value, float) for value in metrics.values())
    stored = json.loads((whole.path / "metrics.json").read_text())
    assert {key: stored[key] for key in metrics} == metrics
    # the oracle is the best of the samples, of which psnr is the mean
    assert metrics["oracle_psnr"] >= metrics["psnr"]
    assert whole.report_path.read_text().count("<img") >= 1
    assert (whole.path / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")


def test_the_computed_set_is_the_half_space(scene: Scene):
    scale_set = scene.scale_set
    assert scale_set is not None
    places = torch.rand(4000, 2, generator=torch.Generator().manual_seed(0))
    scales = scale_set.scales_at(places)
    valid = scales[:, 1] < scales[:, 0]
    clear = (scales[:, 1] / scales[:, 0]).log().abs() > 0.03
    assert torch.equal(scale_set.contains(scales)[clear], valid[clear])
    assert any("red hides blue" in line for line in scale_set.describe())


def test_two_valid_scenes_show_the_same_film(scene: Scene):
    for frame in (0, 2, 5):
        camera = scene.cameras[frame]
        shown = [
            scene.render(camera, float(frame), {"rgb"}, {"blue": blue, "red": red})["rgb"]
            for blue, red in ((2.0, 1.5), (2.8, 1.2), (1.6, 1.5))
        ]
        assert float((shown[0] - shown[1]).abs().max()) < 0.02
        assert float((shown[0] - shown[2]).abs().max()) < 0.02


def test_an_invalid_scene_shows_another_film(scene: Scene):
    camera = scene.cameras[1]
    right, wrong = (
        scene.render(camera, 1.0, {"rgb"}, {"blue": blue, "red": red})["rgb"]
        for blue, red in ((2.0, 1.5), (1.5, 2.0))
    )
    assert float((right - wrong).abs().max()) > 0.2


def test_valid_scenes_differ_from_aside(scene: Scene):
    shown = [
        scene.render(scene.cameras[4], 1.0, {"rgb"}, {"blue": 2.0, "red": red})["rgb"]
        for red in (1.1, 1.9)
    ]
    assert float((shown[0] - shown[1]).abs().max()) > 0.2


def test_the_scene_is_stored_with_its_set(scene: Scene):
    assert scene.object_names == ("background", "blue", "red")
    assert scene.scale_set is not None
    assert scene.scale_set.network is not None
    assert scene.provenance["method"] == "osn"
    assert [item.scale_range for item in scene.objects] == [None, (1.0, 3.0), (1.0, 3.0)]


def test_stages_one_by_one_give_the_same_scene(capture: Capture, whole: Run, tmp_path: Path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="stage rounds needs stage bootstrap"):
        ff.train("osn", capture, out=out, config=replace(WITH_NETWORK, stages="rounds"))
    for stages in ("bootstrap", "rounds", "scales"):
        assert not (out / "scene").exists()
        ff.train("osn", capture, out=out, config=replace(WITH_NETWORK, stages=stages))
    assert stored_scene(out) == stored_scene(whole.path)
    shutil.rmtree(out / "scene")
    ff.train("osn", capture, out=out, config=WITH_NETWORK)  # makes it anew of the checkpoint
    assert stored_scene(out) == stored_scene(whole.path)


class StoppedError(Exception):
    """Someone pulled the plug."""


@pytest.mark.parametrize("scales", ["computed", "network"])
def test_a_stopped_training_goes_on_to_the_same_scene(
    capture: Capture, whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scales
):
    config, reference = replace(WITH_NETWORK, scales=scales), whole.path
    if scales == "network":
        reference = ff.train("osn", capture, out=tmp_path / "whole", config=config).path
    step, steps = geometry.round_step, []

    def watched(*arguments):
        steps.append(len(steps))
        if len(steps) == KILLED_AT:
            raise StoppedError
        return step(*arguments)

    monkeypatch.setattr(geometry, "round_step", watched)
    monkeypatch.setattr("fourfold.training.watch.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(StoppedError):
        ff.train("osn", capture, out=tmp_path / "run", config=config)
    assert not (tmp_path / "run" / "scene").exists()
    ff.train("osn", capture, out=tmp_path / "run", config=config)
    # what was done was not done again, but for the step in which it was stopped
    assert len(steps) == STEPS + 1
    assert stored_scene(tmp_path / "run") == stored_scene(reference)


def test_poses_stay_where_they_are_when_told(capture: Capture, tmp_path: Path):
    body = replace(QUICK.body, refine_poses=False, iterations=4, iterations_per_round=3)
    ff.train("osn", capture, out=tmp_path / "run", config=replace(QUICK, body=body))
    scene = Scene.load(tmp_path / "run" / "scene")
    for frame, camera in enumerate(scene.cameras):
        given = capture.camera(frame)
        assert given is not None
        torch.testing.assert_close(
            camera.camera_from_world, given.camera_from_world, atol=1e-5, rtol=0
        )


def test_poses_move_otherwise(scene: Scene, capture: Capture):
    given = capture.camera(2)
    assert given is not None
    moved = (scene.cameras[2].camera_from_world - given.camera_from_world).abs().max()
    # a little: they are exact already
    assert 1e-6 < float(moved) < 0.05


def test_a_known_scale_pins_the_scene(capture: Capture, tmp_path: Path):
    body = replace(QUICK.body, iterations=4, iterations_per_round=3)
    config = replace(QUICK, body=body, known_scale="blue=2")
    ff.train("osn", capture, out=tmp_path / "run", config=config)
    scale_set = Scene.load(tmp_path / "run" / "scene").scale_set
    assert scale_set is not None
    drawn = scale_set.sample(20)
    assert bool(drawn.valid.all())
    assert bool((drawn.scales[:, 0] == 2.0).all())
    assert float(drawn.scales[:, 1].max()) < 2.1


def test_the_strict_polytope_is_trained_at(capture: Capture, tmp_path: Path):
    body = replace(QUICK.body, iterations=4, iterations_per_round=3)
    config = replace(QUICK, body=body, scales="polytope")
    ff.train("osn", capture, out=tmp_path / "run", config=config)
    scale_set = Scene.load(tmp_path / "run" / "scene").scale_set
    assert scale_set is not None
    assert scale_set.mode == "polytope"
    assert bool(scale_set.sample(20).valid.all())
