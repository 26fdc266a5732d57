"""Footage on disk: what is stored, once, after a crash, and its statistics over time."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch

from fourfold.capture import open_capture
from fourfold.capture.frame_store import FrameStore
from fourfold.capture.frame_storing import store_frames
from fourfold.errors import InputError, OutputError

FRAMES = 3


@pytest.fixture
def rig(tmp_path, save):
    """Two cameras of 8x6 pixels in a folder of Dynamic 3D Gaussians; random pictures."""
    random = np.random.default_rng(0)
    for camera in ("0", "1"):
        for t in range(FRAMES):
            picture = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            save(tmp_path / "rig" / "ims" / camera / f"{t}.png", picture)
    k = [[10.0, 0, 4], [0, 10, 3], [0, 0, 1]]
    meta = {
        "w": 8,
        "h": 6,
        "k": [[k, k]] * FRAMES,
        "w2c": [[np.eye(4).tolist()] * 2] * FRAMES,
        "fn": [[f"{camera}/{t}.png" for camera in "01"] for t in range(FRAMES)],
        "cam_id": [[0, 1]] * FRAMES,
    }
    (tmp_path / "rig" / "train_meta.json").write_text(json.dumps(meta))
    return tmp_path / "rig"


def test_frames_are_stored_as_they_are(rig, tmp_path):
    capture = open_capture(rig)
    said, steps = [], []
    store = store_frames(
        capture, tmp_path / "out", say=said.append, progress=lambda *step: steps.append(step)
    )
    assert (store.views, store.num_frames, store.sizes) == (("0", "1"), FRAMES, ((8, 6), (8, 6)))
    for view in range(2):
        for frame in range(FRAMES):
            stored = torch.from_numpy(store.image(frame, view).copy())
            torch.testing.assert_close(stored / 255, capture.image(frame, view))
    (line,) = said
    assert "2 cameras x 3 frames of 8x6 pixels take 0.0 MB of disk" in line
    assert steps == [(i, 6) for i in range(1, 7)]
    # mapped, so that they are not in the process's own memory
    base = store.pixels[0]
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_single_pixels(rig, tmp_path):
    store = store_frames(open_capture(rig), tmp_path / "out")
    views, frames = torch.tensor([1, 0, 1]), torch.tensor([2, 0, 0])
    x, y = torch.tensor([7, 0, 3]), torch.tensor([5, 1, 2])
    found = store.colors(views, frames, x, y)
    expected = [store.image(2, 1)[5, 7], store.image(0, 0)[1, 0], store.image(0, 1)[2, 3]]
    assert (found * 255).round().tolist() == [color.tolist() for color in expected]


def test_a_second_call_decodes_nothing(rig, tmp_path, monkeypatch):
    store_frames(open_capture(rig), tmp_path / "out")
    capture = open_capture(rig)
    monkeypatch.setattr(capture, "image", None)
    said = []
    store = store_frames(capture, tmp_path / "out", say=said.append)
    assert (store.num_frames, said) == (FRAMES, [])


def test_a_crash_in_the_middle_is_gone_on_from(rig, tmp_path, monkeypatch):
    capture = open_capture(rig)
    read = capture.image

    def crash(frame, view):
        if (frame, view) == (1, 1):
            raise RuntimeError("power cut")
        return read(frame, view)

    monkeypatch.setattr(capture, "image", crash)
    with pytest.raises(RuntimeError, match="power cut"):
        store_frames(capture, tmp_path / "out")
    decoded = []

    def count(frame, view):
        decoded.append((frame, view))
        return read(frame, view)

    monkeypatch.setattr(capture, "image", count)
    store = store_frames(capture, tmp_path / "out")
    assert sorted(decoded) == [(frame, 1) for frame in range(FRAMES)]
    stored = torch.from_numpy(store.image(2, 1).copy())
    torch.testing.assert_close(stored / 255, read(2, 1))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "000.npy",
        "001.npy",
        "frames.json",
    ]


def test_only_the_frames_that_are_asked_for_are_decoded(rig, tmp_path, monkeypatch):
    capture = open_capture(rig)
    read, decoded, said = capture.image, [], []

    def count(frame, view):
        decoded.append((frame, view))
        return read(frame, view)

    monkeypatch.setattr(capture, "image", count)
    store = store_frames(capture, tmp_path / "out", frames=[2], say=said.append)
    assert sorted(decoded) == [(2, 0), (2, 1)]
    assert "2 cameras x 1 frames" in said[0]
    assert store.num_frames == 1
    stored = torch.from_numpy(store.image(0, 1).copy())
    torch.testing.assert_close(stored / 255, read(2, 1))
    # other frames of the same number are not taken for these, nor are all
    store = store_frames(capture, tmp_path / "out", frames=[0])
    stored = torch.from_numpy(store.image(0, 1).copy())
    torch.testing.assert_close(stored / 255, read(0, 1))
    assert store_frames(capture, tmp_path / "out").num_frames == FRAMES


def test_nothing_half_written_of_other_footage_stays(rig, tmp_path, save):
    store_frames(open_capture(rig), tmp_path / "out")
    (tmp_path / "out" / ".007.npy.new").write_bytes(b"half")
    save(rig / "ims" / "1" / "0.png", np.full((6, 8, 3), 77, np.uint8))
    store_frames(open_capture(rig), tmp_path / "out")
    assert not (tmp_path / "out" / ".007.npy.new").exists()


def test_other_footage_takes_the_place(rig, tmp_path, save):
    store_frames(open_capture(rig), tmp_path / "out")
    save(rig / "ims" / "1" / "0.png", np.full((6, 8, 3), 77, np.uint8))
    store = store_frames(open_capture(rig), tmp_path / "out")
    assert np.all(store.image(0, 1) == 77)


def test_frames_that_are_one_file_are_stored_once(rig, tmp_path):
    for t in range(1, FRAMES):
        (rig / "ims" / "0" / f"{t}.png").unlink()
        os.link(rig / "ims" / "0" / "0.png", rig / "ims" / "0" / f"{t}.png")
    (rig / "ims" / "1" / "2.png").unlink()
    (rig / "ims" / "1" / "2.png").symlink_to(rig / "ims" / "1" / "0.png")
    store = store_frames(open_capture(rig), tmp_path / "out")
    assert [len(pixels) for pixels in store.pixels] == [1, 2]
    assert [order.tolist() for order in store.order] == [[0, 0, 0], [0, 1, 0]]
    assert store.deviation(0).max() == 0


def test_a_full_disk_is_refused_before_anything_is_written(rig, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(1, 1, 100))
    message = r"2 cameras x 3 frames of 8x6 .*, and 0\.0 MB are free\. Write to another disk"
    with pytest.raises(OutputError, match=message):
        store_frames(open_capture(rig), tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["frames.json"]


def test_a_damaged_frame_is_named(rig, tmp_path):
    capture = open_capture(rig)
    file = rig / "ims" / "1" / "2.png"
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(InputError, match=r"1/2\.png, frame 2: the picture is damaged"):
        store_frames(capture, tmp_path / "out")


def test_statistics_by_hand():
    # one pixel, four frames: 10, 20, 30, 30 in red; 0, 0, 0, 100 in green; 7 in blue
    values = np.array([[10, 0, 7], [20, 0, 7], [30, 0, 7], [30, 100, 7]], np.uint8)
    store = FrameStore(("a",), 4, (values[:, None, None],), (np.arange(4),))
    np.testing.assert_allclose(store.mean(0)[0, 0] * 255, [22.5, 25, 7], rtol=1e-6)
    assert store.median(0)[0, 0].tolist() == [25, 0, 7]
    # red: sqrt(275 / 4), green: sqrt(3 x 625 + 5625) / 2
    expected = (np.sqrt(68.75) + np.sqrt(1875) + 0) / 3 / 255
    np.testing.assert_allclose(store.deviation(0), [[expected]], rtol=1e-6)


def test_statistics_in_blocks(rig, tmp_path, monkeypatch):
    store = store_frames(open_capture(rig), tmp_path / "out")
    frames = np.stack([store.image(t, 1) for t in range(FRAMES)]) / 255
    monkeypatch.setattr("fourfold.capture.frame_store._BLOCK", 4 * FRAMES * 8 * 3)
    np.testing.assert_allclose(store.mean(1), frames.mean(0), atol=1e-6)
    np.testing.assert_array_equal(store.median(1), np.round(np.median(frames * 255, 0)))
    np.testing.assert_allclose(store.deviation(1), frames.std(0).mean(2), atol=1e-6)


def test_a_long_clip_has_the_median_of_64_frames():
    # red counts up: of 0, 4, 8, ... 252, the middle two are 124 and 128; green is odd for once
    values = np.zeros((253, 1, 1, 3), np.uint8)
    values[:, 0, 0, 0] = np.arange(253)
    values[3, 0, 0, 1] = 9
    store = FrameStore(("a",), 253, (values,), (np.arange(253),))
    assert store.median(0)[0, 0].tolist() == [126, 0, 0]


def test_a_median_is_rounded_and_computed_once():
    # the middle of 1 and 2, of 2 and 3, of 7 and 7
    values = np.array([[1, 2, 7], [2, 3, 7]], np.uint8)
    store = FrameStore(("a", "b"), 2, (values[:, None, None],) * 2, (np.arange(2),) * 2)
    median = store.median(1)
    assert median[0, 0].tolist() == [2, 2, 7]
    assert store.median(1) is median
    assert store.median(0) is not median
