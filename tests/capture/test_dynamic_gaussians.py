"""Dynamic 3D Gaussians folders: many cameras, paired by camera and frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from fourfold.capture import open_capture
from fourfold.errors import InputError, UsageError


def _write(root, save, cameras=("3", "7"), frames=2, name="train_meta.json"):
    """The picture of camera c at t is grey 10 c + t; the camera stands at x = c."""
    poses = []
    for camera in cameras:
        pose = np.eye(4)
        pose[0, 3] = -float(camera)
        poses.append(pose.tolist())
        for t in range(frames):
            grey = np.full((6, 8, 3), 10 * int(camera) + t, np.uint8)
            save(root / "ims" / camera / f"{t:06d}.png", grey)
    k = [[10.0, 0, 4], [0, 12, 3], [0, 0, 1]]
    meta = {
        "w": 8,
        "h": 6,
        "k": [[k for _ in cameras] for _ in range(frames)],
        "w2c": [poses for _ in range(frames)],
        "fn": [[f"{camera}/{t:06d}.png" for camera in cameras] for t in range(frames)],
        "cam_id": [[int(camera) for camera in cameras] for _ in range(frames)],
    }
    (root / name).write_text(json.dumps(meta))
    return root


def test_views_frames_and_cameras(tmp_path, save):
    _write(tmp_path, save)
    _write(tmp_path, save, ("1",), name="test_meta.json")
    capture = open_capture(tmp_path, frames="1:2", max_size=4)
    assert capture.views == ("3", "7", "1")
    assert capture.held_out_views == ("1",)
    assert capture.poses_from == "train_meta.json, test_meta.json, camera from world (w2c)"
    assert capture.frames == ("000001",)
    for view, name in enumerate(capture.views):
        camera = capture.camera(0, view)
        assert camera is not None
        torch.testing.assert_close(camera.position, torch.tensor([float(name), 0, 0]))
        assert camera.focal == (5, 6)
        grey = (10 * int(name) + 1) / 255
        assert capture.image(0, view).mean().item() == pytest.approx(grey, abs=1e-6)


def test_cameras_are_chosen(tmp_path, save):
    _write(tmp_path, save)
    _write(tmp_path, save, ("1",), name="test_meta.json")
    own = open_capture(tmp_path)
    assert (own.train_views, own.held_out_views) == (("3", "7"), ("1",))
    other = open_capture(tmp_path, test_cameras="3", train_cameras="1")
    assert (other.views, other.train_views, other.held_out_views) == (own.views, ("1",), ("3",))
    # another choice is another input
    assert other.fingerprint() != own.fingerprint()
    with pytest.raises(UsageError, match="names 8, which is no camera"):
        open_capture(tmp_path, test_cameras="8")


def test_masks_of_some_views(tmp_path, save):
    _write(tmp_path, save)
    for t in range(2):
        mask = np.zeros((6, 8), bool)
        mask[: t + 1] = True
        save(tmp_path / "seg" / "3" / f"{t:06d}.png", mask)
    capture = open_capture(tmp_path)
    assert capture.areas.tolist() == [[8], [16]]
    with pytest.raises(InputError, match="frame 000000: the view 7 has no masks"):
        capture.masks(0, 1)


def test_a_picture_of_another_size_than_the_meta_file_says(tmp_path, save):
    _write(tmp_path, save)
    save(tmp_path / "ims" / "7" / "000001.png", np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(InputError, match=r"7/000001\.png, frame 000001: the picture is 4x3"):
        open_capture(tmp_path)


def test_a_meta_file_whose_lists_do_not_fit(tmp_path, save):
    file = _write(tmp_path, save) / "train_meta.json"
    meta = json.loads(file.read_text())
    meta["k"][0].pop()
    file.write_text(json.dumps(meta))
    with pytest.raises(InputError, match="the lists do not fit together"):
        open_capture(tmp_path)


def test_options_for_one_view_are_refused(tmp_path, save):
    _write(tmp_path, save)
    with pytest.raises(UsageError, match="to one view, not to 2"):
        open_capture(tmp_path, masks=tmp_path)


def test_basketball(real_capture):
    capture = open_capture(real_capture("panoptic_basketball_a"))
    assert (len(capture.views), capture.num_frames) == (31, 13)
    assert set(capture.held_out_views) == {"0", "10", "15", "30"}
    assert (capture.width, capture.height) == (640, 360)
    assert capture.masks(3, capture.views.index("29")).any()
    # the dome's cameras look at its middle
    cameras = [capture.camera(0, view) for view in range(31)]
    middle = torch.stack([c.position for c in cameras if c is not None]).mean(0)
    for camera in cameras:
        assert camera is not None
        assert (middle - camera.position) @ camera.forward > 0
