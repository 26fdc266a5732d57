"""Drawing: fog of a known thickness, backgrounds, parts drawn together."""
# pyright: reportArgumentType=false

import math

import pytest
import torch

from fourfold.fields import BoxSpace, Part, render_rays
from tests.fields.rays_of_tests import CUBE, Fog, ray

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
