"""Cameras, projection and orbits: numbers worked out by hand, pycolmap as the oracle."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    distort,
    dreamscene4d_orbit,
    interpolate_cameras,
    log_depth_ratio,
    look_at,
    orbit_camera,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
    undistort,
    unproject_pixels,
)

UP = torch.tensor([0.0, -1.0, 0.0])
ORIGIN = torch.zeros(3)


def turned_camera(seed: int = 0) -> Camera:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(7, generator=generator, dtype=torch.float64)
    pose = rigid_matrix(quaternion_to_matrix(numbers[:4]), numbers[4:])
    intrinsics = torch.tensor(
        [[120.0, 0.0, 61.0], [0.0, 110.0, 52.5], [0.0, 0.0, 1.0]], dtype=torch.float64
    )
    return Camera(pose, intrinsics, 128, 96)


def test_from_fov_sees_its_field_of_view_from_edge_to_edge():
    camera = Camera.from_fov(160, 120, 60.0)
    assert camera.vertical_fov == pytest.approx(60.0)
    top = torch.tensor([0.0, -math.tan(math.radians(30.0)), 1.0])
    pixels, depth = project_points(camera, 3.0 * top)
    assert_close(pixels, torch.tensor([80.0, 0.0]))
    assert_close(depth, torch.tensor(3.0))


def test_projection_by_hand():
    intrinsics = torch.tensor([[100.0, 0.0, 40.0], [0.0, 200.0, 30.0], [0.0, 0.0, 1.0]])
    pose = rigid_matrix(torch.eye(3), torch.tensor([1.0, 0.0, 2.0]))
    camera = Camera(pose, intrinsics, 80, 60)
    # in the camera's frame (2, 1, 4): 100 * 2/4 + 40, 200 * 1/4 + 30
    pixels, depth = project_points(camera, torch.tensor([[1.0, 1.0, 2.0]]))
    assert_close(pixels, torch.tensor([[90.0, 80.0]]))
    assert_close(depth, torch.tensor([4.0]))
    assert_close(camera.position, torch.tensor([-1.0, 0.0, -2.0]))


@given(st.integers(0, 1000), st.floats(0.0, 128.0), st.floats(0.0, 96.0), st.floats(0.1, 50.0))
def test_unprojection_inverts_projection(seed: int, x: float, y: float, depth: float):
    camera = turned_camera(seed)
    pixel = torch.tensor([x, y], dtype=torch.float64)
    point = unproject_pixels(camera, pixel, torch.tensor(depth, dtype=torch.float64))
    pixel_back, depth_back = project_points(camera, point)
    assert_close(pixel_back, pixel, atol=1e-8, rtol=0)
    assert_close(depth_back, torch.tensor(depth, dtype=torch.float64))


def test_points_in_the_camera_plane_stay_finite():
    camera = Camera.from_fov(64, 48)
    point = torch.zeros(3, requires_grad=True)
    pixels, _ = project_points(camera, point)
    pixels.sum().backward()
    assert point.grad is not None
    assert point.grad.isfinite().all()


def test_unknown_depth_stays_unknown():
    point = unproject_pixels(
        turned_camera(), torch.zeros(2).double(), torch.tensor(math.nan).double()
    )
    assert point.isnan().all()


def test_rays_go_through_their_pixels():
    camera = turned_camera(3)
    origins, directions = camera.rays()
    assert origins.shape == directions.shape == (96, 128, 3)
    assert_close(directions.norm(dim=-1), torch.ones(96, 128, dtype=torch.float64))
    pixels, _ = project_points(camera, origins + 5.0 * directions)
    assert_close(pixels, camera.pixel_grid())
    assert camera.pixel_grid()[0, 0].tolist() == [0.5, 0.5]
    assert camera.pixel_grid()[2, 5].tolist() == [5.5, 2.5]


def test_resizing_and_cropping_show_the_same_point_at_the_matching_pixel():
    camera = turned_camera(5)
    point = unproject_pixels(
        camera, torch.tensor([20.0, 30.0]).double(), torch.tensor(2.0).double()
    )
    resized, _ = project_points(camera.resized(64, 192), point)
    assert_close(resized, torch.tensor([10.0, 60.0]).double())
    cropped = camera.cropped(15, 28, 40, 30)
    assert (cropped.width, cropped.height) == (40, 30)
    assert_close(project_points(cropped, point)[0], torch.tensor([5.0, 2.0]).double())


def test_a_camera_is_scaled_by_hand():
    camera = Camera.from_fov(101, 40)
    half = camera.scaled(0.5)
    assert (half.width, half.height) == (50, 20)
    assert_close(half.intrinsics, camera.resized(50, 20).intrinsics)
    tiny = camera.scaled(1e-3)
    assert (tiny.width, tiny.height) == (1, 1)


def test_points_are_compared_with_a_depth_by_hand():
    camera = Camera.from_fov(2, 2, 90.0)
    depth = torch.tensor([[2.0, torch.nan], [2.0, 4.0]])
    points = torch.tensor(
        [[-1.0, -1.0, 2.0], [1.0, 1.0, 2.0], [1.0, -1.0, 2.0], [0.0, 0.0, -1.0], [9.0, 0.0, 1.0]]
    )
    ratio = log_depth_ratio(camera, depth, points)
    assert_close(ratio[:2], torch.tensor([0.0, -math.log(2.0)]))
    assert bool(ratio[2:].isnan().all())


def test_cameras_refuse_nonsense():
    with pytest.raises(ValueError, match="4x4"):
        Camera(torch.eye(3), torch.eye(3), 4, 4)
    with pytest.raises(ValueError, match="0x4"):
        Camera(torch.eye(4), torch.eye(3), 0, 4)
    with pytest.raises(ValueError, match="field of view"):
        Camera.from_fov(4, 4, 180.0)


def test_distortion_by_hand_and_back():
    # k1 only: at radius 0.5 the factor is 1 + 0.2 * 0.25
    assert_close(distort(torch.tensor([0.5, 0.0]), (0.2, 0, 0, 0)), torch.tensor([0.525, 0.0]))
    # p1, p2 at (0.5, 0): x + p2 (r2 + 2 x2), y + p1 r2
    shown = distort(torch.tensor([0.5, 0.0]), (0, 0, 0.1, 0.2))
    assert_close(shown, torch.tensor([0.5 + 0.2 * 0.75, 0.1 * 0.25]))
    lens = (-0.2, 0.05, 0.01, -0.01, 0.02)
    points = torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    assert_close(undistort(distort(points, lens), lens), points)


@pytest.mark.parametrize("distortion", [None, (-0.1, 0.02, 0.003, -0.002)])
def test_projection_agrees_with_pycolmap(distortion: tuple[float, ...] | None):
    pycolmap = pytest.importorskip("pycolmap")
    camera = replace(turned_camera(2), distortion=distortion)
    k = camera.intrinsics
    params = [k[0, 0], k[1, 1], k[0, 2], k[1, 2], *(distortion or ())]
    oracle = pycolmap.Camera(
        model="PINHOLE" if distortion is None else "OPENCV",
        width=camera.width,
        height=camera.height,
        params=[float(p) for p in params],
    )
    generator = torch.Generator().manual_seed(1)
    local = torch.rand(10, 3, generator=generator, dtype=torch.float64) + torch.tensor(
        [-0.5, -0.5, 2.0]
    )
    pose = camera.world_from_camera
    pixels, _ = project_points(camera, local @ pose[:3, :3].mT + pose[:3, 3])
    assert_close(pixels, torch.from_numpy(oracle.img_from_cam(local.numpy())))


def test_interpolation_passes_through_the_path_and_turns_evenly():
    first = Camera.from_fov(64, 48)
    turn = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.0, math.pi / 2, 0.0])))
    second = first.moved(rigid_matrix(turn.mT, -turn.mT @ torch.tensor([2.0, 0.0, 0.0])))
    path = [first, second]
    assert interpolate_cameras(path, 0.0) is first
    assert interpolate_cameras(path, 1.0) is second
    assert interpolate_cameras(path, -3.0) is first
    assert interpolate_cameras(path, 9.0) is second
    middle = interpolate_cameras(path, 0.5)
    assert_close(middle.position, torch.tensor([1.0, 0.0, 0.0]))
    assert_close(middle.forward, torch.tensor([math.sqrt(0.5), 0.0, math.sqrt(0.5)]))


def test_interpolation_refuses_what_it_cannot_mix():
    path = [Camera.from_fov(64, 48), Camera.from_fov(32, 24)]
    with pytest.raises(ValueError, match="differ in size"):
        interpolate_cameras(path, 0.5)
    with pytest.raises(ValueError, match="no camera"):
        interpolate_cameras([], 0.0)
    with pytest.raises(ValueError, match="no camera"):
        interpolate_cameras(path, math.nan)


def test_orbit_lifts_and_swings_about_the_pivot():
    camera, pivot = Camera.from_fov(64, 48), torch.tensor([0.0, 0.0, 2.0])
    assert_close(orbit_camera(camera, pivot, 0, 0, UP).camera_from_world, torch.eye(4))
    above = orbit_camera(camera, pivot, 90, 0, UP)
    assert_close(above.position, torch.tensor([0.0, -2.0, 2.0]))
    assert_close(above.forward, torch.tensor([0.0, 1.0, 0.0]))
    right = orbit_camera(camera, pivot, 0, 90, UP)
    assert_close(right.position, torch.tensor([2.0, 0.0, 2.0]))
    assert_close(right.forward, torch.tensor([-1.0, 0.0, 0.0]))


@given(st.integers(0, 1000), st.floats(-80, 80), st.floats(-180, 180))
def test_orbit_keeps_the_pivot_in_its_pixel_and_at_its_depth(
    seed: int, elevation: float, azimuth: float
):
    camera = turned_camera(seed)
    pivot = unproject_pixels(
        camera, torch.tensor([30.0, 70.0]).double(), torch.tensor(3.0).double()
    )
    orbited = orbit_camera(camera, pivot, elevation, azimuth, UP.double())
    pixel, depth = project_points(orbited, pivot)
    assert_close(pixel, torch.tensor([30.0, 70.0]).double())
    assert_close(depth, torch.tensor(3.0).double())


def test_orbit_of_a_camera_that_looks_straight_down():
    down = Camera.from_fov(8, 8, camera_from_world=look_at(ORIGIN, -UP, torch.tensor([0.0, 0, 1])))
    orbited = orbit_camera(down, -2.0 * UP, -90, 0, UP)
    assert_close(orbited.position, torch.tensor([0.0, 2.0, -2.0]))


def test_look_at_centres_its_target_and_keeps_up_up():
    camera = Camera.from_fov(
        64, 48, camera_from_world=look_at(torch.tensor([3.0, -2, 1]), ORIGIN, UP)
    )
    assert_close(project_points(camera, ORIGIN)[0], torch.tensor([32.0, 24.0]))
    pixel, _ = project_points(camera, 0.1 * UP)
    assert pixel[1] < 24.0
    assert pixel[0].item() == pytest.approx(32.0, abs=1e-4)
    with pytest.raises(ValueError, match="up direction"):
        look_at(UP, ORIGIN, UP)


def test_dreamscene4d_orbit_follows_the_original():
    reference = Camera.from_fov(64, 48, camera_from_world=dreamscene4d_orbit(0.0, 0.0))
    assert_close(reference.position, torch.tensor([0.0, 0.0, 2.0]))
    # +x is to the right in the image, +y (its up) upwards
    pixel, depth = project_points(reference, torch.tensor([0.5, 0.5, 0.0]))
    assert pixel[0] > 32.0
    assert pixel[1] < 24.0
    assert depth.item() == pytest.approx(2.0)
    side = reference.moved(dreamscene4d_orbit(0.0, 90.0, radius=3.0))
    assert_close(side.position, torch.tensor([3.0, 0.0, 0.0]))
    above = reference.moved(dreamscene4d_orbit(-30.0, 0.0))
    assert_close(above.position, torch.tensor([0.0, 1.0, math.sqrt(3.0)]))


def test_dreamscene4d_orbit_is_ours_with_elevation_turned_round():
    up = torch.tensor([0.0, 1.0, 0.0])
    reference = Camera.from_fov(64, 48, camera_from_world=dreamscene4d_orbit(0.0, 0.0))
    ours = orbit_camera(reference, ORIGIN, 25.0, 40.0, up).camera_from_world
    assert_close(ours, dreamscene4d_orbit(-25.0, 40.0))


def test_projection_is_differentiable_in_points_and_pose():
    camera = turned_camera(4)
    points = (camera.position + 3.0 * camera.forward + 0.1 * torch.eye(3).double()).requires_grad_()

    def project(points: torch.Tensor, pose: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return project_points(camera.moved(pose), points)

    pose = camera.camera_from_world.clone().requires_grad_()
    assert torch.autograd.gradcheck(project, (points, pose))
