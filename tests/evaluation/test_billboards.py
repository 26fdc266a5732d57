"""Flat cards seen from the side, against a flat scene."""

import math

import pytest
import torch

from fourfold.evaluation import Card, render_cards
from fourfold.geometry import Camera, orbit_camera

CAMERA = Camera.from_fov(40, 40, 90.0)  # focal length 20 px


def card(left: int, right: int, depth: float, color: tuple[float, float, float]) -> Card:
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[10:30, left:right] = True
    return Card(torch.tensor(color, dtype=torch.float32).expand(40, 40, 3), mask, depth)


def test_from_its_own_camera_a_card_is_its_picture():
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(40, 40, 3, generator=generator)
    image, alpha = render_cards(
        [card(5, 20, 3.0, (1, 1, 1))._replace(image=picture)], CAMERA, CAMERA
    )
    inside = card(5, 20, 3.0, (1, 1, 1)).mask
    assert torch.allclose(image[inside], picture[inside], atol=1e-4)
    assert torch.allclose(alpha, inside.float(), atol=1e-4)


def test_a_step_aside_shifts_by_focal_length_over_depth():
    pose = torch.eye(4)
    pose[0, 3] = -1.0  # the camera one unit to the right
    near, far = card(18, 22, 2.0, (1, 0, 0)), card(10, 30, 10.0, (0, 0, 1))
    image, _ = render_cards([near, far], CAMERA, CAMERA.moved(pose))
    # 20 px / 2 = 10 px for the near card, 2 px for the far one, both to the left.
    assert image[20, 8:12, 0].tolist() == pytest.approx([1.0] * 4, abs=1e-4)
    assert image[20, 12:28, 2].tolist() == pytest.approx([1.0] * 16, abs=1e-4)
    assert image[20, 28:].abs().max() < 1e-4


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_card_hides_the_farther_in_any_order(order):
    cards = [card(15, 25, 2.0, (1, 0, 0)), card(10, 30, 4.0, (0, 0, 1))]
    image, _ = render_cards(cards[::order], CAMERA, CAMERA)
    assert image[20, 20].tolist() == pytest.approx([1, 0, 0], abs=1e-4)
    assert image[20, 12].tolist() == pytest.approx([0, 0, 1], abs=1e-4)


def test_a_card_seen_from_the_side_gets_narrow_and_edge_on_is_gone():
    square = card(10, 30, 4.0, (1, 1, 1))
    pivot, up = torch.tensor([0.0, 0.0, 4.0]), torch.tensor([0.0, -1.0, 0.0])
    widths = []
    for angle in (0.0, 60.0, 90.0):
        camera = orbit_camera(CAMERA, pivot, 0.0, angle, up)
        _, alpha = render_cards([square], CAMERA, camera)
        assert alpha.isfinite().all()
        widths.append(float(alpha[20].sum()))
    assert widths[0] == pytest.approx(20, abs=0.1)
    # Half-width 2 at distance 4, turned by 60 degrees: 1 / (4 -+ sqrt 3) on the two sides.
    expected = 20 * (1 / (4 - math.sqrt(3)) + 1 / (4 + math.sqrt(3)))
    assert widths[1] == pytest.approx(expected, abs=0.6)
    assert widths[2] < 1.5


def test_a_card_behind_the_camera_is_not_seen():
    pose = torch.eye(4)
    pose[2, 3] = -5.0
    _, alpha = render_cards([card(0, 40, 3.0, (1, 1, 1))], CAMERA, CAMERA.moved(pose))
    assert alpha.max() == 0
