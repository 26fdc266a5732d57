"""Homographies of a turning camera."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from fourfold.geometry import (
    Camera,
    apply_homography,
    axis_angle_to_quaternion,
    homography_from_rotation,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
    rotation_from_homography,
)

INTRINSICS = torch.tensor([[90.0, 0, 32.0], [0, 90.0, 24.0], [0, 0, 1.0]], dtype=torch.float64)
angles = st.floats(-0.3, 0.3)


def rotation(x: float, y: float, z: float) -> torch.Tensor:
    return quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([x, y, z]).double()))


def test_projective_division_by_hand():
    homography = torch.tensor([[1.0, 0, 2], [0, 1, 0], [0.1, 0, 1]])
    mapped = apply_homography(homography, torch.tensor([[10.0, 4.0]]))
    assert_close(mapped, torch.tensor([[6.0, 2.0]]))


@given(angles, angles, angles)
def test_it_moves_pixels_as_the_turned_camera_sees_them(x: float, y: float, z: float):
    turn = rotation(x, y, z)
    before = Camera(torch.eye(4, dtype=torch.float64), INTRINSICS, 64, 48)
    after = before.moved(rigid_matrix(turn, torch.zeros(3, dtype=torch.float64)))
    points = torch.tensor([[0.1, 0.2, 2.0], [-0.3, 0.1, 5.0]], dtype=torch.float64)
    mapped = apply_homography(
        homography_from_rotation(INTRINSICS, turn), project_points(before, points)[0]
    )
    assert_close(mapped, project_points(after, points)[0])


@given(angles, angles, angles, st.sampled_from([1.0, -2.0, 0.3]))
def test_the_rotation_comes_back_whatever_the_scale(x: float, y: float, z: float, scale: float):
    turn = rotation(x, y, z)
    homography = scale * homography_from_rotation(INTRINSICS, turn)
    assert_close(rotation_from_homography(INTRINSICS, homography), turn)


def test_a_noisy_homography_gives_a_rotation_nearby():
    turn = rotation(0.1, -0.05, 0.02)
    noise = 1e-3 * torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    matrix = turn + noise
    found = rotation_from_homography(INTRINSICS, INTRINSICS @ matrix @ INTRINSICS.inverse())
    assert_close(found @ found.mT, torch.eye(3, dtype=torch.float64))
    assert_close(found, turn, atol=5e-3, rtol=0)
