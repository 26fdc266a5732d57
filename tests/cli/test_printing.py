"""What the command line says about an input."""

import numpy as np
import pytest
from PIL import Image

from fourfold.cli import main


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
