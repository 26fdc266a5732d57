"""A scene at other scales: the same picture for the camera that filmed it, other places."""

from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from fourfold.errors import UsageError
from tests.tiny import tiny_scene


def test_the_scene_is_the_one_drawn_at_those_scales() -> None:
    scene, scales = tiny_scene(), {"ball": 1.5}
    camera = scene.camera_at(1.3)
    expected = scene.render(camera, 1.3, ("rgb", "depth", "flow"), scales=scales)
    drawn = scene.with_scales(scales).render(camera, 1.3, ("rgb", "depth", "flow"))
    for name, image in expected.items():
        assert_close(drawn[name], image, equal_nan=True)


def test_places_are_scaled_about_the_camera() -> None:
    scene = tiny_scene()
    ball = scene.with_scales({"ball": 0.5}).object("ball")
    middle = ball.motion.trajectory(torch.zeros(1, 3), torch.tensor([0.0, 2.0]))
    assert_close(middle[:, 0], torch.tensor([[0.0, 0.0, 2.0], [0.1, 0.0, 2.0]]))


def test_wrong_scales_are_refused(tmp_path: Path) -> None:
    scene = tiny_scene()
    with pytest.raises(UsageError, match="no object 'cube'"):
        scene.with_scales({"cube": 1.0})
    with pytest.raises(UsageError, match=r"scale 0\.0 is not positive"):
        scene.with_scales({"ball": 0.0})
    with pytest.raises(UsageError, match="not saved"):
        scene.with_scales({"ball": 2.0}).save(tmp_path / "scene")
