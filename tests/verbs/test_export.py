"""The verb export: where things go, and what it refuses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import fourfold as ff
from fourfold.errors import OutputError, UsageError
from tests.tiny import NUM_FRAMES, tiny_run


def test_each_format_has_its_place(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    ply = ff.export(run, progress=False)
    assert ply == run.path / "export" / "ply"
    assert len(list(ply.iterdir())) == NUM_FRAMES
    assert ff.export(run, "tracks") == run.path / "export" / "tracks.npz"
    cameras = ff.export(run.path, "cameras", out=tmp_path / "elsewhere")
    assert sorted(file.name for file in cameras.iterdir()) == ["sparse", "transforms.json"]


def test_every_camera_of_a_rig_is_written_by_its_name(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    scene = ff.Scene.load(run.scene_folder)
    rig = {"left": scene.cameras[:1], "moving": scene.cameras}
    replace(scene, rig=rig).save(run.scene_folder)
    file = ff.export(run, "cameras") / "transforms.json"
    entries = json.loads(file.read_text())["frames"]
    names = [entry["file_path"] for entry in entries]
    assert names == ["left.png", *(f"moving/{frame:05d}.png" for frame in range(NUM_FRAMES))]
    assert [entry["frame"] for entry in entries] == [0, *range(NUM_FRAMES)]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'obj'.*ply, tracks, cameras"):
        ff.export(tiny_run(tmp_path / "run"), "obj")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", ["ply", "tracks", "cameras"])
def test_a_file_in_the_way_is_named(tmp_path: Path, kind: str) -> None:
    run = tiny_run(tmp_path / "run")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file"):
        ff.export(run, kind, out=tmp_path / "file" / "out", progress=False)  # pyright: ignore
    assert (tmp_path / "file").read_text() == "mine"
