"""The cameras of a rig by their names."""

from dataclasses import replace

import pytest

from fourfold.errors import UsageError
from fourfold.scene import Scene


def test_a_camera_of_the_rig_is_found_by_its_name(full_scene: Scene) -> None:
    # the one that stands still is at 0 always, the other one 0.05 to the side at time 0.5
    assert float(full_scene.camera_at(1.7, "left").camera_from_world[0, 3]) == 0.0
    between = full_scene.camera_at(0.5, "moving").camera_from_world[0, 3]
    assert float(between) == pytest.approx(0.05)


def test_an_unknown_camera_is_refused_by_name(full_scene: Scene) -> None:
    with pytest.raises(UsageError, match="no camera 'top'") as caught:
        full_scene.camera_at(0.0, "top")
    assert "left or moving" in str(caught.value)
    with pytest.raises(UsageError, match="of one camera"):
        replace(full_scene, rig={}).camera_at(0.0, "top")


def test_a_rig_has_one_camera_per_frame_or_a_single_one(full_scene: Scene) -> None:
    with pytest.raises(ValueError, match="2 cameras for the 3 frames of left"):
        replace(full_scene, rig={"left": full_scene.cameras[:2]})
