"""The pictures that Gaussians are fitted to, and the places where nothing can be."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.gaussian_lenses import room_before, training_lenses
from fourfold.methods.mixvoxels.shots import read_shots

CAMERA = Camera.from_fov(40, 30, 60.0)


class Store:
    """Three frames of one colour each."""

    def image(self, frame: int, view: int) -> np.ndarray:
        return np.full((30, 40, 3), 50 * frame + view, np.uint8)

    def median(self, view: int) -> np.ndarray:
        return np.full((30, 40, 3), 50 + view, np.uint8)


def footage(cameras: list[Camera], bounds: list[list[float]], frames: tuple[int, ...]) -> Footage:
    capture = SimpleNamespace(
        views=[str(view) for view in range(len(cameras))],
        camera=lambda frame, view: cameras[view],
        bounds=lambda view: None if np.isnan(bounds[view][0]) else tuple(bounds[view]),
    )
    views = tuple(range(len(cameras)))
    rows = [[camera] * len(frames) for camera in cameras]
    given = torch.tensor(bounds)
    return Footage(cast(Any, capture), cast(Any, Store()), views, frames, rows, given)


def two_cameras() -> list[Camera]:
    """Give two cameras 3 from (0, 0, 3), at right angles."""
    turned = torch.tensor([[0.0, 0, -1, 3], [0, 1, 0, 0], [1, 0, 0, 3], [0, 0, 0, 1]])
    return [CAMERA, CAMERA.moved(turned)]


def test_pictures_and_stills_come_from_the_store():
    shots = read_shots(footage(two_cameras(), [[1.0, 9.0]] * 2, (0, 2)))
    assert shots.num_views == 2
    assert shots.num_frames == 2
    camera, image = shots.seen_by(1, 1, 2)
    assert (camera.width, camera.height) == (20, 15)
    assert_close(image, torch.full((15, 20, 3), 101 / 255))
    assert_close(shots.deviation(1, 1, 1), torch.full((30, 40), 50 / 255))
    assert shots.bounds == [(1.0, 9.0)] * 2


def test_a_still_capture_is_its_own_still_picture():
    shots = read_shots(footage(two_cameras(), [[1.0, 9.0]] * 2, (2,)))
    assert (shots.still[0] == 100).all()


def test_unknown_bounds_follow_from_what_the_cameras_look_at():
    shots = read_shots(footage(two_cameras(), [[torch.nan] * 2, [1.0, 9.0]], (0,)))
    assert shots.bounds[0] == pytest.approx((0.9, 12.0), rel=1e-3)
    assert shots.bounds[1] == (1.0, 9.0)
    lenses = training_lenses(footage(two_cameras(), [[torch.nan] * 2, [1.0, 9.0]], (0,)))
    assert [near for _, near in lenses] == pytest.approx([0.9, 1.0], rel=1e-3)


def test_nothing_stands_before_a_lens():
    points = {
        (0.0, 0.0, 1.7): 0.0,  # before the lens, nearer than the nearest depth
        (0.0, 0.0, 1.9): torch.inf,
        (0.0, 0.0, -0.1): 0.0,  # in the camera's body
        (0.0, 0.0, -0.9): torch.inf,
        # beside the picture, whose half is 20 of 26 (40 x 30 at 60 degrees) of the depth wide:
        # two standard deviations may be as wide as it is away
        (2.0, 0.0, 1.0): (2.0 - 20 / 25.98076) / 2,
    }
    room = room_before([(CAMERA, 2.0)], torch.tensor(list(points)))
    assert_close(room, torch.tensor(list(points.values())))
