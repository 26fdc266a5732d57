"""Camera paths: where the camera is, and when."""

import json
import math
from pathlib import Path

import pytest
import torch

from fourfold.errors import InputError, UsageError
from fourfold.exporters import write_cameras
from fourfold.geometry import project_points
from fourfold.verbs.camera_file import file_path
from fourfold.verbs.camera_path import (
    input_path,
    parse_times,
    resize_views,
    sweep_path,
    sweep_times,
)
from tests.tiny import BALL_DEPTH, NUM_FRAMES, STEP, tiny_camera, tiny_scene

TIMES = [0.0, 1.0, 2.0, 3.0]


def test_an_orbit_swings_right_and_left_and_keeps_the_pivot_in_place() -> None:
    scene = tiny_scene()
    views = sweep_path(scene, TIMES, 30.0, "orbit")
    assert [view.time for view in views] == TIMES
    # sin of 0, 90°, 180°, 270°: start, right, back, left, about a ball that moves right
    x = [float(view.camera.position[0]) for view in views]
    along = 1 - math.cos(math.radians(30.0))
    right, left = STEP * along + BALL_DEPTH * 0.5, 3 * STEP * along - BALL_DEPTH * 0.5
    assert x == pytest.approx([0.0, right, 0.0, left], abs=1e-5)
    for view in views:
        ball = torch.tensor([view.time * STEP, 0.0, BALL_DEPTH])
        pixel, depth = project_points(view.camera, ball)
        assert pixel.tolist() == pytest.approx([32.0 + 48 * STEP / 4 * view.time, 24.0], abs=1e-3)
        assert float(depth) == pytest.approx(BALL_DEPTH, abs=1e-4)


def test_elevation_rises_first() -> None:
    views = sweep_path(tiny_scene(), TIMES, 30.0, "elevation")
    y = [float(view.camera.position[1]) for view in views]
    assert y[1] == pytest.approx(-BALL_DEPTH * 0.5, abs=1e-5)  # y points down
    assert y[3] == pytest.approx(BALL_DEPTH * 0.5, abs=1e-5)


def test_the_input_path_is_the_captures_camera() -> None:
    scene = tiny_scene()
    views = input_path(scene, [0.0, 1.5])
    assert [view.time for view in views] == [0.0, 1.5]
    assert torch.equal(views[1].camera.camera_from_world, torch.eye(4))


def test_resizing_keeps_the_shape_and_what_is_seen() -> None:
    (view,) = resize_views(input_path(tiny_scene(), [0.0]), 128)
    assert (view.camera.width, view.camera.height) == (128, 96)
    pixel, _ = project_points(view.camera, torch.tensor([1.0, 0.0, 4.0]))
    assert pixel.tolist() == [88.0, 48.0]  # twice (32 + 48 / 4, 24)


@pytest.mark.parametrize(
    ("first", "last", "fps", "seconds", "count"),
    [(0, 10, 10, None, 40), (0, 99, 10, None, 100), (0, 10, 10, 2.0, 20), (5, 5, 25, None, 100)],
)
def test_a_sweep_is_as_long_as_the_clip_but_never_short(
    first: float, last: float, fps: float, seconds: float | None, count: int
) -> None:
    times = sweep_times(first, last, fps, seconds)
    assert len(times) == count
    assert (times[0], times[-1]) == (first, last)


@pytest.mark.parametrize("text", ["x", "4", "-1", "2:1", "0:9", "1:2:3", "nan"])
def test_times_outside_of_the_clip_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not in the clip"):
        parse_times(text, NUM_FRAMES)


def test_exported_cameras_come_back_as_a_path(tmp_path: Path) -> None:
    scene = tiny_scene()
    turned = torch.tensor([[0.0, 0, 1, 0.3], [0, 1, 0, -0.2], [-1, 0, 0, 2.0], [0, 0, 0, 1]])
    cameras = [tiny_camera().moved(turned), tiny_camera()]
    write_cameras(tmp_path / "out", cameras, ["a", "b"], scene.fps, scene.normalization)
    views = file_path(tmp_path / "out" / "transforms.json", scene, TIMES)
    assert [view.time for view in views] == pytest.approx([0.0, 1.0])
    assert torch.allclose(views[0].camera.camera_from_world, turned, atol=1e-5)
    assert torch.allclose(views[0].camera.intrinsics, tiny_camera().intrinsics)


def test_a_path_without_times_spreads_the_clip(tmp_path: Path) -> None:
    pose = torch.eye(4).tolist()
    path = tmp_path / "path.json"
    path.write_text(json.dumps({"frames": [{"transform_matrix": pose}] * 3}))
    views = file_path(path, tiny_scene(), TIMES)
    assert [view.time for view in views] == [0.0, 1.5, 3.0]
    # OpenGL looks along -z
    assert views[0].camera.forward.tolist() == pytest.approx([0.0, 0.0, -1.0])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("no json", "not valid JSON"),
        ("[]", "no cameras"),
        ("{}", "no cameras"),
        ('{"frames": [{}]}', "frame 0: the camera file holds"),
        ('{"frames": [{"transform_matrix": [[1, 2], [3, 4]]}]}', "camera"),
        ('{"frames": [{"transform_matrix": "x"}]}', "camera"),
        ('{"frames": [3]}', "not a camera"),
        ('{"frames": [{"time": "x"}]}', "its time is no number"),
        (
            '{"frames": [{"transform_matrix": [[2,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}]}',
            "not a rotation",
        ),
    ],
)
def test_bad_camera_files_are_named(tmp_path: Path, content: str, what: str) -> None:
    path = tmp_path / "path.json"
    path.write_text(content)
    with pytest.raises(InputError, match=what) as caught:
        file_path(path, tiny_scene(), TIMES)
    assert str(path) in str(caught.value)
