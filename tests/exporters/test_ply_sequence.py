"""The ply sequence: a file per frame, in the capture's coordinates, whole or not at all."""

import re
from pathlib import Path

import pytest
import torch

from fourfold.exporters import write_ply_sequence
from fourfold.scene import read_ply
from tests.tiny import NUM_FRAMES, STEP, tiny_scene

# How SuperSplat recognises the files of a sequence.
SUPERSPLAT = re.compile(r"(.*?)(\d+)(?:\.compressed)?\.ply")


def test_frames_move_in_the_captures_units(tmp_path: Path) -> None:
    scene = tiny_scene()
    done: list[int] = []
    write_ply_sequence(tmp_path / "ply", scene, done.append)
    files = sorted((tmp_path / "ply").iterdir())
    assert [file.name for file in files] == [
        f"frame_{index:05d}.ply" for index in range(NUM_FRAMES)
    ]
    assert all(SUPERSPLAT.fullmatch(file.name) for file in files)
    assert done == [1, 2, 3, 4]
    first, last = read_ply(files[0]), read_ply(files[-1])
    assert len(first) == scene.num_gaussians
    ball = slice(len(scene.objects[0].geometry), None)
    moved = (last.means - first.means)[ball]
    # three steps; the scene is half as large as the capture
    assert torch.allclose(moved, torch.tensor([3 * STEP * 2.0, 0.0, 0.0]), atol=1e-4)
    assert torch.allclose(first.scales[ball], torch.tensor(0.14), atol=1e-4)


def test_an_error_leaves_the_old_sequence(tmp_path: Path) -> None:
    folder = tmp_path / "ply"
    write_ply_sequence(folder, tiny_scene())
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def stop(done: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_ply_sequence(folder, tiny_scene(), stop)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in tmp_path.iterdir()] == ["ply"]
