"""Products of interpolated grids: answers worked out by hand, and the slow twin."""

import pytest
import torch

from fourfold.fields.products import (
    Factor,
    product_features,
    product_features_reference,
    product_sum,
)


def _grid(values: list[list[float]]) -> torch.Tensor:
    """Give every channel of a grid (A,B,16) the same values."""
    return torch.tensor(values)[..., None].repeat(1, 1, 16)


def _products(generator: torch.Generator, ranks: tuple[int, int] = (16, 32)) -> list:
    """Make a plane times a line, and a plane times a plane, of four coordinates."""
    shapes = [(5, 4, ranks[0]), (3, 1, ranks[0]), (2, 40, ranks[1]), (19, 3, ranks[1])]
    axes = [(0, 1), (2, 2), (1, 2), (0, 3)]
    factors = [
        Factor(torch.randn(shape, generator=generator).requires_grad_(), axis)
        for shape, axis in zip(shapes, axes, strict=True)
    ]
    return [(factors[0], factors[1]), (factors[2], factors[3])]


def _leaves(products: list) -> list[torch.Tensor]:
    return [factor.grid for product in products for factor in product]


def test_a_plane_times_a_line_at_points_worked_out_by_hand():
    plane = Factor(_grid([[1.0, 2.0], [3.0, 5.0]]), (0, 1))
    line = Factor(_grid([[1.0], [2.0], [6.0]]), (2, 2))
    points = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.5, 0.25, 0.75]])
    # the last: rows 2 and 3.5 of the plane's middle, a quarter between; 4 of the line
    expected = torch.tensor([1.0, 30.0, 2.375 * 4])
    assert torch.allclose(product_sum([(plane, line)], points), 16 * expected)
    features = product_features([(plane, line), (line, plane)], points)
    assert torch.allclose(features, expected[:, None].expand(3, 32))


def test_points_outside_are_clamped_and_nan_is_no_crash():
    line = Factor(_grid([[1.0], [2.0]]), (0, 0))
    points = torch.tensor([[-3.0], [7.0], [float("nan")]])
    assert product_sum([(line, line)], points)[:2].tolist() == [16.0, 64.0]


def test_the_kernels_agree_with_their_slow_twin():
    generator = torch.Generator().manual_seed(0)
    products = _products(generator)
    points = torch.rand(5000, 4, generator=generator)
    gradient = torch.randn(5000, 48, generator=generator)
    fast, slow = (
        product_features(products, points),
        product_features_reference(products, points),
    )
    assert torch.allclose(fast, slow, atol=1e-5)
    slopes = torch.autograd.grad(fast, _leaves(products), gradient)
    for one, two in zip(
        slopes, torch.autograd.grad(slow, _leaves(products), gradient), strict=True
    ):
        assert torch.allclose(one, two, rtol=1e-4, atol=1e-3)
    by_sum = torch.autograd.grad(product_sum(products, points), _leaves(products), gradient[:, 0])
    everywhere = gradient[:, :1].expand(-1, 48)
    slow = product_features_reference(products, points)
    for one, two in zip(
        by_sum, torch.autograd.grad(slow, _leaves(products), everywhere), strict=True
    ):
        assert torch.allclose(one, two, rtol=1e-4, atol=1e-3)


def test_gradients_of_the_twin_are_those_of_finite_differences():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(3, 2, generator=generator, dtype=torch.float64)
    grids = torch.randn(2, 3, 2, 16, generator=generator, dtype=torch.float64).requires_grad_()

    def summed(grids: torch.Tensor) -> torch.Tensor:
        return product_sum([(Factor(grids[0], (0, 1)), Factor(grids[1], (1, 0)))], points)

    assert torch.autograd.gradcheck(summed, grids, fast_mode=True)


def test_the_number_of_threads_changes_no_bit():
    generator = torch.Generator().manual_seed(0)
    products = _products(generator)
    points = torch.rand(9000, 4, generator=generator)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = product_sum(products, points)
            results.append([out, *torch.autograd.grad(out.square().sum(), _leaves(products))])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_no_samples_give_no_values_and_no_gradient():
    products = _products(torch.Generator().manual_seed(0))
    out = product_sum(products, torch.zeros(0, 4))
    slopes = torch.autograd.grad(out.sum(), _leaves(products))
    assert out.shape == (0,)
    assert all(not slope.any() for slope in slopes)


@pytest.mark.parametrize("shape", [(1, 4, 16), (4, 4, 12), (4, 16)])
def test_a_grid_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="a grid is"):
        Factor(torch.zeros(shape), (0, 1))
