"""The camera paths of 3D-MOM: places by hand, in the unit that the scene's depth bears."""

from dataclasses import replace

import pytest
import torch

from fourfold.geometry import Camera, project_points
from fourfold.scene import (
    LANDSCAPE_PATHS,
    Gaussians,
    Scene,
    SceneObject,
    StaticMotion,
    landscape_path,
)

WIDTH, HEIGHT, FOCAL, DEPTH = 64, 48, 48.0, 8.0
# 30/1280 of 64 pixels, at depth 8, for a shift of 0.09
UNIT = 30.0 / 1280.0 * WIDTH * DEPTH / (FOCAL * 0.09)


def _scene(num_frames: int = 5, depth: float = DEPTH) -> Scene:
    """A wall that fills the picture."""
    x, y = torch.meshgrid(torch.linspace(-9, 9, 37), torch.linspace(-7, 7, 29), indexing="ij")
    means = torch.stack((x.flatten(), y.flatten(), torch.full((x.numel(),), DEPTH)), dim=1)
    wall = Gaussians.from_colors(
        means * depth / DEPTH,
        torch.full((len(means), 3), 0.5),
        torch.full((len(means), 1), 0.5 * depth / DEPTH),
        torch.full((len(means),), 0.95),
    )
    matrix = [[FOCAL, 0.0, WIDTH / 2], [0.0, FOCAL, HEIGHT / 2], [0.0, 0.0, 1.0]]
    camera = Camera(torch.eye(4), torch.tensor(matrix), WIDTH, HEIGHT)
    return Scene([SceneObject("background", wall, StaticMotion())], [camera] * num_frames)


def _shifts(cameras: list[Camera]) -> torch.Tensor:
    return torch.stack([camera.camera_from_world[:3, 3] for camera in cameras]) / UNIT


# The files of 3D-MOM (spec 1.11), at the first frame, in the middle and at the last one.
PLACES = {
    "up-down": [[0, 0.08, 0], [0, 0, 0], [0, -0.08, 0]],
    "side": [[0.09, 0, 0], [0, 0, 0], [-0.09, 0, 0]],
    "zoom-in": [[0, 0, 0], [0, 0, -0.12], [0, 0, -0.24]],
    "circle": [[-0.04, 0, 0.09], [-0.04, 0, -0.09], [-0.04, 0, 0.09]],
}


@pytest.mark.parametrize("name", LANDSCAPE_PATHS)
def test_places_by_hand(name: str):
    cameras = landscape_path(_scene(), name, [0.0, 2.0, 4.0], closed=False)
    expected = torch.tensor(PLACES[name])
    torch.testing.assert_close(_shifts(cameras), expected, atol=2e-3, rtol=0)
    assert all(torch.equal(camera.camera_from_world[:3, :3], torch.eye(3)) for camera in cameras)


def test_an_eighth_of_the_circle_by_hand():
    cameras = landscape_path(_scene(), "circle", [0.0] * 8, closed=True)
    # b = 45 degrees: -0.04 cos 2b = 0, -0.04 sin 2b = -0.04, 0.09 cos b = 0.0636
    torch.testing.assert_close(
        _shifts(cameras)[1], torch.tensor([0.0, -0.04, 0.0636]), atol=2e-3, rtol=0
    )


def test_what_is_near_moves_by_30_of_1280_pixels():
    scene = _scene()
    first, last = landscape_path(scene, "side", [0.0, 4.0], closed=False)
    near = torch.tensor([[0.0, 0.0, DEPTH]])
    middle = WIDTH / 2
    parallax = 30.0 / 1280.0 * WIDTH
    assert float(project_points(first, near)[0][0, 0]) == pytest.approx(middle + parallax, rel=1e-2)
    assert float(project_points(last, near)[0][0, 0]) == pytest.approx(middle - parallax, rel=1e-2)


def test_a_scene_twice_as_large_is_seen_alike():
    places = [
        landscape_path(_scene(depth=depth), "side", [0.0, 4.0], closed=False)[0].position
        for depth in (DEPTH, 2 * DEPTH)
    ]
    torch.testing.assert_close(places[1], 2 * places[0])


@pytest.mark.parametrize("name", LANDSCAPE_PATHS)
def test_closed_paths_come_back(name: str):
    count = 16
    shifts = _shifts(landscape_path(_scene(), name, [0.0] * count, closed=True))
    steps = torch.linalg.vector_norm(shifts.roll(-1, 0) - shifts, dim=1)
    # back to the first place in a step like those before and after
    assert float(steps[-1]) <= float(steps[:-1].max()) * 1.001
    if name != "circle":  # there and back on one way
        torch.testing.assert_close(shifts[1:], shifts[1:].flip(0))
        open_ends = _shifts(landscape_path(_scene(), name, [0.0] * 3, closed=False))
        torch.testing.assert_close(shifts[[0, count // 2]], open_ends[[0, 2]])


def test_the_path_follows_the_captures_camera():
    scene = _scene(2)
    pose = torch.eye(4)
    pose[0, 3] = 1.0
    scene = replace(scene, cameras=[scene.cameras[0], scene.cameras[0].moved(pose)])
    cameras = landscape_path(scene, "zoom-in", [0.0, 0.5, 1.0], closed=False)
    assert [float(c.camera_from_world[0, 3]) for c in cameras] == pytest.approx([0.0, 0.5, 1.0])


def test_where_nothing_is_seen_a_path_still_is_one():
    scene = _scene()
    away = torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    scene = replace(scene, cameras=[camera.moved(away) for camera in scene.cameras])
    first, last = landscape_path(scene, "side", [0.0, 4.0], closed=False)
    # as if the nearest thing were one unit away
    expected = 2 * 30.0 / 1280.0 * WIDTH / FOCAL
    gap = (first.position - last.position).norm()
    assert float(gap) == pytest.approx(expected)
