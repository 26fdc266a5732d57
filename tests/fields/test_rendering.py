"""Drawing: fog of a known thickness, backgrounds, parts drawn together."""
# pyright: reportArgumentType=false

import math

import pytest
import torch

from fourfold.fields import BoxSpace, ContractedSpace, Part, RayColors, render_rays
from tests.fields.rays_of_tests import CUBE, Fog, random_rays, ray

RED, BLUE = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
ALONG_Z = ray((0.5, 0.5, -1.0), (0.0, 0.0, 1.0))


def fog(density: float, color=RED, space=CUBE, rays=ALONG_Z, step: float = 0.5) -> Part:
    return Part(Fog(torch.tensor(density), color), space, None, rays, step)


def test_fog_of_a_known_thickness():
    # the path through the cube is one longest side: alpha = 1 - exp(-density)
    drawn = render_rays([fog(1.5)])
    alpha = 1 - math.exp(-1.5)
    torch.testing.assert_close(drawn.alphas, torch.tensor([alpha]))
    torch.testing.assert_close(drawn.colors, alpha * RED[None])
    assert drawn.part_alphas.shape == (1, 1)


def test_expected_distance_of_fog_is_that_of_the_integral():
    # E[t] = 1 + integral of z 2 exp(-2 z) over [0,1], by alpha
    drawn = render_rays([fog(2.0, step=0.02)])
    inside = (1 - 3 * math.exp(-2)) / 2 / (1 - math.exp(-2))
    torch.testing.assert_close(drawn.distances, torch.tensor([1 + inside]), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("background", "light"),
    [
        ("white", [1.0, 1, 1]),
        ("black", [0.0, 0, 0]),
        (torch.tensor([0.2, 0.4, 0.6]), [0.2, 0.4, 0.6]),
    ],
)
def test_backgrounds_shine_through(background, light):
    drawn = render_rays([fog(math.log(2))], background=background)
    torch.testing.assert_close(drawn.colors, 0.5 * RED[None] + 0.5 * torch.tensor([light]))


def test_a_ray_that_misses_sees_the_background_only():
    drawn = render_rays([fog(5.0, rays=ray((2.0, 0, 0), (0.0, 0, 1)))], background="white")
    assert drawn.colors.tolist() == [[1, 1, 1]]
    assert (float(drawn.alphas), float(drawn.distances)) == (0, 0)


def test_densities_of_parts_in_one_place_add_up():
    together, alone = render_rays([fog(0.5), fog(1.0, BLUE)]), render_rays([fog(1.5)])
    torch.testing.assert_close(together.alphas, alone.alphas)
    # the red third and the blue two thirds of the light, but for the order within a piece
    shares = together.part_alphas / together.alphas
    torch.testing.assert_close(shares, torch.tensor([[1 / 3, 2 / 3]]), atol=0.03, rtol=0)
    torch.testing.assert_close(together.colors, together.part_alphas @ torch.stack((RED, BLUE)))


def test_what_is_nearer_covers_what_is_behind():
    behind = BoxSpace(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([1.0, 1.0, 3.0]))
    parts = [fog(50.0, BLUE, behind), fog(50.0, RED)]
    drawn = render_rays(parts)
    torch.testing.assert_close(drawn.colors, RED[None], atol=1e-4, rtol=0)
    torch.testing.assert_close(drawn.part_alphas, torch.tensor([[0.0, 1.0]]), atol=1e-4, rtol=0)


def test_a_scaled_body_is_as_thick_and_as_far_as_in_the_world():
    half = torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0]))  # a body of half the size
    small = fog(1.5, rays=ray((0.25, 0.25, -1.0), (0.0, 0.0, 1.0)).moved(half))
    drawn = render_rays([small])
    torch.testing.assert_close(drawn.alphas, torch.tensor([1 - math.exp(-1.5)]))
    assert 1.0 < float(drawn.distances) < 1.25


def test_gradients_reach_the_field():
    density = torch.tensor(0.7, requires_grad=True)
    drawn = render_rays([Part(Fog(density, RED), CUBE, None, ALONG_Z)])
    drawn.colors[:, 0].sum().backward()
    assert density.grad is not None
    torch.testing.assert_close(density.grad, torch.tensor(math.exp(-0.7)))


def two_fogs(device: str, dtype: torch.dtype) -> list[Part]:
    """A box of fog inside an endless one, along rays that hit and miss."""
    like = {"device": device, "dtype": dtype}
    endless = ContractedSpace(torch.full((3,), 0.5), torch.full((3,), 0.5))
    rays = random_rays(50, 2.0).to(**like)
    occupancy = torch.arange(64).view(4, 4, 4) % 3 > 0
    fogs = [Fog(torch.tensor(d, **like), c.to(**like)) for d, c in ((3.0, RED), (0.5, BLUE))]
    return [
        Part(fogs[0], CUBE.to(**like), occupancy.to(device), rays),
        Part(fogs[1], endless.to(**like), None, rays),
    ]


def assert_same(mine: RayColors, other: RayColors) -> None:
    for name in ("colors", "alphas", "distances", "part_alphas"):
        values, expected = getattr(mine, name), getattr(other, name).cpu().to(torch.float32)
        # a piece more or less where rounding decides
        torch.testing.assert_close(values, expected, atol=5e-3, rtol=2e-2, msg=name)


def test_kernels_and_torch_draw_the_same():
    mine = render_rays(two_fogs("cpu", torch.float32), background="white")
    assert_same(mine, render_rays(two_fogs("cpu", torch.float64), background="white"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_the_gpu_draws_the_same():
    mine = render_rays(two_fogs("cpu", torch.float32), background="white")
    assert_same(mine, render_rays(two_fogs("cuda", torch.float32), background="white"))


def test_no_parts_are_refused():
    with pytest.raises(ValueError, match=r"cannot merge"):
        render_rays([])
