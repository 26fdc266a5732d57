"""Tracks of points on the objects: known motion, known visibility."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.errors import ResultError
from fourfold.exporters import Sight, look, track_points, write_tracks
from fourfold.scene import RigidMotion, Scene
from tests.loops import loop_scene
from tests.tiny import BALL_DEPTH, FOCAL, NUM_FRAMES, STEP, tiny_camera, tiny_scene

PIXELS_PER_FRAME = FOCAL * STEP / BALL_DEPTH  # 1.2


def _moved_out(scene: Scene) -> Scene:
    """Let the ball leave the picture to the right after the first frame."""
    wall, ball = scene.objects
    motion = ball.motion
    assert isinstance(motion, RigidMotion)
    places = motion.translations.clone()
    places[1:, 0] = 20.0
    return replace(
        scene, objects=[wall, replace(ball, motion=replace(motion, translations=places))]
    )


def test_points_follow_the_ball_and_leave_out_the_wall() -> None:
    tracks = track_points(tiny_scene())
    assert tracks.names == ("background", "ball")
    assert set(tracks.objects.tolist()) == {1}
    assert tracks.points.shape[0] == NUM_FRAMES
    steps = tracks.points[1:] - tracks.points[:-1]
    assert torch.allclose(steps, torch.tensor([STEP, 0.0, 0.0]), atol=1e-5)
    # 1.2 pixels a frame at the ball's depth, and its front is a little nearer
    moved = tracks.pixels[1:, :, 0] - tracks.pixels[:-1, :, 0]
    assert moved.min() > PIXELS_PER_FRAME * 0.95
    assert moved.max() < PIXELS_PER_FRAME * 1.06
    assert tracks.visibility.all()


def test_points_of_matter_that_loops_flow_on() -> None:
    tracks = track_points(loop_scene())
    assert set(tracks.objects.tolist()) == {1}
    start = tracks.pixels[0]
    assert tracks.visibility[0].all()
    assert len(start) >= 64
    moved = torch.arange(len(tracks.pixels))[:, None, None] * torch.tensor([1.0, 0.0])
    torch.testing.assert_close(tracks.pixels, start + moved, atol=1e-2, rtol=0)
    # they are seen until they leave the picture, without a jump where the loop turns
    inside = (tracks.pixels[..., 0] > 1) & (tracks.pixels[..., 0] < 47)
    assert tracks.visibility[inside].float().mean() > 0.95
    assert not tracks.visibility[tracks.pixels[..., 0] > 48].any()


def test_points_are_on_the_side_that_is_seen() -> None:
    points = track_points(tiny_scene()).points[0]
    assert len(points) >= 5
    assert points[:, 2].max() < BALL_DEPTH + 0.15  # none of the far side, which is at 4.2


def test_what_left_the_picture_is_tracked_but_not_visible() -> None:
    tracks = track_points(_moved_out(tiny_scene()))
    assert tracks.visibility[0].all()
    assert not tracks.visibility[1:].any()
    assert torch.isfinite(tracks.points).all()


def test_visibility_by_hand() -> None:
    camera = tiny_camera()
    depth = torch.full((camera.height, camera.width), 8.0)
    weights = torch.zeros(camera.height, camera.width, 2)
    weights[..., 1] = 1.0
    weights[:, 40:, 1] = 0.2  # the right part belongs to something else
    depth[:24] = torch.nan  # nothing known in the upper half
    points = torch.tensor(
        [
            [0.0, 1.0, 8.0],  # on the surface
            [0.0, 1.0, 8.3],  # within the thickness of a Gaussian
            [0.0, 1.0, 9.0],  # behind the surface
            [0.0, -1.0, 8.0],  # where depth is unknown
            [3.0, 1.0, 8.0],  # in the part of something else
            [99.0, 1.0, 8.0],  # outside of the picture
            [0.0, 1.0, -8.0],  # behind the camera
        ]
    )
    pixels, seen = look(Sight(camera, depth, weights), points, torch.ones(7, dtype=torch.long))
    assert seen.tolist() == [True, True, False, False, False, False, False]
    assert pixels[0].tolist() == [32.0, 30.0]  # 24 + 48 * 1 / 8


def test_a_scene_without_objects_has_nothing_to_track() -> None:
    scene = tiny_scene()
    with pytest.raises(ResultError, match="nothing to track"):
        track_points(replace(scene, objects=scene.objects[:1]))


def test_written_tracks_are_in_the_captures_coordinates(tmp_path: Path) -> None:
    scene = tiny_scene()
    tracks = track_points(scene)
    path = write_tracks(tmp_path / "tracks.npz", tracks, scene.normalization)
    with np.load(path, allow_pickle=False) as data:
        assert sorted(data) == ["names", "objects", "pixels", "points", "visibility"]
        # tiny_scene halves the capture and moves it by (-0.5, -1, -1.5)
        expected = (tracks.points.numpy() - [-0.5, -1.0, -1.5]) / 0.5
        assert np.allclose(data["points"], expected, atol=1e-4)
        assert data["points"].dtype == np.float32
        assert data["visibility"].dtype == bool
        assert data["names"].tolist() == ["background", "ball"]
