import pytest
import torch

from fourfold.capture import Hint
from fourfold.geometry import Camera, project_points, rigid_matrix, unproject_pixels
from fourfold.methods.mom.views import PARALLAX, make_views, see_from, visible_points

PHOTO = Camera.from_fov(80, 60, 60.0)


def _moved(x: float) -> Camera:
    return PHOTO.moved(rigid_matrix(torch.eye(3), torch.tensor([-x, 0.0, 0.0])))


def _card() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give image, masks, depth and sky: a red card at z = 2 before a green wall at z = 6."""
    depth = torch.full((60, 80), 6.0)
    depth[20:40, 30:50] = 2.0
    image = torch.tensor([0.0, 1.0, 0.0]).repeat(60, 80, 1)
    image[20:40, 30:50] = torch.tensor([1.0, 0.0, 0.0])
    return image, (depth == 2.0)[None], depth, torch.zeros(60, 80, dtype=torch.bool)


def test_the_photos_own_view_is_the_first_and_the_same() -> None:
    image, masks, depth, sky = _card()
    cameras = make_views(PHOTO, depth, sky)
    assert len(cameras) == 9
    assert torch.equal(cameras[0].camera_from_world, torch.eye(4))
    hint = Hint("hint", (35.0, 25.0), (45.0, 30.0))
    view = see_from(cameras[0], PHOTO, image, masks, depth, sky, [hint])
    assert torch.equal(view.image, image)
    assert torch.equal(view.masks, masks)
    assert torch.allclose(view.depth, depth)
    assert view.hints[0].start == pytest.approx(hint.start)
    assert view.hints[0].end == pytest.approx(hint.end)


def test_orbiting_views_have_the_paths_parallax() -> None:
    _, _, depth, sky = _card()
    depth[:] = torch.linspace(2.0, 10.0, 80)
    camera = make_views(PHOTO, depth, sky)[5]
    offset = float(camera.position.norm())
    near = float(torch.quantile(depth, 0.05))
    assert PHOTO.focal[0] * offset / near == pytest.approx(PARALLAX * 80, rel=1e-3)


def test_the_nearer_point_hides_the_farther_and_holes_stay_unknown() -> None:
    image, masks, depth, sky = _card()
    x = 0.3
    view = see_from(_moved(x), PHOTO, image, masks, depth, sky, [])
    focal = PHOTO.focal[0]
    near, far = focal * x / 2.0, focal * x / 6.0  # 7.8 and 2.6 pixels to the left
    # The card's columns 30..50 go to 22.2..42.2, the wall behind its right edge to 47.4 on.
    assert view.masks[0, 30, round(30 - near) + 1 : round(50 - near) - 1].all()
    assert view.depth[30, 30] == pytest.approx(2.0)
    hole = slice(round(50 - near) + 2, round(50 - far) - 2)
    assert float(view.image[30, hole].abs().max()) == 0.0
    assert not view.masks[:, 30, hole].any()
    assert view.image[30, 60].tolist() == [0.0, 1.0, 0.0]


def test_points_behind_the_card_or_outside_are_not_seen() -> None:
    image, masks, depth, sky = _card()
    camera = _moved(0.3)
    view = see_from(camera, PHOTO, image, masks, depth, sky, [])
    pixels = torch.tensor([[28.5, 30.5], [60.5, 30.5], [1.5, 30.5], [40.5, 30.5]])
    points = unproject_pixels(PHOTO, pixels, torch.tensor([6.0, 6.0, 6.0, 2.0]))
    # Wall beside the card's left edge is covered now; wall far right is not; the left border left.
    assert visible_points(view, points).tolist() == [False, True, False, True]


def test_hints_are_seen_from_the_view_with_their_own_depth() -> None:
    image, masks, depth, sky = _card()
    camera = _moved(0.3)
    hint = Hint("hint", (35.0, 25.0), (45.0, 30.0))
    view = see_from(camera, PHOTO, image, masks, depth, sky, [hint])
    points = unproject_pixels(PHOTO, torch.tensor([hint.start, hint.end]), torch.full((2,), 2.0))
    expected = project_points(camera, points)[0]
    assert view.hints[0].start == pytest.approx(expected[0].tolist())
    assert view.hints[0].end == pytest.approx(expected[1].tolist())
