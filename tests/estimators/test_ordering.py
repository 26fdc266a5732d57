import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.estimators import occlusion_order, order_from_junctions, order_from_shapes

HEIGHT, WIDTH = 120, 200


def disc(x: float, y: float, radius: float) -> torch.Tensor:
    rows, columns = torch.meshgrid(
        torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij"
    )
    return (rows - y) ** 2 + (columns - x) ** 2 < radius**2


def test_the_disc_that_stays_round_is_in_front():
    front, behind = disc(80, 60, 30), disc(115, 60, 30)
    assert order_from_junctions(front, behind & ~front) == 1
    assert order_from_junctions(behind & ~front, front) == -1


def test_two_halves_of_a_disc_do_not_tell():
    whole = disc(100, 60, 40)
    left = whole.clone()
    left[:, 100:] = False
    assert order_from_junctions(left, whole & ~left) == 0


def test_a_shape_seen_whole_elsewhere_tells_what_is_hidden():
    """A bar was whole; now a disc takes its middle, so that there are two pieces left."""
    bar = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    bar[50:60, 40:160] = True
    ball = disc(100, 55, 20)
    whole_ball = disc(30, 20, 20)
    moved_bar = bar.roll((30, 10), dims=(0, 1))
    assert order_from_shapes(bar & ~ball, ball, moved_bar, whole_ball) == -1
    assert order_from_shapes(ball, bar & ~ball, whole_ball, moved_bar) == 1
    assert order_from_shapes(ball & ~bar, bar, whole_ball, moved_bar) == -1


@pytest.mark.parametrize("ball_in_front", [True, False])
def test_a_ball_passing_a_pole(ball_in_front):
    """Apart in the first frames, touching in the third, apart again in the last."""
    pole = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    pole[10:110, 95:105] = True
    frames = []
    for x in (30, 60, 92, 140):
        ball = disc(x, 60, 18)
        frames.append((ball, pole & ~ball) if ball_in_front else (ball & ~pole, pole))
    masks = torch.stack([torch.stack(frame) for frame in frames])
    expected = 1 if ball_in_front else -1
    order = occlusion_order(masks)
    assert order[:, 0, 1].tolist() == [0, 0, expected, 0]
    assert torch.equal(order, -order.mT)


def test_empty_and_lone_objects_have_no_order():
    masks = torch.zeros(2, 3, HEIGHT, WIDTH, dtype=torch.bool)
    masks[:, 0] = disc(50, 50, 20)
    assert not occlusion_order(masks).any()
    assert occlusion_order(masks[:, :1]).shape == (2, 1, 1)


def test_dog_before_man(real_capture):
    """In the last two frames of dogs-jump the dog 002 walks before the man's legs."""
    folder = real_capture("ds4d_dogs-jump") / "Annotations/dogs-jump"
    masks = [
        torch.stack([_mask(file) for file in sorted((folder / name).glob("*.png"))])
        for name in ("001", "002", "003")
    ]
    order = occlusion_order(torch.stack(masks, dim=1))
    assert order[-2:, 1, 2].tolist() == [1, 1]
    assert not order[:, 0].any()


def _mask(path) -> torch.Tensor:

    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("L")) > 127)
