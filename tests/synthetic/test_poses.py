"""Limbs, skinning, and the figures' motion."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import KDTree

from fourfold.synthetic.dog import dog, dog_pose
from fourfold.synthetic.juggler import SECONDS, dog_way, juggler
from fourfold.synthetic.limbs import about, between, moved, reach, turn, within_reach
from fourfold.synthetic.person import person, person_pose

LIMB = (np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.6, 0.05]), np.array([0.0, 0.2, 0.0]))


def test_turn_is_right_handed():
    np.testing.assert_allclose(turn("y", np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(turn("x", np.pi / 2) @ [0, 1, 0], [0, 0, 1], atol=1e-12)


def test_between_turns_one_direction_into_the_other():
    rotation = between(np.array([2.0, 0, 0]), np.array([0, 0, 3.0]))
    np.testing.assert_allclose(rotation, [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-12)


@given(st.floats(-0.4, 0.4), st.floats(0.1, 0.9), st.floats(-0.4, 0.4))
def test_a_limb_keeps_its_lengths_and_ends_at_its_target(x, y, z):
    target = np.array([x, y, z])
    parent = about(np.zeros(3), turn("y", 0.3), np.array([0.05, 0.0, 0.0]))
    upper, lower, end = reach(parent, LIMB, target, np.array([0.1, 0.2, 1.0]))
    np.testing.assert_allclose(moved(upper, LIMB[0]), moved(parent, LIMB[0]), atol=1e-9)
    np.testing.assert_allclose(moved(upper, LIMB[1]), moved(lower, LIMB[1]), atol=1e-9)
    np.testing.assert_allclose(moved(lower, LIMB[2]), end, atol=1e-9)
    for transform in (upper, lower):
        np.testing.assert_allclose(transform[:3, :3] @ transform[:3, :3].T, np.eye(3), atol=1e-9)


def test_reach_is_limited_smoothly():
    start = np.zeros(3)
    np.testing.assert_allclose(within_reach(start, np.array([0.8, 0, 0]), 1.0), [0.8, 0, 0])
    far = within_reach(start, np.array([50.0, 0, 0]), 1.0)
    np.testing.assert_allclose(far, [0.99, 0, 0], atol=1e-6)


@pytest.mark.parametrize("build", [person, dog])
def test_skinning_moves_rigidly_when_all_bones_move_alike(build):
    body = build(0)
    np.testing.assert_allclose(body.weights.sum(1), 1.0)
    transform = about(np.array([0.0, 1.0, 0.0]), turn("z", 0.7), np.array([1.0, 2.0, 3.0]))
    posed = body.posed(dict.fromkeys(body.bones, transform))
    expected = body.vertices @ transform[:3, :3].T + transform[:3, 3]
    np.testing.assert_allclose(posed, expected, atol=1e-9)
    assert body.colors.min() >= 0
    assert body.colors.max() <= 1


def test_limbs_are_not_glued_to_what_is_far_along_the_body():
    body = person(0)
    left, right = body.bones.index("shin.l"), body.bones.index("shin.r")
    assert (body.weights[:, left] * body.weights[:, right]).max() < 1e-4


def test_the_figure_stands_on_its_feet_and_swings_periodically():
    first, last = person_pose(0.3, 0.0), person_pose(0.3 + 2 * np.pi, 0.0)
    for bone, transform in first.items():
        np.testing.assert_allclose(transform, last[bone], atol=1e-9)
    ankle = np.array([0.145, 0.08, 0])
    spots = [moved(person_pose(phase, 0.0)["foot.l"], ankle) for phase in np.linspace(0, 6, 13)]
    np.testing.assert_allclose(spots, np.broadcast_to(ankle, (13, 3)), atol=0.02)


def test_paws_stay_where_they_stepped_while_they_carry():
    def straight(time):
        return np.array([0.0, 0.0, 1.1 * time]), 0.0

    paw = np.array([0.105, 0.05, 0.24])
    times = np.linspace(0.0, 0.3, 7)  # the stance of the front left leg, from phase 0
    spots = [moved(dog_pose(straight, t)["front.l.paw"], paw) for t in times]
    np.testing.assert_allclose(spots, np.broadcast_to(spots[0], (7, 3)), atol=0.03)
    later = moved(dog_pose(straight, 0.72)["front.l.paw"], paw)
    np.testing.assert_allclose(later - spots[0], [0.0, 0.0, 1.1 * 0.72], atol=0.03)


def test_the_way_and_its_heading_go_on_smoothly():
    for time in (0.0, 0.7, SECONDS):
        before, _ = dog_way(time - 1e-4)
        after, _ = dog_way(time + 1e-4)
        _, heading = dog_way(time)
        direction = (after - before) / np.linalg.norm(after - before)
        expected = [np.sin(heading), 0.0, np.cos(heading)]
        np.testing.assert_allclose(direction, expected, atol=1e-3)


def test_motion_from_frame_to_frame_is_small_and_the_floor_is_not_pierced():
    for actor in juggler(0).actors:
        shapes = [actor.vertices_at(time) for time in np.arange(24) / 12]  # 24 frames of 1/12 s
        for before, after in pairwise(shapes):
            assert np.linalg.norm(after - before, axis=1).max() < 0.3
        assert min(shape[:, 1].min() for shape in shapes) > -0.01


def test_the_two_never_touch():
    figure, animal = juggler(0).actors
    for time in np.linspace(0.0, SECONDS, 9):
        gaps, _ = KDTree(figure.vertices_at(time)).query(animal.vertices_at(time)[::4])
        assert gaps.min() > 0.1


@pytest.mark.parametrize("build", [person, dog])
def test_the_seed_changes_textures_and_not_shapes(build):
    one, two = build(0), build(5)
    np.testing.assert_array_equal(one.vertices, two.vertices)
    assert np.abs(one.colors - two.colors).max() > 0.05
