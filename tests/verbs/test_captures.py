"""How a capture was read is kept with the run, and read again in the same way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import KeyPoints, RigidBody, open_capture, write_bodies
from fourfold.errors import InputError
from fourfold.training import Run
from fourfold.verbs.captures import capture_of, open_with, remember_options
from fourfold.verbs.options import CaptureOptions, RigOptions
from tests.capture.rigs import write_rig
from tests.tiny import TinyConfig

NAMES = ["00000", "00001"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Make two frames of 8x6 pixels."""
    for name in NAMES:
        (tmp_path / "clip").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / "clip" / f"{name}.png")
    return tmp_path / "clip"


def _write(folder: Path, x: float) -> None:
    pose = torch.eye(4)
    pose[0, 3] = x
    body = RigidBody("background", {0: torch.eye(4), 1: pose}, None, None, KeyPoints.none())
    write_bodies(folder, [body], NAMES, (8, 6), intrinsics=torch.eye(3))


def test_bodies_are_found_again_from_any_folder(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "bodies", 1.0)
    monkeypatch.chdir(tmp_path)
    capture = open_capture(clip, bodies="bodies")
    run = Run.open(
        tmp_path / "run",
        method="dreamscene4d",
        config=TinyConfig(),
        capture_path=clip,
        capture_fingerprint=capture.fingerprint(),
    )
    run.close()
    remember_options(run, CaptureOptions(bodies=Path("bodies")))
    monkeypatch.chdir(clip)
    camera = capture_of(run).camera(1)
    assert camera is not None
    assert camera.position.tolist() == [1, 0, 0]
    # other bodies are another input
    _write(tmp_path / "bodies", 2.0)
    with pytest.raises(InputError, match="not what the run was trained on"):
        capture_of(run)


def test_the_choice_of_cameras_is_kept(tmp_path: Path) -> None:
    options = RigOptions(test_cameras="cam01", train_cameras="cam02,cam03")
    capture, options = open_with(write_rig(tmp_path / "rig"), options)
    run = Run.open(
        tmp_path / "run",
        method="mixvoxels",
        config=TinyConfig(),
        capture_path=capture.path,
        capture_fingerprint=capture.fingerprint(),
    )
    run.close()
    remember_options(run, options)
    again = capture_of(run)
    assert (again.held_out_views, again.train_views) == (("cam01",), ("cam02", "cam03"))
