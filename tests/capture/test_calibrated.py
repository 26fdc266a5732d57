"""Calibrated rigs: each kind of calibration file, videos by name, moments of time, real rigs."""

from __future__ import annotations

import csv
import math

import av
import cv2
import numpy as np
import pytest
import torch

from fourfold.capture import open_capture
from fourfold.capture.calibrations import read_calibration
from fourfold.capture.readers.calibrated import match_videos
from fourfold.capture.synchronisation import side_by_side, synchronise
from fourfold.errors import InputError
from fourfold.geometry import project_points

WIDTH, HEIGHT = 32, 16


def _video(path, greys, size=(WIDTH, HEIGHT)):
    """Write a video whose frame i is of one grey."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for grey in greys:
            picture = np.full((size[1], size[0], 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _entry(section, extra="", rotation="[0.0, 0.0, 0.0]", lens="[0.0, 0.0, 0.0, 0.0]", x=0.0):
    return (
        f"[{section}]\n{extra}\nsize = [{WIDTH}.0, {HEIGHT}.0]\n"
        "matrix = [[20.0, 0.0, 15.5], [0.0, 22.0, 7.5], [0.0, 0.0, 1.0]]\n"
        f"distortions = {lens}\nrotation = {rotation}\ntranslation = [{x}, 0.0, 2.0]\n"
    )


def _caliscope(folder, cameras=2):
    identity = "[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]"
    text = "\n".join(
        _entry(f"cameras.{i}", f"cam_id = {i}\nignore = false", identity, x=-i)
        for i in range(cameras)
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "camera_array.toml").write_text(text)
    return folder


def _stamps(file, rows):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("sync_index", "cam_id", "frame_index", "frame_time"))
        writer.writerows(rows)
    return file


def test_a_toml_of_pose2sim(tmp_path):
    quarter = f"[0.0, 0.0, {math.pi / 2}]"
    file = tmp_path / "Calib.toml"
    file.write_text(
        _entry("cam_01", 'name = "left"\nfisheye = false', quarter)
        + _entry("cam_02", lens="[0.1, 0.2, 0.3, 0.4, 0.5]")
        + "[metadata]\nadjusted = false\n"
    )
    cameras = read_calibration(file)
    assert list(cameras) == ["left", "cam_02"]
    left = cameras["left"]
    # Rodrigues' vector turns by 90 degrees about z; the world's x is the camera's y
    torch.testing.assert_close(left.camera_from_world[:3, 0], torch.tensor([0.0, 1, 0]))
    assert left.camera_from_world[:3, 3].tolist() == [0, 0, 2]
    # OpenCV counts from the centre of the first pixel, we from its corner
    assert left.intrinsics.tolist() == [[20, 0, 16], [0, 22, 8], [0, 0, 1]]
    assert (left.width, left.height, left.distortion) == (WIDTH, HEIGHT, None)
    assert cameras["cam_02"].distortion == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_a_toml_of_caliscope_without_the_cameras_to_ignore(tmp_path):
    folder = _caliscope(tmp_path, 3)
    file = folder / "camera_array.toml"
    text = file.read_text()
    head, last = text.rsplit("ignore = false", 1)
    file.write_text(f"{head}ignore = true{last}")
    assert list(read_calibration(file)) == ["cam_0", "cam_1"]


def test_a_qualisys_file(tmp_path):
    camera = (
        '<camera active="1" serial="{name}" viewrotation="0">'
        '<fov_video left="10" top="0" right="41" bottom="15"/>'
        '<transform r11="0" r12="1" r13="0" r21="0" r22="0" r23="1" r31="1" r32="0" r33="0"'
        ' x="1000" y="2000" z="-500"/>'
        '<intrinsic centerPointU="1664" centerPointV="480" focalLengthU="1280"'
        ' focalLengthV="1408" radialDistortion1="0.1" radialDistortion2="0.2"'
        ' radialDistortion3="0.5" tangentalDistortion1="0.3" tangentalDistortion2="0.4"/>'
        "</camera>"
    )
    file = tmp_path / "a.qca.txt"
    both = camera.format(name="c1") + camera.format(name="c2")
    file.write_text(f"<calibration><cameras>{both}</cameras></calibration>")
    found = read_calibration(file)["c1"]
    # millimetres to metres
    torch.testing.assert_close(found.position, torch.tensor([1.0, 2.0, -0.5]))
    # R's third row is the camera's backward axis in the world, so it looks along -(1, 0, 0)
    torch.testing.assert_close(found.forward, torch.tensor([-1.0, 0, 0]))
    # 64ths of a pixel of the sensor, whose column 10 is the picture's first
    assert found.intrinsics.tolist() == [[20, 0, 16.5], [0, 22, 8], [0, 0, 1]]
    assert (found.width, found.height) == (32, 16)
    assert found.distortion == (0.1, 0.2, 0.3, 0.4, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml", "not readable"),
        (_entry("cam_01"), "1 cameras are calibrated"),
        (_entry("a") + _entry("b", "fisheye = true"), "of a fisheye"),
        (_entry("a") + "[b]\nmatrix = 3\n", "the camera b is not whole"),
        (_entry("a") + _entry("b", rotation="[nan, 0.0, 0.0]"), "not a rotation"),
    ],
)
def test_damaged_calibrations(tmp_path, text, message):
    file = tmp_path / "Calib.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_calibration(file)


def test_videos_are_matched_by_name_by_number_and_in_order(tmp_path):
    def names(cameras, stems):
        found, notes = match_videos(cameras, {stem: tmp_path / stem for stem in stems}, tmp_path)
        return {camera: path.name for camera, path in found.items()}, notes

    assert names(["a", "b"], ["b", "a"]) == ({"a": "a", "b": "b"}, ())
    assert names(["cam_1", "cam_10"], ["port10", "port01"]) == (
        {"cam_1": "port01", "cam_10": "port10"},
        (),
    )
    found, notes = names(["left", "right"], ["v10", "v2"])
    assert found == {"left": "v2", "right": "v10"}
    assert "left is v2, right is v10" in notes[0]
    found, notes = names(["c1", "c2", "c3"], ["c3", "c1", "c9"])
    assert found == {"c1": "c1", "c3": "c3"}
    assert notes == (
        "left out, as they have no video: c2",
        "left out, as they are not calibrated: c9",
    )
    with pytest.raises(InputError, match="0 of 2 calibrated cameras have a video"):
        names(["left", "right"], ["a", "b", "c"])


def test_moments_that_a_camera_missed_are_left_out(tmp_path):
    # camera 1 began a frame late and missed moment 2; camera 0's video ends before moment 4
    rows = [(m, 0, m, 10 + m) for m in range(5)]
    rows += [(1, 1, 0, 11.5), (2, 1, "", 12), (3, 1, 1, 13.5), (4, 1, 2, 14.5)]
    found = synchronise(_stamps(tmp_path / "t.csv", rows), {"a": 0, "b": 1}, {"a": 4, "b": 3})
    assert found.names == ("00001", "00003")
    assert found.positions == {"a": (1, 3), "b": (0, 1)}
    assert found.seconds == (11.25, 13.25)
    assert found.notes == (
        "synchronised by t.csv: 2 moments that all cameras have, 3 others are left out",
    )


def test_no_moment_is_shared(tmp_path):
    file = _stamps(tmp_path / "t.csv", [(0, 0, 0, 1), (1, 1, 0, 2)])
    with pytest.raises(InputError, match="no moment is seen by all 2 cameras"):
        synchronise(file, {"a": 0, "b": 1}, {"a": 9, "b": 9})
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="time stamps are not readable"):
        synchronise(file, {"a": 0, "b": 1}, {"a": 9, "b": 9})


def test_without_time_stamps_the_shortest_video_says_how_long():
    found = side_by_side({"a": 3, "b": 5}, (0.0, 0.1, 0.2))
    assert found.names == ("00000", "00001", "00002")
    assert found.positions["b"] == (0, 1, 2)
    assert "3 to 5 frames (a the fewest)" in found.notes[0]


def test_a_recording_of_caliscope(tmp_path):
    folder = _caliscope(tmp_path / "session")
    take = folder / "recordings" / "walk"
    _video(take / "cam_0.mp4", (0, 40, 80, 120))
    _video(take / "cam_1.mp4", (40, 120, 200))
    rows = [(m, 0, m, m / 5) for m in range(4)] + [(1, 1, 0, 0.2), (3, 1, 1, 0.6), (4, 1, 2, 0.8)]
    _stamps(take / "timestamps.csv", rows)
    for path in (folder, take):
        capture = open_capture(path)
        assert capture.layout == "calibrated"
        assert capture.views == ("cam_0", "cam_1")
        assert capture.held_out_views == ("cam_0",)
        assert capture.poses_from == "calibration camera_array.toml"
        assert capture.frames == ("00001", "00003")
        assert capture.fps == pytest.approx(2.5)
        for frame, grey in enumerate((40, 120)):
            for view in (0, 1):
                mean = float(capture.image(frame, view).mean())
                assert mean == pytest.approx(grey / 255, abs=0.02)
    camera = capture.camera(0, 1)
    assert camera is not None
    assert camera.position.tolist() == [1, 0, -2]


def test_several_recordings_are_to_be_chosen_from(tmp_path):
    folder = _caliscope(tmp_path / "session")
    for take in ("a", "b", "intrinsic"):
        for name in ("cam_0.mp4", "cam_1.mp4"):
            _video(folder / take / name, (0, 50))
    with pytest.raises(InputError, match=r"there are 2 recordings.*: a, b"):
        open_capture(folder)
    assert open_capture(folder / "b").num_frames == 2


def test_a_video_that_is_trimmed_at_the_right_and_one_of_another_shape(tmp_path):
    folder = tmp_path / "session"
    folder.mkdir()
    (folder / "Calib.toml").write_text(
        (_entry("cam1") + _entry("cam2")).replace(f"[{WIDTH}.0, {HEIGHT}.0]", "[512.0, 256.0]")
    )
    _video(folder / "videos" / "cam1.mp4", (0, 0), (512, 256))
    _video(folder / "videos" / "cam2.mp4", (0, 0), (506, 256))
    camera = open_capture(folder).camera(0, 1)
    assert camera is not None
    assert camera.width == 506
    assert camera.intrinsics[0, 2] == 16
    _video(folder / "videos" / "cam2.mp4", (0, 0), (400, 256))
    with pytest.raises(InputError, match="aspect of the calibrated camera, 512x256"):
        open_capture(folder)


def test_caliscope_s_board_is_where_its_corners_were_triangulated(real_capture):
    """The same corners in each view's own frame and in 3D: poses, lenses and moments fit."""
    root = real_capture("caliscope_4cam")
    capture = open_capture(root, max_size=1280)
    assert capture.num_frames == 56
    assert any("synchronised by timestamps.csv" in note for note in capture.notes)
    board = root / "calibration/extrinsic/CHARUCO/xyz_CHARUCO.csv"
    corners = {}
    for row in csv.DictReader(board.read_text().splitlines()):
        place = [float(row[f"{axis}_coord"]) for axis in "xyz"]
        corners.setdefault(int(row["sync_index"]), []).append(place)
    # the corner tracks of this sample count the moments of the whole recording: frame 35 + t
    for view in range(4):
        found = [_share_on_corners(capture, t, view, torch.tensor(corners[35 + t])) for t in TIMES]
        shifted = [
            _share_on_corners(capture, t, view, torch.tensor(corners[36 + t])) for t in TIMES
        ]
        assert np.mean(found) > 0.75, capture.views[view]
        assert np.mean(found) - np.mean(shifted) > 0.25, capture.views[view]


# moments at which all four cameras see the board
TIMES = (24, 34, 44)


def _share_on_corners(capture, frame, view, points):
    """Return how many of some points are seen within 3 pixels of a corner in the picture."""
    camera = capture.camera(frame, view)
    seen, _ = project_points(camera, points)
    inside = ((seen > 0) & (seen < torch.tensor([camera.width, camera.height]))).all(1)
    grey = (capture.image(frame, view).mean(-1) * 255).byte().numpy()
    corners = torch.from_numpy(cv2.goodFeaturesToTrack(grey, 2000, 0.001, 3)[:, 0]) + 0.5
    return float((torch.cdist(seen[inside], corners).amin(1) < 3).float().mean())
