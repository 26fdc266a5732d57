"""Odd and bad rigs from end to end: `fourfold train mixvoxels` says what is wrong or handles it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fourfold.capture import frame_storing
from fourfold.cli import main
from fourfold.scene import Scene
from tests.capture.rigs import rows, write_rig
from tests.capture.test_video_frames import write_greys

SIZES = "--voxels.resolution 24 --voxels.iterations 10"
FEW = [*SIZES.split(), "--voxels.rays", "64", "--max-size", "40"]


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """Four cameras that film a textured plane, three frames each."""
    return write_rig(tmp_path / "rig")


def train(rig: Path, out: Path, *words: str) -> int:
    """Run `fourfold train` and return its exit code."""
    return main(["train", "mixvoxels", str(rig), "--out", str(out), *FEW, *words])


@pytest.fixture
def refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """Return a function that trains, expects an error of one line, and returns that line."""
    monkeypatch.delenv("FOURFOLD_TRACEBACK", raising=False)

    def check(rig: Path, *words: str) -> str:
        assert train(rig, tmp_path / "run", *words) == 2
        printed = capsys.readouterr()
        errors = [line for line in printed.err.splitlines() if line.startswith("error: ")]
        assert errors == printed.err.splitlines()[-1:]
        assert "Traceback" not in printed.err
        assert not (tmp_path / "run" / "scene").exists()
        return errors[0]

    return check


# What cannot be used


def spoil_shape(poses: np.ndarray) -> np.ndarray:
    return poses[:, :15]


def spoil_rows(poses: np.ndarray) -> np.ndarray:
    return poses[:3]


def spoil_number(poses: np.ndarray) -> np.ndarray:
    poses[2, 7] = np.nan
    return poses


def spoil_bounds(poses: np.ndarray) -> np.ndarray:
    poses[1, 15:] = 5.0, 2.0
    return poses


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_shape, "(4, 15) and type float64; expected (N, 17)"),
        (spoil_rows, "3 rows for 4 cameras"),
        (spoil_number, "the row of camera cam02 has numbers that are not finite"),
        (spoil_bounds, "the depth bounds of camera cam01 are 5 and 2"),
    ],
)
def test_poses_that_cannot_be(rig: Path, tmp_path: Path, refused: Callable[..., str], spoil, said):
    np.save(rig / "poses_bounds.npy", spoil(rows()))
    line = refused(rig)
    assert "poses_bounds.npy" in line
    assert said in line
    assert not (tmp_path / "run").exists()


def test_no_poses(rig: Path, tmp_path: Path, refused: Callable[..., str]):
    (rig / "poses_bounds.npy").unlink()
    line = refused(rig)
    assert "the camera cam01 has no pose" in line
    assert "fourfold prepare poses" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--test-cameras nobody", "--test-cameras names nobody"),
        ("--test-cameras cam00,cam01,cam02,cam03", "all 4 cameras are held out"),
        ("--test-cameras cam00 --train-cameras cam00,cam01", "both name cam00"),
        ("--train-cameras cam01", "1 cameras to train on; expected two or more"),
        ("--depth nowhere", "nowhere: there is no such folder of depth maps"),
        ("--depth static:nowhere", "nowhere: no scene in this run"),
        ("--depth colmap", "no COLMAP model with key points of the training cameras"),
        ("--voxels.resolution 0", "--voxels.resolution is 0; expected 24 to 1024"),
        ("--voxels.resolution 4", "--voxels.resolution is 4; expected 24 to 1024"),
        ("--voxels.iterations 0", "--voxels.iterations is 0"),
        ("--voxels.still-target middle", "--voxels.still-target is 'middle'"),
        ("--depth-loss.std 0", "--depth-loss.std is 0"),
        ("--stages moving", "stage moving needs stage still"),
        ("--stages gaussians", "expected some of still,moving"),
        ("--geometry gaussians --gaussians.max-gaussians 3", "--gaussians.max-gaussians is 3"),
    ],
)
def test_options_that_cannot_be(rig: Path, refused: Callable[..., str], words: str, said: str):
    assert said in refused(rig, *words.split())


def test_depth_maps_of_other_cameras(rig: Path, tmp_path: Path, refused: Callable[..., str]):
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "front.npy", np.ones((30, 40), np.float32))
    line = refused(rig, "--depth", str(tmp_path / "depth"))
    assert "no depth map of any training camera; expected cam01/*.png" in line


def test_a_clip_of_one_camera(tmp_path: Path, refused: Callable[..., str]):
    write_greys(tmp_path / "clip.mp4", [40, 60, 80])
    line = refused(tmp_path / "clip.mp4")
    assert "1 cameras to train on; expected two or more that film the same scene" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("method", ["osn", "mom", "dreamscene4d"])
def test_methods_for_one_camera_name_the_one_for_several(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
):
    assert main(["train", method, str(rig), "--out", str(tmp_path / "run")]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"error: {rig}: this has 4 views; expected a capture of one camera.")
    assert f"fourfold train mixvoxels {rig} --out RUN" in line
    assert not (tmp_path / "run").exists()


def test_what_is_added_to_one_view_names_the_method_for_several(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["osn", str(rig), "--bodies", str(rig), "--out", str(tmp_path / "run")]
    assert main(["train", *words]) == 2
    assert "Several cameras are for the method mixvoxels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["mixvoxels", "--masks", "masks"],
            "error: --masks is an option of dreamscene4d, osn, mom",
        ),
        (
            ["mixvoxels", "--masks=masks"],
            "not of mixvoxels. It needs no masks: what moves is found",
        ),
        (["mixvoxels", "--bodies", "b"], "not of mixvoxels. It needs no bodies: fourfold prepare"),
        (["mixvoxels", "--motion_field", "f"], "error: --motion-field is an option of mom, not of"),
        (["osn", "--test-cameras", "a"], "error: --test-cameras is an option of mixvoxels, not of"),
    ],
)
def test_options_of_other_methods(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    assert main(["train", *words, str(rig), "--out", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.count("\n") == 1


def test_structure_from_motion_of_a_rig_names_what_finds_its_poses(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["prepare", "sfm", str(rig), "--out", str(tmp_path / "bodies")]) == 2
    assert f"fourfold prepare poses {rig} --out DIR" in capsys.readouterr().err


def test_a_rig_of_one_camera(tmp_path: Path, refused: Callable[..., str]):
    rig = write_rig(tmp_path / "rig", ["cam00"], poses=rows(1))
    assert "camera" in refused(rig)


def test_a_frame_that_is_cut_off(rig: Path, tmp_path: Path, refused: Callable[..., str]):
    path = rig / "frames" / "cam02" / "0002.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cam02/0002.png" in refused(rig)


# What is handled


def scene_of(out: Path) -> Scene:
    return Scene.load(out / "scene")


@pytest.mark.slow
def test_a_dead_camera_is_left_out(rig: Path, tmp_path: Path):
    for file in (rig / "frames" / "cam01").iterdir():
        file.write_bytes(b"")
    assert train(rig, tmp_path / "run") == 0
    assert list(scene_of(tmp_path / "run").rig) == ["cam00", "cam02", "cam03"]


@pytest.mark.slow
def test_a_camera_with_fewer_frames_leaves_those_that_all_have(tmp_path: Path):
    rig = write_rig(tmp_path / "rig", frames=("1", "2", "3", "4"))
    (rig / "frames" / "cam02" / "2.png").unlink()
    assert train(rig, tmp_path / "run") == 0
    assert scene_of(tmp_path / "run").num_frames == 3


@pytest.mark.slow
def test_names_are_ordered_by_their_numbers(tmp_path: Path):
    poses = rows(3)[[0, 2, 1]]
    rig = write_rig(tmp_path / "rig", ("cam2", "cam10", "cam9"), ("8", "10", "9"), poses=poses)
    assert train(rig, tmp_path / "run") == 0
    assert list(scene_of(tmp_path / "run").rig) == ["cam2", "cam9", "cam10"]


@pytest.mark.slow
def test_a_crash_while_frames_are_decoded_and_the_same_command_again(
    rig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    decoded, calls = frame_storing._decoded, []

    def crashing(*arguments):
        calls.append(arguments)
        if len(calls) == 8:  # in the third camera
            raise KeyboardInterrupt
        return decoded(*arguments)

    monkeypatch.setattr(frame_storing, "_decoded", crashing)
    assert train(rig, tmp_path / "run") == 130
    calls.clear()
    monkeypatch.setattr(frame_storing, "_decoded", lambda *a: calls.append(a) or decoded(*a))
    assert train(rig, tmp_path / "run") == 0
    # the cameras that were done are not decoded again
    assert 3 <= len(calls) <= 6
    assert train(rig, tmp_path / "other") == 0
    same = [(tmp_path / run / "scene" / "tensors.safetensors") for run in ("run", "other")]
    assert same[0].read_bytes() == same[1].read_bytes()


@pytest.mark.slow
def test_what_an_earlier_preparation_left_behind_does_no_harm(rig: Path, tmp_path: Path):
    # the original stops for good at such folders
    for name in ("frames_2/cam00", "stds_2", "frames_4"):
        (rig / name).mkdir(parents=True)
    shutil.copy(rig / "frames" / "cam00" / "0001.png", rig / "frames_2" / "cam00" / "0001.png")
    assert train(rig, tmp_path / "run") == 0


@pytest.mark.slow
def test_grey_pictures_without_motion(rig: Path, tmp_path: Path):
    for file in (rig / "frames").glob("*/*.png"):
        Image.open(file).convert("L").save(file)
    assert train(rig, tmp_path / "run") == 0
    # the plane gets brighter by a grey level per frame: too little to count
    assert scene_of(tmp_path / "run").object_names == ("background",)
