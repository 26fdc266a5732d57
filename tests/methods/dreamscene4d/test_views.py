"""What each step looks at: everything in turn, within the picture, the same for the same seed."""

from collections import Counter
from dataclasses import replace

import torch

from fourfold.methods.dreamscene4d.clip import Hidden
from fourfold.methods.dreamscene4d.views import (
    BACKGROUND_EVERY,
    MARGIN,
    choose_view,
    object_window,
    whole_frame,
)
from tests.methods.dreamscene4d.clips import box, clip_of, disc, tiny_camera

NOTHING = torch.zeros(48, 64, dtype=torch.bool)


def clip():
    """Four frames, of which the third is held out; the second object enters in frame 1."""
    frames = [[disc(20, 24, 6), NOTHING if t == 0 else disc(50, 24, 6)] for t in range(4)]
    frames[2] = [NOTHING, NOTHING]
    return clip_of(frames, trained=(0, 1, 3))


def test_every_object_of_every_frame_has_its_turn():
    # five pairs, two steps of three: two rounds of them in 15 steps, and the frames in 5
    views = [choose_view(clip(), step, 0) for step in range(15)]
    objects = Counter((v.frame, v.index) for v in views if v.index is not None)
    assert objects == dict.fromkeys([(0, 0), (1, 0), (3, 0), (1, 1), (3, 1)], 2)
    background = [v.frame for v in views[::BACKGROUND_EVERY]]
    assert all(views[k].index is None for k in range(0, 15, BACKGROUND_EVERY))
    assert sorted(background[:3]) == [0, 1, 3]


def test_the_seed_decides_the_order():
    orders = [[choose_view(clip(), step, seed) for step in range(30)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_windows_have_a_margin_and_stay_in_the_picture():
    masks = clip_of([[box(30, 20, 34, 22)], [box(0, 40, 10, 48)]])
    assert object_window(masks, 0, 0) == (30 - MARGIN, 20 - MARGIN, 4 + 2 * MARGIN, 2 + 2 * MARGIN)
    assert object_window(masks, 1, 0) == (0, 40 - MARGIN, 10 + MARGIN, 8 + MARGIN)


def test_windows_reach_around_what_an_inpainting_shows():
    masks, inpainted = clip_of([[box(30, 20, 34, 22)]]), torch.zeros(48, 64, 3, dtype=torch.uint8)
    shown = replace(masks, hidden={(0, 0): Hidden(inpainted, box(34, 20, 40, 22))})
    assert object_window(shown, 0, 0) == (30 - MARGIN, 20 - MARGIN, 10 + 2 * MARGIN, 2 + 2 * MARGIN)


def test_the_cropped_picture_is_what_the_cropped_camera_sees():
    view = choose_view(clip(), 1, 0)
    grid = tiny_camera().pixel_grid()
    cropped = view.camera(tiny_camera())
    torch.testing.assert_close(
        cropped.directions(cropped.pixel_grid()), tiny_camera().directions(view.crop(grid))
    )
    assert view.pixels == cropped.width * cropped.height
    assert whole_frame(clip(), 0).pixels == 48 * 64
