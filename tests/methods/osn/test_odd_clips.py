"""Clips and settings that are unlike others: each is trained, or refused by one clear error."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import fourfold as ff
from fourfold.capture import Capture, open_capture
from fourfold.cli import main
from fourfold.errors import ResultError
from fourfold.methods.osn import evaluate as evaluating
from fourfold.methods.osn import scoring, valid_set
from fourfold.methods.osn.evaluate import evaluate
from fourfold.methods.osn.finish import check_scales
from fourfold.scene import Scene
from tests.methods.osn.cards import APART, EIGHT, PAIR, cards, with_bodies, write_cards
from tests.methods.osn.short import QUICK, WITH_NETWORK, WORDS

SHORT = replace(QUICK, body=replace(QUICK.body, iterations=6, rounds=1, iterations_per_round=4))

pytestmark = pytest.mark.slow


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate on fewer combinations."""
    monkeypatch.setattr(scoring, "SAMPLES", 2)
    monkeypatch.setattr(evaluating, "SHEET_SAMPLES", 1)
    monkeypatch.setattr(evaluating, "SHEET_FRAMES", 1)
    monkeypatch.setattr(valid_set, "COMBINATIONS", 5000)


def trained(capture: Capture, out: Path, config=SHORT) -> Scene:
    return Scene.load(ff.train("osn", capture, out=out, config=config).scene_folder)


def command(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run a command line; return its exit code and its errors, which are no traceback."""
    code = main(list(words))
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return code, said


def contradict(folder: Path) -> Path:
    """Show blue before red in the lower half of the frames, where red is before it."""
    for frame in range(6):
        layers = PAIR.layers(frame, frame)
        both = layers[1:].isfinite().all(0).numpy()
        both[:18] = False
        for place in ("segm_sam", "segm_train"):
            file = folder / place / f"{frame:04d}.npy"
            labels = np.load(file)
            labels[both] = 1
            np.save(file, labels)
    return folder


def test_contradicting_occlusions_end_with_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = contradict(write_cards(tmp_path / "cards"))
    out = tmp_path / "run"
    code, said = command(capsys, "train", "osn", str(folder), "--out", str(out), *WORDS)
    assert code == 1
    assert "no combination of scales explains who hides whom" in said
    assert "the best scores 0." in said
    assert "lower --tau" in said
    # what was found is kept to look at, and is no success the second time either
    scene = Scene.load(out / "scene")
    with pytest.raises(ResultError, match="no combination of scales"):
        check_scales(scene)
    assert command(capsys, "train", "osn", str(folder), "--out", str(out), *WORDS)[0] == 1


def test_a_lower_tau_accepts_contradicting_occlusions(tmp_path: Path):
    folder = contradict(write_cards(tmp_path / "cards"))
    scene = trained(open_capture(folder), tmp_path / "run", replace(SHORT, tau=0.5))
    assert scene.scale_set is not None
    assert bool(scene.scale_set.sample(5).valid.all())


def test_an_object_in_one_frame_only(capture: Capture, tmp_path: Path, hurried: None):
    once = with_bodies(capture, PAIR.body(0), PAIR.body(1), PAIR.body(2, (1,)))
    run = ff.train("osn", once, out=tmp_path / "run", config=SHORT)
    scene = Scene.load(run.scene_folder)
    shown = [
        scene.render(scene.cameras[t], float(t), {"objects"})["objects"][..., 2] for t in (1, 3)
    ]
    assert float(shown[0].max()) > 0.7
    assert float(shown[1].max()) < 0.05
    # it hides blue in that frame, and no other says anything about it
    assert scene.scale_set is not None
    assert scene.scale_set.contains(torch.tensor([[2.0, 1.5], [1.5, 2.0]])).tolist() == [
        True,
        False,
    ]
    assert evaluate(run, once)["train_psnr"] > 10


def test_a_background_in_one_frame_only(capture: Capture, tmp_path: Path):
    once = with_bodies(capture, PAIR.body(0, (2,)), PAIR.body(1), PAIR.body(2))
    scene = trained(once, tmp_path / "run")
    assert scene.num_frames == 6
    for camera in scene.cameras:
        assert torch.equal(camera.camera_from_world, scene.cameras[2].camera_from_world)


def test_objects_that_never_hide_each_other_are_said_to_be_free(tmp_path: Path, hurried: None):
    capture = cards(tmp_path, APART)
    run = ff.train("osn", capture, out=tmp_path / "run", config=SHORT)
    scale_set = Scene.load(run.scene_folder).scale_set
    assert scale_set is not None
    (free,) = [line for line in scale_set.describe() if line.startswith("No occlusion orders")]
    assert "blue and red" in free
    drawn = scale_set.sample(200)
    assert drawn.share == pytest.approx(1.0, abs=0.02)
    metrics = evaluate(run, capture)
    assert metrics["scale_box_share"] == 1.0
    assert metrics["scale_recall"] > 0.98
    assert "blue and red" in run.report_path.read_text()


def test_a_clip_without_objects(tmp_path: Path, hurried: None):
    capture = cards(tmp_path, PAIR.first(1))
    run = ff.train(
        "osn", capture, out=tmp_path / "run", config=replace(SHORT, network=WITH_NETWORK.network)
    )
    scene = Scene.load(run.scene_folder)
    scale_set = scene.scale_set
    assert scene.object_names == ("background",)
    assert scale_set is not None
    assert scale_set.network is None
    assert scale_set.sample(3).scales.shape == (3, 0)
    metrics = evaluate(run, capture)
    assert metrics["psnr"] == pytest.approx(metrics["true_scale_psnr"], abs=1e-6)
    assert metrics["psnr"] > 20
    drawn = scene.render(scene.cameras[3], 3.0, {"rgb", "depth"})
    assert float((drawn["depth"][10:26, 10:38] - 8.0).abs().max()) < 0.3


def test_a_clip_without_objects_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hurried: None
):
    folder, run = write_cards(tmp_path / "cards", PAIR.first(1)), str(tmp_path / "run")
    assert command(capsys, "train", "osn", str(folder), "--out", run, *WORDS)[0] == 0
    assert command(capsys, "sample", run, "-n", "3")[0] == 0
    assert command(capsys, "render", run, "--path", "input", "--time", "0:1")[0] == 0
    assert command(capsys, "eval", run)[0] == 0
    assert (tmp_path / "run" / "metrics.json").exists()
    assert [*(tmp_path / "run" / "renders").rglob("*.mp4")]


def test_settings_are_reached_from_the_command_line(
    tmp_path: Path, capture: Capture, capsys: pytest.CaptureFixture[str]
):
    words = [word for word in WORDS if not word.startswith("--network")]
    words += [
        "--scales=network",
        "--network.zbuffer=soft",
        "--network.beta=4",
        "--known-scale=blue=2",
    ]
    words += ["--network.accuracy-threshold=0.84", "--network.iterations=40"]
    words += [
        "--network.combinations=64",
        "--body.no-refine-poses",
        "--network.score-threshold=0.2",
    ]
    out = tmp_path / "run"
    code, said = command(capsys, "train", "osn", str(capture.path), "--out", str(out), *words)
    assert code == 0, said
    scale_set = Scene.load(out / "scene").scale_set
    assert scale_set is not None
    assert (scale_set.mode, scale_set.score_threshold) == ("network", 0.2)
    assert dict(scale_set.pinned) == {"blue": 2.0}
    stored = (out / "config.yml").read_text()
    for line in ("zbuffer: soft", "refine_poses: false", "beta: 4.0", "scales: network"):
        assert line in stored
    # the same command again has nothing to do, another is refused
    assert command(capsys, "train", "osn", str(capture.path), "--out", str(out), *words)[0] == 0
    words += ["--tau=0.9"]
    assert command(capsys, "train", "osn", str(capture.path), "--out", str(out), *words)[0] == 2


@pytest.mark.parametrize("scales", ["polytope", "network"])
def test_a_clip_without_objects_in_other_modes(tmp_path: Path, scales):
    config = replace(SHORT, scales=scales, network=WITH_NETWORK.network)
    scene = trained(cards(tmp_path, PAIR.first(1)), tmp_path / "run", config)
    assert scene.scale_set is not None
    assert scene.scale_set.describe() == [
        "There is no object but the background: nothing is left open."
    ]


def test_an_object_in_a_frame_without_the_background(capture: Capture, tmp_path: Path):
    """That frame is not trained on; the object stays as its key points say."""
    apart = with_bodies(capture, PAIR.body(0, (0, 1, 2, 4, 5)), PAIR.body(1), PAIR.body(2, (3,)))
    scene = trained(apart, tmp_path / "run")
    shown = scene.render(scene.cameras[3], 3.0, {"objects"})["objects"][..., 2]
    assert float(shown.max()) > 0.7


def test_eight_objects(tmp_path: Path, hurried: None):
    capture = cards(tmp_path, EIGHT)
    run = ff.train("osn", capture, out=tmp_path / "run", config=SHORT)
    scene = Scene.load(run.scene_folder)
    scale_set = scene.scale_set
    assert len(scene.objects) == 9
    assert scale_set is not None
    lines = scale_set.describe()
    assert any(line.startswith("card1 hides card0") for line in lines)
    assert any(line.startswith("card5 hides card4") for line in lines)
    # rows do not meet, and in a row each card meets its neighbours
    free = scale_set.polytope.unconstrained_pairs()
    assert (1, 5) in free
    assert (1, 2) not in free
    drawn = scale_set.sample(100)
    assert bool(drawn.valid.all())
    # mostly, where only an accuracy of .99 over many pairs is asked for
    assert float((drawn.scales[:, 1] < 1.05 * drawn.scales[:, 0]).float().mean()) > 0.9
    assert evaluate(run, capture)["scale_precision"] > 0.9


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_wrong_intrinsics_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], factor: float
):
    folder = write_cards(tmp_path / "cards")
    file = folder / "transforms_train.json"
    content = json.loads(file.read_text())
    angle = content["camera_angle_x"]
    content["camera_angle_x"] = 2 * float(np.arctan(np.tan(angle / 2) / factor))
    file.write_text(json.dumps(content))
    # the original's folder of bodies has no such file: the lens is that of the transforms
    (folder / "sam_raft" / "bodies.json").unlink()
    out = tmp_path / "run"
    code, said = command(capsys, "train", "osn", str(folder), "--out", str(out), *WORDS)
    assert code == 2
    assert f"a focal length of {48 * factor:.0f} pixels does not fit its poses" in said
    assert not out.exists()


def test_a_clip_without_poses_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = write_cards(tmp_path / "cards", truth=False)
    code, said = command(
        capsys, "train", "osn", str(folder / "images_train"), "--out", str(tmp_path / "run"), *WORDS
    )
    assert code == 2
    assert "fourfold prepare sfm" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--known-scale=green=2", "one of blue, red"),
        ("--known-scale=blue=9", "outside of its range"),
        ("--known-size=blue=2", "sizes of background"),
        ("--tau=1.5", "--tau is 1.5"),
        ("--tau=1", "--tau is 1"),
        ("--stages=rounds,bootstrap", "in this order"),
        ("--network.zbuffer=soft", "accuracy-threshold"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_a_run_is_made(
    tmp_path: Path, capture: Capture, capsys: pytest.CaptureFixture[str], word: str, message: str
):
    out = tmp_path / "run"
    code, said = command(capsys, "train", "osn", str(capture.path), "--out", str(out), word)
    assert code == 2
    assert message in said
    assert not out.exists()
