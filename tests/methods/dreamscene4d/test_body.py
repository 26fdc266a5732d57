"""An object at rest: where its surface lies, and what colour it has."""

import pytest
import torch

from fourfold.geometry import project_points
from fourfold.methods.dreamscene4d.body import lift_silhouette, surface_origin
from fourfold.priors import leave_open, mirror_front
from tests.methods.dreamscene4d.clips import HEIGHT, WIDTH, disc, tiny_camera

DEPTH, RADIUS = 5.0, 12.0
MIDDLE = torch.tensor([32.0, 24.0])
MASK = disc(32.0, 24.0, RADIUS)


def ramp() -> torch.Tensor:
    """An image whose red is x and whose green is y."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return torch.stack([x / WIDTH, y / HEIGHT, torch.zeros(HEIGHT, WIDTH)], -1)


def ball(camera=None, count: int = 400, prior=leave_open, mask=MASK):
    camera = camera or tiny_camera()
    return prior(lift_silhouette(ramp(), mask, camera, DEPTH, MIDDLE, count, 1.0))


def test_gaussians_project_onto_the_pixels_they_took_their_colour_from():
    camera = tiny_camera()
    front = ball(camera)
    pixels, _ = project_points(camera, front.means + surface_origin(camera, MIDDLE, DEPTH))
    x, y = pixels.floor().long().unbind(1)
    assert MASK[y, x].all()
    torch.testing.assert_close(front.colors(), ramp()[y, x], atol=1e-5, rtol=0)


def test_the_visible_side_is_before_the_middle_plane():
    front = ball()
    assert (front.means[:, 2] < 0).all()
    # at the middle it is one radius nearer: 12 pixels at depth 5 with a focal length of 50
    assert float(-front.means[:, 2].min()) == pytest.approx(RADIUS * DEPTH / 50, rel=0.1)


def test_the_origin_is_at_the_pixel_and_the_depth():
    origin = surface_origin(tiny_camera(), torch.tensor([42.0, 24.0]), DEPTH)
    torch.testing.assert_close(origin, torch.tensor([1.0, 0.0, 5.0]))


def test_about_as_many_gaussians_as_asked_for():
    for count in (100, 400):
        assert len(ball(count=count)) == pytest.approx(count, rel=0.15)
    # never more than one a pixel
    assert len(ball(count=100_000)) == int(MASK.sum())


def test_its_own_frame_does_not_know_where_the_camera_stands():
    moved = tiny_camera().moved(torch.linalg.inv(torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))))
    torch.testing.assert_close(ball(moved).means, ball().means)


def test_a_prior_closes_it():
    front, whole = ball(), ball(prior=mirror_front)
    assert len(whole) == 2 * len(front)
    assert (whole.means[len(front) :, 2] > 0).all()


def test_a_mask_of_a_few_pixels_is_lifted():
    tiny = disc(32.0, 24.0, 2.0)
    assert 1 <= len(ball(mask=tiny)) <= 12
