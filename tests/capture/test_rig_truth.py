"""The truth of a synthetic rig is read by view and frame, scaled, and refused where damaged."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import RigTruth, open_capture
from fourfold.errors import InputError

# 4x2 pixels, millimetres; the right half moves
DEPTH = np.array([[1000, 1000, 2500, 0], [1000, 1000, 2500, 2500]], np.uint16)
MOVING = np.array([[0, 0, 255, 255], [0, 0, 255, 255]], np.uint8)


@pytest.fixture
def folder(tmp_path):
    for k, camera in enumerate(("cam00", "cam01")):
        for frame in range(3):
            _save(np.full((2, 4, 3), 60, np.uint8), tmp_path / "frames" / camera / f"{frame:04d}")
            mask = MOVING if frame == k else np.zeros_like(MOVING)
            place = tmp_path / "truth" / "moving" / camera / f"{frame:04d}"
            _save(Image.fromarray(mask).convert("1"), place)
    _save(DEPTH, tmp_path / "truth" / "depth" / "cam01" / "0001")
    head = {
        "format": "fourfold-rig-truth",
        "version": 1,
        "width": 4,
        "height": 2,
        "fps": 15.0,
        "depth_unit": 0.001,
        "moving": ["ball"],
        "held_out": "cam00",
        "few": ["cam01"],
    }
    (tmp_path / "truth" / "rig.json").write_text(json.dumps(head))
    return tmp_path


def _save(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    picture.save(path.with_suffix(".png"))


def truth_of(folder, **options) -> RigTruth:
    truth = open_capture(folder, **options).rig_truth
    assert truth is not None
    return truth


def test_depth_is_of_the_view_and_frame(folder):
    depth = truth_of(folder).depth(1, 1)
    assert depth is not None
    torch.testing.assert_close(depth[0, :3], torch.tensor([1.0, 1.0, 2.5]))
    assert depth.isnan().tolist() == [[False, False, False, True], [False] * 4]
    assert truth_of(folder).depth(0, 1) is None
    assert truth_of(folder).depth(1, 0) is None


def test_what_moves_is_of_the_view_and_frame(folder):
    truth = truth_of(folder)
    for view in range(2):
        for frame in range(3):
            moving = truth.moving(frame, view)
            assert moving is not None
            assert moving.tolist() == [[False, False, *[frame == view] * 2]] * 2


def test_selected_frames_are_counted(folder):
    truth = truth_of(folder, frames="1:3")
    assert truth.depth(0, 1) is not None
    moving = truth.moving(0, 1)
    assert moving is not None
    assert moving.any()


def test_it_is_scaled_to_the_working_size(folder):
    truth = truth_of(folder, max_size=2)
    depth, moving = truth.depth(1, 1), truth.moving(1, 1)
    assert depth is not None
    assert moving is not None
    assert depth.tolist() == [[1.0, 2.5]]
    assert moving.tolist() == [[False, True]]


def test_it_names_cameras_and_objects(folder):
    truth = truth_of(folder)
    assert (truth.few, truth.moving_objects, truth.fps) == (("cam01",), ("ball",), 15.0)


def test_only_a_rig_has_it(folder):
    capture = open_capture(folder)
    assert capture.truth is None
    assert capture.landscape_truth is None
    (folder / "truth" / "rig.json").unlink()
    assert open_capture(folder).rig_truth is None


def test_damaged_truth_is_named(folder):
    truth = folder / "truth"
    (truth / "depth" / "cam01" / "0001.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"0001\.png"):
        truth_of(folder).depth(1, 1)
    head = json.loads((truth / "rig.json").read_text())
    (truth / "rig.json").write_text(json.dumps({**head, "version": 9}))
    with pytest.raises(InputError, match="version"):
        _ = truth_of(folder).few
    del head["few"]
    (truth / "rig.json").write_text(json.dumps(head))
    with pytest.raises(InputError, match="few"):
        _ = truth_of(folder).few
