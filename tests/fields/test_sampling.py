"""Cutting rays into pieces: known places in every space, and the kernels against their twin."""
# pyright: reportArgumentType=false

import math
from math import inf

import pytest
import torch

from fourfold.fields import (
    BoxSpace,
    ContractedSpace,
    Guide,
    NdcSpace,
    Rays,
    Samples,
    Space,
    sample_rays,
)
from tests.fields.rays_of_tests import CUBE, random_rays, ray

NDC = NdcSpace(torch.eye(4), torch.tensor([0.8, 0.6]), torch.tensor(1.0))
CONTRACTED = ContractedSpace(torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.5, 0.4, 0.3]))
SPACES = {"box": CUBE, "ndc": NDC, "contracted": CONTRACTED}
UP = (0.0, 0.0, 1.0)


@pytest.fixture(params=["kernels", "torch"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Run a test with the kernels, and with their twin, which takes over in float64."""
    return torch.float32 if request.param == "kernels" else torch.float64


def cut(
    rays: Rays, space: Space, resolution, occupancy=None, *, dtype=torch.float32, **options
) -> Samples:
    options = {k: v.to(dtype) if k == "jitter" else v for k, v in options.items()}
    if "guide" in options:
        guide = options["guide"]
        options["guide"] = Guide(guide.distances.to(dtype), guide.stds.to(dtype))
    resolution = (resolution,) * 3 if isinstance(resolution, int) else resolution
    return sample_rays(
        rays.to(dtype=dtype), space.to(dtype=dtype), resolution, occupancy, **options
    )


def assert_near(values: torch.Tensor, expected: list | float) -> None:
    torch.testing.assert_close(values.float(), torch.tensor(expected), atol=2e-6, rtol=2e-6)


def test_a_ray_along_an_axis(dtype):
    samples = cut(ray((0.5, 0.25, -2.0), UP), CUBE, 4, step=1.0, dtype=dtype)
    assert_near(samples.distances, [2.125, 2.375, 2.625, 2.875])
    assert_near(samples.widths, [0.25] * 4)
    assert_near(samples.lengths, [0.25] * 4)
    assert_near(samples.points, [[0.5, 0.25, z] for z in (0.125, 0.375, 0.625, 0.875)])
    assert (samples.rays.tolist(), samples.starts.tolist()) == ([0] * 4, [0, 4])


def test_widths_count_voxels_of_a_long_box(dtype):
    # 2 x 2 x 8 voxels of half a unit: a step of one voxel is an eighth of the longest side
    box = BoxSpace(torch.zeros(3), torch.tensor([1.0, 1.0, 4.0]))
    samples = cut(ray((-1.0, 0.5, 1.0), (1.0, 0, 0)), box, (2, 2, 8), step=1.0, dtype=dtype)
    assert_near(samples.widths, [0.125, 0.125])
    assert_near(samples.lengths, [0.5, 0.5])


def test_a_ray_from_inside(dtype):
    samples = cut(ray((0.5, 0.5, 0.6), UP), CUBE, 4, step=1.0, dtype=dtype)
    assert_near(samples.distances, [0.125, 0.325])  # a whole step, and what is left of one
    assert_near(samples.widths, [0.25, 0.15])


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_near_and_far(space, dtype):
    rays = ray((0.5, 0.5, 0.3), UP, 1.5, 2.5)
    whole, part = (cut(r, space, 64, dtype=dtype) for r in (rays.bounded(), rays))
    if space is CUBE:
        assert len(whole) > 0
        assert len(part) == 0
        return
    assert len(part) < len(whole)
    first, last = part.distances[0] - part.lengths[0] / 2, part.distances[-1] + part.lengths[-1] / 2
    assert (float(first), float(last)) == pytest.approx((1.5, 2.5), abs=2e-3)


@pytest.mark.parametrize(
    ("origin", "direction"),
    [((2.0, 0.5, 0.5), UP), ((0.5, 0.5, 2.0), UP), ((0.5, 0.5, -1.0), (1.0, 0, 0.1))],
    ids=["beside", "behind", "too steep"],
)
def test_rays_that_miss_a_box(origin, direction, dtype):
    samples = cut(ray(origin, direction), CUBE, 8, dtype=dtype)
    assert len(samples) == 0
    assert samples.starts.tolist() == [0, 0]


def test_jitter_cuts_the_first_piece(dtype):
    rays = ray((0.5, 0.5, -1.0), UP)
    samples = cut(rays, CUBE, 4, step=1.0, jitter=torch.tensor([0.4]), dtype=dtype)
    assert_near(samples.widths, [0.1, 0.25, 0.25, 0.25, 0.15])
    whole = cut(rays, CUBE, 4, step=1.0, jitter=torch.tensor([0.0]), dtype=dtype)
    assert_near(whole.widths, [0.25] * 4)


def test_empty_cells_are_left_out(dtype):
    occupancy = torch.zeros(1, 1, 8, dtype=torch.bool)
    occupancy[0, 0, 2:4] = True  # z from 0.25 to 0.5
    occupancy[0, 0, 7] = True
    samples = cut(ray((0.5, 0.5, 0.0), UP), CUBE, 4, occupancy, dtype=dtype)
    assert_near(samples.distances, [0.3125, 0.4375, 0.9375])


def test_pieces_about_a_guide_are_finer(dtype):
    rays = ray((0.5, 0.5, -1.0), UP)
    guide = Guide(torch.tensor([1.4]), torch.tensor([0.02]))  # 1.34 … 1.46: the second piece
    samples = cut(rays, CUBE, 4, step=1.0, guide=guide, dtype=dtype)
    fine = [1.28125, 1.34375, 1.40625, 1.46875]
    assert_near(samples.distances, [1.125, *fine, 1.625, 1.875])
    assert_near(samples.widths, [0.25, *[0.0625] * 4, 0.25, 0.25])


def test_a_ray_without_a_guide_is_cut_as_ever(dtype):
    rays = ray((0.5, 0.5, -1.0), UP)
    guide = Guide(torch.tensor([math.nan]), torch.tensor([0.1]))
    assert len(cut(rays, CUBE, 4, step=1.0, guide=guide, dtype=dtype)) == 4


def test_long_rays_take_longer_steps_instead_of_more(dtype):
    samples = cut(ray((0.5, 0.5, -1.0), UP), CUBE, 100, max_samples=4, dtype=dtype)
    assert_near(samples.widths, [0.25] * 4)


def test_equal_steps_of_disparity(dtype):
    # 1 - 1/z in the middles of quarters: z = 8/7, 8/5, 8/3, nearly 8
    samples = cut(ray((0.0, 0.0, 0.0), UP), NDC, 4, step=1.0, dtype=dtype)
    # the last one ends a thousandth before infinity
    assert_near(samples.distances, [8 / 7, 8 / 5, 8 / 3, 1 / 0.1255])
    assert_near(samples.widths, [0.25, 0.25, 0.25, 0.249])
    # dz = z^2 d(1/z)
    assert_near(samples.lengths, [16 / 49, 16 / 25, 16 / 9, 0.249 / 0.1255**2])


@pytest.mark.parametrize(
    ("origin", "direction", "length"),
    [
        # starts half way to infinity; the speed along it is half, and so is what is left out
        ((0.0, 0.0, 2.0), UP, 0.5 - 0.0005),
        ((0.0, 0.0, -9.0), UP, 1.0 - 0.001),  # from behind the camera through all of it
        ((0.0, 0.0, 2.0), (0.0, 0.0, -1.0), 0.5),  # back to the near plane
        ((0.0, 0.0, 0.5), (0.0, 0.0, -1.0), 0.0),
        ((0.0, 0.0, 0.5), (1.0, 0.0, 0.0), 0.0),
        ((-9.0, 0.0, 2.0), (1.0, 0.0, 0.0), 1.0),  # across
    ],
)
def test_rays_of_all_sorts_in_a_frustum(origin, direction, length, dtype):
    samples = cut(ray(origin, direction), NDC, 4, step=1.0, dtype=dtype)
    assert len(samples) == math.ceil(4 * length)
    assert_near(samples.widths[:-1], [0.25] * (len(samples) - 1))
    assert_near(samples.widths.sum(), length)


def test_steps_grow_outside_the_box_of_a_contracted_space(dtype):
    space = ContractedSpace(torch.zeros(3), torch.ones(3))
    samples = cut(ray((0.0, 0.0, 0.0), UP), space, 64, step=1.0, dtype=dtype)
    inside = samples.distances < 1
    # the middle half of 64 voxels is two units: 16 steps in one of them
    assert int(inside.sum()) == 16
    torch.testing.assert_close(samples.widths[inside].float(), torch.full((16,), 1 / 64))
    outside = samples.lengths[~inside]
    assert bool((outside[1:] > outside[:-1]).all())
    assert float(samples.points[-1, 2]) > 1 - 1 / 64
    # from 3/4 to the end of the cube, less the last quarter of a step
    assert float(samples.widths[~inside].sum()) == pytest.approx(0.25 - 0.25 / 64, abs=0.5 / 64)


def test_a_camera_far_away_does_not_step_over_the_box(dtype):
    space = ContractedSpace(torch.zeros(3), torch.ones(3))
    samples = cut(ray((0.0, 0.0, -500.0), UP), space, 64, step=1.0, dtype=dtype)
    inside = (samples.points - 0.5).abs().amax(1) < 0.25
    assert float(samples.widths[inside].sum()) == pytest.approx(0.5, abs=1 / 64)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("spread", [0.2, 3.0])
def test_pieces_lie_where_the_ray_is(space, spread, dtype):
    rays = random_rays(200, spread)
    samples = cut(rays, space, (40, 30, 20), jitter=torch.rand(200), dtype=dtype)
    assert len(samples) > 1000
    index = samples.rays.long()
    rays = rays.to(dtype=dtype)
    places = rays.origins[index] + samples.distances[:, None] * rays.directions[index]
    expected = space.to(dtype=dtype).to_cube(places)
    torch.testing.assert_close(samples.points, expected, atol=2e-4, rtol=0)
    assert samples.points.min() >= 0
    assert samples.points.max() <= 1
    assert bool((samples.widths > 0).all())
    assert float((samples.widths > 0.5 / 40 * 1.05).float().mean()) < 0.01
    assert float(samples.widths.max()) < 0.5 / 40 * 2.5
    same = index[1:] == index[:-1]
    assert bool((samples.distances[1:] > samples.distances[:-1])[same].all())
    assert bool((torch.bincount(index, minlength=200) == samples.counts).all())


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_kernels_cut_as_their_twin(space):
    rays = random_rays(300, 1.0, seed=1)
    generator = torch.Generator().manual_seed(2)
    occupancy = torch.rand(16, 12, 20, generator=generator) < 0.4
    guide = Guide(torch.rand(300, generator=generator) * 3, torch.full((300,), 0.05))
    guide.distances[::3] = math.nan
    jitter = torch.rand(300, generator=generator)
    mine, twin = (
        cut(rays, space, (40, 30, 20), occupancy, jitter=jitter, guide=guide, dtype=d)
        for d in (torch.float32, torch.float64)
    )
    # at the border of a cell rounding decides: such rays are few, and left out
    same = mine.counts == twin.counts
    assert float(same.float().mean()) > 0.9
    keep, twin_keep = same[mine.rays.long()], same[twin.rays.long()]
    a, b = mine.select(keep), twin.select(twin_keep)
    assert torch.equal(a.rays, b.rays)
    assert torch.equal(a.starts, b.starts)
    wrong = (a.points - b.points).abs().amax(1) > 1e-3
    assert float(wrong.float().mean()) < 2e-3
    for name, tolerance in {"distances": 2e-3, "widths": 1e-2, "lengths": 2e-2}.items():
        mine_values, twin_values = getattr(a, name)[~wrong], getattr(b, name)[~wrong].float()
        torch.testing.assert_close(mine_values, twin_values, rtol=tolerance, atol=1e-4)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_any_number_of_threads_gives_the_same(space):
    rays, threads, results = random_rays(500, 1.0), torch.get_num_threads(), []
    try:
        for count in (1, 4):
            torch.set_num_threads(count)
            results.append(cut(rays, space, 32))
    finally:
        torch.set_num_threads(threads)
    for name in ("rays", "starts", "distances", "widths", "lengths", "points"):
        assert torch.equal(getattr(results[0], name), getattr(results[1], name))


def test_rays_without_sense_are_refused():
    with pytest.raises(ValueError, match="finite"):
        cut(ray((math.nan, 0.0, 0.0), UP), CUBE, 4)
    still = Rays(torch.zeros(1, 3), torch.zeros(1, 3), torch.zeros(1), torch.full((1,), inf))
    with pytest.raises(ValueError, match="other than zero"):
        cut(still, CUBE, 4)
    with pytest.raises(ValueError, match="steps of 0"):
        cut(ray((0.0, 0.0, 0.0), UP), CUBE, 4, step=0.0)


def test_no_rays_have_no_pieces(dtype):
    none = ray((0.0, 0.0, 0.0), UP).select(torch.zeros(0, dtype=torch.long))
    samples = cut(none, CUBE, 4, dtype=dtype)
    assert (len(samples), samples.starts.tolist()) == (0, [0])
