"""Interpolation in voxel grids: answers by hand, the twin, gradients, threads."""

import pytest
import torch
from torch.testing import assert_close

from fourfold.fields.interpolation import interpolate_rows, number_rows, time_keys


def random_grid(size=(5, 4, 6), num_keys=1, channels=3, share=0.6, samples=200, seed=0):
    """Give index, rows, points and keys of a grid of which a share is filled."""
    generator = torch.Generator().manual_seed(seed)
    filled = torch.rand(size, generator=generator) < share
    rows = torch.randn(int(filled.sum()), num_keys, channels, generator=generator)
    points = torch.rand(samples, 3, generator=generator)
    keys = None
    if num_keys > 1:
        moments = torch.rand(samples, generator=generator) * num_keys
        keys = time_keys(torch.arange(num_keys).float(), moments)
    return number_rows(filled), rows, points, keys


def dense(gradient: torch.Tensor | None) -> torch.Tensor:
    assert gradient is not None
    assert gradient.is_sparse
    row, key = gradient._indices()
    assert ((row * gradient.shape[1] + key).diff() > 0).all()
    return gradient.to_dense()


class _DenseGradient(torch.autograd.Function):
    """Nothing, but for what gradcheck can read: gradients as a full tensor."""

    @staticmethod
    def forward(ctx, rows):
        return rows.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient.to_dense()


def gradients(index, rows, points, keys, weights, empty=0.0, resolution=None):
    leaf = rows.clone().requires_grad_()
    values = interpolate_rows(index, leaf, points, keys, empty=empty, resolution=resolution)
    (values * weights.to(values)).sum().backward()
    return values.detach(), leaf.grad


def test_values_by_hand():
    """On a 2x2x3 grid whose value is its row number, which grows by 6, 3 and 1 along the axes."""
    rows = torch.arange(12.0).view(12, 1, 1)
    points = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.25, 0.75], [2.0, -1.0, 0.5]])
    values = interpolate_rows(None, rows, points, resolution=(2, 2, 3))
    assert_close(values[:, 0], torch.tensor([0.0, 11.0, 3.0 + 0.75 + 1.5, 7.0]))


def test_a_corner_that_is_not_filled_counts_as_nothing():
    index = torch.full((3, 2, 2), -1, dtype=torch.int32)
    index[0, 0, 0] = 0
    rows = torch.tensor([[[8.0]]])
    points = torch.tensor([[0.0, 0.0, 0.0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])
    values = interpolate_rows(index, rows, points, empty=-9.0)
    assert_close(values[:, 0], torch.tensor([8.0, 1.0, -9.0]))


def test_between_keys():
    rows = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1).expand(8, 3, 1).contiguous()
    keys = time_keys(torch.tensor([0.0, 10.0, 20.0]), torch.tensor([-5.0, 5.0, 10.0, 17.5, 30.0]))
    points = torch.full((5, 3), 0.3)
    values = interpolate_rows(None, rows, points, keys, resolution=(2, 2, 2))
    assert_close(values[:, 0], torch.tensor([1.0, 1.5, 2.0, 5.0, 6.0]))


@pytest.mark.parametrize("channels", [1, 3, 12, 16, 28])
@pytest.mark.parametrize("num_keys", [1, 4])
def test_the_kernels_agree_with_the_twin(channels, num_keys):
    grid = random_grid(num_keys=num_keys, channels=channels)
    index, rows, points, keys = grid
    weights = torch.randn(len(points), channels, generator=torch.Generator().manual_seed(1))
    values, gradient = gradients(*grid, weights, empty=2.0)
    slow, slow_gradient = gradients(index, rows.double(), points, keys, weights, empty=2.0)
    assert_close(values, slow.float())
    assert_close(dense(gradient), dense(slow_gradient).float())


def test_a_full_grid_needs_no_index():
    index, rows, points, keys = random_grid(share=2.0, channels=12)
    weights = torch.randn(len(points), 12, generator=torch.Generator().manual_seed(1))
    one = gradients(index, rows, points, keys, weights)
    other = gradients(None, rows, points, keys, weights, resolution=(5, 4, 6))
    assert torch.equal(one[0], other[0])
    assert torch.equal(dense(one[1]), dense(other[1]))


def test_the_twin_has_the_right_gradient():
    index, rows, points, keys = random_grid(num_keys=3, samples=12)
    rows = rows.double().requires_grad_()

    def values(rows):
        return interpolate_rows(index, _DenseGradient.apply(rows), points, keys)

    assert torch.autograd.gradcheck(values, rows)


def test_only_touched_rows_have_a_gradient():
    index, rows, _, _ = random_grid(share=2.0)
    point = torch.tensor([[0.1, 0.1, 0.1]])
    _, gradient = gradients(index, rows, point, None, torch.ones(1, 3))
    assert gradient is not None
    assert gradient._nnz() == 8
    assert_close(dense(gradient).sum(), torch.tensor(3.0))


def test_the_gradient_is_the_same_to_the_bit_with_any_number_of_threads():
    grid = random_grid(size=(20, 20, 20), num_keys=3, channels=13, samples=20_000)
    weights = torch.randn(20_000, 13, generator=torch.Generator().manual_seed(1))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(gradients(*grid, weights))
    finally:
        torch.set_num_threads(before)
    for values, gradient in results[1:]:
        assert torch.equal(values, results[0][0])
        assert torch.equal(gradient._indices(), results[0][1]._indices())
        assert torch.equal(gradient._values(), results[0][1]._values())


def test_points_that_are_no_numbers_do_no_harm():
    index, rows, _, _ = random_grid(share=2.0)
    points = torch.tensor([[float("nan"), 0.0, 0.0], [float("inf"), 1.0, -1e30]])
    values = interpolate_rows(index, rows, points)
    assert_close(values[0], rows[0, 0])
    assert_close(values[1], rows[index[4, 3, 0], 0])


def test_what_does_not_fit_is_refused():
    index, rows, points, _ = random_grid()
    with pytest.raises(ValueError, match="resolution"):
        interpolate_rows(None, rows, points)
    with pytest.raises(ValueError, match="make up a grid"):
        interpolate_rows(None, rows, points, resolution=(2, 2, 2))
    with pytest.raises(ValueError, match="key times"):
        interpolate_rows(index, rows.expand(-1, 2, -1), points)
