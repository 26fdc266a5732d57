"""What `--depth` names: the same from any folder, and known again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fourfold as ff
from fourfold.capture import Capture
from fourfold.errors import InputError, UsageError
from fourfold.methods.mixvoxels import train as training
from fourfold.methods.mixvoxels.config import MixVoxelsConfig, VoxelConfig
from fourfold.methods.mixvoxels.depth_source import absolute_source, source_fingerprint
from fourfold.scene import Scene
from tests.capture.colmap_folder import write_text_model
from tests.methods.mixvoxels.yard import write_depths


@pytest.mark.parametrize("kind", ["static:", "colmap:", ""])
def test_a_path_is_made_absolute(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert absolute_source(f"{kind}runs/x") == f"{kind}{tmp_path.resolve() / 'runs' / 'x'}"


@pytest.mark.parametrize("source", ["", "sweep", "colmap"])
def test_what_is_no_path_stays(source: str):
    assert absolute_source(source) == source


def still_model(yard: Capture, out: Path, static: bool = True) -> Path:
    """Train a model of one still per camera, as little as there can be."""
    voxels = VoxelConfig(space="box", resolution=24, iterations=10, rays=64)
    config = MixVoxelsConfig(static=static, voxels=voxels)
    return ff.train("mixvoxels", yard, out=out, config=config).path


def test_another_still_scene_has_another_fingerprint(yard: Capture, tmp_path: Path):
    run = still_model(yard, tmp_path / "run")
    first = source_fingerprint(f"static:{run}", yard)
    scene = Scene.load(run / "scene")
    scene.save(run / "scene")  # trained again, to the same
    assert source_fingerprint(f"static:{run}", yard) == first
    replace(scene, provenance={"seed": 1}).save(run / "scene")
    assert source_fingerprint(f"static:{run}", yard) != first


def test_a_run_that_is_no_still_model_is_refused_before_a_run_is_made(
    yard: Capture, tmp_path: Path
):
    run = still_model(yard, tmp_path / "run", static=False)
    config = MixVoxelsConfig(depth=f"static:{run}")
    with pytest.raises(UsageError, match="not of one still per camera"):
        ff.train("mixvoxels", yard, out=tmp_path / "guided", config=config)
    assert not (tmp_path / "guided").exists()


def test_maps_and_models_have_fingerprints(yard: Capture, tmp_path: Path):
    maps, model = write_depths(tmp_path / "depth"), write_text_model(tmp_path / "model", ["a.png"])
    before = [source_fingerprint(source, yard) for source in (str(maps), f"colmap:{model}")]
    np.save(maps / "cam02.npy", np.ones((30, 40)))  # held out: not read
    assert source_fingerprint(str(maps), yard) == before[0]
    np.save(maps / "cam01.npy", np.ones((30, 40)))
    (model / "points3D.txt").write_text("")
    after = [source_fingerprint(source, yard) for source in (str(maps), f"colmap:{model}")]
    assert before[0] != after[0]
    assert before[1] != after[1]


@pytest.mark.parametrize("source", ["static:nowhere", "colmap", "colmap:nowhere", "nowhere"])
def test_what_is_not_there_is_said_before_a_run_is_made(source: str, yard: Capture, tmp_path: Path):
    with pytest.raises(InputError):
        ff.train("mixvoxels", yard, out=tmp_path / "run", depth=source)
    assert not (tmp_path / "run").exists()


def test_a_run_whose_depths_have_changed_is_not_gone_on_with(
    yard: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "_run_stage", lambda *_: None)
    write_depths(tmp_path / "depth")
    run = ff.train("mixvoxels", yard, out="run", depth="depth")
    assert run.config(MixVoxelsConfig).depth == str(tmp_path.resolve() / "depth")
    ff.train("mixvoxels", yard, out="run", depth="depth")
    write_depths(tmp_path / "depth", factor=2.0)
    with pytest.raises(UsageError, match="the files of --depth have changed since"):
        ff.train("mixvoxels", yard, out="run", depth="depth")
