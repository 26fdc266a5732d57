import pytest
import torch

from fourfold.errors import InputError
from fourfold.estimators import SKY_DEPTH, estimate_landscape_depth
from fourfold.estimators.given_depth import fill_gaps, sharpen_edges, unknown_sky
from fourfold.estimators.popup import Ground, contact_inverse_depth, falling_inverse_depth
from fourfold.geometry import Camera, unproject_pixels
from tests.estimators.landscapes import (
    HEIGHT,
    HORIZON,
    HOUSE,
    WIDTH,
    camera,
    house,
    rows,
    valley,
)

LABELS = {"sky": rows(0, HORIZON), "ground": rows(HORIZON, HEIGHT)}


def test_level_ground_lies_one_unit_below_the_camera():
    landscape = estimate_landscape_depth(valley(False), camera(), LABELS)
    assert landscape.horizon == pytest.approx(HORIZON, abs=0.6)
    view = camera()
    points = unproject_pixels(view, view.pixel_grid(), landscape.depth)
    tilt = (landscape.horizon - HEIGHT / 2) / view.focal[1]
    down = torch.tensor([0.0, 1.0, -tilt]) / (1 + tilt**2) ** 0.5
    below = points @ down
    assert torch.allclose(below[90:], torch.ones(()), atol=1e-4)
    # By hand: f = 120 / tan 22.5 deg = 289.71; row 180.5 lies 100.5 below the horizon at 80.
    at_row = 289.71 * (1 + (40 / 289.71) ** 2) ** 0.5 / 100.5
    assert float(landscape.depth[180, 7]) == pytest.approx(at_row, rel=0.01)


def test_the_principal_point_may_lie_anywhere():
    """A wider canvas around the same photo: the ground is where it was."""
    inner = estimate_landscape_depth(valley(False), camera(), LABELS)
    crop = {name: mask[:200, 40:] for name, mask in LABELS.items()}
    view = camera().cropped(40, 0, WIDTH - 40, 200)
    outer = estimate_landscape_depth(valley(False)[:200, 40:], view, crop)
    assert torch.allclose(outer.depth[100:], inner.depth[100:200, 40:], rtol=1e-4)


def test_a_house_stands_on_its_lower_edge_and_its_outline_stays_sharp():
    landscape = estimate_landscape_depth(valley(), camera(), {**LABELS, "vertical": house()})
    ground = Ground.below(camera(), landscape.horizon, 200.0)
    expected = 1 / float(ground.inverse_depth(torch.tensor(180.0)))
    assert torch.allclose(landscape.depth[HOUSE], torch.tensor(expected), rtol=1e-4)
    row = landscape.depth[120]
    free = 1 / float(ground.inverse_depth(torch.tensor(120.5)))
    is_house, is_ground = (row - expected).abs() < 1e-3, (row - free).abs() < 1e-3
    assert bool((is_house | is_ground).all())
    assert is_house.nonzero().flatten().tolist() == list(range(100, 160))
    assert bool((landscape.depth[60:80, 100:160] < 5).all())
    assert bool((landscape.depth[60:80, :100] == SKY_DEPTH).all())
    assert not landscape.ground[HOUSE].any()


def test_what_rises_above_the_horizon_stands_without_a_label():
    landscape = estimate_landscape_depth(valley(), camera(), {})
    ground = Ground.below(camera(), landscape.horizon, 200.0)
    expected = 1 / float(ground.inverse_depth(torch.tensor(180.0)))
    assert abs(landscape.horizon - HORIZON) < 6
    inner = landscape.depth[62:178, 102:158]
    assert torch.allclose(inner, torch.tensor(expected), rtol=0.03)
    assert "detected sky" in landscape.source


def test_moving_clouds_are_sky_and_moving_water_is_ground():
    cloud, lake = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    cloud[20:40, 30:90] = True
    lake[150:200, 200:300] = True
    image = valley(False)
    image[cloud] = torch.tensor([0.35, 0.3, 0.3])  # dark, so that only the mask tells
    landscape = estimate_landscape_depth(image, camera(), {"motion": cloud | lake})
    assert landscape.sky[30, 30:90].all()
    assert landscape.ground[lake].all()
    whole = {"motion": torch.ones_like(lake)}
    assert not estimate_landscape_depth(valley(False), camera(), whole).sky[100:].any()


def test_without_sky_the_usual_horizon_and_a_backdrop():
    image = valley(False)[HORIZON:]
    landscape = estimate_landscape_depth(image, camera().cropped(0, 80, WIDTH, 160), {})
    assert landscape.horizon == pytest.approx(0.4 * 160)
    assert "no sky" in landscape.source
    assert float(landscape.depth.max() / landscape.depth.min()) == pytest.approx(4, rel=0.01)


def test_water_falls_only_between_things_that_stand_lower():
    """By hand: 1/z of the ground is row + 0.5; things of 1/z 8 on both sides, 2 columns apart."""
    ground = Ground(0.0, 1.0, 0.1)
    standing = torch.zeros(4, 12, dtype=torch.bool)
    standing[:3, [3, 6]] = True
    water = torch.zeros_like(standing)
    water[:, 4:6] = True
    inverse = falling_inverse_depth(water, standing, torch.full((4, 12), 8.0), ground)
    assert torch.equal(inverse[:3, 4:6], torch.full((3, 2), 8.0))
    assert torch.equal(inverse[3], torch.full((12,), 3.5))
    assert torch.equal(inverse[:, 0], torch.tensor([0.5, 1.5, 2.5, 3.5]))
    level = falling_inverse_depth(water, standing, torch.full((4, 12), 0.5), ground)
    assert torch.equal(level[0], torch.full((12,), 0.5))  # a bank at the water's edge


def test_water_between_labelled_rocks_is_steep_and_the_pool_below_is_level():
    rocks, water = torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool)
    rocks[100:180, 80:140] = True
    rocks[100:180, 170:230] = True
    water[100:180, 140:170] = True
    water[180:220, 60:250] = True
    regions = {**LABELS, "ground": rows(220, HEIGHT), "vertical": rocks, "motion": water}
    landscape = estimate_landscape_depth(valley(False), camera(), regions)
    foot = landscape.depth[120, 100]
    assert torch.allclose(landscape.depth[100:145, 145:165], foot, rtol=3e-3)
    plane = estimate_landscape_depth(valley(False), camera(), LABELS).depth
    assert torch.allclose(landscape.depth[185:215, 60:250], plane[185:215, 60:250], rtol=1e-3)


def test_a_wall_stands_on_a_line_and_a_tree_on_its_lowest_point():
    ground = Ground(10.0, 0.01, 1e-3)
    wall, tree = torch.zeros(2, 100, 80, dtype=torch.bool)
    for column in range(20, 60):
        wall[20 : 40 + column // 2, column] = True
    inverse = contact_inverse_depth(wall, ground)
    expected = 0.01 * (40 + torch.arange(80) / 2 - 10)
    assert torch.allclose(inverse[20:60], expected[20:60], atol=0.01)
    tree[20:50, 20:60] = True
    tree[50:90, 38:42] = True
    assert torch.allclose(contact_inverse_depth(tree, ground), torch.tensor(0.8))


def test_a_given_depth_keeps_its_shape_and_takes_our_unit():
    layered = estimate_landscape_depth(valley(), camera(), LABELS)
    given = 7 * layered.depth
    given[layered.sky] = torch.nan
    given[100:110, 20:40] = torch.nan
    landscape = estimate_landscape_depth(valley(), camera(), {}, given=given)
    assert landscape.scale == pytest.approx(1 / 7, rel=0.02)
    assert torch.equal(landscape.sky, layered.sky)
    known = ~layered.sky & given.isfinite()
    assert torch.allclose(landscape.depth[known], given[known] * landscape.scale)
    error = landscape.depth[100:110, 20:40] / layered.depth[100:110, 20:40] - 1
    assert float(error.abs().max()) < 0.1
    assert landscape.source.startswith("given depth")


def test_an_estimator_is_asked_and_scaled_to_the_ground():
    layered = estimate_landscape_depth(valley(False), camera(), LABELS)
    landscape = estimate_landscape_depth(
        valley(False), camera(), LABELS, estimator=lambda image: 3 * layered.depth
    )
    assert torch.allclose(landscape.depth[100:], layered.depth[100:], rtol=1e-4)
    assert landscape.source.startswith("estimated depth times 0.333")


def test_the_sky_of_a_depth_map_is_what_it_leaves_out_above():
    known = torch.ones(20, 30, dtype=torch.bool)
    known[:8] = False
    known[15, 4] = False
    detected = torch.zeros_like(known)
    detected[:6] = True
    assert torch.equal(unknown_sky(known, detected), ~known & (torch.arange(20) < 10)[:, None])
    assert torch.equal(unknown_sky(torch.ones_like(known), detected), detected)


def test_gaps_are_filled_smoothly_and_what_is_known_stays():
    v = torch.arange(40.0)[:, None].expand(40, 60)
    depth = 1 / (0.02 + 0.001 * v)
    holed = depth.clone()
    holed[10:30, 20:40] = torch.nan
    everywhere = torch.ones(40, 60, dtype=torch.bool)
    filled = fill_gaps(holed, everywhere, torch.zeros(40, 60, 3))
    assert torch.allclose(filled, depth, rtol=0.02)
    assert torch.equal(filled[holed.isfinite()], depth[holed.isfinite()])


def test_ramps_between_surfaces_become_steps():
    row = torch.tensor([1.0] * 6 + [0.8, 0.5, 0.4] + [0.2] * 6)
    depth = 1 / row.expand(9, 15)
    sharp = 1 / sharpen_edges(depth)[4]
    assert torch.allclose(sharp, torch.tensor([1.0] * 7 + [0.2] * 8))
    slanted = 1 / (0.001 + 0.01 * torch.arange(150.0)).expand(9, 150)
    assert torch.equal(sharpen_edges(slanted), slanted)


@pytest.mark.parametrize(
    ("regions", "given", "message"),
    [
        ({"cat": rows(0, 9)}, None, "no known kind"),
        ({"sky": torch.zeros(3, 3, dtype=torch.bool)}, None, "'sky' is"),
        ({}, torch.ones(3, 3), "depth map is"),
        ({}, torch.full((HEIGHT, WIDTH), torch.nan), "holds no depth"),
    ],
)
def test_what_does_not_fit_is_refused(regions, given, message):
    with pytest.raises(InputError, match=message):
        estimate_landscape_depth(valley(), camera(), regions, given=given)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (20, 30), (300, 40), (40, 700)])
def test_any_masks_of_any_shape_give_a_depth(height, width):
    random = torch.Generator().manual_seed(0)
    image = torch.rand(height, width, 3, generator=random)
    moving, upright = torch.rand(2, height, width, generator=random) > 0.7
    view = Camera.from_fov(width, height, 45.0)
    regions = {"motion": moving, "vertical": upright}
    depth = estimate_landscape_depth(image, view, regions).depth
    assert bool((depth.isfinite() & (depth > 0)).all())


def test_the_same_photo_has_the_same_depth():
    first, second = (estimate_landscape_depth(valley(), camera(), {}).depth for _ in range(2))
    assert torch.equal(first, second)
