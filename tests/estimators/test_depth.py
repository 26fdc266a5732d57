import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.estimators import (
    contact_depth,
    estimate_background,
    fill_membrane,
    fit_ground_plane,
    triangulate_background,
    triangulate_frames,
    up_from_horizon,
)
from fourfold.geometry import Camera, axis_angle_to_quaternion, quaternion_to_matrix, rigid_matrix
from tests.estimators.scenes import room

WIDTH, HEIGHT = 160, 112
UP = torch.tensor([0.0, -1.0, 0.0])


def travelling(step: float, num_frames: int = 7) -> list[Camera]:
    """Move a camera sideways by `step` per frame while it turns slowly."""
    start = Camera.from_fov(WIDTH, HEIGHT)
    cameras = []
    for t in range(num_frames):
        turn = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.0, 0.004 * t, 0.0])))
        place = torch.tensor([step * t, -step * t / 6, step * t / 3])
        cameras.append(start.moved(rigid_matrix(turn, -turn @ place)))
    return cameras


@pytest.fixture(scope="module")
def walk() -> tuple[list[Camera], list[torch.Tensor], list[torch.Tensor]]:
    """Cameras, images and background pixels; a red box stands in the air in all frames."""
    cameras = travelling(0.12)
    images, free = [], []
    for t, camera in enumerate(cameras):
        image = room(camera)[0]
        hidden = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
        hidden[30:60, 15 + 12 * t : 40 + 12 * t] = True
        image[hidden] = torch.tensor([1.0, 0.0, 0.0])
        images.append(image)
        free.append(~hidden)
    return cameras, images, free


def test_a_room_is_triangulated(walk):
    cameras, images, free = walk
    truth = room(cameras[3])[1]
    found = triangulate_background(images, free, cameras, cameras[3], guide=images[3])
    assert found is not None
    error = (found.depth / truth - 1).abs()
    assert error.median() < 0.005
    assert error.quantile(0.9) < 0.03
    assert error[30:60, 51:76].median() < 0.03  # behind the box, from the other frames
    assert found.confidence.min() >= 0
    assert found.confidence.max() <= 1


def test_triangulation_repeats_exactly(walk):
    cameras, images, free = walk
    first = triangulate_background(images[:4], free, cameras[:4], cameras[1])
    second = triangulate_background(images[:4], free, cameras[:4], cameras[1])
    assert first is not None
    assert second is not None
    assert torch.equal(first.depth, second.depth)


def test_the_floor_is_found(walk):
    cameras, images, free = walk
    found = triangulate_frames(images, free, cameras)
    assert found is not None
    assert found.parallax > 5
    plane = fit_ground_plane(found.points, UP, cameras[3].position)
    assert plane is not None
    assert plane.normal @ UP > math.cos(math.radians(1.5))
    assert plane.offset == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("step", [0.0, 0.003])
def test_too_little_parallax_is_refused(step):
    cameras = travelling(step, num_frames=4)
    images = [room(camera)[0] for camera in cameras]
    free = [torch.ones(HEIGHT, WIDTH, dtype=torch.bool)] * 4
    assert triangulate_background(images, free, cameras, cameras[0]) is None


def test_plate_behind_given_moving_cameras(walk):
    cameras, images, free = walk
    background = estimate_background(images, [~each[None] for each in free], cameras)
    assert background.mode == "given"
    assert background.cameras == cameras
    assert background.plate_depth is not None
    assert background.residual.max() < 0.15
    picture, depth = room(background.plate_camera)
    seen = background.plate_valid
    assert seen.float().mean() > 0.8
    psnr = -10 * torch.log10((background.plate - picture)[seen].square().mean())
    assert psnr > 32
    assert (background.plate_depth.depth / depth - 1).abs()[seen].median() < 0.01


def test_ground_of_exact_points():
    """A level floor 2 below the camera, a wall, and noise: the floor is found exactly."""
    generator = torch.Generator().manual_seed(0)
    flat = torch.rand(300, 2, generator=generator) * 8
    floor = torch.stack([flat[:, 0] - 4, torch.full((300,), 2.0), flat[:, 1] + 2], dim=-1)
    wall = torch.stack([flat[:, 0] - 4, flat[:, 1] / 2 - 2, torch.full((300,), 10.0)], dim=-1)
    plane = fit_ground_plane(torch.cat([floor, wall]), UP, torch.zeros(3))
    assert plane is not None
    torch.testing.assert_close(plane.normal, UP, atol=2e-3, rtol=0)
    assert plane.offset == pytest.approx(-2, abs=5e-3)
    assert plane.share == pytest.approx(0.5, abs=0.05)


def test_no_ground_in_a_wall():
    generator = torch.Generator().manual_seed(0)
    flat = torch.rand(300, 2, generator=generator) * 8
    wall = torch.stack([flat[:, 0] - 4, flat[:, 1] - 4, torch.full((300,), 10.0)], dim=-1)
    assert fit_ground_plane(wall, UP, torch.zeros(3)) is None
    assert fit_ground_plane(wall[:2], UP, torch.zeros(3)) is None


def standing(bottom: int) -> torch.Tensor:
    mask = torch.zeros(100, 100, dtype=torch.bool)
    mask[10:bottom, 45:55] = True
    return mask


def test_contact_depth_by_hand():
    """fy = 50, horizon at 50: a foot at y = 75 is 50 / 25 = 2 heights away, at 60, 5 heights."""
    camera = Camera.from_fov(100, 100, 90.0)
    assert contact_depth(standing(75), camera, UP) == pytest.approx(2.0)
    assert contact_depth(standing(60), camera, UP, camera_height=1.6) == pytest.approx(8.0)


def test_contact_does_not_tell_when_cut_above_the_horizon_or_empty():
    camera = Camera.from_fov(100, 100, 90.0)
    assert contact_depth(standing(100), camera, UP) is None
    assert contact_depth(standing(40), camera, UP) is None
    assert contact_depth(torch.zeros(100, 100, dtype=torch.bool), camera, UP) is None


@given(st.floats(-20, 120))
def test_up_from_horizon_sees_the_horizon_there(row):
    camera = Camera.from_fov(100, 80)
    up = up_from_horizon(camera, row)
    pixel = torch.tensor([50.0, row])
    assert float(camera.directions(pixel) @ up) == pytest.approx(0, abs=1e-5)
    assert up[1] < 0
    assert float(up.norm()) == pytest.approx(1, abs=1e-6)


def test_membrane_continues_a_plane():
    """Inverse depth of a plane is linear in the image; a hole in it closes to that."""
    rows, columns = torch.meshgrid(torch.arange(30.0), torch.arange(40.0), indexing="ij")
    plane = 1 + 0.02 * rows + 0.03 * columns
    weights = torch.ones_like(plane)
    weights[8:20, 10:30] = 0
    filled = fill_membrane(torch.where(weights > 0, plane, torch.nan), weights)
    torch.testing.assert_close(filled[4:-4, 4:-4], plane[4:-4, 4:-4], atol=5e-3, rtol=0)


def test_membrane_breaks_at_edges():
    """Two even colours, one value known in each: the values meet at the colour edge."""
    guide = torch.zeros(20, 20, 3)
    guide[:, 10:] = 1.0
    weights = torch.zeros(20, 20)
    weights[10, 2] = weights[10, 17] = 1.0
    values = torch.zeros(20, 20)
    values[10, 17] = 1.0
    filled = fill_membrane(values, weights, guide)
    assert filled[:, 9].mean() < 0.35
    assert filled[:, 10].mean() > 0.65
