"""Rotations: known answers, RoMa as the oracle, and what must hold for any of them."""

import math

import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from fourfold.geometry import (
    axis_angle_to_quaternion,
    closest_rotation,
    matrix_to_quaternion,
    normalize_quaternion,
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_slerp,
    quaternion_to_matrix,
)

HALF = math.sqrt(0.5)
QUARTER_TURN_Z = torch.tensor([HALF, 0.0, 0.0, HALF])

coordinates = st.floats(-1.0, 1.0, allow_nan=False).map(lambda value: round(value, 4))
quaternions = (
    st.tuples(coordinates, coordinates, coordinates, coordinates)
    .filter(lambda q: sum(value * value for value in q) > 0.01)
    .map(lambda q: torch.tensor(q, dtype=torch.float64))
)


def random_quaternions(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, 4, generator=generator, dtype=torch.float64)


def as_roma(quaternion: torch.Tensor) -> torch.Tensor:
    """RoMa writes the real part last."""
    return normalize_quaternion(quaternion).roll(-1, dims=-1)


def same_rotation(a: torch.Tensor, b: torch.Tensor) -> None:
    assert_close((a * b).sum(-1).abs(), torch.ones(a.shape[:-1], dtype=a.dtype))


def test_quarter_turn_about_z_takes_x_to_y():
    expected = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert_close(quaternion_to_matrix(QUARTER_TURN_Z), expected)
    assert_close(quaternion_to_matrix(5.0 * QUARTER_TURN_Z), expected)
    assert_close(
        quaternion_rotate(QUARTER_TURN_Z, torch.tensor([2.0, 0.0, 7.0])),
        torch.tensor([0.0, 2.0, 7.0]),
    )


def test_product_applies_the_second_factor_first():
    quarter_turn_x = torch.tensor([HALF, HALF, 0.0, 0.0])
    product = quaternion_multiply(QUARTER_TURN_Z, quarter_turn_x)
    # y goes to z by the turn about x, and stays there; turned about z first it would be -x
    assert_close(
        quaternion_rotate(product, torch.tensor([0.0, 1.0, 0.0])), torch.tensor([0.0, 0.0, 1.0])
    )


def test_matrices_and_products_agree_with_roma():
    a, b = random_quaternions(50), random_quaternions(51)[:50]
    assert_close(quaternion_to_matrix(a), roma.unitquat_to_rotmat(as_roma(a)))
    product = normalize_quaternion(quaternion_multiply(a, b))
    same_rotation(as_roma(product), roma.quat_product(as_roma(a), as_roma(b)))
    vectors = random_quaternions(52)[:50, :3]
    assert_close(quaternion_rotate(a, vectors), roma.quat_action(as_roma(a), vectors))


def test_axis_angles_agree_with_roma():
    vectors = 3.0 * random_quaternions(40)[:, :3]
    same_rotation(as_roma(axis_angle_to_quaternion(vectors)), roma.rotvec_to_unitquat(vectors))


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_slerp_agrees_with_roma(fraction: float):
    a, b = random_quaternions(30), random_quaternions(31)[:30]
    expected = roma.unitquat_slerp(
        as_roma(a), as_roma(b), torch.tensor(fraction, dtype=a.dtype), shortest_arc=True
    )
    same_rotation(as_roma(quaternion_slerp(a, b, fraction)), expected)


def test_slerp_turns_at_constant_speed_also_over_small_angles():
    for angle in (1e-5, 1e-2, 3.0):
        end = axis_angle_to_quaternion(torch.tensor([0.0, angle, 0.0], dtype=torch.float64))
        start = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
        quarter = quaternion_slerp(start, end, 0.25)
        assert_close(2 * torch.asin(quarter[2]), torch.tensor(angle / 4, dtype=torch.float64))


@given(quaternions)
def test_matrix_round_trip(quaternion: torch.Tensor):
    unit = normalize_quaternion(quaternion)
    back = matrix_to_quaternion(quaternion_to_matrix(quaternion))
    assert back[0] >= 0
    same_rotation(back, unit)


@pytest.mark.parametrize("axis", [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, HALF, -HALF]])
def test_half_turns_survive_the_matrix(axis: list[float]):
    half_turn = torch.tensor([0.0, *axis])
    same_rotation(matrix_to_quaternion(quaternion_to_matrix(half_turn)), half_turn)


@given(quaternions, quaternions)
def test_products_of_quaternions_are_products_of_matrices(a: torch.Tensor, b: torch.Tensor):
    product = quaternion_to_matrix(a) @ quaternion_to_matrix(b)
    assert_close(quaternion_to_matrix(quaternion_multiply(a, b)), product)
    identity = quaternion_multiply(a, quaternion_conjugate(a))
    assert_close(identity[1:], torch.zeros(3, dtype=a.dtype))


def test_closest_rotation_keeps_rotations_and_never_mirrors():
    rotation = quaternion_to_matrix(random_quaternions(9))
    assert_close(closest_rotation(3.0 * rotation), rotation)
    mirrored = closest_rotation(torch.diag(torch.tensor([1.0, 2.0, -0.1])))
    assert_close(mirrored, torch.eye(3))


def test_gradients_are_right_and_finite_at_the_identity():
    a, b = random_quaternions(3).requires_grad_(), random_quaternions(4)[:3].requires_grad_()
    vector = random_quaternions(5)[:3, :3].requires_grad_()
    assert torch.autograd.gradcheck(quaternion_rotate, (a, vector))
    assert torch.autograd.gradcheck(quaternion_to_matrix, (a,))
    assert torch.autograd.gradcheck(lambda p, q: quaternion_slerp(p, q, 0.3), (a, b))
    rotation = quaternion_to_matrix(a.detach()).requires_grad_()
    assert torch.autograd.gradcheck(matrix_to_quaternion, (rotation,))
    zero = torch.zeros(3, requires_grad=True)
    gradient = torch.autograd.functional.jacobian(axis_angle_to_quaternion, zero)
    assert_close(gradient, torch.cat((torch.zeros(1, 3), 0.5 * torch.eye(3))))
    one = torch.tensor([1.0, 0.0, 0.0, 0.0], requires_grad=True)
    quaternion_slerp(one, one, 0.5).sum().backward()
    assert one.grad is not None
    assert one.grad.isfinite().all()
