"""Depth of the still room, from pictures alone."""

import math

import pytest
import torch
from torch.testing import assert_close

from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.gaussian_depth import against, sweep_depths
from fourfold.training import Progress
from tests.methods.mixvoxels.ballroom import cameras, shots, still


@pytest.fixture(scope="module")
def depths() -> list[torch.Tensor]:
    with Progress(5, "", enabled=False) as bar:
        return sweep_depths(shots(1), bar)


def test_most_of_a_room_is_found_and_is_right(depths: list[torch.Tensor]):
    for view in range(len(cameras())):
        found, truth = depths[view], still(view)[1]
        known = found.isfinite()
        error = (found / truth).log().abs()[known]
        assert float(known.float().mean()) > 0.7
        assert float(error.median()) < 0.03
        assert float((error < 0.1).float().mean()) > 0.95


def test_points_are_compared_with_a_depth_by_hand():
    camera = Camera.from_fov(2, 2, 90.0)
    depth = torch.tensor([[2.0, torch.nan], [2.0, 4.0]])
    points = torch.tensor(
        [[-1.0, -1.0, 2.0], [1.0, 1.0, 2.0], [1.0, -1.0, 2.0], [0.0, 0.0, -1.0], [9.0, 0.0, 1.0]]
    )
    ratio = against(camera, depth, points)
    assert_close(ratio[:2], torch.tensor([0.0, -math.log(2.0)]))
    assert bool(ratio[2:].isnan().all())
