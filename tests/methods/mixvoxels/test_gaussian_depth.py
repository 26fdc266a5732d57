"""Depth of the still room, from pictures alone."""

import pytest
import torch

from fourfold.methods.mixvoxels.gaussian_depth import sweep_depths
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
