"""Scores over samples: which is the oracle, what is averaged, several truths."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fourfold.capture import Capture, RigidTruth, open_capture
from fourfold.evaluation import mean_of_records
from fourfold.methods.osn import scoring
from fourfold.methods.osn.finish import finish_scene
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.scales import make_scale_set
from fourfold.methods.osn.scoring import score_scenes
from fourfold.scene import ScaleSet, Scene
from tests.methods.osn.cards import write_cards
from tests.methods.osn.drawn import first_fit
from tests.methods.osn.short import QUICK


@pytest.fixture(autouse=True)
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SAMPLES", 3)
    monkeypatch.setattr(scoring, "SAMPLES_PER_TRUTH", 3)


@pytest.fixture(scope="module")
def scene(footage: Footage, capture: Capture) -> Scene:
    fit = first_fit(footage)
    scale_set = make_scale_set(fit, footage, QUICK, None, 0)
    return finish_scene(fit, footage, capture, scale_set, QUICK)


def scores_of(scene: Scene, capture: Capture, scale_set: ScaleSet | None = None):
    truth = capture.rigid_truth
    assert isinstance(truth, RigidTruth)
    chosen = scale_set or scene.scale_set
    assert chosen is not None
    return score_scenes(scene, chosen, capture, truth, seed=0)


def test_where_only_the_true_scales_are_valid_all_scores_are_the_same(
    scene: Scene, capture: Capture
):
    assert scene.scale_set is not None
    known = scene.scale_set.pin("blue", 2.0).pin("red", 1.5)
    scores = scores_of(scene, capture, known)
    for key in ("psnr", "ssim", "ssimae", "miou", "pq", "covisible_psnr", "covisible_ssim"):
        assert scores[key] == pytest.approx(scores[f"true_scale_{key}"], abs=1e-4)
        assert scores[key] == pytest.approx(scores[f"oracle_{key}"], abs=1e-4)
    assert scores["scale_mse"] == pytest.approx(0.0, abs=1e-9)
    # but for rounding to 8 bits
    assert scores["ceiling_psnr"] > 45


def test_the_oracle_is_the_best_of_the_samples(scene: Scene, capture: Capture):
    scores = scores_of(scene, capture)
    assert scores["psnr"] < scores["oracle_psnr"] < scores["true_scale_psnr"]
    assert scores["psnr"] == pytest.approx(scores["ceiling_psnr"], abs=1.5)
    assert scores["scale_mse"] > 0


def with_truths(folder: Path, images: list[Path]) -> Capture:
    """Write a clip with several truths, all at the scales as filmed, and their test pictures."""
    file = folder / "truth" / "meta.json"
    content = json.loads(file.read_text()) | {"combinations": [[1.0, 1.0]] * len(images)}
    file.write_text(json.dumps(content))
    for number, pictures in enumerate(images):
        place = folder / "truth" / "combinations" / f"{number:02d}"
        shutil.copytree(pictures, place / "images_test")
        for name in ("segm_test", "depth_test"):
            shutil.copytree(folder / name, place / name)
    return open_capture(folder)


def test_several_truths_are_averaged(scene: Scene, tmp_path: Path):
    folder = write_cards(tmp_path / "cards")
    other = shutil.copytree(folder / "images_test", tmp_path / "other")
    for file in other.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(file))[..., :3]).save(file)
    as_filmed = [scores_of(scene, with_truths(folder, [folder / "images_test"]))]
    shutil.rmtree(folder / "truth" / "combinations")
    negative = [scores_of(scene, with_truths(folder, [other]))]
    shutil.rmtree(folder / "truth" / "combinations")
    both = scores_of(scene, with_truths(folder, [folder / "images_test", other]))
    assert both == pytest.approx(mean_of_records(as_filmed + negative))
    assert negative[0]["psnr"] < as_filmed[0]["psnr"]
    assert negative[0]["pq"] == as_filmed[0]["pq"]
    assert negative[0]["ceiling_psnr"] < as_filmed[0]["ceiling_psnr"]


def test_one_truth_written_as_several_scores_the_same(
    scene: Scene, capture: Capture, tmp_path: Path
):
    folder = write_cards(tmp_path / "cards")
    one = scores_of(scene, capture)
    several = scores_of(scene, with_truths(folder, [folder / "images_test"]))
    # co-visible parts are not computed for every one of several truths
    assert several == pytest.approx({key: one[key] for key in one if "covisible" not in key})
