"""What the command line says about an input."""

import numpy as np
import pytest
from PIL import Image

from fourfold.cli import main
from fourfold.cli.printing import print_metrics
from tests.capture.rigs import write_rig


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "time      0.08 s at 24 frames per second, an assumption: --fps says it\n"),
        (["--fps", "10"], "time      0.20 s at 10 frames per second\n"),
    ],
)
def test_a_frame_rate_that_nothing_says_is_called_an_assumption(tmp_path, capsys, words, said):
    for frame in range(3):
        Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(tmp_path / f"{frame}.png")
    assert main(["info", str(tmp_path), *words]) == 0
    assert said in capsys.readouterr().out


def test_what_a_rig_holds(tmp_path, capsys):
    write_rig(tmp_path)
    assert main(["info", str(tmp_path), "--test-cameras", "cam02", "--train-cameras", "cam00"]) == 0
    said = capsys.readouterr().out
    assert (
        "views     4 (cam00, cam01, cam02, cam03), 1 held out for tests (cam02), "
        "1 to train on (cam00)\n"
    ) in said
    assert "mixvoxels: missing a second camera to train on\n" in said
    assert main(["info", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "mixvoxels: ready\n" in said
    assert "dreamscene4d: missing a capture of one camera\n" in said
    assert "1 held out for tests (cam00)\n" in said
    assert "poses     poses_bounds.npy, columns down, right, back (LLFF's)\n" in said


def test_what_a_rig_without_poses_lacks(tmp_path, capsys):
    write_rig(tmp_path)
    (tmp_path / "poses_bounds.npy").unlink()
    assert main(["info", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "mixvoxels: missing cameras (fourfold prepare poses" in said
    assert "  poses " not in said


def test_the_figures_of_an_only_camera_are_not_repeated(capsys):
    print_metrics({"psnr": 30.25, "psnr_cam00": 30.25, "psnr_static": None})
    assert capsys.readouterr().out.split() == ["measured", "PSNR", "30.25", "dB"]
    print_metrics({"psnr": 31.0, "psnr_cam00": 30.25, "psnr_cam01": 31.75})
    said = capsys.readouterr().out
    assert "PSNR, cam00" in said
    assert "PSNR, cam01" in said
