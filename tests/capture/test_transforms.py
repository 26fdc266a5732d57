"""transforms.json: OpenGL poses become OpenCV ones, and the rest of the file is kept to."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from fourfold.capture import open_capture
from fourfold.errors import InputError
from fourfold.geometry import project_points

IDENTITY = np.eye(4).tolist()
WIDTH, HEIGHT = 8, 6


def _write(folder, save, frames, name="transforms.json", alpha=False, **shared):
    for frame in frames:
        pixels = np.full((HEIGHT, WIDTH, 4 if alpha else 3), 100, np.uint8)
        if alpha:
            pixels[..., 3] = 255
            pixels[:2, :, 3] = 0
        path = folder / frame["file_path"]
        save(path if path.suffix else path.with_suffix(".png"), pixels)
    (folder / name).write_text(json.dumps({**shared, "frames": frames}))
    return folder


def test_the_opengl_identity_looks_along_minus_z_with_y_up(tmp_path, save):
    frames = [{"file_path": "./train/r_0", "transform_matrix": IDENTITY, "time": 0.0}]
    angle = 2 * math.atan(0.5)
    camera = open_capture(_write(tmp_path, save, frames, camera_angle_x=angle)).camera(0)
    assert camera is not None
    assert camera.camera_from_world.tolist() == np.diag([1.0, -1.0, -1.0, 1.0]).tolist()
    assert camera.forward.tolist() == [0, 0, -1]
    # tan of half the angle is 1/2, so the focal length is the width; the axis is in the middle
    expected = torch.tensor([[8.0, 0, 4], [0, 8, 3], [0, 0, 1]])
    torch.testing.assert_close(camera.intrinsics, expected)
    # one to the right, one up, two ahead of an OpenGL camera
    pixels, depth = project_points(camera, torch.tensor([[1.0, 1.0, -2.0]]))
    torch.testing.assert_close(pixels, torch.tensor([[4 + 8 / 2, 3 - 8 / 2]]))
    torch.testing.assert_close(depth, torch.tensor([2.0]))


def test_a_moved_and_turned_camera(tmp_path, save):
    # at (5, 0, 0), turned by 90 degrees about y: it looks along -x
    pose = [[0, 0, 1, 5], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]
    frames = [{"file_path": "a.png", "transform_matrix": pose}]
    camera = open_capture(_write(tmp_path, save, frames, fl_x=10)).camera(0)
    assert camera is not None
    torch.testing.assert_close(camera.position, torch.tensor([5.0, 0, 0]))
    torch.testing.assert_close(camera.forward, torch.tensor([-1.0, 0, 0]))


def test_intrinsics_of_frame_and_file_in_the_pixels_they_are_given_for(tmp_path, save):
    frames = [
        {"file_path": "a.png", "transform_matrix": IDENTITY},
        {"file_path": "b.png", "transform_matrix": IDENTITY, "fl_x": 40, "fl_y": 44},
    ]
    _write(tmp_path, save, frames, fl_x=20, fl_y=22, cx=7, cy=5, w=16, h=12)
    capture = open_capture(tmp_path)
    # the file is about 16x12 pixels, the pictures have 8x6
    first, second = capture.camera(0), capture.camera(1)
    assert first is not None
    assert second is not None
    torch.testing.assert_close(
        first.intrinsics, torch.tensor([[10.0, 0, 3.5], [0, 11, 2.5], [0, 0, 1]])
    )
    assert second.focal == (20, 22)


def test_intrinsics_follow_the_working_size(tmp_path, save):
    frames = [{"file_path": "a.png", "transform_matrix": IDENTITY}]
    camera = open_capture(_write(tmp_path, save, frames, fl_x=8, fl_y=8), max_size=4).camera(0)
    assert camera is not None
    assert (camera.width, camera.height, camera.focal) == (4, 3, (4, 4))


def test_frames_are_in_the_order_of_their_times(tmp_path, save):
    frames = [
        {"file_path": f"r_{i}", "transform_matrix": IDENTITY, "time": time}
        for i, time in enumerate((1.0, 0.0, 0.25))
    ]
    _write(tmp_path, save, frames, "transforms_train.json", camera_angle_x=1.0)
    capture = open_capture(tmp_path, fps=2)
    assert capture.frames == ("r_1", "r_2", "r_0")
    # three frames at 2 per second last a second
    np.testing.assert_allclose(capture.timestamps, [0, 0.25, 1])


def test_times_beyond_one_are_seconds(tmp_path, save):
    frames = [
        {"file_path": f"{i}.png", "transform_matrix": IDENTITY, "time": 2.0 + i / 2}
        for i in range(3)
    ]
    capture = open_capture(_write(tmp_path, save, frames, fl_x=8))
    np.testing.assert_allclose(capture.timestamps, [0, 0.5, 1])


def test_alpha_is_the_mask(tmp_path, save):
    frames = [{"file_path": "a.png", "transform_matrix": IDENTITY}]
    capture = open_capture(_write(tmp_path, save, frames, alpha=True, fl_x=8))
    np.testing.assert_array_equal(capture.masks(0)[0, :, 0], [0, 0, 1, 1, 1, 1])
    assert capture.image(0)[0, 0].tolist() == [1, 1, 1]


def test_masks_and_depth_that_the_file_names(tmp_path, save):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :3] = 255
    save(tmp_path / "masks" / "a.png", mask)
    save(tmp_path / "depth" / "a.png", np.full((HEIGHT, WIDTH), 3000, np.uint16))
    extra = {"mask_path": "masks/a.png", "depth_file_path": "depth/a.png"}
    frames = [{"file_path": "i/a.png", "transform_matrix": IDENTITY, **extra}]
    capture = open_capture(_write(tmp_path, save, frames, fl_x=8))
    assert capture.areas.tolist() == [[18]]
    depth = capture.depth(0)
    assert depth is not None
    assert (depth == 3.0).all()


def test_masks_that_are_not_there(tmp_path, save):
    frames = [{"file_path": "a.png", "transform_matrix": IDENTITY, "mask_path": "m/a.png"}]
    with pytest.raises(InputError, match=r"m/a\.png, frame a: there is no file for the mask_path"):
        open_capture(_write(tmp_path, save, frames, fl_x=8))


def test_a_distorted_picture_is_straightened(tmp_path, save):
    frames = [{"file_path": "a.png", "transform_matrix": IDENTITY}]
    _write(tmp_path, save, frames, fl_x=40, cx=20, cy=15, k1=0.3)
    grid = np.zeros((30, 40, 3), np.uint8)
    # where the ideal camera sees the point x/z = 0.4 the lens saw it at 0.4 (1 + 0.3 * 0.16)
    seen = round(20 - 0.5 + 40 * 0.4 * (1 + 0.3 * 0.16))
    grid[:, seen] = 255
    save(tmp_path / "a.png", grid)
    capture = open_capture(tmp_path)
    camera = capture.camera(0)
    assert camera is not None
    assert camera.distortion is None
    row = capture.image(0)[15, :, 0]
    assert abs(int(row.argmax()) + 0.5 - (20 + 40 * 0.4)) <= 1
    assert row.max() > 0.3


@pytest.mark.parametrize(
    ("frames", "shared", "message"),
    [
        ([], {"fl_x": 8}, "no list of frames"),
        ([{"transform_matrix": IDENTITY}], {"fl_x": 8}, "a frame has no file_path"),
        (
            [{"file_path": "x.png", "transform_matrix": IDENTITY}],
            {"fl_x": 8},
            r"frame x: 1 of 1 frames that it lists have no picture; expected a picture at x\.png",
        ),
    ],
)
def test_broken_files(tmp_path, frames, shared, message):
    (tmp_path / "transforms.json").write_text(json.dumps({**shared, "frames": frames}))
    with pytest.raises(InputError, match=message):
        open_capture(tmp_path)


@pytest.mark.parametrize(
    ("pose", "shared", "message"),
    [
        (IDENTITY, {}, "focal length is not given; expected fl_x"),
        (IDENTITY, {"fl_x": 8, "camera_model": "OPENCV_FISHEYE"}, "lens model is OPENCV_FISHEYE"),
        ([[1, 0], [0, 1]], {"fl_x": 8}, "not a matrix"),
        (np.diag([2.0, 2, 2, 1]).tolist(), {"fl_x": 8}, "not a rotation and a translation"),
        (np.diag([1.0, 1, -1, 1]).tolist(), {"fl_x": 8}, "not a rotation and a translation"),
    ],
)
def test_cameras_that_are_none(tmp_path, save, pose, shared, message):
    frames = [{"file_path": "a.png", "transform_matrix": pose}]
    with pytest.raises(InputError, match=rf"transforms\.json, frame a: .*{message}"):
        open_capture(_write(tmp_path, save, frames, **shared))


def test_a_file_that_is_not_json(tmp_path):
    (tmp_path / "transforms.json").write_text("{frames: ")
    with pytest.raises(InputError, match=r"transforms\.json: not valid JSON \(line 1"):
        open_capture(tmp_path)


def test_a_camera_file_given_to_a_clip_pairs_by_name(tmp_path, clip):
    root = clip(frames=3)
    far = np.eye(4)
    far[2, 3] = 7
    entries = [
        {"file_path": "2.png", "transform_matrix": far.tolist()},
        *({"file_path": f"{t}.png", "transform_matrix": IDENTITY} for t in (0, 1)),
    ]
    file = tmp_path / "poses.json"
    file.write_text(json.dumps({"fl_x": 8, "frames": entries}))
    camera = open_capture(root, cameras=file).camera(2)
    assert camera is not None
    torch.testing.assert_close(camera.position, torch.tensor([0.0, 0, 7]))
    file.write_text(json.dumps({"fl_x": 8, "frames": entries[:2]}))
    with pytest.raises(InputError, match="frame 00001: 1 of 3 frames have no camera"):
        open_capture(root, cameras=file)


def test_mutant(real_capture):
    capture = open_capture(real_capture("dnerf_mutant_trainval"), max_size=200)
    assert (capture.num_frames, capture.width, capture.frames[0]) == (30, 200, "r_000")
    assert capture.channels == {"image", "mask", "camera"}
    for frame in (0, 17):
        camera, mask = capture.camera(frame), capture.masks(frame)[0]
        assert camera is not None
        # D-NeRF's cameras look at the figure in the origin
        pixels, depth = project_points(camera, torch.zeros(1, 3))
        x, y = pixels[0].int().tolist()
        assert mask[y, x]
        assert 3.5 < depth < 4.5
        assert capture.image(frame)[0, 0].tolist() == [1, 1, 1]
    held_out = open_capture(real_capture("dnerf_mutant_trainval") / "transforms_val.json")
    assert held_out.num_frames == 5


def test_fox(real_capture):
    capture = open_capture(real_capture("fox"))
    assert (capture.num_frames, capture.width, capture.height) == (13, 405, 720)
    assert "gaps" in capture.notes[0]
