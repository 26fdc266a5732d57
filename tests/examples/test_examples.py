"""The examples run, and write what they say."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def _run(name: str, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_scene_by_hand(tmp_path: Path) -> None:
    lines = _run("01_a_scene_by_hand.py", str(tmp_path))
    assert lines == [str(tmp_path / name) for name in ("ball.gif", "ply", "scene")]
    assert all(Path(line).exists() for line in lines)


def test_look_into_a_capture(tmp_path: Path) -> None:
    lines = _run("02_look_into_a_capture.py", str(_example()), str(tmp_path))
    assert any(line.startswith("channels: ") and "mask" in line for line in lines)
    assert Path(lines[-1]).is_file()


@pytest.mark.slow
def test_train_render_measure(tmp_path: Path) -> None:
    lines = _run("03_train_render_measure.py", str(_example()), str(tmp_path / "run"), "20")
    names = ("renders/orbit_rgb.mp4", "renders/orbit_depth.mp4", "report.html", "export/tracks.npz")
    files = [str(tmp_path / "run" / name) for name in names]
    assert [line for line in lines if line.startswith(str(tmp_path))] == files
    assert all(Path(file).is_file() for file in files)
    assert any(line.startswith("psnr ") for line in lines)


@pytest.mark.slow
def test_many_cameras(tmp_path: Path) -> None:
    from fourfold.verbs.demo import example_path

    rig = str(example_path("arena"))
    lines = _run("04_many_cameras.py", rig, str(tmp_path), "30")
    names = [f"run/renders/cam00_{output}.mp4" for output in ("rgb", "depth", "moving")]
    files = [line for line in lines if line.startswith(str(tmp_path))]
    assert files == [str(tmp_path / name) for name in names]
    assert all(Path(file).is_file() for file in files)
    assert any(line.startswith("moving: ") for line in lines)
    assert any(line.startswith("psnr ") for line in lines)


def _example() -> Path:
    from fourfold.verbs.demo import example_path

    return example_path("juggler")
