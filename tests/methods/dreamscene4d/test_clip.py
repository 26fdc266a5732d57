"""The frames in memory: nothing of what is held out, and what masks tell."""

from pathlib import Path

import pytest
import torch

from fourfold.capture import FilmedView, open_capture, write_capture
from fourfold.errors import InputError
from fourfold.methods.dreamscene4d.clip import SMALLEST_OBJECT, read_clip
from tests.methods.dreamscene4d.clips import box, clip_of, disc, slide_shapes, write_clip


def test_held_out_frames_are_blank(tmp_path: Path):
    images, masks = slide_shapes([[(20 + t, 24)] for t in range(4)])
    clip = read_clip(write_clip(tmp_path / "clip", images, masks), (0, 1, 3))
    assert not clip.images[2].any()
    assert not clip.masks[2].any()
    assert clip.visible_frames(0) == [0, 1, 3]
    for frame in (0, 1, 3):
        torch.testing.assert_close(clip.image(frame), images[frame], atol=0.5 / 255 + 1e-6, rtol=0)
        assert torch.equal(clip.masks[frame], masks[frame])


def test_an_object_that_no_trained_frame_shows_is_named(tmp_path: Path):
    images, masks = slide_shapes([[(20, 24), (45, 24) if t == 2 else None] for t in range(4)])
    capture = write_clip(tmp_path / "clip", images, masks)
    with pytest.raises(InputError, match="object 'object1' is empty in every trained frame"):
        read_clip(capture, (0, 1, 3))


def test_a_name_that_no_checkpoint_can_hold_is_refused(tmp_path: Path):
    images, masks = slide_shapes([[(20, 24)], [(22, 24)]])
    view = FilmedView(images, masks)
    write_capture(tmp_path / "clip", {"main": view}, fps=10.0, object_names=["[1]"])
    with pytest.raises(InputError, match="begin with a bracket"):
        read_clip(open_capture(tmp_path / "clip"), (0, 1))


def test_a_speck_is_no_object():
    speck = box(10, 10, 10 + SMALLEST_OBJECT - 1, 11)
    large = box(10, 10, 10 + SMALLEST_OBJECT, 11)
    assert clip_of([[speck], [large]]).visible_frames(0) == [1]


def test_centroids_are_at_pixel_centres():
    clip = clip_of([[box(10, 20, 14, 22)]])
    assert clip.centroid(0, 0).tolist() == [12.0, 21.0]
    assert clip.areas.tolist() == [[8.0]]


def test_masks_at_the_edge_are_cut_off():
    clip = clip_of([[box(1, 20, 9, 30)], [box(2, 20, 9, 30)], [box(50, 40, 60, 48)]])
    assert [clip.cut_off(t, 0) for t in range(3)] == [True, False, True]


def test_masks_one_pixel_apart_touch():
    frames = [[box(10, 10, 20, 20), box(20 + gap, 10, 30, 20)] for gap in (0, 1, 2)]
    clip = clip_of(frames)
    assert [clip.touched(t, 0) for t in range(3)] == [True, True, False]


def test_free_pixels_keep_away_from_objects():
    clip = clip_of([[disc(32, 24, 6)]])
    distance = ((torch.arange(64) + 0.5 - 32).abs() - 6)[None]
    row = clip.free[0, 24]
    assert row[distance[0] > 4.5].all()
    assert not row[distance[0] < 2].any()


def test_pixels_of_two_masks_overlap():
    clip = clip_of([[box(10, 10, 20, 20), box(15, 10, 25, 20)]])
    assert torch.equal(clip.overlap[0], box(15, 10, 20, 20))
