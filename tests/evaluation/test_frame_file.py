"""A video that is written frame by frame and read as one."""

import sys
from pathlib import Path

import pytest
import torch

from fourfold.evaluation import FrameFile


def anonymous_megabytes() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("RssAnon")]
    return int(line.split()[1]) / 1e3


def test_a_video_is_its_frames():
    frames = torch.randint(0, 256, (5, 4, 6, 3), generator=torch.Generator().manual_seed(0)).byte()
    with FrameFile() as file:
        for frame in frames:
            file.append(frame)
        file.append(frames[0].flip(1))
        assert len(file) == 6
        video = file.video()
    assert torch.equal(video, torch.cat((frames, frames[:1].flip(2))))


def test_a_frame_may_lie_in_memory_in_another_order():
    frame = torch.arange(72, dtype=torch.uint8).view(3, 4, 6).permute(1, 2, 0)
    with FrameFile() as file:
        file.append(frame)
        assert torch.equal(file.video()[0], frame)


def test_frames_are_of_one_size():
    with FrameFile() as file:
        file.append(torch.zeros(4, 6, 3, dtype=torch.uint8))
        with pytest.raises(ValueError, match=r"\(6, 4, 3\) after \(4, 6, 3\)"):
            file.append(torch.zeros(6, 4, 3, dtype=torch.uint8))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_video():
    frame = torch.full((500, 1000, 3), 7, dtype=torch.uint8)
    before = anonymous_megabytes()
    with FrameFile() as file:
        for _ in range(40):
            file.append(frame)
        video = file.video()
        assert bool((video[39] == 7).all())
        assert int(video.max()) == 7
        assert anonymous_megabytes() - before < 30.0  # of 60
