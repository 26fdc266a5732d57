"""Names of stages, frames to train on, cameras between frames: what `train` is told."""

import math

import pytest
import torch

from fourfold.errors import ResultError, UsageError
from fourfold.geometry import (
    axis_angle_to_quaternion,
    quaternion_to_matrix,
    rigid_matrix,
    upward_direction,
)
from fourfold.methods.dreamscene4d.config import DreamScene4DConfig, LiftConfig, MoveConfig
from fourfold.methods.dreamscene4d.lift import spread_cameras
from fourfold.methods.dreamscene4d.train import STAGES, close_object, trained_frames
from fourfold.priors import leave_open, mirror_front
from fourfold.scene import Scene, SceneObject, StaticMotion
from fourfold.training import check_scene, parse_stages
from tests.methods.dreamscene4d.clips import clip_of, disc, tiny_camera
from tests.methods.dreamscene4d.drafts import slide_draft


def test_stages_are_read_in_their_order():
    assert parse_stages("lift", STAGES) == ("lift",)
    assert parse_stages(" lift,move , compose,", STAGES) == ("lift", "move", "compose")


@pytest.mark.parametrize("text", ["", "move,lift", "lift,polish", "lift,lift", "Lift"])
def test_other_stages_are_refused(text: str):
    with pytest.raises(UsageError, match="lift,move,compose"):
        parse_stages(text, STAGES)


def test_every_kth_frame_from_the_middle_is_left_out():
    assert trained_frames(5, 0) == (0, 1, 2, 3, 4)
    assert trained_frames(5, 2) == (0, 2, 4)
    assert trained_frames(12, 5) == (0, 1, 3, 4, 5, 6, 8, 9, 10, 11)


@pytest.mark.parametrize("holdout", [1, -3])
def test_a_holdout_that_leaves_nothing_is_refused(holdout: int):
    with pytest.raises(UsageError, match="2 and more"):
        trained_frames(5, holdout)


def test_lite_takes_a_third_of_the_steps():
    full, lite = DreamScene4DConfig(), DreamScene4DConfig(lite=True).resolved()
    assert full.resolved() == full
    assert lite.move.iterations == full.move.iterations // 3
    assert lite.lift.gaussians_per_object < full.lift.gaussians_per_object


def walking_cameras(count: int):
    turn = [
        quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.0, 0.2 * t, 0.0])))
        for t in range(count)
    ]
    return [tiny_camera().moved(rigid_matrix(r, torch.zeros(3))) for r in turn]


def test_frames_without_a_camera_get_one_between_their_neighbours():
    every = walking_cameras(7)
    known = [1, 2, 5]
    spread = spread_cameras([every[t] for t in known], known, 7)
    for frame, expected in enumerate([1, 1, 2, 3, 4, 5, 5]):
        torch.testing.assert_close(
            spread[frame].camera_from_world, every[expected].camera_from_world, atol=1e-5, rtol=0
        )


def test_one_camera_serves_every_frame():
    spread = spread_cameras(walking_cameras(1), [2], 4)
    assert all(torch.equal(camera.camera_from_world, torch.eye(4)) for camera in spread)


def test_up_is_that_of_the_pictures():
    # a level camera of a world whose z is up, that looks along y
    pose = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    assert upward_direction([tiny_camera().moved(pose)]).tolist() == [0.0, 0.0, 1.0]
    assert upward_direction([tiny_camera()] * 3).tolist() == [0.0, -1.0, 0.0]


@pytest.fixture
def front() -> SceneObject:
    return slide_draft(clip_of([[disc(20 + t, 24, 8)] for t in range(3)]), [2.0]).fronts[0]


def test_both_sides_of_a_closed_object_share_their_appearance(front: SceneObject):
    assert front.appearance is not None
    front.appearance.coefficients[:, 1, 0] = torch.arange(float(len(front.geometry)))
    whole = close_object(front, mirror_front)
    count = len(front.geometry)
    assert len(whole.geometry) == 2 * count
    shown = whole.at(1.0)
    assert torch.equal(shown.harmonics[:count], shown.harmonics[count:])
    assert len(close_object(front, leave_open).geometry) == count


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda g: g.select(slice(0, 0)), "without a single Gaussian"),
        (lambda g: (g.means.__setitem__((3, 1), torch.nan), g)[1], "means that are not finite"),
    ],
)
def test_a_scene_that_cannot_be_right_is_refused(front: SceneObject, spoil, message: str):
    item = SceneObject("background", spoil(front.geometry), StaticMotion())
    with pytest.raises(ResultError, match=message):
        check_scene(Scene([item], [tiny_camera()], fps=10.0))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (DreamScene4DConfig(fov=200.0), r"--fov is 200.0.*1 to 170"),
        (DreamScene4DConfig(move=MoveConfig(flow_weight=math.inf)), r"flow-weight is inf"),
        (DreamScene4DConfig(fov=math.nan), r"--fov is nan"),
        (DreamScene4DConfig(move=MoveConfig(iterations=0)), r"--move.iterations is 0.*1 or more"),
        (DreamScene4DConfig(move=MoveConfig(mask_weight=-1.0)), r"--move.mask-weight is -1.0"),
        (DreamScene4DConfig(lift=LiftConfig(gaussians_per_object=0)), r"gaussians-per-object is 0"),
    ],
)
def test_settings_out_of_their_range_are_refused(config: DreamScene4DConfig, message: str):
    with pytest.raises(UsageError, match=message):
        config.check()


def test_the_defaults_are_in_range():
    DreamScene4DConfig().check()
    DreamScene4DConfig(lite=True).resolved().check()
