"""Rigid motions and similarities."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from fourfold.geometry import (
    decompose_similarity,
    fit_similarity,
    invert_rigid,
    invert_similarity,
    quaternion_to_matrix,
    rigid_matrix,
    similarity_matrix,
    transform_points,
)

QUARTER_TURN_Z = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def random_similarity(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(8, generator=generator, dtype=torch.float64)
    return similarity_matrix(numbers[0].exp(), quaternion_to_matrix(numbers[1:5]), numbers[5:])


def random_points(seed: int, count: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, generator=generator, dtype=torch.float64)


def test_similarity_scales_then_turns_then_shifts():
    transform = similarity_matrix(2.0, QUARTER_TURN_Z, torch.tensor([10.0, 20.0, 30.0]))
    expected = torch.tensor(
        [[0.0, -2.0, 0.0, 10.0], [2.0, 0.0, 0.0, 20.0], [0.0, 0.0, 2.0, 30.0], [0, 0, 0, 1.0]]
    )
    assert_close(transform, expected)
    points = torch.tensor([[1.0, 2.0, 3.0]])
    assert_close(transform_points(transform, points), torch.tensor([[6.0, 22.0, 36.0]]))


def test_batches_broadcast():
    transforms = similarity_matrix(torch.ones(5), torch.eye(3), torch.arange(15.0).view(5, 3))
    assert transforms.shape == (5, 4, 4)
    moved = transform_points(transforms, torch.zeros(2, 3))
    assert_close(moved, torch.arange(15.0).view(5, 1, 3).expand(5, 2, 3))


@given(st.integers(0, 1000))
def test_inverses(seed: int):
    transform, points = random_similarity(seed), random_points(seed)
    back = transform_points(invert_similarity(transform), transform_points(transform, points))
    assert_close(back, points)
    _, rotation, translation = decompose_similarity(transform)
    rigid = rigid_matrix(rotation, translation)
    assert_close(invert_rigid(rigid) @ rigid, torch.eye(4, dtype=torch.float64))


@given(st.integers(0, 1000))
def test_decompose_round_trip(seed: int):
    transform = random_similarity(seed)
    assert_close(similarity_matrix(*decompose_similarity(transform)), transform)


def test_a_mirror_is_not_a_similarity():
    with pytest.raises(ValueError, match="not a similarity"):
        decompose_similarity(torch.diag(torch.tensor([1.0, 1.0, -1.0, 1.0])))


@given(st.integers(0, 1000))
def test_fit_recovers_an_exact_similarity(seed: int):
    transform, source = random_similarity(seed), random_points(seed + 1)
    assert_close(fit_similarity(source, transform_points(transform, source)), transform)


def test_fit_of_points_in_one_plane_does_not_mirror():
    source = random_points(3)
    source[:, 2] = 0.0
    target = transform_points(random_similarity(4), source)
    fitted = fit_similarity(source, target)
    assert torch.linalg.det(fitted[:3, :3]) > 0
    assert_close(transform_points(fitted, source), target)


def test_fit_of_a_mirror_image_gives_the_best_rotation():
    # mirrored in its flattest direction; a reflection would fit exactly
    source = torch.tensor(
        [[3.0, 0, 0], [-3.0, 0, 0], [0, 2.0, 0], [0, -2.0, 0], [0, 0, 1.0], [0, 0, -1.0]]
    )
    target = source * torch.tensor([1.0, 1.0, -1.0])
    fitted = fit_similarity(source, target)
    # scale = (9 + 4 - 1) / (9 + 4 + 1), by Umeyama's trace formula
    assert_close(fitted, torch.diag(torch.tensor([12 / 14, 12 / 14, 12 / 14, 1.0])))


def test_weights_leave_out_outliers():
    transform, source = random_similarity(7), random_points(8)
    target = transform_points(transform, source)
    target[0] += 100.0
    weights = torch.ones(len(source), dtype=torch.float64)
    weights[0] = 0.0
    assert_close(fit_similarity(source, target, weights), transform)


def test_points_in_one_place_have_no_scale():
    with pytest.raises(ValueError, match="one place"):
        fit_similarity(torch.ones(4, 3), random_points(1, 4).float())
    with pytest.raises(ValueError, match="2 points"):
        fit_similarity(torch.ones(1, 3), torch.ones(1, 3))


def test_fit_is_differentiable():
    source = random_points(2, 5)
    target = (
        transform_points(random_similarity(3), source) + 0.1 * random_points(4, 5)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: fit_similarity(source, t), (target,))
