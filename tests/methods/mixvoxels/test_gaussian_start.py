"""The first Gaussians, from pictures alone."""

import torch
from torch.testing import assert_close

from fourfold.methods.mixvoxels.gaussian_start import key_frames, start_gaussians, start_steps
from fourfold.training import Progress
from tests.methods.mixvoxels.ballroom import NUM_FRAMES, ball, shots


def test_still_gaussians_are_on_the_walls_and_moving_ones_at_the_ball():
    film = shots()
    with Progress(start_steps(film), "", enabled=False) as bar:
        start = start_gaussians(film, 4000, 0, bar)
    assert len(start.background) == 1600
    _, y, z = start.background.means.unbind(1)
    # the room: a floor at y = 1 and a wall at z = 6
    distance = torch.minimum((y - 1).abs(), (z - 6).abs())
    assert float(distance.median()) < 0.1
    assert 0 < len(start.moving) <= 1200
    for frame in range(NUM_FRAMES):
        here = start.motion.centers == frame
        assert_close(start.moving.means[here][:, :2].mean(0), ball(frame)[:2], atol=0.2, rtol=0)
    assert_close(start.motion.log_durations.exp(), torch.full((len(start.moving),), 0.5))


def test_keys_of_a_long_clip_are_spread_evenly():
    keys, gap = key_frames(300)
    assert gap == 18.75
    assert keys[:2] == [9, 28]
    assert keys[-1] == 290
