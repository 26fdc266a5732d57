"""Perfect geometry at other scales: a plane moves by the parallax that its depths say."""

import pytest
import torch

from fourfold.geometry import Camera, rigid_matrix
from fourfold.methods.osn.ceiling import perfect_image
from tests.methods.osn.cards import FOCAL, HEIGHT, PAIR, WIDTH

CENTER = torch.tensor([0.5, 0.0, 0.0])
"""Where the filming camera is: half a unit to the right of the test camera."""
NAN = torch.nan


def camera() -> Camera:
    intrinsics = torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    return Camera(rigid_matrix(torch.eye(3), torch.zeros(3)), intrinsics, WIDTH, HEIGHT)


def stripes() -> torch.Tensor:
    """A picture that is linear in x, so that interpolation is exact."""
    x = torch.arange(WIDTH) + 0.5
    return (0.2 + 0.01 * x).expand(HEIGHT, WIDTH)[..., None].repeat(1, 1, 3)


def wall(depth: float = 8.0) -> torch.Tensor:
    return torch.full((HEIGHT, WIDTH), depth)


def test_true_scales_show_the_picture():
    images = PAIR.pictures(1, 4)
    depths = PAIR.layers(1, 4)
    found = perfect_image(images, depths, camera(), CENTER, torch.ones(3))
    nearest = depths.nan_to_num(torch.inf).argmin(0)
    expected = images.gather(0, nearest[None, ..., None].expand(1, -1, -1, 3))[0]
    torch.testing.assert_close(found, expected)


def test_the_filming_camera_sees_the_same_at_any_scale():
    images, depths = PAIR.pictures(1, 1), PAIR.layers(1, 1)
    here = camera()
    shown = perfect_image(images, depths, here, here.position, torch.tensor([1.0, 0.9, 1.1]))
    torch.testing.assert_close(shown, perfect_image(images, depths, here, CENTER, torch.ones(3)))


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_a_plane_moves_by_its_parallax(factor: float):
    """A point (x, 2) goes to c + r ((x, 2) - c), to x / 2 + c (1 / r - 1) / 2 in the image."""
    found = perfect_image(
        torch.stack([stripes(), stripes()]),
        torch.stack([wall(NAN), wall(2.0)]),
        camera(),
        CENTER,
        torch.tensor([1.0, factor]),
    )
    moved = FOCAL * 0.5 * (1 / factor - 1) / 2
    inside = slice(13, -13)
    expected = stripes() - 0.01 * moved
    torch.testing.assert_close(found[:, inside], expected[:, inside], atol=1e-4, rtol=0)


def test_a_card_takes_its_edges_along():
    card = wall(NAN)
    card[10:20, 10:20] = 2.0
    # 48 * .5 * (1 / .5 - 1) / 2 = 12 pixels to the right
    found = perfect_image(
        torch.stack([torch.zeros(HEIGHT, WIDTH, 3), torch.ones(HEIGHT, WIDTH, 3)]),
        torch.stack([wall(), card]),
        camera(),
        CENTER,
        torch.tensor([1.0, 0.5]),
    )[..., 0]
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[10:20, 22:32] = 1.0
    assert torch.equal(found, expected)


def test_a_card_that_leaves_the_picture_is_not_seen():
    # 48 * .5 * (1 / .2 - 1) / 2 = 48 pixels to the right; at -1.5 units of depth it lies behind
    card = wall(NAN)
    card[10:20, 10:20] = 2.0
    images = torch.stack([torch.zeros(HEIGHT, WIDTH, 3), torch.ones(HEIGHT, WIDTH, 3)])
    depths = torch.stack([wall(), card])
    found = perfect_image(images, depths, camera(), CENTER, torch.tensor([1.0, 0.2]))
    assert not bool(found.any())
    ahead = torch.tensor([0.0, 0.0, 3.5])
    found = perfect_image(images, depths, camera(), ahead, torch.tensor([1.0, 2.0]))
    assert not bool(found.any())


def test_the_nearest_after_scaling_is_seen():
    """Cards at 3 and 4, from the filming camera: at 1.5 times its depth the first is behind."""
    images = torch.stack([torch.full((HEIGHT, WIDTH, 3), value) for value in (0.0, 0.3, 0.6)])
    depths = torch.stack([wall(), wall(3.0), wall(4.0)])
    here = camera()

    def middle(factor: float) -> float:
        factors = torch.tensor([1.0, factor, 1.0])
        return float(perfect_image(images, depths, here, here.position, factors)[18, 24, 0])

    assert middle(1.0) == middle(1.3) == pytest.approx(0.3)
    assert middle(1.5) == pytest.approx(0.6)


def test_a_tilted_plane_is_seen_from_where_it_looks_the_same():
    """z = 3 + x/4; the layer is compared with the plane as rays find it from the other place."""
    here = camera()
    rays = here.directions(here.pixel_grid())
    slope = 0.25

    def depth_from(place: torch.Tensor) -> torch.Tensor:
        # place + t ray on z = 3 + slope x, with t the depth
        return (3 + slope * place[0] - place[2]) / (1 - slope * rays[..., 0])

    def color_from(place: torch.Tensor) -> torch.Tensor:
        x = place[0] + depth_from(place) * rays[..., 0]
        return (0.5 + 0.1 * x)[..., None].expand(-1, -1, 3).contiguous()

    factor, start = 0.8, torch.zeros(3)
    found = perfect_image(
        torch.stack([color_from(start)] * 2),
        torch.stack([wall(NAN), depth_from(start)]),
        here,
        CENTER,
        torch.tensor([1.0, factor]),
    )
    # the enlarged body looks as the body itself from c + (p - c) / r
    expected = color_from(CENTER + (start - CENTER) / factor)
    torch.testing.assert_close(found[:, 8:-8], expected[:, 8:-8], atol=3e-4, rtol=0)


def test_where_no_layer_is_it_stays_black():
    found = perfect_image(
        torch.ones(2, HEIGHT, WIDTH, 3),
        torch.stack([wall(NAN), wall(NAN)]),
        camera(),
        CENTER,
        torch.tensor([1.0, 0.7]),
    )
    assert not bool(found.any())
