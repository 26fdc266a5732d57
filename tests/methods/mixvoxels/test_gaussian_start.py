"""The first Gaussians, from pictures alone."""

from dataclasses import replace

import torch
from torch.testing import assert_close

from fourfold.geometry import project_points
from fourfold.methods.mixvoxels.gaussian_start import key_frames, start_gaussians, start_steps
from fourfold.training import Progress
from tests.methods.mixvoxels.ballroom import BOUNDS, NUM_FRAMES, ball, shots


def test_still_gaussians_are_on_the_walls_and_moving_ones_at_the_ball():
    film = shots()
    with Progress(start_steps(film), "", enabled=False) as bar:
        start = start_gaussians(film, 4000, 0, bar)
    assert len(start.background) == 1600
    assert 0.5 < start.confirmed <= 1
    _, y, z = start.background.means.unbind(1)
    # the room: a floor at y = 1 and a wall at z = 6
    distance = torch.minimum((y - 1).abs(), (z - 6).abs())
    assert float(distance.median()) < 0.1
    assert 0 < len(start.moving) <= 1200
    for frame in range(NUM_FRAMES):
        here = start.motion.centers == frame
        assert_close(start.moving.means[here][:, :2].mean(0), ball(frame)[:2], atol=0.2, rtol=0)
    assert_close(start.motion.log_durations.exp(), torch.full((len(start.moving),), 0.5))


def test_where_no_camera_confirms_another_gaussians_start_anywhere_between_the_bounds():
    film, camera = shots(1), shots().cameras[0]
    behind = camera.moved(torch.diag(torch.tensor([-1.0, 1, -1, 1])) @ camera.camera_from_world)
    blind = replace(film, cameras=[camera, behind], lenses=[], bounds=film.bounds[:2])
    blind = replace(blind, still=film.still[:2], image=lambda view, frame: film.still[view])
    with Progress(start_steps(blind), "", enabled=False) as bar:
        start = start_gaussians(blind, 400, 0, bar)
    assert start.confirmed == 0
    assert (len(start.background), len(start.moving)) == (160, 0)
    _, depth = project_points(camera, start.background.means)
    near, far = BOUNDS
    assert near <= float(depth.abs().min()) < 2 * near
    assert far / 2 < float(depth.abs().max()) <= far


def test_keys_of_a_long_clip_are_spread_evenly():
    keys, gap = key_frames(300)
    assert gap == 18.75
    assert keys[:2] == [9, 28]
    assert keys[-1] == 290
