"""Two discs are filmed, trained and looked at again: quality, resuming, stages, odd clips."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import fourfold as ff
from fourfold.capture import Capture
from fourfold.errors import UsageError
from fourfold.evaluation import mean_of_records, score_frames
from fourfold.methods.dreamscene4d import growth, move, step
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig, LiftConfig, MoveConfig
from fourfold.scene import Scene
from tests.methods.dreamscene4d.clips import slide_shapes, write_clip

STEPS, KILLED_AT = 80, 47
CONFIG = DreamScene4DConfig(
    lift=LiftConfig(gaussians_per_object=200, background_gaussians=800),
    move=MoveConfig(
        iterations=STEPS, iterations_per_frame=0, nodes=8, max_gaussians_per_object=300
    ),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def hurried() -> Iterator[None]:
    """Grow and bind anew more often, so that a short training does all that a long one does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(growth, "GROW_EVERY", 20)
        patch.setattr(step, "REBIND", 10)
        patch.setattr(move, "REBIND", 10)
        yield


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """Six frames of 64x48 in which two discs meet; one enters late, the other leaves early."""
    places = [
        [(16 + 4 * t, 26) if t < 5 else None, (46 - 2 * t, 20) if t > 0 else None] for t in range(6)
    ]
    return write_clip(tmp_path_factory.mktemp("clip") / "clip", *slide_shapes(places))


@pytest.fixture(scope="module")
def whole(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained at once."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    ff.train("dreamscene4d", capture, out=out, config=CONFIG)
    return out


def stored_scene(run: Path) -> bytes:
    return (run / "scene" / "tensors.safetensors").read_bytes()


def test_the_clip_is_reconstructed(capture: Capture, whole: Path):
    scene = Scene.load(whole / "scene")
    figures = mean_of_records(score_frames(scene, capture, range(6)).values())
    assert figures["psnr"] > 26
    assert figures["object_psnr"] > 24
    assert figures["mask_iou"] > 0.85


def test_objects_grew_and_their_far_side_is_the_mirror_image(whole: Path):
    scene = Scene.load(whole / "scene")
    assert scene.object_names == ("background", "object0", "object1")
    for item in scene.objects[1:]:
        front, back = item.geometry.means.chunk(2)
        torch.testing.assert_close(back, front * torch.tensor([1.0, 1.0, -1.0]))
        assert 200 < len(front) <= 300


def test_an_absent_object_is_not_seen(whole: Path):
    scene = Scene.load(whole / "scene")
    for frame, owner in ((5, 1), (0, 2)):
        drawn = scene.render(scene.camera_at(float(frame)), float(frame), {"objects"})
        assert float(drawn["objects"][..., owner].max()) < 0.05
        assert float(drawn["objects"][..., 3 - owner].max()) > 0.8


def test_stages_one_by_one_give_the_same_scene(capture: Capture, whole: Path, tmp_path: Path):
    out = tmp_path / "run"
    with pytest.raises(UsageError, match="stage move needs stage lift"):
        ff.train("dreamscene4d", capture, out=out, config=replace(CONFIG, stages="move"))
    for stage in ("lift", "move", "compose"):
        assert not (out / "scene").exists()
        ff.train("dreamscene4d", capture, out=out, config=replace(CONFIG, stages=stage))
    assert stored_scene(out) == stored_scene(whole)
    shutil.rmtree(out / "scene")
    ff.train("dreamscene4d", capture, out=out, config=CONFIG)  # makes it anew of the checkpoint
    assert stored_scene(out) == stored_scene(whole)


class StoppedError(Exception):
    """Someone pulled the plug."""


def test_a_stopped_training_goes_on_to_the_same_scene(
    capture: Capture, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, fit_step, steps = tmp_path / "run", move.fit_step, []

    def watched(*arguments):
        number = arguments[-2]
        if number == KILLED_AT and number not in steps:
            steps.append(number)
            raise StoppedError
        steps.append(number)
        return fit_step(*arguments)

    monkeypatch.setattr(move, "fit_step", watched)
    monkeypatch.setattr(move, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(StoppedError):
        ff.train("dreamscene4d", capture, out=out, config=CONFIG)
    assert not (out / "scene").exists()
    ff.train("dreamscene4d", capture, out=out, config=CONFIG)
    # from the last checkpoint on, which is later than the first growth
    assert steps == [*range(KILLED_AT + 1), *range(40, STEPS)]
    assert stored_scene(out) == stored_scene(whole)


def test_many_objects_that_come_and_go_in_few_frames(tmp_path: Path):
    places = [
        [(8 + 12 * (k % 5), 9 + 15 * (k // 5)) if (k + t) % 4 else None for k in range(11)]
        for t in range(5)
    ]
    capture = write_clip(tmp_path / "clip", *slide_shapes(places, radius=4.0))
    config = replace(
        CONFIG,
        prior="none",
        holdout=4,
        lift=LiftConfig(gaussians_per_object=30, background_gaussians=300),
        move=replace(CONFIG.move, iterations=12),
    )
    run = ff.train("dreamscene4d", capture, out=tmp_path / "run", config=config)
    scene = Scene.load(run.scene_folder)
    assert scene.object_names == ("background", *capture.object_names)
    assert scene.num_frames == len(scene.cameras) == 5
    for item in scene.objects[1:]:
        # no back: nearly all of it is still before the middle plane
        assert float((item.geometry.means[:, 2] < 0).float().mean()) > 0.9
        assert 2.0 not in item.motion.tensors()["times"].tolist()
