"""The first moving voxels of a room in which a ball flies past."""

import torch
from torch.testing import assert_close

from fourfold.fields import BoxSpace, VoxelField
from fourfold.methods.mixvoxels.first_movers import HULL_ALPHA, show_movers
from fourfold.methods.mixvoxels.voxel_motion import voxel_centers
from fourfold.training import Progress
from tests.methods.mixvoxels.ballroom import RADIUS, RED, ball, cameras, shots, still

BOX = BoxSpace(torch.tensor([-3.0, -2.0, 1.0]), torch.tensor([3.0, 1.0, 6.0]))
FRESH = 0.01
TIMES = (1.0, 3.0)


def shown_voxels() -> VoxelField:
    filled = torch.ones(31, 16, 26, dtype=torch.bool)
    voxels = VoxelField.at_voxels(filled, TIMES, alpha=FRESH)
    depths = [still(view)[1] for view in range(len(cameras()))]
    with Progress(len(TIMES), "what moves") as bar:
        show_movers(voxels, BOX, shots(), depths, bar)
    return voxels


def test_at_each_key_the_ball_is_where_it_was():
    voxels = shown_voxels()
    places = voxel_centers(BOX, voxels.resolution)[voxels.filled]
    for key, time in enumerate(TIMES):
        shown = voxels.densities[:, key, 0] > voxels.density_of(0.5 * HULL_ALPHA)
        across = (places[shown] - ball(time))[:, :2].norm(dim=1)
        assert_close(places[shown].mean(0)[:2], ball(time)[:2], atol=0.1, rtol=0)
        assert float(across.max()) < RADIUS + 0.6
        front = (places - ball(time) + torch.tensor([0.0, 0.0, RADIUS])).norm(dim=1) < 0.3 * RADIUS
        assert bool(shown[front].all())
        alphas = set(voxels.densities[:, key, 0].tolist())
        assert len(alphas) == 2  # hull, and haze as before


def test_what_is_seen_of_the_ball_is_red():
    voxels = shown_voxels()
    cube = ((ball(1.0) - BOX.low) / (BOX.high - BOX.low))[None]
    towards = torch.tensor([[0.0, 0.0, 1.0]])
    front = cube - torch.tensor([[0.0, 0.0, RADIUS / 5.0]])
    color = voxels.colors(front, torch.tensor([1.0]), towards)[0]
    assert_close(color, RED, atol=0.15, rtol=0)


def test_the_density_of_an_alpha_has_it():
    voxels = VoxelField.dense((4, 3, 8))
    voxels.densities.fill_(voxels.density_of(0.3))
    assert_close(voxels.alphas(), torch.full((4, 3, 8), 0.3))
    finer = voxels.upsampled((8, 6, 16))
    finer.densities.fill_(finer.density_of(0.3))
    assert_close(finer.alphas(), torch.full((8, 6, 16), 0.3))
