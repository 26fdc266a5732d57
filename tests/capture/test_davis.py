"""DAVIS and DreamScene4D folders, and masks in `<name>_mask`."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from fourfold.capture import describe, open_capture, require_frames, require_masks
from fourfold.errors import InputError


def _inpaint(root, save, frames, size=(8, 6)):
    for t in frames:
        name = f"{t:05d}.png"
        picture = np.full((size[1], size[0], 3), 255, np.uint8)
        save(root / "InpaintedImages" / "v" / "001" / name, picture)
        whole = np.zeros((*size[::-1], 3), np.uint8)
        whole[t : t + 2] = 255
        save(root / "InpaintedMasks" / "v" / "001" / name, whole)


def test_a_clip_without_inpainted_folders(clip):
    capture = open_capture(clip())
    assert capture.layout == "davis"
    assert capture.channels == {"image", "mask"}
    assert capture.object_names == ("001",)
    for t in range(3):
        assert capture.image(t).mean().item() == pytest.approx(10 * t / 255, abs=1e-6)
        assert capture.masks(t)[0].any(1).nonzero().tolist() == [[t]]


def test_inpainted_frames_where_they_are(clip, save):
    root = clip()
    _inpaint(root, save, (0, 2))
    capture = open_capture(root)
    assert capture.layout == "dreamscene4d"
    pair = capture.inpainted(2, 0)
    assert pair is not None
    assert pair[0].min() == 1
    assert pair[1].any(1).nonzero().flatten().tolist() == [2, 3]
    assert capture.inpainted(1, 0) is None


def test_inpainted_frames_of_another_size(clip, save):
    root = clip()
    _inpaint(root, save, (0,), size=(4, 3))
    with pytest.raises(InputError, match="frame 00000: the picture is 4x3 pixels; expected 8x6"):
        open_capture(root)


@pytest.mark.parametrize("between", ["", "480p"])
def test_the_path_of_one_video_in_a_root_of_many(clip, between):
    root = clip()
    for channel in ("JPEGImages", "Annotations"):
        (root / channel / "v").rename(root / "moved")
        (root / channel / between).mkdir(exist_ok=True)
        (root / "moved").rename(root / channel / between / "v")
        shutil.copytree(root / channel / between / "v", root / channel / between / "w")
    with pytest.raises(InputError, match=r"there are 2 videos: .*v, .*w; .*Give the path of one"):
        open_capture(root)
    capture = open_capture(root / "JPEGImages" / between / "w")
    assert capture.areas.tolist() == [[8], [8], [8]]


def test_label_maps_without_object_folders(clip, save):
    root = clip(frames=2, masks=False)
    labels = np.zeros((2, 6, 8), np.uint8)
    labels[0, 0, :3] = 1
    labels[1, 5, :4] = 2
    for t in range(2):
        save(root / "Annotations" / "v" / f"{t:05d}.png", labels[t])
    capture = open_capture(root)
    assert capture.object_names == ("001", "002")
    # the first object leaves, the second enters
    assert capture.areas.tolist() == [[3, 0], [0, 4]]


@pytest.mark.parametrize("inside", ["", "bmx"])
def test_frames_beside_their_masks(clip, tmp_path, inside):
    root = clip()
    pair = tmp_path / "pair"
    pair.mkdir()
    (root / "JPEGImages" / "v").rename(pair / "bmx")
    (root / "Annotations" / "v" / "001").rename(pair / "bmx_mask")
    capture = open_capture(pair / inside)
    assert capture.areas.tolist() == [[8], [8], [8]]


def test_any_aspect_is_kept_and_scaled_by_area(tmp_path, save):
    picture = np.zeros((10, 40, 3), np.uint8)
    picture[:, 20:] = 255
    mask = np.zeros((10, 40), np.uint8)
    # of the first 4x4 block of pixels 8 are set (not more than half), of the second 12
    mask[:2, :4] = mask[:3, 4:8] = 255
    save(tmp_path / "images" / "a.png", picture)
    save(tmp_path / "masks" / "a.png", mask)
    capture = open_capture(tmp_path, max_size=10)
    # 2.5 rows are rounded to 2
    assert (capture.width, capture.height) == (10, 2)
    assert capture.image(0)[0, :, 0].tolist() == [0] * 5 + [1] * 5
    assert capture.masks(0)[0, 0, :3].tolist() == [False, True, False]


def test_small_frames_are_not_enlarged(clip):
    capture = open_capture(clip(width=8, height=6), max_size=720)
    assert (capture.width, capture.height) == (8, 6)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (None, (0, 1, 2, 3, 4, 5)),
        ("1:4", (1, 2, 3)),
        ("::2", (0, 2, 4)),
        ("1:6:3", (1, 4)),
        ("4", (4,)),
    ],
)
def test_selected_frames(clip, text, kept):
    capture = open_capture(clip(frames=6), frames=text)
    assert capture.frames == tuple(f"{t:05d}" for t in kept)
    for index, t in enumerate(kept):
        assert capture.masks(index)[0].any(1).nonzero().tolist() == [[t]]


def test_a_selection_slows_the_rate_down(clip):
    capture = open_capture(clip(frames=6), frames="::2", fps=10)
    assert capture.fps == 5
    np.testing.assert_allclose(capture.timestamps, [0, 0.2, 0.4])


def test_gaps_in_the_numbers_are_gaps_in_time(clip):
    root = clip(frames=5)
    for channel in ("JPEGImages/v", "Annotations/v/001"):
        (root / channel / "00002.png").unlink()
    capture = open_capture(root, fps=1)
    np.testing.assert_allclose(capture.timestamps, [0, 1, 3, 4])
    assert "gaps: about 1 missing" in capture.notes[0]


def test_a_fingerprint_knows_the_files_the_frames_and_the_size(clip, tmp_path, save):
    root = clip()
    first = open_capture(root).fingerprint()
    assert open_capture(root).fingerprint() == first
    assert open_capture(root, frames="0:2").fingerprint() != first
    assert open_capture(root, max_size=4).fingerprint() != first
    root.rename(tmp_path / "moved")
    assert open_capture(tmp_path / "moved").fingerprint() == first
    save(tmp_path / "moved/Annotations/v/001/00000.png", np.full((6, 8), 255, np.uint8))
    changed = open_capture(tmp_path / "moved").fingerprint()
    assert changed != first
    # written again, with the same number of bytes
    os.utime(tmp_path / "moved/Annotations/v/001/00000.png", ns=(0, 0))
    assert open_capture(tmp_path / "moved").fingerprint() != changed


def test_sources_are_not_written_to(clip):
    root = clip()
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*")}
    capture = open_capture(root)
    describe(capture)
    capture.fingerprint()
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*")} == before


def test_kid_football(real_capture):
    capture = open_capture(real_capture("ds4d_kid-football"))
    found = describe(capture)
    assert (capture.num_frames, capture.width, capture.height) == (11, 512, 512)
    assert capture.frames[0] == "00054"
    boy, ball = found.objects
    # the ball covers 0.8 to 1.1 % of the picture
    assert (boy.num_frames, ball.num_frames) == (11, 11)
    assert 0.008 < ball.area < 0.011
    assert found.missing["dreamscene4d"] == ()
    require_masks(capture)
    require_frames(capture)


def test_dogs_jump(real_capture):
    capture = open_capture(real_capture("ds4d_dogs-jump"))
    assert capture.object_names == ("001", "002", "003")
    pair = capture.inpainted(0, 0)
    assert pair is not None
    # amodal masks hold the visible ones
    assert not (capture.masks(0)[0] & ~pair[1]).any()
    assert capture.inpainted(0, 1) is None


def test_rollerblade(real_capture):
    capture = open_capture(real_capture("ds4d_rollerblade"), frames="::4", max_size=128)
    assert (capture.num_frames, capture.width) == (3, 128)
    assert (capture.areas > 0).all()


def test_bmx_trees(real_capture):
    capture = open_capture(real_capture("davis_bmx-trees"))
    assert (capture.num_frames, capture.width, capture.height) == (50, 432, 240)
    assert capture.object_names == ("001",)
    assert open_capture(real_capture("davis_bmx-trees") / "bmx-trees").frames == capture.frames


def test_blue_jay(real_capture):
    capture = open_capture(real_capture("consistent4d_pecking_blue_jay"))
    assert capture.frames == ("0", "12", "24")
    assert capture.channels == {"image", "mask"}
    assert 0.1 < describe(capture).objects[0].area < 0.3
    assert capture.image(0)[0, 0].tolist() == [1, 1, 1]
