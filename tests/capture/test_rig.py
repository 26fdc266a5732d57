"""Rigs: folders and videos of many cameras with poses_bounds.npy, and all that can be wrong."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from fourfold.capture import open_capture, store_frames
from fourfold.errors import InputError, UsageError
from tests.capture.rigs import HEIGHT, WIDTH, picture, pose, rows, write_rig
from tests.capture.test_video_frames import write_greys

CAMERAS = ("cam00", "cam01", "cam02", "cam03")


def _world_from_camera(capture, view):
    camera = capture.camera(0, view)
    assert camera is not None
    return camera.world_from_camera.numpy()


def test_a_rig_of_pictures(tmp_path):
    capture = open_capture(write_rig(tmp_path))
    assert (capture.layout, capture.views) == ("rig", CAMERAS)
    assert (capture.held_out_views, capture.train_views) == (("cam00",), CAMERAS[1:])
    assert capture.frames == ("0001", "0002", "0003")
    assert (capture.fps, capture.fps_assumed) == (30, True)
    assert capture.poses_from == "poses_bounds.npy, columns down, right, back (LLFF's)"
    assert (capture.bounds(2), capture.notes) == ((2, 8), ())
    for view in range(4):
        np.testing.assert_allclose(_world_from_camera(capture, view), pose(view), atol=1e-6)
    expected = np.clip(picture(2).astype(float) + 1, 0, 255) / 255
    np.testing.assert_allclose(capture.image(1, 2), expected, atol=1e-6)


def test_the_focal_length_follows_the_size(tmp_path):
    # pictures at half of the size that the file is for, shrunk by half again
    poses = rows()
    poses[:, [4, 9, 14]] *= 2
    capture = open_capture(write_rig(tmp_path, poses=poses), max_size=WIDTH // 2)
    camera = capture.camera(0, 1)
    assert camera is not None
    expected = [[75.0, 0, WIDTH / 4], [0, 75, HEIGHT / 4], [0, 0, 1]]
    torch.testing.assert_close(camera.intrinsics, torch.tensor(expected))
    assert capture.image(0, 1).shape == (HEIGHT // 2, WIDTH // 2, 3)


@pytest.mark.parametrize(
    ("columns", "axes"),
    [
        ("nerf", "right, up, back (NeRF's)"),
        ("opencv", "right, down, forward (OpenCV's)"),
        ("flipped", "up, right, back"),
    ],
)
def test_the_pictures_tell_the_order_of_the_columns(tmp_path, columns, axes):
    capture = open_capture(write_rig(tmp_path, poses=rows(columns=columns)))
    (said,) = capture.notes
    assert said.endswith(f"are {axes}, as the pictures say")
    assert capture.poses_from == f"poses_bounds.npy, columns {axes}"
    np.testing.assert_allclose(_world_from_camera(capture, 3), pose(3), atol=1e-6)


def test_a_mirrored_world_is_set_right(tmp_path):
    capture = open_capture(write_rig(tmp_path, poses=rows(columns="mirrored")))
    assert "of a mirrored world, as the pictures say" in capture.notes[0]
    # what is measured between cameras is as it was
    found = [_world_from_camera(capture, view) for view in range(4)]
    for a, b in ((0, 1), (2, 3)):
        expected = np.linalg.inv(pose(a)) @ pose(b)
        np.testing.assert_allclose(np.linalg.inv(found[a]) @ found[b], expected, atol=1e-5)


def test_flat_pictures_do_not_tell(tmp_path):
    write_rig(tmp_path)
    for file in (tmp_path / "frames").glob("*/*.png"):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(file)
    capture = open_capture(tmp_path)
    assert "assumed: down, right, back (LLFF's)" in capture.notes[0]
    np.save(tmp_path / "poses_bounds.npy", rows(columns="mirrored"))
    with pytest.raises(InputError, match=r"mirrored \(their determinant is -1\), and the pictures"):
        open_capture(tmp_path)


def test_names_are_ordered_by_their_numbers(tmp_path):
    cameras = ("cam2", "cam10", "cam9")
    order = [0, 2, 1]
    write_rig(tmp_path, cameras, ("8", "10", "9"), poses=rows(3)[order])
    capture = open_capture(tmp_path)
    assert (capture.views, capture.frames) == (("cam2", "cam9", "cam10"), ("8", "9", "10"))
    np.testing.assert_allclose(_world_from_camera(capture, 2), pose(1), atol=1e-6)
    assert capture.notes == ()
    # frame 10 was written second, one brighter than the first
    assert (capture.image(2, 0) - capture.image(0, 0)).mean() * 255 == pytest.approx(1, abs=0.1)


def test_the_folder_of_the_right_size_is_used(tmp_path):
    write_rig(tmp_path)
    for file in (tmp_path / "frames").glob("*/*.png"):
        small = tmp_path / "frames_2" / file.parent.name / file.name
        small.parent.mkdir(parents=True, exist_ok=True)
        Image.open(file).reduce(2).save(small)
    # what an interrupted preparation left
    (tmp_path / "frames_4" / "cam00").mkdir(parents=True)
    shutil.copy(small, tmp_path / "frames_4" / "cam00" / "0001.png")
    capture = open_capture(tmp_path, max_size=WIDTH // 2)
    assert capture.stored_size() == (WIDTH // 2, HEIGHT // 2)
    assert capture.notes == (
        "frames_4 is not used: it has 1 of 12 pictures",
        "of frames_2, frames, frames_2 is used",
    )
    assert open_capture(tmp_path).stored_size() == (WIDTH, HEIGHT)


def test_videos(tmp_path):
    write_rig(tmp_path)
    shutil.rmtree(tmp_path / "frames")
    for index in range(4):
        write_greys(
            tmp_path / "videos" / f"cam0{index}.mp4", [40 * index + 20 + t for t in range(6)]
        )
    poses = rows()
    poses[:, [4, 9, 14]] = 32, 48, 50
    np.save(tmp_path / "poses_bounds.npy", poses)
    capture = open_capture(tmp_path, frames="1:6:2", max_size=24)
    assert (capture.views, capture.frames) == (CAMERAS, ("00001", "00003", "00005"))
    assert (capture.fps, capture.fps_assumed) == (pytest.approx(5), False)
    assert capture.image(1, 2).shape == (16, 24, 3)
    assert capture.image(1, 2).mean().item() * 255 == pytest.approx(103, abs=2)
    store = store_frames(capture, tmp_path / "store")
    found = [[store.image(t, v).mean() for t in range(3)] for v in range(4)]
    expected = [[40 * v + 20 + t for t in (1, 3, 5)] for v in range(4)]
    np.testing.assert_allclose(found, expected, atol=2)


def test_a_shorter_video_and_a_dead_one(tmp_path):
    write_rig(tmp_path)
    shutil.rmtree(tmp_path / "frames")
    for index, length in enumerate((8, 8, 6)):
        write_greys(tmp_path / "videos" / f"cam0{index}.mp4", [20 * index + 9] * length)
    (tmp_path / "videos" / "cam03.mp4").write_bytes(b"")
    poses = rows()
    poses[:, [4, 9, 14]] = 32, 48, 50
    np.save(tmp_path / "poses_bounds.npy", poses)
    capture = open_capture(tmp_path)
    assert (capture.views, capture.num_frames) == (CAMERAS[:3], 6)
    assert capture.notes[:2] == (
        "camera cam03 is left out: it has no frame that can be read",
        "the cameras have 6 (cam02) to 8 frames; the 6 that all have are used",
    )


def test_videos_that_a_stopped_extraction_left_behind(tmp_path):
    write_rig(tmp_path, CAMERAS[:2], poses=rows())
    for index in range(4):
        write_greys(tmp_path / "videos" / f"cam0{index}.mp4", [9] * 4)
    poses = rows()
    poses[:, [4, 9, 14]] = 32, 48, 50
    np.save(tmp_path / "poses_bounds.npy", poses)
    capture = open_capture(tmp_path)
    assert capture.views == CAMERAS
    assert capture.notes[0] == "frames lacks cameras that are in videos: unused"


def test_a_dead_camera_is_left_out_and_the_others_keep_their_rows(tmp_path):
    write_rig(tmp_path)
    for file in (tmp_path / "frames" / "cam01").iterdir():
        file.write_bytes(b"")
    capture = open_capture(tmp_path)
    assert capture.views == ("cam00", "cam02", "cam03")
    assert capture.notes == ("camera cam01 is left out: it has no frame that can be read",)
    np.testing.assert_allclose(_world_from_camera(capture, 1), pose(2), atol=1e-6)
    shutil.rmtree(tmp_path / "frames" / "cam01")
    (tmp_path / "frames" / "cam01").mkdir()
    assert open_capture(tmp_path).views == ("cam00", "cam02", "cam03")


def test_rows_that_leave_a_dead_camera_out_are_ambiguous(tmp_path):
    write_rig(tmp_path, poses=rows(3))
    shutil.rmtree(tmp_path / "frames" / "cam01")
    (tmp_path / "frames" / "cam01").mkdir()
    message = "3 rows for 4 cameras: cam00.*If the file leaves cam01 out, take that folder"
    with pytest.raises(InputError, match=message):
        open_capture(tmp_path)


def test_a_camera_that_stopped_at_once_is_left_out(tmp_path):
    write_rig(tmp_path, frames=("1", "2", "3", "4", "5"))
    for frame in range(2, 6):
        (tmp_path / "frames" / "cam02" / f"{frame}.png").unlink()
    capture = open_capture(tmp_path)
    assert (capture.views, capture.num_frames) == (("cam00", "cam01", "cam03"), 5)
    assert capture.notes == ("camera cam02 is left out: it has 1 frames, and others 5",)


def test_a_camera_with_fewer_frames_leaves_those_that_all_have(tmp_path):
    write_rig(tmp_path, frames=("1", "2", "3", "4"))
    (tmp_path / "frames" / "cam02" / "2.png").unlink()
    capture = open_capture(tmp_path)
    assert capture.frames == ("1", "3", "4")
    assert capture.notes[0] == (
        "the cameras have 3 (cam02) to 4 frames; the 3 that all have are used"
    )
    # brighter by 2 than frame 1, since 2 is missing
    assert (capture.image(1, 0) - capture.image(0, 0)).mean() * 255 == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("names", "frames", "notes"),
    [
        (("7", "8", "9", "10"), ("7", "8", "9", "10"), ()),
        (("0007", "0008", "0009", "0010"), ("7", "8", "9", "10"), ()),
        (("cam01_7", "cam01_8", "cam01_9", "cam01_10"), ("7", "8", "9", "10"), ()),
        (("a", "b", "c", "d"), ("00000", "00001", "00002", "00003"), ("paired by their order",)),
    ],
)
def test_frames_are_paired_by_name_number_or_order(tmp_path, names, frames, notes):
    write_rig(tmp_path, frames=("7", "8", "9", "10"))
    for old, new in zip(("7", "8", "9", "10"), names, strict=True):
        folder = tmp_path / "frames" / "cam01"
        (folder / f"{old}.png").rename(folder / f"{new}.png")
    capture = open_capture(tmp_path)
    assert capture.frames == frames
    assert [note for note in notes if note in "".join(capture.notes)] == list(notes)
    brighter = (capture.image(3, 1) - capture.image(0, 1)).mean() * 255
    assert brighter == pytest.approx(3, abs=0.2)


def test_no_frame_in_common(tmp_path):
    write_rig(tmp_path)
    folder = tmp_path / "frames" / "cam01"
    (folder / "0001.png").rename(folder / "x.png")
    (folder / "0002.png").rename(folder / "y.png")
    (folder / "0003.png").unlink()
    with pytest.raises(InputError, match="no frame names in common; expected pictures of one"):
        open_capture(tmp_path)


def _with_nan(poses):
    poses[2, 7] = np.nan
    return poses


def _with_size(poses):
    poses[1, 4] = 100
    return poses


def _with_bounds(poses):
    poses[1, 15:] = 5, 2
    return poses


def _with_shear(poses):
    poses[3, 0] += 0.3
    return poses


def _with_odd_mirror(poses):
    poses[3, [0, 5, 10]] *= -1
    return poses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda poses: poses[:, :15], r"shape \(4, 15\) and type float64; expected \(N, 17\)"),
        (lambda poses: poses[0], r"shape \(17,\)"),
        (lambda poses: poses[:3], "3 rows for 4 cameras: cam00, cam01, cam02, cam03; expected one"),
        (_with_nan, "the row of camera cam02 has numbers that are not finite"),
        (_with_size, "camera cam01 is of pictures of 160x100 .* and its frames have 160x120"),
        (_with_bounds, "the depth bounds of camera cam01 are 5 and 2"),
        (_with_shear, "cam03: the camera's pose is not a rotation"),
        (_with_odd_mirror, r"others are not \(cam00 and cam03 differ\)"),
    ],
)
def test_poses_that_cannot_be(tmp_path, change, message):
    write_rig(tmp_path, poses=change(rows()))
    with pytest.raises(InputError, match=rf"poses_bounds\.npy.*{message}"):
        open_capture(tmp_path)


def test_an_array_that_is_none(tmp_path):
    write_rig(tmp_path)
    (tmp_path / "poses_bounds.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match=r"poses_bounds\.npy: cannot read the array"):
        open_capture(tmp_path)


def test_a_pickle_is_not_opened(tmp_path):
    write_rig(tmp_path)
    np.save(tmp_path / "poses_bounds.npy", np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="cannot read the array"):
        open_capture(tmp_path)


def test_cameras_that_are_not_there(tmp_path):
    write_rig(tmp_path)
    with pytest.raises(UsageError, match=r"--test-cameras names cam07.*some of cam00, cam01"):
        open_capture(tmp_path, test_cameras="cam07")
    capture = open_capture(tmp_path, test_cameras="none")
    assert (capture.train_views, capture.held_out_views) == (CAMERAS, ())


def test_no_camera_at_all(tmp_path):
    write_rig(tmp_path)
    for file in (tmp_path / "frames").glob("*/*.png"):
        file.write_text("x")
    with pytest.raises(InputError, match="none of 4 cameras has frames that can be read"):
        open_capture(tmp_path)


def test_a_rig_without_poses(tmp_path):
    write_rig(tmp_path)
    (tmp_path / "poses_bounds.npy").unlink()
    capture = open_capture(tmp_path)
    assert (capture.layout, capture.camera(0, 1), capture.bounds(1)) == ("rig", None, None)
    assert "fourfold prepare poses" in capture.notes[-1]


@pytest.mark.parametrize("inner", ["frames", "videos"])
def test_a_part_of_a_rig_names_the_whole(tmp_path, inner):
    rig = write_rig(tmp_path / "rig")
    if inner == "videos":
        shutil.rmtree(rig / "frames")
        (rig / "videos").mkdir()
        for camera in CAMERAS:
            write_greys(rig / "videos" / f"{camera}.mp4", [40, 60])
    with pytest.raises(InputError, match="this is a part of a capture") as caught:
        open_capture(rig / inner)
    assert str(caught.value).endswith(f"Give {rig}.")
    # without the rest of a rig around it, it is nothing
    (rig / inner).rename(tmp_path / "loose")
    with pytest.raises(InputError, match="no known layout"):
        open_capture(tmp_path / "loose")


def test_the_choice_of_frames_does_not_change_the_cameras(tmp_path):
    poses = rows(columns="nerf")
    write_rig(tmp_path, poses=poses)
    flat = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for camera in CAMERAS:
        Image.fromarray(flat).save(tmp_path / "frames" / camera / "0003.png")
    capture = open_capture(tmp_path, frames="2:3")
    np.testing.assert_allclose(_world_from_camera(capture, 3), pose(3), atol=1e-6)


def test_toy(real_capture):
    capture = open_capture(real_capture("toy_mixvoxels"))
    assert (len(capture.views), capture.num_frames) == (6, 10)
    assert (capture.held_out_views, capture.notes) == (("cam00",), ())
    camera = capture.camera(0, 1)
    assert camera is not None
    assert camera.forward.tolist() == [0, 0, -1]
    assert camera.camera_from_world[0].tolist()[:3] == [1, 0, 0]
