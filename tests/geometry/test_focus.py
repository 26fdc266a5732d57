"""The point where the axes of cameras meet."""

import math

import pytest
import torch
from torch.testing import assert_close

from fourfold.geometry import Camera, focus_point, look_at

UP = torch.tensor([0.0, -1.0, 0.0])


def camera(place: list[float], target: list[float]) -> Camera:
    pose = look_at(torch.tensor(place), torch.tensor(target), UP)
    return Camera.from_fov(64, 48, 60.0, pose)


def test_the_point_that_all_axes_pass():
    target = [0.3, -0.2, 1.0]
    places = ([2.0, 0.0, -3.0], [-2.0, 0.5, -3.0], [0.0, -1.0, -4.0])
    point = focus_point([camera(place, target) for place in places])
    assert point is not None
    assert_close(point, torch.tensor(target), atol=1e-4, rtol=0)


def test_axes_that_miss_one_another_have_the_place_between_them():
    # along z through (0, 0, 0), along x through (0, 1, 5)
    point = focus_point([camera([0.0, 0, 0], [0, 0, 1]), camera([-3.0, 1, 5], [0, 1, 5])])
    assert point is not None
    assert_close(point, torch.tensor([0.0, 0.5, 5.0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("degrees", "least", "meet"), [(4, 3, True), (2, 3, False), (4, 5, False)])
def test_nearly_parallel_axes_meet_nowhere(degrees: float, least: float, meet: bool):
    side = 4.0 * math.tan(math.radians(degrees))
    pair = [camera([x, 0.0, -4.0], [0.0, 0.0, 0.0]) for x in (-side, side)]
    assert (focus_point(pair, least) is not None) == meet


def test_what_lies_behind_the_cameras_is_not_looked_at():
    outward = [camera([x, 0.0, z], [3 * x, 0.0, 3 * z]) for x, z in ((1.0, 0.0), (0.0, 1.0))]
    assert focus_point(outward) is None
