"""Paths of objects through space: sizes over time, the frame to lift from, poses of key frames."""

import math

import pytest
import torch

from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
    transform_points,
)
from fourfold.methods.dreamscene4d.nodes import place_nodes
from fourfold.methods.dreamscene4d.paths import (
    apparent_sizes,
    reference_frame,
    smooth_positive,
    start_motion,
)
from fourfold.methods.dreamscene4d.register import ImageTracks
from fourfold.scene import ControlNodeMotion
from tests.methods.dreamscene4d.clips import clip_of, disc, tiny_camera


def test_sizes_do_not_shrink_where_the_picture_cuts_an_object_off():
    # 10 pixels of radius, leaving to the right: half of it is left in the end
    clip = clip_of([[disc(x, 24, 10)] for x in (20, 26, 32, 38, 44, 50, 60, 64)])
    sizes = apparent_sizes(clip, 0)
    assert float(clip.areas[7, 0].sqrt()) < 13
    torch.testing.assert_close(sizes, torch.full((8,), math.sqrt(math.pi) * 10), rtol=0.05, atol=0)


def test_sizes_follow_an_approaching_object():
    radii = (6, 7, 8, 9, 10, 11)
    sizes = apparent_sizes(clip_of([[disc(32, 24, r)] for r in radii]), 0)
    assert (sizes.diff() > 0).all()
    assert float(sizes[-1] / sizes[0]) == pytest.approx(11 / 6, rel=0.1)


def test_sizes_do_not_shrink_behind_another_object():
    whole, other = disc(32, 24, 10), disc(40, 24, 10)
    frames = [[whole, disc(55, 24, 5)]] * 4 + [[whole & ~other, other]] * 2
    clip = clip_of(frames)
    assert float(clip.areas[5, 0].sqrt()) < 13
    sizes = apparent_sizes(clip, 0)
    torch.testing.assert_close(sizes, torch.full((6,), math.sqrt(math.pi) * 10), rtol=0.08, atol=0)


def test_a_steady_growth_is_kept_and_frames_without_weight_are_bridged():
    expected = 5.0 * 1.1 ** torch.arange(9.0)
    measured, weights = expected.clone(), torch.ones(9)
    measured[4], weights[4] = 1e-3, 0.0
    torch.testing.assert_close(smooth_positive(measured, weights), expected, rtol=0.01, atol=0)


def test_beyond_the_measured_frames_the_path_is_nearly_level():
    weights = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    found = smooth_positive(torch.full((7,), 3.0), weights)
    torch.testing.assert_close(found, torch.full((7,), 3.0), rtol=1e-4, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_paths_are_smoothed_too(count: int):
    found = smooth_positive(torch.full((count,), 2.0), torch.ones(count))
    torch.testing.assert_close(found, torch.full((count,), 2.0))


def test_the_reference_is_whole_and_large_and_near_the_middle():
    large_but_cut = [[disc(2, 24, 14)]] + [[disc(32, 24, 10)]] * 3 + [[disc(62, 24, 14)]]
    assert reference_frame(clip_of(large_but_cut), 0) == 2
    largest_last = [[disc(32, 24, radius)] for radius in (6, 6, 6, 6, 12)]
    assert reference_frame(clip_of(largest_last), 0) == 4


def moving_cameras(count: int) -> list[Camera]:
    """A camera that turns by 0.1 rad and walks by 0.2 a frame."""
    cameras = []
    for t in range(count):
        turn = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.02, 0.1, 0.01]) * t))
        pose = rigid_matrix(turn, torch.tensor([0.2, 0.1, -0.05]) * t)
        cameras.append(tiny_camera().moved(pose))
    return cameras


@pytest.fixture(params=[True, False], ids=["turns_with_camera", "keeps_its_orientation"])
def started(request: pytest.FixtureRequest):
    """A motion, and the tracks, cameras and depths that it was started from."""
    generator = torch.Generator().manual_seed(0)
    keys, depths = [0, 2, 3], torch.tensor([5.0, 4.5, 4.0, 3.5])
    graph = place_nodes(disc(32, 24, 9), 10, 4)
    pixels = graph.pixels + 6 * torch.randn(4, 10, 2, generator=generator)
    pixels[2] = graph.pixels  # the reference
    angles = 0.3 * torch.randn(4, 10, generator=generator)
    tracks = ImageTracks(pixels, angles, torch.ones(4), torch.ones(4, dtype=torch.bool))
    cameras, center = moving_cameras(4), torch.tensor([33.0, 23.0])
    motion = start_motion(graph, tracks, cameras, depths, 2, center, keys, request.param)
    return motion, graph, tracks, cameras, depths, center


def place_in_world(motion: ControlNodeMotion, key: int) -> torch.Tensor:
    """Carry the nodes by their own translations and the pose alone."""
    rotation = quaternion_to_matrix(motion.quaternions[key])
    pose = rigid_matrix(rotation, motion.translations[key])
    return transform_points(pose, motion.nodes + motion.node_translations[key])


def test_the_centre_is_seen_where_the_mean_of_the_tracks_is(started):
    motion, graph, tracks, cameras, depths, center = started
    for key, frame in enumerate((0, 2, 3)):
        pixel, depth = project_points(cameras[frame], motion.translations[key])
        expected = center + tracks.pixels[frame].mean(0) - graph.pixels.mean(0)
        torch.testing.assert_close(pixel, expected, atol=1e-3, rtol=0)
        assert float(depth) == pytest.approx(float(depths[frame]), rel=1e-5)


def test_every_node_is_seen_on_its_track(started):
    motion, _, tracks, cameras, depths, _ = started
    for key, frame in enumerate((0, 2, 3)):
        pixels, depth = project_points(cameras[frame], place_in_world(motion, key))
        torch.testing.assert_close(pixels, tracks.pixels[frame], atol=1e-3, rtol=0)
        torch.testing.assert_close(depth, depths[frame].expand(10), atol=1e-4, rtol=0)


def test_in_the_reference_frame_nodes_rest(started):
    motion, *_ = started
    torch.testing.assert_close(motion.node_translations[1], torch.zeros(10, 3), atol=1e-5, rtol=0)


def test_nodes_turn_in_the_image_as_their_tracks_do(started):
    motion, _, tracks, cameras, *_ = started
    for key, frame in enumerate((0, 2, 3)):
        turn = quaternion_to_matrix(motion.quaternions[key]) @ quaternion_to_matrix(
            motion.node_quaternions[key]
        )
        still = quaternion_to_matrix(motion.quaternions[key])
        # the same turn, seen by the camera: about its axis, from x (right) to y (down)
        seen = cameras[frame].camera_from_world[:3, :3] @ turn @ still.T
        seen = seen @ cameras[frame].camera_from_world[:3, :3].T
        angle = torch.atan2(seen[:, 1, 0], seen[:, 0, 0])
        torch.testing.assert_close(angle, tracks.angles[frame], atol=1e-4, rtol=0)


def test_what_approaches_comes_nearer_and_does_not_grow():
    clip = clip_of([[disc(32, 24, radius)] for radius in (6, 8, 10, 12)])
    sizes = apparent_sizes(clip, 0)
    depths = 2.0 * sizes[0] / sizes
    graph = place_nodes(clip.masks[0, 0], 8, 4)
    growth = (sizes / sizes[0])[:, None, None]
    middle = clip.centroid(0, 0)
    tracks = ImageTracks(
        middle + growth * (graph.pixels - middle),
        torch.zeros(4, 8),
        sizes / sizes[0],
        torch.ones(4, dtype=torch.bool),
    )
    cameras = [tiny_camera()] * 4
    motion = start_motion(graph, tracks, cameras, depths, 0, middle, [0, 1, 2, 3], True)
    assert not motion.log_scales.any()
    assert (motion.translations[:, 2].diff() < 0).all()
    # twice as large in the picture is half as far: the nodes need not move at all
    torch.testing.assert_close(motion.node_translations, torch.zeros(4, 8, 3), atol=2e-2, rtol=0)
