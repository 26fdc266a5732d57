"""Weights along rays, sums, distortion, interleaving: by hand, and kernels against twins."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from fourfold.fields import (
    Samples,
    accumulate,
    merge_samples,
    ray_weights,
    reference,
)
from fourfold.fields.compositing import has_kernels

LOG2 = math.log(2)
DTYPES = {"kernels": torch.float32, "torch": torch.float64}


@pytest.fixture(params=DTYPES.values(), ids=list(DTYPES))
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Run a test with the kernels, and with their twin, which takes over in float64."""
    return request.param


def in_float64(samples: Samples) -> Samples:
    names = ("distances", "widths", "lengths", "points")
    return replace(samples, **{name: getattr(samples, name).double() for name in names})


def random_samples(seed: int = 0, num_rays: int = 40, most: int = 30) -> Samples:
    """Build pieces of different widths on rays of which some are empty."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, most, (num_rays,), generator=generator)
    counts[::5] = 0
    lists = [(1 + torch.rand(n, generator=generator).cumsum(0)).tolist() for n in counts.tolist()]
    samples = Samples.of(lists)
    widths, lengths = (torch.rand(len(samples), generator=generator) + 0.1 for _ in range(2))
    return replace(samples, widths=widths, lengths=lengths)


def test_weights_by_hand(dtype):
    samples = Samples.of([[1.0, 2.0, 3.0], [], [1.0]])
    densities = torch.tensor([LOG2, LOG2, 0.0, 1e9], dtype=dtype)
    weights, alphas = ray_weights(densities, samples)
    assert weights.tolist() == pytest.approx([0.5, 0.25, 0.0, 1.0])
    assert alphas.tolist() == pytest.approx([0.75, 0.0, 1.0])


def test_widths_count_as_densities_do(dtype):
    samples = replace(Samples.of([[1.0]]), widths=torch.tensor([3.0]))
    _, alphas = ray_weights(torch.tensor([LOG2], dtype=dtype), samples)
    assert alphas.tolist() == pytest.approx([0.875])


def test_thin_air_is_not_rounded_away(dtype):
    samples = Samples.of([[1.0, 2.0]])
    weights, alphas = ray_weights(torch.full((2,), 1e-9, dtype=dtype), samples)
    assert weights.tolist() == pytest.approx([1e-9, 1e-9], rel=1e-5)
    assert alphas.tolist() == pytest.approx([2e-9], rel=1e-5)


def test_sums_by_hand(dtype):
    samples = Samples.of([[1.0, 2.0], [], [1.0]])
    weights = torch.tensor([0.5, 0.25, 1.0], dtype=dtype)
    values = torch.tensor([[2.0, 0.0], [4.0, 8.0], [1.0, -1.0]], dtype=dtype)
    sums = accumulate(weights, values, samples)
    assert sums.tolist() == [[2.0, 2.0], [0.0, 0.0], [1.0, -1.0]]


def run(dtype: torch.dtype, samples: Samples) -> dict[str, Tensor]:
    """Composite random numbers, and give all that comes out, with the gradients of one loss."""
    generator = torch.Generator().manual_seed(3)
    densities = (torch.rand(len(samples), generator=generator) * 3).to(dtype).requires_grad_()
    values = torch.randn(len(samples), 5, generator=generator).to(dtype).requires_grad_()
    factors = torch.randn(samples.num_rays, 6, generator=generator).to(dtype)
    assert has_kernels(densities) == (dtype == torch.float32)
    weights, alphas = ray_weights(densities, samples)
    sums = accumulate(weights, values, samples)
    loss = (torch.cat((sums, alphas[:, None]), 1) * factors).sum()
    grads = torch.autograd.grad(loss, (densities, values))
    names = ("weights", "alphas", "sums", "densities' gradient", "values' gradient")
    return dict(zip(names, (weights, alphas, sums, *grads), strict=True))


def test_kernels_against_their_twins():
    samples = random_samples()
    mine, twin = run(torch.float32, samples), run(torch.float64, in_float64(samples))
    for name, values in mine.items():
        torch.testing.assert_close(
            values.double(), twin[name], rtol=2e-5, atol=2e-6, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_gradients_of_the_twins():
    samples = in_float64(random_samples(1, 6, 5))
    densities = torch.rand(len(samples), dtype=torch.float64, requires_grad=True)
    values = torch.randn(len(samples), 2, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda d: ray_weights(d, samples), (densities,))
    assert gradcheck(lambda w, v: accumulate(w, v, samples), (densities, values))


def test_any_number_of_threads_gives_the_same():
    samples, threads = random_samples(2, 1000), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run(torch.float32, samples)
        torch.set_num_threads(4)
        four = run(torch.float32, samples)
    finally:
        torch.set_num_threads(threads)
    for name, values in one.items():
        assert torch.equal(values, four[name]), name


def test_rays_without_pieces(dtype):
    samples = Samples.of([[], []])
    empty = torch.zeros(0, dtype=dtype, requires_grad=True)
    weights, alphas = ray_weights(empty, samples)
    sums = accumulate(weights, torch.zeros(0, 3, dtype=dtype), samples)
    (alphas.sum() + sums.sum()).backward()
    assert alphas.tolist() == [0, 0]
    assert sums.shape == (2, 3)
    assert empty.grad is not None


def test_interleaved_by_hand(dtype):
    first, second = Samples.of([[1.0, 4.0], [2.0]]), Samples.of([[2.0, 3.0], [2.0, 9.0]])
    if dtype == torch.float64:
        first, second = in_float64(first), in_float64(second)
    merged, order = merge_samples([first, second])
    assert merged.distances.tolist() == [1, 2, 3, 4, 2, 2, 9]
    # the first set has the numbers 0 to 2; where distances are equal, it goes first
    assert order.tolist() == [0, 3, 4, 1, 2, 5, 6]
    assert merged.rays.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert merged.starts.tolist() == [0, 4, 7]


def test_interleaving_kernel_against_its_twin():
    sets = [random_samples(seed) for seed in range(4)]
    merged, order = merge_samples(sets)
    twin_order, twin_rays = reference.interleave(sets)
    assert torch.equal(order, twin_order)
    assert torch.equal(merged.rays, twin_rays)
    assert torch.equal(merged.widths, torch.cat([part.widths for part in sets])[order])


def test_sets_of_different_rays_are_refused():
    with pytest.raises(ValueError, match=r"\[1, 2\] rays"):
        merge_samples([Samples.of([[1.0]]), Samples.of([[], []])])
    with pytest.raises(ValueError, match=r"\[\] rays"):
        merge_samples([])
