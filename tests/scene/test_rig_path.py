"""Paths about rigs: on a row, an arc and a ring of cameras, with places worked out by hand."""

import math

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.scene import RIG_PATHS, rig_path
from tests.scene.rigs import UP, camera_at, on_globe, rig_scene
from tests.tiny import tiny_scene

TIMES = [0.0] * 8


def _globe(position: torch.Tensor) -> tuple[float, float, float]:
    """Give azimuth and elevation in degrees, and distance, as `on_globe` takes them."""
    distance = float(position.norm())
    azimuth = math.atan2(float(position[0]), -float(position[2]))
    return math.degrees(azimuth), math.degrees(math.asin(-float(position[1]) / distance)), distance


def _arc() -> list:
    return [camera_at(on_globe(azimuth, 20.0)) for azimuth in (-50.0, -25.0, 0.0, 25.0, 50.0)]


def _ring() -> list:
    return [camera_at(on_globe(azimuth, 30.0)) for azimuth in range(0, 360, 45)]


def test_a_spiral_follows_the_arc_of_the_cameras():
    cameras = rig_path(rig_scene(_arc()), "spiral", TIMES)
    # two turns in 8 steps: right, up, left, down; 90 % of the cameras stay within 50 degrees
    places = [_globe(camera.position) for camera in cameras]
    assert [place[0] for place in places[:4]] == pytest.approx([25.0, 0.0, -25.0, 0.0], abs=1e-3)
    assert [place[1] for place in places[:4]] == pytest.approx([20.0, 21.5, 20.0, 18.5], abs=1e-3)
    assert [place[2] for place in places] == pytest.approx([4.0] * 8, abs=1e-4)
    for camera in cameras:
        assert float(camera.forward @ -camera.position) == pytest.approx(4.0, abs=1e-4)
        assert float(camera.camera_from_world[0, :3] @ UP) == pytest.approx(0.0, abs=1e-5)


def test_a_spiral_in_a_ring_stays_on_one_side_of_it():
    cameras = rig_path(rig_scene(_ring()), "spiral", TIMES)
    azimuths = [_globe(camera.position)[0] for camera in cameras]
    assert azimuths[:4] == pytest.approx([30.0, 0.0, -30.0, 0.0], abs=1e-3)


def test_a_spiral_before_parallel_cameras_stays_among_them():
    # five cameras in a row and two above and below, all looking along +z from z = -4
    places = [(-1.0, 0.0), (-0.5, 0.0), (0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (0, 0.5), (0, -0.5)]
    rig = [camera_at([x, y, -4.0], [x, y, 0.0]) for x, y in places]
    positions = torch.stack([c.position for c in rig_path(rig_scene(rig), "spiral", TIMES)])
    # half of what 90 % of seven cameras stay within: 1.0 sideways, 0.5 up
    assert positions[:, 0].tolist()[:4] == pytest.approx([0.5, 0.0, -0.5, 0.0], abs=0.02)
    assert float(positions[:, 1].abs().max()) == pytest.approx(0.25, abs=0.08)
    assert float((positions[:, 2] + 4.0).abs().max()) < 0.1


def test_the_focus_of_parallel_cameras_comes_from_the_depth():
    rig = [camera_at([x, 0.0, -4.0], [x, 0.0, 0.0]) for x in (-0.2, 0.0, 0.2)]
    camera = rig_path(rig_scene(rig), "spiral", TIMES)[0]
    # LLFF's depth for a wall at 4: 1 / (.25 / 3.6 + .75 / 20) = 9.351, so at z = 5.351
    across = camera.position + camera.forward * (9.351 / camera.forward[2])
    assert across.tolist() == pytest.approx([0.0, 0.0, 5.35], abs=0.1)


def test_a_circle_goes_all_round_where_the_cameras_do():
    cameras = rig_path(rig_scene(_ring()), "circle", TIMES)
    for index, camera in enumerate(cameras):
        azimuth, elevation, distance = _globe(camera.position)
        around = (azimuth - 45.0 * index + 180.0) % 360.0 - 180.0
        assert around == pytest.approx(0.0, abs=1e-3)
        assert elevation == pytest.approx(30.0, abs=1e-3)
        assert distance == pytest.approx(4.0, abs=1e-4)


def test_a_circle_before_an_arc_is_small_and_round():
    places = [_globe(c.position) for c in rig_path(rig_scene(_arc()), "circle", TIMES)]
    swing = (25.0 + 1.5) / 2.0
    assert places[0][:2] == pytest.approx((swing, 20.0), abs=1e-3)
    assert places[2][:2] == pytest.approx((0.0, 20.0 + swing), abs=1e-3)


def test_bullet_time_goes_from_end_to_end():
    arc = _arc()
    cameras = rig_path(rig_scene([arc[3], arc[0], arc[4], arc[1], arc[2]]), "bullet-time", TIMES)
    azimuths = [_globe(camera.position)[0] for camera in cameras]
    assert azimuths[0] == pytest.approx(-50.0, abs=1e-3)
    assert azimuths[-1] == pytest.approx(50.0, abs=1e-3)
    assert azimuths == sorted(azimuths)


def test_a_rig_that_looks_down_is_not_spun_about_its_own_axis():
    # cameras above the floor y = 0, 4 high, their pictures' upward direction along -z or so
    rig = []
    for x in (-1.0, 0.0, 1.0):
        camera = camera_at([x, -4.0, -0.02])
        rig.append(camera)
    cameras = rig_path(rig_scene(rig), "spiral", TIMES)
    upward = torch.stack([-camera.camera_from_world[1, :3] for camera in cameras])
    assert float(upward[:, 2].min()) > 0.95  # as in the rig's own pictures
    positions = torch.stack([camera.position for camera in cameras])
    assert float(positions[:, 0].abs().max()) == pytest.approx(0.5, abs=0.1)
    assert float(positions[:, 1].max()) < -3.8


def test_cameras_that_move_are_taken_at_the_middle_time():
    from dataclasses import replace

    scene = rig_scene(_arc())
    far = {
        name: [camera_at((camera.position * (1.0 + 0.1 * time)).tolist()) for time in range(4)]
        for name, (camera,) in scene.rig.items()
    }
    cameras = rig_path(replace(scene, rig=far), "spiral", [0.0, 1.0, 2.0, 3.0])
    assert _globe(cameras[0].position)[2] == pytest.approx(4.8, abs=1e-3)  # time 2


@pytest.mark.parametrize("name", RIG_PATHS)
def test_a_path_has_a_camera_for_each_time(name: str):
    for rig in (_arc(), _ring(), _arc()[:2], _arc()[:1]):
        cameras = rig_path(rig_scene(rig), name, [0.0, 1.0, 2.0])
        assert len(cameras) == 3
        assert all(bool(camera.camera_from_world.isfinite().all()) for camera in cameras)


@pytest.mark.parametrize("name", RIG_PATHS)
def test_one_camera_is_no_rig(name: str):
    with pytest.raises(UsageError, match="that one camera filmed"):
        rig_path(tiny_scene(), name, TIMES)
