"""One step: where rays go, what the losses are, and that known depths move the geometry."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from fourfold.fields import (
    BoxSpace,
    VoxelField,
    accumulate,
    expected_depth_loss,
    ray_distribution_loss,
)
from fourfold.methods.mixvoxels.config import DepthConfig, MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_targets import DepthTargets, read_depth_targets
from fourfold.methods.mixvoxels.exposures import Exposures
from fourfold.methods.mixvoxels.finish import still_depths
from fourfold.methods.mixvoxels.fit import FRESH_ALPHA, Fit, Layer
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.step import (
    SPARSITY,
    TERMINATION,
    Batch,
    Nearness,
    PixelSource,
    losses,
    see,
)
from fourfold.training import generator
from tests.methods.mixvoxels.yard import (
    HEIGHT,
    NEAR,
    WALL,
    WIDTH,
    cameras,
    film,
    paint,
    write_depths,
)

SPACE = BoxSpace(torch.tensor([-3.5, -2.5, 2.0]), torch.tensor([3.5, 2.5, 7.0]))
GRID = (28, 20, 20)


def no_change(footage: Footage) -> list[Tensor]:
    return [torch.zeros(HEIGHT, WIDTH, dtype=torch.bool) for _ in footage.views]


def still_images(footage: Footage) -> list[Tensor]:
    return [film(cameras()[view], None)[0] for view in footage.views]


@pytest.fixture
def targets(footage: Footage, tmp_path: Path) -> DepthTargets:
    config = MixVoxelsConfig(depth=str(write_depths(tmp_path / "depth")))
    found = read_depth_targets(footage, config, no_change(footage))
    assert found is not None
    return found


def source(footage: Footage, known: DepthTargets | None = None) -> PixelSource:
    return PixelSource(footage, NEAR, no_change(footage), known, still_images(footage))


def random(step: int = 0) -> torch.Generator:
    return generator(0, "test", step)


# Batches


def test_still_rays_have_the_still_colours(footage: Footage):
    batch = source(footage).still(200, 0.25, random())
    assert bool((batch.times == 0).all())
    assert bool((batch.rays.near == NEAR).all())
    # what a ray meets on the wall has the ray's colour
    ends = batch.rays.origins + batch.rays.directions * (
        (WALL - batch.rays.origins[:, 2]) / batch.rays.directions[:, 2]
    ).unsqueeze(1)
    assert_close(batch.colors, paint(ends), atol=1e-4, rtol=0)
    assert bool(torch.isnan(batch.distances).all())


def test_a_share_of_the_rays_goes_where_the_depth_is_known(footage: Footage, targets: DepthTargets):
    batch = source(footage, targets).still(200, 0.25, random())
    known = torch.isfinite(batch.distances)
    assert known.tolist() == [False] * 150 + [True] * 50
    ends = batch.rays.origins + batch.distances[:, None] * batch.rays.directions
    assert_close(ends[known, 2], torch.full((50,), WALL), atol=1e-4, rtol=0)
    # relative to the distance they are the share that was asked for
    assert_close(batch.stds[known] / batch.distances[known], torch.full((50,), 0.02))
    assert batch.confidences.tolist() == [0.0] * 150 + [1.0] * 50


def test_rays_of_all_times_prefer_what_changes(footage: Footage, targets: DepthTargets):
    changing = no_change(footage)
    changing[1][3, 5] = changing[3][20, 30] = True
    pixels = PixelSource(footage, NEAR, changing, targets, still_images(footage))
    batch = pixels.moving(400, 0.5, 0.25, range(1, 6, 2), random())
    assert batch.times.unique().tolist() == [1.0, 3.0, 5.0]
    expected = []
    for view, (x, y) in ((1, (5.5, 3.5)), (3, (30.5, 20.5))):
        views, frames = torch.tensor([view]), torch.tensor([0])
        expected.append(footage.rays(views, frames, torch.tensor([[x, y]]))[0].directions[0])
    first = batch.rays.directions[:200]
    found = torch.stack([(first - each).norm(dim=1) < 1e-5 for each in expected])
    assert bool(found.any(0).all())
    assert 60 < int(found[0].sum()) < 140
    # the last quarter still has its depths, and the rest goes anywhere
    assert torch.isfinite(batch.distances).tolist() == [False] * 300 + [True] * 100
    rest = batch.rays.directions[200:300]
    assert int(((rest - expected[0]).norm(dim=1) < 1e-5).sum()) < 5


# Losses


def dense_fit() -> Fit:
    return Fit(SPACE, Exposures.none(4), Layer(VoxelField.dense(GRID, degree=0, alpha=FRESH_ALPHA)))


def known_batch(footage: Footage, targets: DepthTargets | None, count: int = 400) -> Batch:
    return source(footage, targets).still(count, 0.5, random())


@pytest.mark.parametrize(
    ("changes", "terms"),
    [
        ({}, {"color", "depth", "termination"}),
        ({"loss": "expected"}, {"color", "depth"}),
        ({"loss": "distribution"}, {"color", "termination"}),
        ({"weight": 0.0}, {"color"}),
    ],
)
def test_the_terms_of_the_loss(footage: Footage, targets: DepthTargets, changes, terms):
    batch = known_batch(footage, targets)
    seen = see(dense_fit(), batch, random(), guided=False)
    assert losses(seen, batch, DepthConfig(**changes)).keys() == terms
    unknown = replace(batch, distances=torch.full_like(batch.distances, torch.nan))
    assert losses(seen, unknown, DepthConfig(**changes)).keys() == {"color"}


def test_the_depth_losses_count_by_their_weight(footage: Footage, targets: DepthTargets):
    batch = known_batch(footage, targets)
    seen = see(dense_fit(), batch, random(), guided=False)
    once, twice = (losses(seen, batch, DepthConfig(weight=weight)) for weight in (0.25, 0.5))
    assert_close(twice["color"], once["color"])
    for name in ("depth", "termination"):
        assert once[name].item() > 0.0
        assert_close(twice[name], 2 * once[name])


def test_where_rays_end_counts_for_less_than_the_expected_depth(
    footage: Footage, targets: DepthTargets
):
    batch = known_batch(footage, targets)
    seen = see(dense_fit(), batch, random(), guided=False)
    terms = losses(seen, batch, DepthConfig(weight=0.25))
    along, known = (seen.weights, seen.samples), batch.confidences
    expected = expected_depth_loss(*along, batch.distances, known)
    ends = ray_distribution_loss(*along, batch.distances, batch.stds, known)
    assert_close(terms["depth"], 0.25 * expected)
    assert_close(terms["termination"], 0.25 * TERMINATION * ends)
    alone = losses(seen, batch, DepthConfig(weight=0.25, loss="distribution"))
    assert_close(alone["termination"], 0.25 * ends)
    scattered = losses(seen, replace(batch, scattered=True), DepthConfig(weight=0.25))
    assert_close(scattered["termination"], 0.25 * ends)


def test_what_is_nearer_than_a_distance_costs_and_is_pushed_away(footage: Footage):
    fit, batch = dense_fit(), source(footage, None).still(512, 0.0, random())
    seen = see(fit, batch, random(), False)
    terms = losses(seen, batch, DepthConfig(), Nearness(0.1, 4.0))
    assert "nearness" not in losses(seen, batch, DepthConfig())
    nearer = (4.0 / seen.samples.distances[:, None] - 1.0).clamp(min=0.0)
    by_hand = 0.1 * accumulate(seen.weights, nearer, seen.samples).mean()
    assert terms["nearness"].item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert Nearness(0.1, 1.0).cost(seen).item() == 0.0
    before = float(seen.distances.detach().mean())
    terms["nearness"].backward()
    gradient = fit.still.voxels.densities.grad
    assert gradient is not None
    gradient = gradient.to_dense()
    with torch.no_grad():
        fit.still.voxels.densities.sub_(5.0 * gradient / gradient.abs().max())
        assert float(see(fit, batch, random(), False).distances.mean()) > before


@pytest.mark.parametrize("name", ["depth", "termination"])
@pytest.mark.parametrize("guided", [False, True])
def test_the_depth_losses_have_a_gradient(
    footage: Footage, targets: DepthTargets, name: str, guided: bool
):
    # the original's has none
    fit, batch = dense_fit(), known_batch(footage, targets)
    term = losses(see(fit, batch, random(), guided), batch, DepthConfig())[name]
    assert term.requires_grad
    term.backward()
    gradient = fit.still.voxels.densities.grad
    assert gradient is not None
    gradient = gradient.to_dense()
    assert float(gradient.norm()) > 1e-6
    # downhill is less loss
    with torch.no_grad():
        fit.still.voxels.densities.sub_(0.5 * gradient / gradient.abs().max())
        after = losses(see(fit, batch, random(), guided), batch, DepthConfig())[name]
    assert after.item() < term.item()


def train(footage: Footage, targets: DepthTargets | None, depth: DepthConfig) -> float:
    """Take a few steps, and say how far the depth is from the wall's, relative."""
    fit, pixels = dense_fit(), source(footage, targets)
    for step in range(25):
        fit.still.set_rate(0.4)
        batch = pixels.still(512, 0.5, random(step))
        terms = losses(see(fit, batch, random(step), depth.guided), batch, depth)
        torch.stack(list(terms.values())).sum().backward()
        fit.still.step(0.0, 0.0)
    errors = []
    for camera, drawn in zip(cameras(), still_depths(fit, cameras()), strict=True):
        truth = film(camera, None)[1]
        errors.append(((drawn.nan_to_num(nan=20.0).clamp(max=20.0) - truth).abs() / truth).mean())
    return float(torch.stack(errors).mean())


@pytest.fixture(scope="module")
def error_without(footage: Footage) -> float:
    return train(footage, None, DepthConfig())


@pytest.mark.parametrize(
    "depth",
    [
        DepthConfig(),
        DepthConfig(loss="expected"),
        DepthConfig(loss="distribution"),
        DepthConfig(guided=False),
    ],
    ids=["both", "expected", "distribution", "unguided"],
)
def test_known_depths_move_the_geometry_to_the_truth(
    footage: Footage, targets: DepthTargets, error_without: float, depth: DepthConfig
):
    assert error_without > 0.08
    assert train(footage, targets, depth) < 0.7 * error_without


def test_wrong_depths_move_it_away(footage: Footage, targets: DepthTargets):
    # so that it is the depths that move it, and not more rays somewhere
    wrong = replace(targets, depths=0.7 * targets.depths)
    right, moved = (train(footage, each, DepthConfig(weight=1.0)) for each in (targets, wrong))
    assert moved > right + 0.1


def test_movers_that_take_light_cost_something(footage: Footage):
    fit = dense_fit()
    fit.moving = Layer(VoxelField.at_voxels(torch.ones(GRID, dtype=torch.bool), [0.0, 1.0]))
    batch = known_batch(footage, None)
    seen = see(fit, batch, torch.Generator().manual_seed(0), guided=False)
    cost = losses(seen, batch, DepthConfig())["sparsity"]
    taken = float(seen.part_alphas[:, 1].detach().mean())
    assert float(cost.detach()) == pytest.approx(SPARSITY * taken)
    cost.backward()
    gradient = fit.moving.voxels.densities.grad
    assert gradient is not None
    slopes = gradient.coalesce().values()
    assert float(slopes.min()) > -1e-9
    assert float(slopes.max()) > 0.0
