"""Drawing without gradients: the picture of `render_rays`, and nothing behind it looked at."""

import math

import pytest
import torch

from fourfold.fields import (
    BoxSpace,
    ContractedSpace,
    NdcSpace,
    Part,
    Rays,
    Space,
    VoxelField,
    draw_rays,
    render_rays,
)
from tests.fields.rays_of_tests import CUBE, Fog, random_rays, ray

GREY = torch.tensor([0.2, 0.4, 0.6])
SPACES = {
    "box": BoxSpace(torch.tensor([-0.2, 0.0, 0.1]), torch.tensor([1.1, 1.0, 0.9])),
    "ndc": NdcSpace(torch.eye(4), torch.tensor([0.8, 0.6]), torch.tensor(0.5)),
    "contracted": ContractedSpace(torch.full((3,), 0.5), torch.full((3,), 0.5)),
}


def voxels(seed: int, times: tuple[float, ...], degree: int, share: float = 0.5) -> VoxelField:
    """Make a field of random, partly opaque voxels in part of the cube."""
    generator = torch.Generator().manual_seed(seed)
    filled = torch.rand(12, 14, 16, generator=generator) < share
    field = VoxelField.at_voxels(filled, times, degree=degree)
    for tensor, mean, spread in ((field.densities, 5.0, 4.0), (field.harmonics, 0.0, 2.0)):
        tensor += mean + spread * torch.randn(tensor.shape, generator=generator)
    return field


def two_fields(space: Space, rays: Rays) -> list[Part]:
    """A still and a moving field of other resolutions and steps, one of them in another frame."""
    still, moving = voxels(0, (0.0,), 1), voxels(1, (0.0, 1.0, 4.0), 0, 0.2)
    grown = torch.diag(torch.tensor([1.1, 1.1, 1.1, 1.0]))
    cells = still.occupancy(1e-3)
    return [
        Part(still, space, cells, rays),
        Part(moving.upsampled((9, 20, 10)), space, None, rays.moved(grown), 0.7),
    ]


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("both", [False, True])
def test_the_kernels_draw_the_picture_of_the_reference(name, both):
    rays = random_rays(300, 0.3 if name == "ndc" else 1.5)
    parts = two_fields(SPACES[name], rays)[: 1 + both]
    with torch.inference_mode():
        mine = draw_rays(parts, 2.5, GREY)
        reference = render_rays(parts, torch.full((300,), 2.5), background=GREY)
    assert float(reference.alphas.mean()) > 0.1
    for key in ("colors", "alphas", "part_alphas"):
        torch.testing.assert_close(getattr(mine, key), getattr(reference, key), atol=1e-3, rtol=0)
    seen = reference.alphas > 0.1
    torch.testing.assert_close(
        mine.distances[seen], reference.distances[seen], atol=1e-3, rtol=2e-2
    )


def test_parts_in_one_grid_take_their_light_in_their_order():
    rays = random_rays(300, 1.5)
    fields = voxels(0, (0.0,), 1), voxels(1, (0.0, 1.0, 4.0), 0)
    parts = [Part(field, SPACES["box"], None, rays) for field in fields]
    with torch.inference_mode():
        mine = draw_rays(parts, 2.5, GREY)
        reference = render_rays(parts, torch.full((300,), 2.5), background=GREY)
    for key in ("colors", "alphas", "part_alphas"):
        torch.testing.assert_close(getattr(mine, key), getattr(reference, key), atol=1e-3, rtol=0)


def test_nothing_has_no_alpha():
    field = VoxelField.at_voxels(torch.zeros(8, 8, 256, dtype=torch.bool))
    rays = random_rays(50, 1.5)
    with torch.inference_mode():
        drawn = draw_rays([Part(field, CUBE, None, rays, 0.25)], 0.0, GREY)
    assert float(drawn.alphas.abs().max()) == 0.0
    assert float(drawn.distances.abs().max()) == 0.0


def test_what_lies_behind_a_wall_is_not_looked_at():
    # the nearer half of the cube is opaque and red, the farther half not even a number
    field = VoxelField.dense((4, 4, 128))
    halves = field.harmonics.view(4, 4, 128, 3), field.densities.view(4, 4, 128)
    halves[0][:] = torch.tensor([20.0, -20.0, -20.0])
    halves[1][..., :64], halves[1][..., 64:] = 40.0, math.nan
    part = Part(field, CUBE, None, ray((0.5, 0.5, -1.0), (0.0, 0.0, 1.0)))
    with torch.no_grad():
        drawn = draw_rays([part], 0.0, GREY)
    torch.testing.assert_close(drawn.colors, torch.tensor([[1.0, 0.0, 0.0]]), atol=1e-2, rtol=0)
    assert 1.0 <= float(drawn.distances) < 1.01


def test_a_ray_that_misses_sees_the_background():
    part = Part(voxels(0, (0.0,), 1), CUBE, None, ray((3.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    with torch.no_grad():
        drawn = draw_rays([part], 0.0, GREY)
    assert drawn.colors.tolist() == [GREY.tolist()]
    assert (float(drawn.alphas), float(drawn.distances)) == (0, 0)


def test_many_rays_are_drawn_as_few_are():
    field = voxels(0, (0.0,), 1)
    rays = random_rays(5000, 1.5)
    with torch.no_grad():
        together = draw_rays([Part(field, CUBE, None, rays)], 0.0, GREY)
        last = draw_rays([Part(field, CUBE, None, rays.select(slice(4900, None)))], 0.0, GREY)
    assert torch.equal(together.colors[4900:], last.colors)


def test_with_gradients_the_picture_is_differentiable():
    field = voxels(0, (0.0,), 1)
    field.densities.requires_grad_()
    draw_rays([Part(field, CUBE, None, random_rays(20, 1.5))], 0.0, GREY).colors.sum().backward()
    assert field.densities.grad is not None
    assert float(field.densities.grad.to_dense().abs().sum()) > 0


def test_voxels_beside_other_fields():
    rays = random_rays(50, 1.5)
    fog = Part(Fog(torch.tensor(0.5), GREY), CUBE, None, rays)  # pyright: ignore[reportArgumentType]
    parts = [Part(voxels(0, (0.0,), 1), CUBE, None, rays), fog]
    with torch.no_grad():
        mine, reference = draw_rays(parts, 0.0, GREY), render_rays(parts, background=GREY)
    assert torch.equal(mine.colors, reference.colors)


def test_parts_of_different_rays_are_refused():
    parts = [Part(voxels(0, (0.0,), 1), CUBE, None, random_rays(count, 1.5)) for count in (2, 3)]
    with pytest.raises(ValueError, match=r"along \[2, 3\] rays"):
        draw_rays(parts, 0.0, GREY)
    with pytest.raises(ValueError, match=r"along \[\] rays"):
        draw_rays([], 0.0, GREY)
