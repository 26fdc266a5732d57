"""The point that a camera swings about."""

from dataclasses import replace

import pytest
import torch

from fourfold.errors import InputError
from fourfold.geometry import Camera
from fourfold.scene import SceneObject, StaticMotion, orbit_pivot
from tests.tiny import BALL_DEPTH, STEP, WALL_DEPTH, tiny_camera, tiny_scene


def _camera_at(z: float) -> Camera:
    pose = torch.eye(4)
    pose[2, 3] = -z
    return tiny_camera().moved(pose)


def test_the_pivot_is_the_middle_of_the_ball() -> None:
    scene = tiny_scene()
    pivot = orbit_pivot(scene, scene.camera_at(3.0), 3.0)
    assert pivot.tolist() == pytest.approx([3 * STEP, 0.0, BALL_DEPTH], abs=1e-5)


def test_objects_count_by_their_size_in_the_picture() -> None:
    scene = tiny_scene()
    ball = scene.object("ball").at(0.0)
    # twice as large at the same depth: four times the area; its middle lies at x = 1
    large = replace(ball, means=(ball.means - ball.means[0]) * 2)
    large = replace(large, means=large.means - large.means.median(0).values)
    large = replace(large, means=large.means + torch.tensor([1.0, 0.0, 40.0]))
    small = replace(ball, means=ball.means + torch.tensor([0.0, 0.0, 40.0 - BALL_DEPTH]))
    both = [
        SceneObject("large", large, StaticMotion()),
        SceneObject("small", small, StaticMotion()),
    ]
    pivot = orbit_pivot(replace(scene, objects=both), tiny_camera(), 0.0)
    # far away, where perspective within the balls hardly counts: (4 * 1 + 1 * 0) / 5
    assert pivot.tolist() == pytest.approx([0.8, 0.0, 40.0], abs=1e-2)


def test_a_stray_gaussian_hardly_moves_it() -> None:
    scene = tiny_scene()
    ball = scene.object("ball").at(0.0)
    left = replace(ball, means=ball.means - torch.tensor([1.0, 0.0, 0.0]))
    right = replace(ball, means=ball.means + torch.tensor([1.0, 0.0, 0.0]))
    right.means[0] = torch.tensor([1.0, 0.0, 1e-3])  # far aside in the picture
    objects = [SceneObject("l", left, StaticMotion()), SceneObject("r", right, StaticMotion())]
    pivot = orbit_pivot(replace(scene, objects=objects), tiny_camera(), 0.0)
    assert pivot.tolist() == pytest.approx([0.0, 0.0, BALL_DEPTH], abs=0.1)


def test_where_all_objects_are_behind_the_camera_the_pivot_is_in_the_background() -> None:
    pivot = orbit_pivot(tiny_scene(), _camera_at(6.0), 0.0)
    assert pivot.tolist() == pytest.approx([0.0, 0.0, WALL_DEPTH])


def test_where_all_is_behind_the_camera_there_is_no_pivot() -> None:
    with pytest.raises(InputError, match="nothing to orbit"):
        orbit_pivot(tiny_scene(), _camera_at(20.0), 0.0)
