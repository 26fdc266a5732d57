import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import fourfold.methods.mom.refine as refining
from fourfold.errors import UsageError
from fourfold.methods.mom.config import LoopConfig, MOMConfig, RefineConfig
from fourfold.methods.mom.refine import UNREFINED
from fourfold.methods.mom.refine_study import loop_appearance
from fourfold.methods.mom.rest_scores import at_rest
from fourfold.methods.mom.train import train
from fourfold.scene import LoopMotion, Scene
from fourfold.training import Run
from tests.methods.mom.brook import HEIGHT, WIDTH, brook_capture, brook_mask

FRAMES = 8
BASE = MOMConfig(loop=LoopConfig(frames=FRAMES, longest_path=4.0))


def _refine(out: Path, **changes) -> Run:
    settings = replace(RefineConfig(iterations=6), **changes)
    return train(brook_capture(), out, replace(BASE, stages="refine", refine=settings), False)


@pytest.fixture(scope="module")
def lifted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that is done up to the loop."""
    out = tmp_path_factory.mktemp("refine") / "lifted"
    train(brook_capture(), out, BASE, False)
    return out


@pytest.fixture(scope="module")
def refined(lifted: Path) -> Path:
    """The same run, refined."""
    out = lifted.parent / "refined"
    shutil.copytree(lifted, out)
    _refine(out)
    return out


@pytest.fixture
def copied(lifted: Path, tmp_path: Path) -> Path:
    """A run of one's own that is done up to the loop."""
    return Path(shutil.copytree(lifted, tmp_path / "run"))


def _tensors(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "scene" / "tensors.safetensors")


def _picture(scene: Scene, time: float) -> torch.Tensor:
    return scene.render(scene.cameras[0], time)["rgb"]


def test_changes_are_zero_at_rest_and_come_back() -> None:
    change = loop_appearance(5, 12, [3, 6, 3])
    assert change.coefficients.shape == (5, 4, 4)
    assert change.basis[0].tolist() == change.basis[12].tolist() == [0.0] * 4
    # A sub-loop is 4 frames: after one of them a quarter turn, and half a turn of the second.
    assert change.basis[1].tolist() == pytest.approx([1.0, 1.0, 0.0, 2.0], abs=1e-6)
    assert torch.equal(change.basis[1], change.basis[5])


def test_refining_brings_the_loop_nearer_to_the_animated_photo(refined: Path) -> None:
    scene = Scene.load(refined / "scene")
    figures = scene.provenance["figures"]
    assert figures["refine_psnr_after"] > figures["refine_psnr_before"] + 0.1
    assert scene.provenance["refine"].startswith("Refined")
    assert (refined / "previews" / "refine.jpg").is_file()


def test_the_photo_at_rest_stays_to_the_bit_and_the_loop_closed(
    lifted: Path, refined: Path
) -> None:
    before, after = Scene.load(lifted / "scene"), Scene.load(refined / "scene")
    assert torch.equal(_picture(at_rest(after), 0.0), _picture(at_rest(before), 0.0))
    assert torch.equal(_picture(after, 0.0), _picture(before, 0.0))
    assert torch.equal(_picture(after, float(FRAMES)), _picture(after, 0.0))
    assert not torch.equal(_picture(after, 3.0), _picture(before, 3.0))


def test_what_was_there_before_is_kept(lifted: Path, refined: Path) -> None:
    kept = load_file(refined / UNREFINED / "tensors.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in _tensors(lifted).items())


def test_stopped_and_resumed_is_the_same_to_the_bit(
    refined: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, step = 0, refining._step

    def stop(*arguments):
        nonlocal done
        done += 1
        if done == 4:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr("fourfold.training.watch.CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr(refining, "_step", stop)
    with pytest.raises(KeyboardInterrupt):
        _refine(copied)
    assert not Scene.load(copied / "scene").provenance["figures"]
    _refine(copied)
    assert done == 4 + 3  # the steps before the stop were not done again
    once, resumed = _tensors(refined), _tensors(copied)
    assert once.keys() == resumed.keys()
    assert all(torch.equal(once[name], resumed[name]) for name in once)


def test_killed_between_the_scene_and_the_last_checkpoint_it_is_not_refined_twice(
    refined: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "preview", kill)
    with pytest.raises(KeyboardInterrupt):
        _refine(copied)
    monkeypatch.undo()
    _refine(copied)
    once, again = _tensors(refined), _tensors(copied)
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_a_scene_that_does_not_become_better_stays(
    lifted: Path,
    copied: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _refine(copied, iterations=2, learning_rate=1.0)
    scene = Scene.load(copied / "scene")
    assert scene.provenance["refine"].startswith("Not refined")
    assert "the scene stays as it was" in caplog.text
    assert all(torch.equal(v, _tensors(lifted)[k]) for k, v in _tensors(copied).items())


def test_settings_of_the_stage_count_from_when_it_begins(refined: Path, copied: Path) -> None:
    train(brook_capture(), copied, replace(BASE, refine=RefineConfig(iterations=3)), False)
    _refine(copied, iterations=1)
    settings = yaml.safe_load((copied / "config.yml").read_text())["config"]
    assert settings["stages"] == "depth,motion,lift,loop,refine"
    assert settings["refine"]["iterations"] == 1
    train(brook_capture(), copied, BASE, False)  # asks nothing of it
    with pytest.raises(UsageError, match=r"refine.iterations is 1 there and 2 here"):
        _refine(copied, iterations=2)


def test_refining_needs_a_loop(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stage refine needs stage loop"):
        _refine(tmp_path / "run")


def brighten(image, mask, velocity, num_frames):
    """The brook of frame 0, brighter and brighter to the middle of the loop."""
    time = torch.arange(num_frames) / num_frames
    more = 0.2 * (1 - torch.cos(2 * torch.pi * time))
    return (image + more[:, None, None, None] * mask[..., None]).clamp(0, 1)


def test_an_animator_of_ones_own(copied: Path) -> None:
    _refine(copied, animator=f"{__name__}:brighten", iterations=30, learning_rate=0.02)
    scene, before = Scene.load(copied / "scene"), Scene.load(copied / UNREFINED)
    brook = brook_mask()
    brighter = [float((_picture(scene, t) - _picture(before, t))[brook].mean()) for t in (0.0, 4.0)]
    assert brighter[0] == pytest.approx(0.0, abs=1e-3)
    assert brighter[1] > 0.05


def test_pictures_of_another_program(copied: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for frame in range(FRAMES):
        level = 60 + 10 * frame
        Image.new("RGB", (WIDTH, HEIGHT), (level, level, level)).save(folder / f"{frame}.png")
    _refine(copied, animator=str(folder))
    figures = Scene.load(copied / "scene").provenance["figures"]
    assert figures["refine_psnr_after"] > figures["refine_psnr_before"]


def test_a_wrong_animator_changes_nothing(lifted: Path, copied: Path) -> None:
    with pytest.raises(UsageError, match="cannot be loaded"):
        _refine(copied, animator="no_such_module:name")
    assert (copied / "config.yml").read_text() == (lifted / "config.yml").read_text()
    assert not (copied / UNREFINED).exists()


def test_matter_takes_the_speed_of_the_animator(copied: Path) -> None:
    _refine(copied, flow_scale=2.0, iterations=1)
    flows = [
        next(item.motion for item in Scene.load(copied / name).objects if item.name == "motion")
        for name in (UNREFINED, "scene")
    ]
    slow, fast = (flow for flow in flows if isinstance(flow, LoopMotion))
    assert torch.equal(fast.velocity, 2.0 * slow.velocity)
    assert int(fast.cycles[0, 0]) in (2 * int(slow.cycles[0, 0]), 2 * int(slow.cycles[0, 0]) - 1)
