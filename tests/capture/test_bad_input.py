"""Bad input: each gives one clear error that names the file and the mend, or is handled."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import (
    FilmedView,
    describe,
    open_capture,
    require_frames,
    require_masks,
    write_capture,
)
from fourfold.errors import InputError, OutputError, UsageError


def _cut(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.fixture
def noisy_clip(clip, save):
    """A clip whose PNGs are long enough to be cut in the middle of their pixels."""
    root = clip()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    for t in range(3):
        save(root / "JPEGImages" / "v" / f"{t:05d}.png", noise)
        save(root / "Annotations" / "v" / "001" / f"{t:05d}.png", noise[..., 0])
    return root


def test_truncated_png(noisy_clip):
    _cut(noisy_clip / "JPEGImages" / "v" / "00001.png", 0.5)
    capture = open_capture(noisy_clip)
    capture.image(0)
    with pytest.raises(InputError, match=r"00001\.png, frame 00001: .*damaged or cut off.*again"):
        capture.image(1)


def test_truncated_mask(noisy_clip):
    _cut(noisy_clip / "Annotations" / "v" / "001" / "00002.png", 0.5)
    capture = open_capture(noisy_clip)
    with pytest.raises(InputError, match=r"001/00002\.png, frame 00002: .*damaged or cut off"):
        describe(capture)


def test_truncated_header(clip):
    root = clip()
    _cut(root / "JPEGImages" / "v" / "00001.png", 0.2)
    with pytest.raises(InputError, match=r"00001\.png, frame 00001: "):
        open_capture(root).image(1)


def test_truncated_jpeg(tmp_path, save):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    _cut(save(tmp_path / "a.jpg", noise), 0.5)
    with pytest.raises(InputError, match=r"a\.jpg, frame a: .*damaged or cut off"):
        open_capture(tmp_path).image(0)


@pytest.mark.parametrize("folder", ["JPEGImages/v", "Annotations/v/001"])
def test_zero_byte_file(clip, folder):
    root = clip()
    (root / folder / "00001.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"00001\.png, frame 00001: the file is empty \(0 bytes\)"):
        open_capture(root)


def test_a_text_that_calls_itself_a_picture(clip):
    root = clip()
    (root / "JPEGImages" / "v" / "00000.png").write_text("not a picture")
    with pytest.raises(InputError, match=r"00000\.png, frame 00000: the file is not a picture"):
        open_capture(root)


@pytest.mark.parametrize("flat", [False, True])
def test_mask_of_another_size(clip, save, flat):
    root = clip()
    masks = root / "Annotations" / "v"
    if flat:
        for path in (masks / "001").iterdir():
            path.rename(masks / path.name)
        (masks / "001").rmdir()
    save(masks / ("" if flat else "001") / "00001.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match=r"frame 00001: the mask is 4x4 pixels; expected 8x6"):
        open_capture(root)


def test_frame_of_another_size(clip, save):
    root = clip()
    save(root / "JPEGImages" / "v" / "00002.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"frame 00002: the picture is 4x4 pixels; expected 8x6"):
        open_capture(root)


def test_mask_without_a_frame(clip):
    root = clip()
    (root / "JPEGImages" / "v" / "00001.png").unlink()
    with pytest.raises(
        InputError, match=r"001/00001\.png: the mask belongs to no frame.*Name each"
    ):
        open_capture(root)


def test_frame_without_a_mask(clip):
    root = clip()
    (root / "Annotations" / "v" / "001" / "00001.png").unlink()
    with pytest.raises(InputError, match=r"frame 00001: 1 of 3 frames have no mask.*--frames"):
        open_capture(root)
    # the mend that the error names
    assert open_capture(root, frames="::2").num_frames == 2


def test_two_files_for_one_frame(clip, save):
    root = clip()
    save(root / "JPEGImages" / "v" / "00001.jpg", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"00001\.jpg and 00001\.png are both frame 00001"):
        open_capture(root)


def test_nan_depth_is_unknown_and_depth_of_nothing_else_refused(clip, tmp_path):
    root = clip(frames=2)
    (tmp_path / "depth").mkdir()
    partly = np.full((6, 8), 2.0)
    partly[0] = np.nan
    np.save(tmp_path / "depth" / "00000.npy", partly)
    np.save(tmp_path / "depth" / "00001.npy", partly * np.nan)
    capture = open_capture(root, depth=tmp_path / "depth")
    depth = capture.depth(0)
    assert depth is not None
    assert depth.isnan().sum() == 8
    with pytest.raises(InputError, match=r"00001\.npy, frame 00001: .*every value is NaN"):
        capture.depth(1)


@pytest.mark.parametrize("flat", [False, True])
def test_empty_masks_everywhere(clip, save, flat):
    root = clip(masks=False)
    for t in range(3):
        folder = root / "Annotations" / "v" / ("" if flat else "001")
        save(folder / f"{t:05d}.png", np.zeros((6, 8), np.uint8))
    capture = open_capture(root)
    assert describe(capture).missing["dreamscene4d"] == ("masks that are not empty",)
    with pytest.raises(InputError, match=r"all masks are empty in all 3 frames; expected at least"):
        require_masks(capture)


def test_masks_that_are_empty_in_some_frames_are_fine(clip, save):
    root = clip()
    save(root / "Annotations" / "v" / "001" / "00001.png", np.zeros((6, 8), np.uint8))
    capture = open_capture(root)
    require_masks(capture)
    (thing,) = describe(capture).objects
    assert (thing.num_frames, thing.first, thing.last) == (2, "00000", "00002")
    assert thing.area == pytest.approx(1 / 6)


def test_one_frame_only(clip):
    capture = open_capture(clip(frames=1))
    assert capture.timestamps.tolist() == [0]
    assert describe(capture).missing["dreamscene4d"] == ("a second frame",)
    with pytest.raises(InputError, match=r"only 1 frame; expected at least 2 frames"):
        require_frames(capture)


def test_one_picture(tmp_path, save):
    path = save(tmp_path / "a.png", np.zeros((6, 8, 3), np.uint8))
    assert open_capture(path).frames == ("a",)


def test_16_bit_and_cmyk_frames(tmp_path, save):
    save(tmp_path / "deep" / "0.png", np.full((16, 16), 32768, np.uint16))
    assert open_capture(tmp_path / "deep").image(0).mean().item() == pytest.approx(0.5, abs=1e-4)
    color = np.tile(np.array([200, 40, 90], np.uint8), (16, 16, 1))
    Image.fromarray(color).convert("CMYK").save(tmp_path / "0.jpg", quality=95)
    np.testing.assert_allclose(open_capture(tmp_path).image(0), color / 255, atol=0.03)


def test_no_masks_says_what_to_give(clip):
    capture = open_capture(clip(masks=False))
    with pytest.raises(
        InputError,
        match=r"no object masks; expected .*<frame>\.png.*<object>/<frame>\.png.*00000.*--masks",
    ):
        require_masks(capture)


def test_lady_running_says_what_to_give(real_capture):
    capture = open_capture(real_capture("lady-running"), frames="0:2")
    assert describe(capture).missing["dreamscene4d"] == ("object masks (--masks DIR)",)
    with pytest.raises(InputError, match=r"lady-running: this capture has no object masks"):
        require_masks(capture)


@pytest.mark.parametrize("name", ["", "absent"])
def test_nothing_there(tmp_path, name):
    with pytest.raises(InputError, match=r"no known layout|no such file or folder"):
        open_capture(tmp_path / name)


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_of_masks_that_holds_none(clip, tmp_path, make):
    if make:
        (tmp_path / "m").mkdir()
    with pytest.raises(InputError, match=r"masks; expected one PNG per frame|holds no masks"):
        open_capture(clip(), masks=tmp_path / "m")


@pytest.mark.parametrize("text", ["a:b", "1:2:3:4", "-3:", "::0", "", "1.5"])
def test_selections_that_are_none(clip, text):
    with pytest.raises(UsageError, match=r"cannot read the selection.*a:b:step"):
        open_capture(clip(), frames=text)


@pytest.mark.parametrize("options", [{"max_size": 0}, {"fps": 0.0}, {"fps": float("nan")}])
def test_options_without_a_meaning(clip, options):
    with pytest.raises(UsageError):
        open_capture(clip(), **options)


def test_full_disk_while_a_capture_is_written(small_disk):
    image = np.random.default_rng(0).random((200, 200, 3), dtype=np.float32)
    view = FilmedView(images=[torch.from_numpy(image)])
    with pytest.raises(OutputError, match=r"small/c: cannot write: no space left.*Free some space"):
        write_capture(small_disk / "c", {"main": view}, fps=1)
    assert list(small_disk.iterdir()) == []


def test_full_disk_while_a_video_is_decoded(small_disk, real_capture, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    with pytest.raises(OutputError, match=r"small: cannot write: no space left"):
        open_capture(real_capture("sv4d_gear"))
