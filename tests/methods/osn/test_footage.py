"""Footage: who is seen, where the camera is between registered frames, what is refused."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from fourfold.capture import Capture, KeyPoints, RigidBody, open_capture
from fourfold.errors import InputError
from fourfold.geometry import invert_rigid
from fourfold.methods.osn.footage import UNKNOWN, _labels, depth_disagreement, read_footage
from tests.methods.osn.cards import (
    FRAMES,
    PAIR,
    camera_place,
    with_bodies,
    write_cards,
)

BODIES = tuple(PAIR.body(k) for k in range(3))


def from_wall(frame: int) -> torch.Tensor:
    """Where the camera is in the background's frame, whose origin is the middle of the wall."""
    return camera_place(frame) - PAIR.place(0, frame)


def test_everything_is_read_as_it_was_written(capture: Capture):
    footage = read_footage(capture)
    assert footage.names == PAIR.names
    assert (footage.num_frames, footage.num_bodies, footage.frames) == (6, 3, [*range(6)])
    for frame in range(FRAMES):
        assert torch.equal(footage.labels[frame], PAIR.seen(frame, frame))
        torch.testing.assert_close(footage.image(frame), capture.image(frame))
        torch.testing.assert_close(
            footage.cameras[frame].position, from_wall(frame), atol=1e-5, rtol=0
        )
    assert bool(footage.known.all())
    pose = footage.bodies[2].object_from_camera[4].float()
    torch.testing.assert_close(footage.poses[2, 4] @ pose, torch.eye(4), atol=1e-5, rtol=0)


def test_the_background_color_is_its_mean(capture: Capture):
    footage = read_footage(capture)
    seen = torch.stack([capture.image(t) for t in range(FRAMES)])[footage.labels == 0]
    torch.testing.assert_close(footage.background_color, seen.mean(0), atol=1e-5, rtol=0)


def labels_of(masks: list[list[bool]], bodies: tuple[RigidBody, ...]) -> list[int]:
    shown = torch.tensor(masks)[:, None]
    capture = cast(Capture, SimpleNamespace(masks=lambda frame: shown))
    return _labels(capture, bodies, 1)[0].tolist()


def test_labels_where_masks_overlap_are_unknown():
    masks = [[True, True, False, False], [False, True, True, False]]
    assert labels_of(masks, BODIES) == [1, UNKNOWN, 2, 0]


def test_labels_of_an_object_that_is_not_registered_are_unknown():
    bodies = BODIES[0], PAIR.body(1, (0, 2)), BODIES[2]
    assert labels_of([[True, False], [False, True]], bodies) == [UNKNOWN, 2]


def test_cameras_between_registered_frames_lie_on_the_way(capture: Capture):
    capture = with_bodies(capture, PAIR.body(0, (1, 2, 4)), *BODIES[1:])
    footage = read_footage(capture)
    assert footage.frames == [1, 2, 4]
    # before the first and after the last there is no way to go on
    for frame, place in ((0, 1), (1, 1), (2, 2), (4, 4), (5, 4)):
        torch.testing.assert_close(
            footage.cameras[frame].position, from_wall(place), atol=1e-5, rtol=0
        )
    # the camera moves steadily: the middle of frames 2 and 4 is its place in frame 3
    torch.testing.assert_close(footage.cameras[3].position, from_wall(3), atol=1e-5, rtol=0)


def test_poses_of_frames_without_one_are_the_identity(capture: Capture):
    footage = read_footage(with_bodies(capture, *BODIES[:2], PAIR.body(2, (0, 1))))
    assert footage.known[:, 2].tolist() == [True, True, False, False, False, False]
    assert torch.equal(footage.poses[2, 3], torch.eye(4))


def test_a_clip_without_bodies_is_refused(tmp_path: Path):
    folder = write_cards(tmp_path / "cards", truth=False)
    shutil.rmtree(folder / "sam_raft")
    with pytest.raises(InputError, match=r"nothing is known about the poses.*prepare sfm"):
        read_footage(open_capture(folder))


def few_points(body: RigidBody) -> RigidBody:
    return replace(body, points=body.points.where(torch.arange(len(body.points)) < 3))


def turned_depths(body: RigidBody) -> RigidBody:
    """Let depths grow threefold from one frame to the next."""
    points = body.points
    factors = 3.0 ** (points.frames % 2)
    return replace(body, points=replace(points, depths=points.depths * factors))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda body: replace(body, points=KeyPoints.none()), "'red' has 0 key points.*4 or more"),
        (few_points, "'red' has 3 key points"),
        (lambda body: replace(body, object_from_camera={}), "'red' is registered in no frame"),
        (turned_depths, "'red' contradict its poses.*differ by 200%.*Check the focal length"),
    ],
)
def test_a_body_that_nothing_can_be_made_of_is_refused(
    capture: Capture, spoil: Callable[[RigidBody], RigidBody], message: str
):
    with pytest.raises(InputError, match=message):
        read_footage(with_bodies(capture, *BODIES[:2], spoil(BODIES[2])))


def test_a_body_without_pixels_where_its_pose_is_known_is_refused(capture: Capture):
    # blue is hidden whole in frame 3; key points say that it is there
    points = BODIES[1].points.where(BODIES[1].points.frames == 0)
    points = replace(points, frames=torch.full_like(points.frames, 3))
    hidden = replace(BODIES[1], points=points)
    with pytest.raises(InputError, match="'blue' has no pixel in any frame in which its pose"):
        read_footage(with_bodies(capture, BODIES[0], hidden, BODIES[2]))


def test_a_background_without_a_camera_is_refused(capture: Capture, monkeypatch: Any):
    read = capture.camera
    monkeypatch.setattr(capture, "camera", lambda t: None if t == 3 else read(t))
    with pytest.raises(InputError, match="frame 3: the frame has no camera"):
        read_footage(capture)


def test_depths_agree_in_exact_footage(capture: Capture):
    for body in capture.bodies:
        assert depth_disagreement(body, capture) < 1e-5


def test_depths_of_a_single_frame_have_nothing_to_disagree_with(capture: Capture):
    assert depth_disagreement(PAIR.body(2, (3,)), capture) == 0.0


def test_depths_disagree_when_the_body_comes_nearer_than_its_poses_say(capture: Capture):
    # each frame's pose is moved away by 0.1 more: 2.1 instead of 2 in the next frame
    poses = {
        t: pose @ invert_rigid(shifted(0.1 * t)) for t, pose in BODIES[2].object_from_camera.items()
    }
    found = depth_disagreement(replace(BODIES[2], object_from_camera=poses), capture)
    assert found == pytest.approx(0.05, abs=1e-3)


def shifted(z: float) -> torch.Tensor:
    pose = torch.eye(4)
    pose[2, 3] = z
    return pose
