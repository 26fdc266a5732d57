"""The verbs train, eval and demo, with a method that only writes down what it was given."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

import fourfold as ff
from fourfold.capture import Capture
from fourfold.cli import main
from fourfold.errors import InputError, ResultError, UsageError
from fourfold.evaluation import Lpips
from fourfold.training import Run
from fourfold.verbs.methods import METHODS, Method, find_method
from fourfold.verbs.options import CaptureOptions
from tests.evaluation.small_lpips import small_weights
from tests.tiny import tiny_scene


@dataclass(frozen=True)
class PlainConfig:
    """Settings of the method `plain`."""

    steps: int = 3
    """How many."""
    quick: bool = False
    """Less of it."""


def _train(capture: Capture, out: Path, config: PlainConfig, overwrite: bool) -> Run:
    run = Run.open(
        out,
        method="plain",
        config=config,
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
        overwrite=overwrite,
    )
    tiny_scene().save(run.scene_folder)
    run.close()
    return run


def _evaluate(run: Run, capture: Capture, lpips: Lpips | None) -> dict[str, float]:
    metrics = {"psnr": 20.0, "width": float(capture.width), "frames": float(capture.num_frames)}
    if lpips is not None:
        metrics["lpips_layers"] = float(len(lpips.kernels))
    run.write_metrics(metrics)
    run.report_path.write_text("<html></html>")
    return metrics


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> Method:
    """Register the method `plain`."""
    import sys

    module = ModuleType("plain_method")
    vars(module).update(Config=PlainConfig, train=_train, evaluate=_evaluate)
    monkeypatch.setitem(sys.modules, "plain_method", module)
    plain = Method(
        name="plain",
        summary="Writes down what it was given.",
        config="plain_method:Config",
        train="plain_method:train",
        evaluate="plain_method:evaluate",
        example="clip",
        demo={"quick": True},
    )
    monkeypatch.setitem(METHODS, "plain", plain)
    return plain


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Make four frames of 64x48 pixels."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for index in range(4):
        pixels = np.full((48, 64, 3), 60 * index, np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:05d}.png")
    return folder


def test_train_reads_the_capture_and_dispatches(method: Method, clip: Path, tmp_path: Path) -> None:
    options = CaptureOptions(max_size=32, frames="0:3")
    run = ff.train("plain", clip, out=tmp_path / "run", capture_options=options, steps=7)
    assert run.config(PlainConfig) == PlainConfig(steps=7)
    assert (run.path / "capture.yml").is_file()


def test_eval_reads_the_capture_as_it_was_read(method: Method, clip: Path, tmp_path: Path) -> None:
    options = CaptureOptions(max_size=32, frames="0:3")
    ff.train("plain", clip, out=tmp_path / "run", capture_options=options)
    metrics = ff.eval(tmp_path / "run")
    assert metrics == {"psnr": 20.0, "width": 32.0, "frames": 3.0}


def test_eval_finds_the_masks_from_any_folder(
    method: Method, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "masks").mkdir()
    for index in range(4):
        Image.new("L", (64, 48), 255).save(tmp_path / "masks" / f"{index:05d}.png")
    monkeypatch.chdir(tmp_path)
    ff.train("plain", clip, out="run", capture_options=CaptureOptions(masks=Path("masks")))
    monkeypatch.chdir(clip)
    assert ff.eval(tmp_path / "run")["frames"] == 4.0


def test_eval_takes_weights_for_lpips(method: Method, clip: Path, tmp_path: Path) -> None:
    run = ff.train("plain", clip, out=tmp_path / "run")
    assert "lpips_layers" not in ff.eval(run)
    weights = tmp_path / "alex.safetensors"
    save_file(small_weights(), weights)
    assert ff.eval(run, lpips=weights)["lpips_layers"] == 5.0
    assert main(["eval", str(run.path), "--lpips", str(weights)]) == 0
    assert run.metrics()["lpips_layers"] == 5.0
    with pytest.raises(InputError, match="cannot read the weights"):
        ff.eval(run, lpips=tmp_path / "nowhere.safetensors")


def test_eval_takes_an_open_capture(method: Method, clip: Path, tmp_path: Path) -> None:
    capture = ff.open_capture(clip, max_size=16)
    run = ff.train("plain", capture, out=tmp_path / "run", config=PlainConfig(quick=True))
    assert ff.eval(run, capture)["width"] == 16.0
    # how it was read is not known to the run, and reading it otherwise is not the same input
    with pytest.raises(InputError, match="not what the run was trained on"):
        ff.eval(run)


def test_eval_refuses_a_capture_that_has_changed(
    method: Method, clip: Path, tmp_path: Path
) -> None:
    run = ff.train("plain", clip, out=tmp_path / "run")
    Image.new("RGB", (64, 48)).save(clip / "00004.png")
    with pytest.raises(InputError, match="not what the run was trained on"):
        ff.eval(run)


def test_other_settings_are_refused_unless_overwritten(
    method: Method, clip: Path, tmp_path: Path
) -> None:
    ff.train("plain", clip, out=tmp_path / "run", steps=3)
    ff.train("plain", clip, out=tmp_path / "run", steps=3)
    with pytest.raises(UsageError):
        ff.train("plain", clip, out=tmp_path / "run", steps=4)
    run = ff.train("plain", clip, out=tmp_path / "run", steps=4, overwrite=True)
    assert run.config(PlainConfig).steps == 4


def test_an_empty_scene_is_no_success(method: Method, clip: Path, tmp_path: Path) -> None:
    run = ff.train("plain", clip, out=tmp_path / "run")
    scene = tiny_scene()
    nothing = [replace(o, geometry=o.geometry.select(slice(0, 0))) for o in scene.objects]
    replace(scene, objects=nothing).save(run.scene_folder)
    with pytest.raises(ResultError, match="the scene is empty"):
        ff.eval(run)


def test_wrong_calls_are_named(method: Method, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no method 'nothing'.*dreamscene4d"):
        find_method("nothing")
    with pytest.raises(UsageError, match=r"unknown option speed.*steps, quick"):
        ff.train("plain", clip, out=tmp_path / "run", speed=3)
    with pytest.raises(UsageError, match=r"settings of another kind, dict.*PlainConfig"):
        ff.train("plain", clip, out=tmp_path / "run", config={"steps": 3})
    capture = ff.open_capture(clip)
    with pytest.raises(UsageError, match="open already"):
        ff.train("plain", capture, out=tmp_path / "run", capture_options=CaptureOptions())


def test_the_demo_trains_renders_and_measures(
    method: Method, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    module = importlib.import_module("fourfold.verbs.demo")
    monkeypatch.setattr(module, "example_path", lambda name: tmp_path / name)
    said: list[str] = []
    result = ff.demo("plain", out=tmp_path / "demo", say=said.append)
    assert result.run.config(PlainConfig) == PlainConfig(quick=True)
    assert [video.name for video in result.videos] == ["orbit_rgb.mp4"]
    assert all(video.is_file() for video in result.videos)
    assert result.report.is_file()
    assert result.metrics["psnr"] == 20.0
    assert len(said) == 3
