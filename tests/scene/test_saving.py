"""Scenes on disk: bit-exact, whole or not at all, and clear when they are damaged."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from fourfold.errors import InputError, OutputError, ResultError
from fourfold.scene import ControlNodeMotion, Gaussians, Scene, SceneObject, StaticMotion
from fourfold.scene.saving import STRUCTURE_FILE, TENSORS_FILE

MakeGaussians = Callable[..., Gaussians]


def assert_identical(a: Scene, b: Scene) -> None:
    assert a.object_names == b.object_names
    assert (a.fps, a.period, a.provenance) == (b.fps, b.period, b.provenance)
    for name in ("up", "background_color", "normalization"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert list(a.rig) == list(b.rig)
    pairs = [(a.cameras, b.cameras), *zip(a.rig.values(), b.rig.values(), strict=True)]
    for one, other in (pair for cameras in pairs for pair in zip(*cameras, strict=True)):
        assert torch.equal(one.camera_from_world, other.camera_from_world)
        assert torch.equal(one.intrinsics, other.intrinsics)
        assert (one.width, one.height, one.distortion) == (
            other.width,
            other.height,
            other.distortion,
        )
    for one, other in zip(a.objects, b.objects, strict=True):
        assert type(one.motion) is type(other.motion)
        assert one.scale_range == other.scale_range
        parts = [(one.geometry, other.geometry), (one.motion, other.motion)]
        if one.appearance is not None:
            assert other.appearance is not None
            parts.append((one.appearance, other.appearance))
        for part, same in parts:
            for name, tensor in part.tensors().items():
                assert same.tensors()[name].dtype == tensor.dtype
                assert torch.equal(same.tensors()[name], tensor)


def change_structure(folder: Path, **changes: object) -> None:
    path = folder / STRUCTURE_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / TENSORS_FILE)
    change(tensors)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, folder / TENSORS_FILE)


@pytest.fixture
def saved(full_scene: Scene, tmp_path: Path) -> Path:
    """Return the folder of a saved scene."""
    folder = tmp_path / "scene"
    full_scene.save(folder)
    return folder


def test_the_round_trip_is_bit_exact(full_scene: Scene, saved: Path):
    assert_identical(Scene.load(saved), full_scene)


def test_the_same_scene_gives_the_same_bytes(full_scene: Scene, saved: Path, tmp_path: Path):
    Scene.load(saved).save(tmp_path / "again")
    for name in (STRUCTURE_FILE, TENSORS_FILE):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_tensors_that_are_being_learnt_or_shared_are_saved_too(
    full_scene: Scene, make_gaussians: MakeGaussians, tmp_path: Path
):
    gaussians = make_gaussians()
    gaussians.means.requires_grad_()
    shared = replace(gaussians, log_scales=gaussians.means[:, [0, 1, 2]].T.contiguous().T)
    scene = replace(full_scene, objects=[SceneObject("thing", shared, StaticMotion())])
    scene.save(tmp_path / "scene")
    loaded = Scene.load(tmp_path / "scene").objects[0].geometry
    assert torch.equal(loaded.means, gaussians.means)
    assert torch.equal(loaded.log_scales, shared.log_scales)


def test_saving_again_replaces_the_folder_and_leaves_nothing_beside_it(
    full_scene: Scene, saved: Path
):
    (saved / "stale").touch()
    replace(full_scene, fps=12.5).save(saved)
    assert Scene.load(saved).fps == 12.5
    assert sorted(path.name for path in saved.iterdir()) == [STRUCTURE_FILE, TENSORS_FILE]
    assert [path.name for path in saved.parent.iterdir()] == ["scene"]


@pytest.mark.parametrize("killed_at", ["staged", "moved_aside"])
def test_a_kill_while_saving_leaves_the_old_or_the_new_scene(
    full_scene: Scene, saved: Path, killed_at: str
):
    program = f"""
        import os, signal
        from dataclasses import replace
        from fourfold import files
        from fourfold.scene import Scene

        rename, renames = os.replace, []

        def kill_instead(*arguments):
            renames.append(arguments)
            if len(renames) == {1 if killed_at == "staged" else 2}:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(*arguments)

        scene = replace(Scene.load({str(saved)!r}), fps=99.0)
        os.replace = kill_instead
        scene.save({str(saved)!r})
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert_identical(Scene.load(saved), full_scene)
    replace(full_scene, fps=99.0).save(saved)
    assert Scene.load(saved).fps == 99.0


def test_a_failure_while_writing_keeps_the_old_scene(
    full_scene: Scene, saved: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(OutputError, match="no space left"):
            replace(full_scene, fps=1.0).save(saved)
    assert_identical(Scene.load(saved), full_scene)
    assert [path.name for path in saved.parent.iterdir()] == ["scene"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_said_clearly(full_scene: Scene, tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write"):
        full_scene.save(tmp_path / "scene")


def test_a_scene_with_nan_is_not_saved(full_scene: Scene, saved: Path):
    broken = full_scene.objects[0].geometry.means.clone()
    broken[0, 0] = torch.nan
    geometry = replace(full_scene.objects[0].geometry, means=broken)
    thing = SceneObject("thing", geometry, StaticMotion())
    with pytest.raises(ResultError, match=r"objects\.0\.geometry\.means holds NaN"):
        replace(full_scene, objects=[thing]).save(saved)
    assert_identical(Scene.load(saved), full_scene)


def test_no_scene_there(tmp_path: Path):
    with pytest.raises(InputError, match="no scene here") as caught:
        Scene.load(tmp_path / "nowhere")
    assert "nowhere" in str(caught.value)


def test_structure_that_is_not_ours(saved: Path):
    change_structure(saved, format="other")
    with pytest.raises(InputError, match="not a scene"):
        Scene.load(saved)
    (saved / STRUCTURE_FILE).write_text("[1, 2]")
    with pytest.raises(InputError, match="not a scene"):
        Scene.load(saved)
    (saved / STRUCTURE_FILE).write_text('{"format": "fourf')
    with pytest.raises(InputError, match="cannot read the scene"):
        Scene.load(saved)
    (saved / STRUCTURE_FILE).write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(InputError, match="cannot read the scene"):
        Scene.load(saved)


def test_a_newer_format(saved: Path):
    change_structure(saved, version=2)
    with pytest.raises(InputError, match=r"format version 2.*expected version 1"):
        Scene.load(saved)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_tensors_cut_off(saved: Path, kept: int):
    path = saved / TENSORS_FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="cannot read the tensors"):
        Scene.load(saved)


def test_tensors_missing_altogether(saved: Path):
    (saved / TENSORS_FILE).unlink()
    with pytest.raises(InputError, match="cannot read the tensors"):
        Scene.load(saved)


DAMAGES: dict[str, Callable[[dict[str, torch.Tensor]], object]] = {
    "log_scales": lambda t: t.pop("objects.0.geometry.log_scales"),
    "a rigid motion has": lambda t: t.pop("objects.1.motion.quaternions"),
    "'up' is missing": lambda t: t.pop("up"),
    "quaternions has shape": lambda t: t.update(
        {"objects.0.geometry.quaternions": torch.ones(2, 4)}
    ),
    "not (3, 4, 4)": lambda t: t.update({"cameras.camera_from_world": torch.ones(2, 4, 4)}),
    "NaN": lambda t: t["objects.2.geometry.means"].fill_(torch.nan),
}


@pytest.mark.parametrize("says", DAMAGES)
def test_a_damaged_scene_says_what_is_wrong(saved: Path, says: str):
    change_tensors(saved, DAMAGES[says])
    with pytest.raises(InputError) as caught:
        Scene.load(saved)
    assert says in str(caught.value)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"objects": []}, {"objects": 3}, {"cameras": []}, {"fps": "fast"}, {"fps": None}]
)
def test_a_damaged_structure_is_an_input_error(saved: Path, changes: dict[str, object]):
    change_structure(saved, **changes)
    with pytest.raises(InputError, match="damaged"):
        Scene.load(saved)


def test_an_unknown_motion_is_named(saved: Path):
    objects = json.loads((saved / STRUCTURE_FILE).read_text())["objects"]
    objects[0]["motion"] = {"kind": "teleport"}
    change_structure(saved, objects=objects)
    with pytest.raises(InputError, match="unknown kind of motion 'teleport'"):
        Scene.load(saved)


def test_control_nodes_come_back_ready_to_use(saved: Path, full_scene: Scene):
    worm = Scene.load(saved).object("worm")
    assert isinstance(worm.motion, ControlNodeMotion)
    assert torch.equal(worm.at(1.5).means, full_scene.object("worm").at(1.5).means)
