"""Rays and colours of the training cameras, and which pixels change."""

import math
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from fourfold.capture import Capture, open_capture
from fourfold.errors import InputError
from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.footage import (
    Footage,
    changing_pixels,
    read_footage,
    rig_of,
    training_views,
)
from tests.methods.mixvoxels.yard import FAR, HEIGHT, NEAR, NUM_FRAMES, WIDTH, cameras, film


def camera_at(x: float, y: float = 0.0, z: float = 0.0) -> Camera:
    """Stand a camera of 8x6 pixels and a focal length of 10 somewhere, looking along z."""
    pose = torch.eye(4)
    pose[:3, 3] = -torch.tensor([x, y, z])
    return Camera(pose, torch.tensor([[10.0, 0, 4], [0, 10, 3], [0, 0, 1]]), 8, 6)


def without_pictures(rows: list[list[Camera]]) -> Footage:
    missing: Any = None
    frames = tuple(range(len(rows[0])))
    return Footage(missing, missing, (3, 5), frames, rows, torch.zeros(len(rows), 2))


def test_rays_through_pixels_by_hand():
    # the second camera turns to the right by 90 degrees at its second frame: z is the world's x
    turned = camera_at(0).moved(
        torch.tensor([[0.0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    )
    footage = without_pictures([[camera_at(0), camera_at(0)], [camera_at(2, 1, -1), turned]])
    views, frames = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    pixels = torch.tensor([[4.0, 3.0], [8.0, 3.0], [4.0, 6.0], [0.5, 3.0]])
    rays, cosines = footage.rays(views, frames, pixels)
    lengths = torch.tensor([1.0, 0.4**2 + 1, 0.3**2 + 1, 0.35**2 + 1]).sqrt()
    towards = torch.tensor([[0, 0, 1], [0.4, 0, 1], [0, 0.3, 1], [1, 0, 0.35]])
    assert_close(rays.directions, towards / lengths[:, None])
    assert_close(cosines, 1 / lengths)
    assert_close(rays.origins, torch.tensor([[0.0, 0, 0], [0, 0, 0], [2, 1, -1], [0, 0, 0]]))
    assert rays.near.tolist() == [0.0] * 4
    assert rays.far.tolist() == [math.inf] * 4


def test_rays_reach_what_is_filmed(footage: Footage):
    image, depth, _ = film(cameras()[3], 2)
    rows, columns = torch.tensor([0, 14, 29]), torch.tensor([0, 20, 39])
    pixels = torch.stack((columns, rows), 1)
    views, frames = torch.full((3,), 2), torch.full((3,), 2)  # the third to train on is cam03
    rays, cosines = footage.rays(views, frames, pixels + 0.5)
    ends = rays.origins + (depth[rows, columns] / cosines)[:, None] * rays.directions
    origins, directions = cameras()[3].rays()
    expected = origins + directions * (depth / (directions @ cameras()[3].forward))[..., None]
    assert_close(ends, expected[rows, columns], atol=1e-4, rtol=1e-4)
    assert_close(
        footage.colors(views, frames, pixels), image[rows, columns], atol=0.51 / 255, rtol=0
    )


def test_the_training_cameras_of_a_rig(footage: Footage, yard: Capture):
    assert footage.views == (0, 1, 3, 4)
    assert (footage.num_views, footage.num_frames) == (4, NUM_FRAMES)
    assert footage.sizes.tolist() == [[WIDTH, HEIGHT]] * 4
    assert footage.bounds.tolist() == [[NEAR, FAR]] * 4
    assert training_views(yard) == footage.views


def test_pixels_are_drawn_from_everywhere_alike(footage: Footage):
    views, frames, pixels = footage.draw(6000, torch.Generator().manual_seed(0))
    assert pixels.amin(0).tolist() == [0, 0]
    assert pixels.amax(0).tolist() == [WIDTH - 1, HEIGHT - 1]
    for chosen, count in ((views, 4), (frames, NUM_FRAMES), (pixels[:, 0], WIDTH)):
        shares = torch.bincount(chosen, minlength=count) / 6000
        # five standard deviations of a share
        assert_close(
            shares, torch.full((count,), 1 / count), atol=5 * (count * 6000) ** -0.5, rtol=0
        )
    again = footage.draw(6000, torch.Generator().manual_seed(0))
    assert all(map(torch.equal, (views, frames, pixels), again))


def test_larger_pictures_are_drawn_from_more_often():
    small, large = camera_at(0), camera_at(0).resized(24, 18)
    views, _, pixels = without_pictures([[small], [large]]).draw(
        5000, torch.Generator().manual_seed(0)
    )
    assert float((views == 1).float().mean()) == pytest.approx(0.9, abs=0.02)
    assert pixels[views == 0].amax(0).tolist() == [7, 5]
    assert pixels[views == 1].amax(0).tolist() == [23, 17]


def test_a_blurred_deviation_decides_what_changes():
    # 300 pixels wide, the blur is one pixel: a lone pixel keeps 1 / 2 pi of its deviation, and
    # its neighbours get that times exp(-1/2)
    deviation = torch.zeros(40, 300)
    deviation[10, 50], deviation[10, 200] = 0.2, 0.1
    (changing,) = changing_pixels([deviation], 0.02)
    assert changing.nonzero().tolist() == [[10, 50]]
    # of a long row, 1 / sqrt(2 pi) = 0.399 stays, and 0.242 and 0.054 beside it
    deviation[30, 100:120] = 0.07
    (changing,) = changing_pixels([deviation], 0.02)
    assert changing[30, 103:117].all()
    assert not changing[[29, 31]].any()
    deviation[30, 100:120] = 0.15
    (changing,) = changing_pixels([deviation], 0.02)
    assert changing[29:32, 103:117].all()
    assert not changing[[28, 32]].any()


def test_pixels_that_the_ball_crosses_change(footage: Footage):
    deviations = [torch.from_numpy(footage.store.deviation(view)) for view in footage.views]
    for view, changing in zip(footage.views, changing_pixels(deviations, 0.02), strict=True):
        crossed = torch.stack([film(cameras()[view], t)[2] for t in range(NUM_FRAMES)]).any(0)
        assert not bool((crossed & ~changing).any())
        assert int((changing & ~crossed).sum()) <= 0.05 * int(crossed.sum())


def test_one_camera_is_not_enough(yard: Capture, footage: Footage):
    alone = open_capture(yard.path, train_cameras="cam01")
    with pytest.raises(InputError, match=r"1 cameras to train on; expected two or more"):
        read_footage(alone, footage.store, range(2))


def test_cameras_without_poses(yard: Capture, footage: Footage, monkeypatch: pytest.MonkeyPatch):
    known = yard.camera
    monkeypatch.setattr(yard, "camera", lambda t, v: None if v == 3 and t == 1 else known(t, v))
    assert read_footage(yard, footage.store, [0]).num_views == 4
    with pytest.raises(InputError, match=r"the camera cam03 has no pose.*fourfold prepare poses"):
        read_footage(yard, footage.store, [0, 1])


def test_cameras_that_move(yard: Capture, footage: Footage, monkeypatch: pytest.MonkeyPatch):
    spots = cameras()
    monkeypatch.setattr(yard, "camera", lambda frame, view: spots[(frame + view) % len(spots)])
    with pytest.raises(InputError, match=r"moves.*stand still.*--static"):
        read_footage(yard, footage.store, range(2))


def test_frames_of_one_camera_are_cameras_of_a_still_scene(yard: Capture):
    assert rig_of(yard, static=True) is yard
    assert rig_of(yard, static=False) is yard
