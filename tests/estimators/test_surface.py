import torch

from fourfold.estimators import SKY_DEPTH, LandscapeDepth, surface_depth

V = torch.arange(60.0)[:, None].expand(60, 80)
PLANE = 1 / (0.01 + 0.002 * V)
SKY = V < 10


def landscape(depth: torch.Tensor) -> LandscapeDepth:
    return LandscapeDepth(torch.where(SKY, SKY_DEPTH, depth), SKY, ~SKY, 10.0, "test")


def box(top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    mask = torch.zeros(60, 80, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def test_level_water_lies_on_its_plane_everywhere():
    surface = surface_depth(landscape(PLANE), box(30, 50, 20, 40))
    assert torch.allclose(surface, PLANE, rtol=1e-4)


def test_a_rock_in_the_water_does_not_tilt_the_plane():
    depth = PLANE.clone()
    depth[30:34, 20:24] = 2.0
    surface = surface_depth(landscape(depth), box(30, 50, 20, 60))
    assert torch.allclose(surface[40:], PLANE[40:], rtol=0.01)
    assert torch.allclose(surface[:, 30:], PLANE[:, 30:], rtol=0.01)


def test_parts_in_the_sky_and_on_the_ground_have_their_own_surfaces():
    surface = surface_depth(landscape(PLANE), box(0, 10, 0, 80) | box(40, 60, 0, 80))
    assert bool((surface[:20] == SKY_DEPTH).all())
    assert torch.allclose(surface[40:], PLANE[40:], rtol=1e-4)
    joined = surface_depth(landscape(PLANE), box(0, 60, 0, 80))
    assert bool((joined[:10] == SKY_DEPTH).all())
    assert torch.allclose(joined[10:], PLANE[10:], rtol=1e-4)


def test_a_curved_fall_is_followed():
    bent = 1 / (0.05 + 0.02 * ((V - 30) / 20).clamp(min=0) ** 2)
    surface = surface_depth(landscape(bent), box(20, 60, 0, 80))
    assert float((surface / bent - 1)[22:58].abs().max()) < 0.02


def test_no_region_no_surface_of_its_own():
    assert torch.equal(surface_depth(landscape(PLANE), SKY & ~SKY), landscape(PLANE).depth)
