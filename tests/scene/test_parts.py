"""The still and the moving part of a scene."""

from dataclasses import replace

import pytest
import torch

from fourfold.errors import UsageError
from fourfold.scene import has_parts, moving_part, still_part
from tests.tiny import tiny_scene


def test_each_part_is_drawn_by_itself():
    tiny = tiny_scene()
    scene = replace(tiny, objects=[tiny.objects[0], replace(tiny.objects[1], name="moving")])
    camera = scene.camera_at(0.0)
    still = still_part(scene).render(camera, 0.0)["rgb"]
    alone = moving_part(scene).render(camera, 0.0)["rgb"]
    middle, corner = (24, 32), (2, 2)
    assert still[middle].tolist() == pytest.approx([0.1, 0.1, 0.8], abs=0.03)  # the wall
    assert alone[middle].tolist() == pytest.approx([0.9, 0.1, 0.1], abs=0.03)  # the ball
    assert torch.equal(alone[corner], torch.ones(3))


def test_scenes_of_other_methods_have_no_parts():
    scene = tiny_scene()
    assert not has_parts(scene)
    for part in (still_part, moving_part):
        with pytest.raises(UsageError, match=r"of background, ball"):
            part(scene)
