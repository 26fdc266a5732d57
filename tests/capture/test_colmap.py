"""COLMAP models: both forms on disk, names that do not fit, lenses, damage, key points."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from fourfold.capture import open_capture, read_key_points
from fourfold.capture.colmap_cameras import colmap_camera, fitted_camera
from fourfold.capture.colmap_model import find_model, read_model
from fourfold.capture.colmap_names import match_views, picture_names
from fourfold.capture.poses_bounds_writing import poses_bounds_rows
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera
from tests.capture.colmap_folder import (
    FOCAL,
    HEIGHT,
    POINTS,
    WIDTH,
    pixel,
    write_pictures,
    write_text_model,
)

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three pictures and their model as text."""
    write_pictures(tmp_path / "images", NAMES)
    write_text_model(tmp_path / "sparse" / "0", NAMES)
    return tmp_path


def test_a_model_is_a_capture_of_views_of_one_frame(folder):
    capture = open_capture(folder, test_cameras="none")
    assert capture.layout == "colmap"
    assert capture.views == ("a", "b", "c")
    assert capture.num_frames == 1
    assert capture.poses_from == f"COLMAP model {folder.name}/sparse/0"
    camera = capture.camera(0, 2)
    assert camera is not None
    assert camera.position.tolist() == [2, 0, 0]
    assert camera.intrinsics.tolist() == [[10, 0, 8], [0, 10, 6], [0, 0, 1]]
    assert float(capture.image(0, 2)[0, 0, 0]) == pytest.approx(40 / 255)


def test_the_first_and_every_eighth_view_are_held_out(tmp_path):
    names = [f"{k}.png" for k in range(10)]
    write_pictures(tmp_path / "images", names)
    write_text_model(tmp_path / "sparse" / "0", names)
    capture = open_capture(tmp_path)
    assert capture.held_out_views == ("0", "8")
    assert capture.train_views == ("1", "2", "3", "4", "5", "6", "7", "9")
    with pytest.raises(UsageError, match="no camera of this capture"):
        open_capture(tmp_path, test_cameras="10")


def test_key_points_have_the_depths_and_pixels_worked_out_by_hand(folder):
    found = open_capture(folder).key_points(1)
    assert found is not None
    expected = [pixel(1, i) for i in range(5)]
    torch.testing.assert_close(found.pixels, torch.tensor(expected))
    torch.testing.assert_close(found.depths, torch.tensor([p[2] for p in POINTS]))
    assert found.errors.abs().max() < 1e-6


def test_bounds_are_percentiles_of_the_depths(folder):
    bounds = open_capture(folder).bounds(0)
    # of 5, 5, 10, 10, 20: 0.1 % is 5, 99.9 % lies 0.996 of the way from the fourth to the last
    assert bounds == (pytest.approx(5), pytest.approx(10 + 10 * 0.996))


def test_the_binary_form_says_the_same_as_pycolmap(folder):
    pycolmap = pytest.importorskip("pycolmap")
    oracle = pycolmap.Reconstruction(folder / "sparse" / "0")
    (folder / "bin").mkdir()
    oracle.write_binary(folder / "bin")
    _require_equal(read_model(folder / "bin"), oracle)


@pytest.mark.parametrize("name", ["n3v_sample_5view", "beer_colmap"])
def test_real_models_are_read_as_pycolmap_reads_them(real_capture, name):
    pycolmap = pytest.importorskip("pycolmap")
    place = real_capture(name) / "sparse" / "0"
    _require_equal(read_model(place), pycolmap.Reconstruction(place))


def _require_equal(model, oracle):
    assert len(model.images) == len(oracle.images)
    assert len(model.points) == len(oracle.points3D)
    by_name = {image.name: image for image in oracle.images.values()}
    for image in model.images:
        other = by_name[image.name]
        seen = [point for point in other.points2D if point.has_point3D()]
        pose = torch.tensor(other.cam_from_world().matrix())
        torch.testing.assert_close(image.camera.camera_from_world[:3], pose)
        np.testing.assert_array_equal(image.pixels, [point.xy for point in seen])
        points = [oracle.points3D[point.point3D_id].xyz for point in seen]
        np.testing.assert_array_equal(model.points[image.rows], points)
        lens = oracle.cameras[other.camera_id]
        torch.testing.assert_close(image.camera.intrinsics, torch.tensor(lens.calibration_matrix()))
        # a ray through a corner knows the distortion
        corner = image.camera.directions(torch.tensor([[3.0, 5.0]], dtype=torch.float64))[0, :2]
        np.testing.assert_allclose(corner, lens.cam_from_img(np.array([3.0, 5.0])), atol=1e-8)


def test_the_largest_model_is_read(folder):
    write_text_model(folder / "sparse" / "1", [*NAMES, "d.png"])
    assert find_model(folder) == folder / "sparse" / "1"


def test_a_folder_of_the_model_itself_and_of_none(folder, tmp_path):
    assert find_model(folder / "sparse" / "0") == folder / "sparse" / "0"
    assert find_model(tmp_path / "images") is None


def test_a_picture_that_sees_nothing_is_read(folder):
    text = (folder / "sparse/0/images.txt").read_text().splitlines()
    (folder / "sparse/0/images.txt").write_text("\n".join([*text[:-1], ""]) + "\n")
    capture = open_capture(folder)
    third, first = capture.key_points(2), capture.key_points(0)
    assert third is not None
    assert first is not None
    assert (len(third), len(first)) == (0, 5)


def test_pictures_that_are_not_in_the_model_are_left_out(folder):
    write_pictures(folder / "images", ["z.png"])
    capture = open_capture(folder)
    assert capture.views == ("a", "b", "c")
    assert any("not in the COLMAP model: z" in note for note in capture.notes)


def test_names_decide_only_where_all_fit():
    # the sample of Depth-Supervised-Dynamic-NeRF: files 1 to 5, a model of pictures 0 to 14
    names = ["0.jpg", "14.jpg", "3.jpg", "5.jpg", "8.jpg"]
    matched, note = match_views(names, ["1", "2", "3", "4", "5"], None)  # type: ignore[arg-type]
    assert matched == {"1": 0, "2": 2, "3": 3, "4": 4, "5": 1}
    assert note is not None
    assert "3 is 5.jpg" in note
    assert match_views(names, ["5", "8"], None) == ({"5": 3, "8": 4}, None)  # type: ignore[arg-type]


def test_names_that_fit_nowhere_are_an_error(tmp_path):
    with pytest.raises(InputError, match="are not the 2 views"):
        match_views(["a.png", "b.png", "c.png"], ["x", "a"], tmp_path)


def test_pictures_of_the_same_name_in_folders():
    assert picture_names(["c1/0001.png", "c2/0001.png"]) == ["c1", "c2"]
    assert picture_names(["x/a/1.png", "y/a/1.png"]) == ["x_a_1", "y_a_1"]


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        ("SIMPLE_PINHOLE", [9, 8, 6], None),
        ("PINHOLE", [9, 9, 8, 6], None),
        ("SIMPLE_RADIAL", [9, 8, 6, 0.1], (0.1, 0, 0, 0, 0)),
        ("RADIAL", [9, 8, 6, 0.1, 0.2], (0.1, 0.2, 0, 0, 0)),
        ("OPENCV", [9, 9, 8, 6, 0.1, 0.2, 0.3, 0.4], (0.1, 0.2, 0.3, 0.4, 0)),
        (
            "FULL_OPENCV",
            [9, 9, 8, 6, 0.1, 0.2, 0.3, 0.4, 0.5, 0, 0, 0],
            (0.1, 0.2, 0.3, 0.4, 0.5),
        ),
    ],
)
def test_lens_models(tmp_path, model, values, expected):
    camera = colmap_camera(model, (16, 12), values, tmp_path)
    assert camera.intrinsics.tolist() == [[9, 0, 8], [0, 9, 6], [0, 0, 1]]
    assert camera.distortion == expected


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ("OPENCV_FISHEYE", [9, 9, 8, 6, 0, 0, 0, 0]),
        ("FULL_OPENCV", [9, 9, 8, 6, 0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0, 0]),
    ],
)
def test_a_fisheye_is_refused(tmp_path, model, values):
    with pytest.raises(InputError, match="image_undistorter"):
        colmap_camera(model, (16, 12), values, tmp_path)


def test_scaled_and_trimmed_pictures(tmp_path):
    camera = colmap_camera("PINHOLE", (200, 100), [90, 90, 100, 50], tmp_path)
    half = fitted_camera(camera, (100, 50), tmp_path, "a")
    assert half.intrinsics.tolist() == [[45, 0, 50], [0, 45, 25], [0, 0, 1]]
    # the undistorter trims a border: the same on opposite sides; the focal length stays
    whole = fitted_camera(camera, (202, 101), tmp_path, "a")
    assert whole.intrinsics.tolist() == [[90, 0, 101], [0, 90, 50.5], [0, 0, 1]]
    with pytest.raises(InputError, match="aspect"):
        fitted_camera(camera, (100, 100), tmp_path, "a")


def _capture_cameras(scale=1.0, turn=0.0):
    """Return the model's cameras as a capture in another world has them, `scale` times as large."""
    c, s = math.cos(0.3), math.sin(0.3)
    world = torch.tensor([[c, -s, 0, 4], [s, c, 0, -2], [0, 0, 1, 7], [0, 0, 0, 1]])
    cameras = {}
    for k, name in enumerate("abc"):
        pose = torch.eye(4)
        pose[0, 3] = -k * scale
        if k == 2:
            c, s = math.cos(turn), math.sin(turn)
            pose = torch.tensor([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]) @ pose
        lens = torch.tensor([[FOCAL, 0, 8], [0, FOCAL, 6], [0, 0, 1]])
        cameras[name] = Camera(pose @ world, lens, WIDTH, HEIGHT)
    return cameras


def test_a_model_of_another_world_gives_depths_in_the_capture_s(folder):
    found = read_key_points(folder, _capture_cameras(scale=3.0))
    torch.testing.assert_close(found["b"].depths, 3 * torch.tensor([p[2] for p in POINTS]))
    torch.testing.assert_close(found["b"].pixels[1], torch.tensor(pixel(1, 1)))


def _unseen(folder, picture, point):
    """Take a point out of a picture of the model."""
    file = folder / "sparse/0/images.txt"
    x, y = pixel(picture, point)
    text = file.read_text()
    lines = text.splitlines()
    row = 2 + 2 * picture
    lines[row] = lines[row].replace(f"{x} {y} {100 + point}", f"{x} {y} -1")
    file.write_text("\n".join(lines) + "\n")


def test_a_point_that_one_view_sees_has_no_depth(folder):
    _unseen(folder, 1, 2)
    assert len(read_key_points(folder, _capture_cameras())["a"]) == 5
    _unseen(folder, 2, 2)
    found = read_key_points(folder, _capture_cameras())
    assert {view: len(points) for view, points in found.items()} == {"a": 4, "b": 4, "c": 4}


def test_views_without_a_say_confirm_no_point(folder):
    _unseen(folder, 1, 2)  # a and c see it
    _unseen(folder, 0, 3)  # b and c see it
    found = read_key_points(folder, _capture_cameras(), only=["a", "b"])
    assert {view: len(points) for view, points in found.items()} == {"a": 3, "b": 3}
    with pytest.raises(InputError, match="at least two views in different places"):
        read_key_points(folder, _capture_cameras(), only=["a"])


def test_a_model_of_other_poses_is_refused(folder):
    with pytest.raises(InputError, match=r"turned by up to 5\.7 degrees"):
        read_key_points(folder, _capture_cameras(turn=0.1))
    swapped = dict(zip("bac", _capture_cameras().values(), strict=True))
    with pytest.raises(InputError, match="do not stand as the capture's"):
        read_key_points(folder, swapped)


def test_one_view_has_no_scale(folder):
    with pytest.raises(InputError, match="at least two views in different places"):
        read_key_points(folder, {"a": _capture_cameras()["a"]})


def test_no_model_at_all(tmp_path):
    with pytest.raises(InputError, match="fourfold prepare poses"):
        read_key_points(tmp_path, _capture_cameras())


def test_reprojection_errors_and_weights(folder):
    text = (folder / "sparse/0/images.txt").read_text()
    x, y = pixel(0, 1)
    (folder / "sparse/0/images.txt").write_text(text.replace(f"{x} {y} 101", f"{x + 3} {y} 101"))
    found = read_key_points(folder, _capture_cameras())["a"]
    torch.testing.assert_close(found.errors, torch.tensor([0.0, 3, 0, 0, 0]), atol=1e-5, rtol=0)
    # DS-NeRF: 2 exp(-(error / mean)^2), the mean is 3 / 5
    expected = torch.tensor([2.0, 2 * math.exp(-25), 2, 2, 2])
    torch.testing.assert_close(found.weights, expected)


@pytest.mark.parametrize("name", ["cameras", "images", "points3D"])
def test_a_damaged_model_names_its_file(folder, name):
    pycolmap = pytest.importorskip("pycolmap")
    pycolmap.Reconstruction(folder / "sparse" / "0").write_binary(folder / "sparse" / "0")
    file = folder / "sparse" / "0" / f"{name}.bin"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=f"{name}.bin: the COLMAP model is damaged or cut off"):
        open_capture(folder)


def test_a_moving_camera_s_frames_become_views(real_capture):
    capture = open_capture(real_capture("fox"), max_size=64)
    views = capture.as_views()
    assert views.views == capture.frames
    assert views.held_out_views == ("0001", "0073")
    assert views.num_frames == 1
    torch.testing.assert_close(views.image(0, 3), capture.image(3))
    first, other = views.camera(0, 3), capture.camera(3)
    assert first is not None
    assert other is not None
    torch.testing.assert_close(first.camera_from_world, other.camera_from_world)
    assert views.fingerprint() != capture.fingerprint()
    chosen = open_capture(real_capture("fox"), max_size=64, test_cameras="0006").as_views()
    assert chosen.held_out_views == ("0006",)


def test_frames_without_cameras_are_no_views(clip):
    with pytest.raises(InputError, match="0 of 3 frames have a camera"):
        open_capture(clip()).as_views()


def test_pictures_with_rows_of_llff(tmp_path):
    names = [f"{k}.png" for k in (1, 2, 10)]
    write_pictures(tmp_path / "images", names)
    # at (k, 0, 0), looking along +z with y down
    matrix = torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
    cameras = []
    for k in range(3):
        pose = torch.eye(4)
        pose[0, 3] = -k
        cameras.append(Camera(pose, matrix, WIDTH, HEIGHT))
    rows = poses_bounds_rows(cameras, [(2.0 + k, 9.0) for k in range(3)])
    np.save(tmp_path / "poses_bounds.npy", rows)
    capture = open_capture(tmp_path, test_cameras="none")
    assert capture.layout == "llff"
    # natural order: 10 is last, as its row is
    assert capture.views == ("1", "2", "10")
    last = capture.camera(0, 2)
    assert last is not None
    assert last.position.tolist() == [2, 0, 0]
    assert capture.bounds(2) == (4, 9)
    assert capture.poses_from == "poses_bounds.npy, columns down, right, back (LLFF's)"
    np.save(tmp_path / "poses_bounds.npy", rows[:2])
    with pytest.raises(InputError, match="2 rows for 3 pictures"):
        open_capture(tmp_path)
