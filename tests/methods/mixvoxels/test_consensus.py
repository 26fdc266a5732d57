"""What other cameras confirm of a depth."""

import pytest
from torch import Tensor
from torch.testing import assert_close

from fourfold.methods.mixvoxels.consensus import confirmed
from tests.methods.mixvoxels.ballroom import cameras, still


@pytest.mark.parametrize("witnesses", [1, 2])
def test_true_depths_are_confirmed_and_one_before_a_lens_is_not(witnesses: int):
    depths, middle = [still(view)[1] for view in range(len(cameras()))], 2
    assert known(confirmed(cameras(), depths, middle, witnesses)) > 0.9
    made_up = [0.3 * depth if view == middle else depth for view, depth in enumerate(depths)]
    assert known(confirmed(cameras(), made_up, middle, witnesses)) == 0.0
    # nor does what is made up have a say in others
    least = 0.9 * known(confirmed(cameras(), depths, 1, witnesses))
    assert known(confirmed(cameras(), made_up, 1, witnesses)) > least


def test_a_camera_in_the_same_place_is_no_witness():
    depths = [still(view)[1] for view in range(3)]
    twin, veil = cameras()[0], 0.3 * depths[0]
    pair = confirmed([twin, twin, cameras()[2]], [veil, veil, depths[2]], 0, 1)
    assert known(pair) == 0.0
    pair = confirmed([twin, twin, cameras()[1]], [*depths[:1], *depths[:2]], 0, 1)
    assert known(pair) > 0.5


def test_of_two_cameras_the_other_one_is_enough():
    depths = [still(view)[1] for view in range(2)]
    pair = confirmed(cameras()[:2], depths, 0, 2)
    assert known(pair) > 0.5
    assert_close(pair[pair.isfinite()], depths[0][pair.isfinite()])


def known(depth: Tensor) -> float:
    return float(depth.isfinite().float().mean())
