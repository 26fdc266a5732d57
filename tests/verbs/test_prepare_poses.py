"""prepare poses: rows of LLFF by hand, a model copied, a rig triangulated, pictures solved."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import fourfold as ff
from fourfold.capture import read_key_points
from fourfold.capture.poses_bounds_writing import poses_bounds_rows
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera, look_at
from fourfold.verbs import RigOptions
from tests.capture.colmap_folder import write_pictures, write_text_model

WIDTH, HEIGHT, FOCAL = 160, 120, 150.0
DEPTH = 4.0


def _camera(x):
    matrix = torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    place, target, up = torch.tensor([[x, 0, 0], [0, 0, DEPTH], [0, -1.0, 0]])
    return Camera(look_at(place, target, up), matrix, WIDTH, HEIGHT)


def _picture_of_a_wall(camera):
    """Draw a wall z = 4 with random blots as the camera sees it, by the plane's homography."""
    generator = np.random.default_rng(5)
    blots = generator.uniform(0, 255, (60, 80, 3)).astype(np.uint8)
    texture = cv2.resize(blots, (640, 480), interpolation=cv2.INTER_CUBIC)
    # texture pixel -> wall: 8 x 6 units around the middle
    wall = np.array([[8 / 640, 0, -4], [0, 6 / 480, -3], [0, 0, 1.0]])
    pose = camera.camera_from_world.double().numpy()
    plane = np.stack((pose[:3, 0], pose[:3, 1], pose[:3, 2] * DEPTH + pose[:3, 3]), axis=1)
    mapping = camera.intrinsics.double().numpy() @ plane @ wall
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    mapping = half @ mapping @ np.linalg.inv(half)
    return cv2.warpPerspective(texture, mapping, (WIDTH, HEIGHT), flags=cv2.INTER_AREA)


def _save(folder, name, camera):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(_picture_of_a_wall(camera)).save(path)


@pytest.fixture
def rig(tmp_path):
    """Return a rig of three cameras and two frames in LLFF's layout, before a wall."""
    folder = tmp_path / "rig"
    cameras = [_camera(x) for x in (-0.8, 0.0, 0.8)]
    for k, camera in enumerate(cameras):
        for frame in ("0001", "0002"):
            _save(folder / "frames" / f"cam{k:02d}", f"{frame}.png", camera)
    np.save(folder / "poses_bounds.npy", poses_bounds_rows(cameras, [(2.0, 8.0)] * 3))
    return folder


def test_a_row_of_llff():
    matrix = torch.tensor([[30.0, 0, 8], [0, 30, 6], [0, 0, 1]])
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([-1.0, -2, -3])
    rows = poses_bounds_rows([Camera(pose, matrix, 16, 12)], [(2.0, 9.0)])
    # down (0,1,0), right (1,0,0), back (0,0,-1), at (1,2,3), height 12, width 16, focal 30
    expected = [0, 1, 0, 1, 12, 1, 0, 0, 2, 16, 0, 0, -1, 3, 30, 2, 9]
    assert rows.tolist() == [expected]


def test_a_row_of_llff_of_a_turned_camera():
    # in (1, 2, 3), looking along the world's x with y down: right is -z
    pose = torch.tensor([[0.0, 0, -1, 3], [0, 1, 0, -2], [1, 0, 0, -1], [0, 0, 0, 1]])
    intrinsics = torch.tensor([[50.0, 0, 20], [0, 50, 10], [0, 0, 1]])
    (row,) = poses_bounds_rows([Camera(pose, intrinsics, 40, 20)], [(2.0, 9.0)])
    #           down right back  at  H, W, f
    assert row[:15].reshape(3, 5).tolist() == [
        [0, 0, -1, 1, 20],
        [1, 0, 0, 2, 40],
        [0, -1, 0, 3, 50],
    ]
    assert row[15:].tolist() == [2, 9]


def test_a_model_is_copied_and_bounds_come_with_it(tmp_path):
    source = tmp_path / "source"
    names = ("a.png", "b.png", "c.png")
    write_pictures(source / "images", names)
    write_text_model(source / "sparse" / "0", names)
    # five points are enough for bounds by hand, but not for depth
    with pytest.raises(InputError, match="only 5 key points"):
        ff.prepare_poses(source, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_beer_s_rows_are_those_that_llff_made(real_capture, tmp_path):
    source = real_capture("beer_colmap")
    found = ff.prepare_poses(source, out=tmp_path / "out")
    assert (found.how, found.points, len(found.key_points)) == ("copied", 4414, 71)
    ours, llff = np.load(tmp_path / "out/poses_bounds.npy"), np.load(source / "poses_bounds.npy")
    # LLFF gives all pictures the first one's focal length, and counts only points of its own choice
    poses = [k for k in range(15) if k != 14]
    np.testing.assert_allclose(ours[:, poses], llff[:, poses], atol=1e-5)
    assert ours[0, 14] == pytest.approx(llff[0, 14], rel=0.02)
    np.testing.assert_allclose(ours[:, 15:], llff[:, 15:], rtol=0.05)


def test_a_rig_with_poses_gets_key_points_at_their_true_depth(rig, tmp_path):
    pytest.importorskip("pycolmap")
    out = tmp_path / "out"
    found = ff.prepare_poses(rig, out=out, capture_options=RigOptions(test_cameras="none"))
    assert found.how == "triangulated"
    assert found.frame == "0002"
    assert found.error < 0.5
    capture = ff.open_capture(rig)
    points = read_key_points(out, capture.posed_views(0))
    assert set(points) == {"cam00", "cam01", "cam02"}
    for view, name in enumerate(capture.views):
        camera = capture.camera(0, view)
        assert camera is not None
        seen = points[name]
        assert len(seen) >= 20
        # z of the wall along each pixel's ray
        rays = camera.directions(seen.pixels)
        pose = camera.world_from_camera
        depths = (DEPTH - pose[2, 3]) / (rays @ pose[2, :3])
        assert ((seen.depths / depths - 1).abs() < 0.03).float().mean() > 0.9
    # what was written is a capture of its own, in the same world
    written = ff.open_capture(out, test_cameras="none")
    assert written.layout == "colmap"
    first, other = written.camera(0, 1), capture.camera(0, 1)
    assert first is not None
    assert other is not None
    torch.testing.assert_close(first.camera_from_world, other.camera_from_world, atol=1e-5, rtol=0)
    assert json.loads((out / "poses.json").read_text())["frame"] == "0002"


def test_held_out_cameras_give_no_key_points(rig, tmp_path):
    pytest.importorskip("pycolmap")
    found = ff.prepare_poses(rig, out=tmp_path / "out", frame="0001")
    assert set(found.key_points) == {"cam01", "cam02"}
    assert found.frame == "0001"


def test_the_same_call_gives_the_same_files(rig, tmp_path):
    pytest.importorskip("pycolmap")
    ff.prepare_poses(rig, out=tmp_path / "a")
    ff.prepare_poses(rig, out=tmp_path / "b")
    for name in ("sparse/0/points3D.bin", "sparse/0/images.bin", "poses_bounds.npy", "poses.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_pictures_that_share_nothing(tmp_path):
    pytest.importorskip("pycolmap")
    write_pictures(tmp_path / "in", ["a.png", "b.png", "c.png"])
    with pytest.raises(InputError, match="do not fit together"):
        ff.prepare_poses(tmp_path / "in", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pictures_of_a_moving_camera_are_solved(real_capture, tmp_path):
    pytest.importorskip("pycolmap")
    source = real_capture("fox") / "images"
    names = sorted(source.iterdir())[:4]
    (tmp_path / "in").mkdir()
    for name in names:
        with Image.open(name) as picture:
            picture.resize((270, 480)).save(tmp_path / "in" / name.name)
    found = ff.prepare_poses(tmp_path / "in", out=tmp_path / "out")
    assert found.how == "solved"
    assert len(found.key_points) >= 3
    capture = ff.open_capture(tmp_path / "out", test_cameras="none")
    points = capture.key_points(0)
    assert points is not None
    assert len(points) >= 20


def test_what_is_there_is_not_overwritten(rig, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="already there"):
        ff.prepare_poses(rig, out=tmp_path / "out")
    with pytest.raises(UsageError, match="is not a folder of prepared poses"):
        ff.prepare_poses(rig, out=tmp_path / "out", overwrite=True)
    with pytest.raises(UsageError, match="already there"):
        ff.prepare_poses(rig, out=rig)
    with pytest.raises(InputError, match="there is no frame '9'"):
        ff.prepare_poses(rig, out=tmp_path / "new", frame="9")
