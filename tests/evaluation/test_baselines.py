"""The warped-frame baseline on moving rectangles, whose answer is known."""

from collections.abc import Sequence

import pytest
import torch

from fourfold.evaluation import mask_box, psnr, warp_nearest_frame

HEIGHT, WIDTH = 24, 40


def rectangle(left: int, top: int, right: int, bottom: int) -> torch.Tensor:
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[top:bottom, left:right] = True
    return mask


def box_of(mask: torch.Tensor) -> list[float]:
    box = mask_box(mask)
    assert box is not None
    return box.tolist()


def film(boxes: Sequence[tuple[int, int, int, int] | None]):
    """A red object in the given boxes, before a background whose blue tells the frame."""

    def masks(frame: int) -> torch.Tensor:
        box = boxes[frame]
        return (torch.zeros(HEIGHT, WIDTH, dtype=torch.bool) if box is None else rectangle(*box))[
            None
        ]

    def image(frame: int) -> torch.Tensor:
        canvas = torch.zeros(HEIGHT, WIDTH, 3)
        canvas[..., 2] = frame / 10
        canvas[masks(frame)[0]] = torch.tensor([1.0, 0.0, 0.0])
        return canvas

    return image, masks


def test_linear_motion_and_growth_are_met():
    # From 4x4 at x = 4 to 8x8 at x = 12: half-way is 6x6 at x = 8.
    boxes = [(4, 4, 8, 8), (8, 6, 14, 12), (12, 8, 20, 16)]
    image, masks = film(boxes)
    guess = warp_nearest_frame(1, [0, 2], image, masks)
    assert torch.equal(guess.masks[0], rectangle(8, 6, 14, 12))
    # Edge pixels mix with what lay around the object; inside them it is red.
    inner = rectangle(9, 7, 13, 11)
    assert torch.allclose(guess.image[inner], torch.tensor([1.0, 0.0, 0.0]))
    assert float(psnr(guess.image, image(0), ~guess.masks[0] & ~masks(0)[0])) > 100


def test_two_thirds_of_the_way_takes_the_later_frame():
    image, masks = film([(0, 0, 4, 4), None, None, (12, 0, 16, 4)])
    guess = warp_nearest_frame(2, [0, 3], image, masks)
    assert box_of(guess.masks[0]) == [8, 0, 12, 4]
    assert float(guess.image[20, 30, 2]) == pytest.approx(0.3)


def test_the_nearest_sighting_is_used_when_the_object_is_away():
    image, masks = film([(4, 4, 10, 10), None, None, None, (8, 4, 14, 10)])
    guess = warp_nearest_frame(3, [0, 1, 2, 4], image, masks)
    # Seen at 0 and 4 only: at 3, three quarters of the way, cut from frame 4.
    assert box_of(guess.masks[0]) == [7, 4, 13, 10]
    assert float(guess.image[0, 0, 2]) == pytest.approx(0.2)


def test_outside_the_sightings_the_box_stays_and_an_unseen_object_stays_away():
    image, masks = film([(4, 4, 10, 10), (6, 4, 12, 10), (8, 4, 14, 10)])
    assert box_of(warp_nearest_frame(2, [0, 1], image, masks).masks[0]) == [6, 4, 12, 10]
    image, masks = film([None, None, (4, 4, 10, 10)])
    guess = warp_nearest_frame(2, [0, 1], image, masks)
    assert not guess.masks.any()
    assert torch.equal(guess.image, image(1))


def test_the_held_out_frame_is_never_read():
    image, masks = film([(4, 4, 10, 10), (30, 4, 36, 10), (8, 4, 14, 10)])
    read = set()

    def spy(function):
        def wrapper(frame):
            read.add(frame)
            return function(frame)

        return wrapper

    warp_nearest_frame(1, [0, 2], spy(image), spy(masks))
    assert read == {0, 2}
    with pytest.raises(ValueError, match="none of the trained frames"):
        warp_nearest_frame(0, [0, 2], image, masks)


def test_mask_box_of_nothing():
    assert mask_box(torch.zeros(3, 3, dtype=torch.bool)) is None
