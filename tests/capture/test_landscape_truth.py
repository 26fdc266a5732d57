"""The truth of a synthetic photo is read, scaled, and refused where it is damaged."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import LandscapeTruth, open_capture
from fourfold.errors import InputError

# 4x2 pixels: the sky above, water below that moves by (2, 1) pixels
DEPTH = np.array([[0, 0, 0, 0], [2, 2, 4, 4]], np.float32)
MOTION = np.stack((np.where(DEPTH > 0, 2.0, 0.5), np.where(DEPTH > 0, 1.0, 0.0)), -1)
FLOW = np.where(DEPTH[..., None] > 0, np.array([0.1, 0.0, -0.2]), 0.0)
INTRINSICS = [[4.0, 0.0, 2.0], [0.0, 4.0, 1.0], [0.0, 0.0, 1.0]]


@pytest.fixture
def folder(tmp_path):
    truth = tmp_path / "truth"
    (truth / "masks").mkdir(parents=True)
    (truth / "views" / "left").mkdir(parents=True)
    Image.fromarray(np.full((2, 4, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    shape = {"label": "motion_river", "points": [[0, 1], [4, 1], [4, 2], [0, 2]]}
    drawing = {"shapes": [{**shape, "shape_type": "polygon"}], "imagePath": "photo.png"}
    (tmp_path / "photo.json").write_text(json.dumps(drawing))
    pose = np.eye(4).tolist()
    own = {"intrinsics": INTRINSICS, "camera_from_world": {"main": {"photo": pose}}}
    (tmp_path / "cameras.json").write_text(json.dumps(own))
    for name, mask in (("sky", DEPTH == 0), ("river", DEPTH > 0)):
        Image.fromarray(mask.astype(np.uint8) * 255).save(truth / "masks" / f"{name}.png")
    np.savez(truth / "depth.npz", depth=DEPTH.astype(np.float16))
    np.savez(truth / "motion.npz", motion=MOTION, scene_flow=FLOW)
    pose[0][3] = 0.25
    cameras = {
        "photo": {"camera_from_world": np.eye(4).tolist(), "intrinsics": INTRINSICS},
        "left": {"camera_from_world": pose, "intrinsics": INTRINSICS},
    }
    head = {
        "format": "fourfold-landscape-truth",
        "version": 1,
        "width": 4,
        "height": 2,
        "up": [0.0, -1.0, 0.0],
        "regions": ["river", "sky"],
        "times": [0.0, 8.0],
        "cameras": cameras,
    }
    (truth / "landscape.json").write_text(json.dumps(head))
    for time, value in ((0, 30), (8, 60)):
        picture = Image.fromarray(np.full((2, 4, 3), value, np.uint8))
        picture.save(truth / "views" / "left" / f"{time:03d}.png")
    np.savez(truth / "views" / "left" / "depth.npz", depth=DEPTH + 1)
    return tmp_path


def truth_of(folder, max_size=None) -> LandscapeTruth:
    truth = open_capture(folder, max_size=max_size).landscape_truth
    assert truth is not None
    return truth


def test_maps_are_read(folder):
    truth = truth_of(folder)
    inf = float("inf")
    assert truth.depth().tolist() == [[inf] * 4, [2.0, 2.0, 4.0, 4.0]]
    assert truth.sky().tolist() == [[True] * 4, [False] * 4]
    assert truth.motion()[1, 0].tolist() == [2.0, 1.0]
    torch.testing.assert_close(truth.scene_flow()[1, 3], torch.tensor([0.1, 0.0, -0.2]))
    assert truth.up.tolist() == [0.0, -1.0, 0.0]
    assert list(truth.regions()) == ["river", "sky"]
    assert truth.regions()["river"].sum() == 4


def test_views_are_listed_by_time_without_the_photo_itself(folder):
    views = truth_of(folder).views()
    assert [(view.name, view.time) for view in views] == [("left", 0.0), ("left", 8.0)]
    assert views[0].camera.camera_from_world[0, 3] == 0.25
    assert views[1].image()[0, 0].tolist() == pytest.approx([60 / 255] * 3)
    depth = views[1].depth()
    assert depth is not None
    assert depth[1].tolist() == [3.0, 3.0, 5.0, 5.0]
    (folder / "truth" / "views" / "left" / "depth.npz").unlink()
    assert truth_of(folder).views()[0].depth() is None


def test_all_is_scaled_to_the_working_size(folder):
    truth = truth_of(folder, 2)
    assert truth.depth().tolist() == [[2.0, 4.0]]
    assert truth.motion().tolist() == [[[1.0, 0.5], [1.0, 0.5]]]
    view = truth.views()[0]
    assert (view.camera.width, view.camera.height) == (2, 1)
    assert view.camera.focal == (2.0, 2.0)
    assert view.image().shape == (1, 2, 3)
    depth = view.depth()
    assert depth is not None
    assert depth.tolist() == [[3.0, 5.0]]


def test_the_photo_has_the_camera_beside_it(folder):
    capture = open_capture(folder)
    camera = capture.camera(0)
    assert camera is not None
    assert camera.focal == (4.0, 4.0)
    assert not any("field of view" in note for note in capture.notes)
    assert capture.truth is None


def test_a_photo_without_truth_has_none(folder):
    (folder / "truth" / "landscape.json").unlink()
    assert open_capture(folder).landscape_truth is None


def test_damaged_truth_is_named(folder):
    truth = folder / "truth"
    (truth / "depth.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"depth\.npz"):
        truth_of(folder).depth()
    np.savez(truth / "motion.npz", motion=MOTION)
    with pytest.raises(InputError, match="scene_flow"):
        truth_of(folder).scene_flow()
    np.savez(truth / "motion.npz", motion=MOTION[..., :1], scene_flow=FLOW)
    with pytest.raises(InputError, match="shape"):
        truth_of(folder).motion()
    (truth / "landscape.json").write_text('{"format": "fourfold-landscape-truth", "version": 9}')
    with pytest.raises(InputError, match="version"):
        _ = truth_of(folder).up
