"""Rigid bodies: what they refuse, and the folder in which the original OSN keeps them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from fourfold.capture import (
    KeyPoints,
    RigidBody,
    Trajectories,
    body_names,
    read_bodies,
    read_trajectories,
    write_bodies,
)
from fourfold.errors import InputError, UsageError
from fourfold.geometry import axis_angle_to_quaternion, quaternion_to_matrix, rigid_matrix

SIZE = (8, 6)
NAMES = ["f0", "f1", "f2"]


def _pose(angle: float, x: float) -> torch.Tensor:
    turn = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.0, angle, 0.0])))
    return rigid_matrix(turn, torch.tensor([x, 2.0, 3.0]))


def _points(frames=(0, 2, 2)) -> KeyPoints:
    count = len(frames)
    return KeyPoints(
        pixels=torch.arange(2.0 * count).reshape(count, 2) + 0.5,
        depths=torch.arange(1.0, count + 1),
        frames=torch.tensor(frames),
        weights=torch.full((count,), 2.0),
        errors=torch.full((count,), 0.25),
    )


def _bodies() -> list[RigidBody]:
    box = torch.tensor([[-1.0, -2, -3], [1, 2, 3]])
    return [
        RigidBody("background", {t: _pose(0.1 * t, t) for t in range(3)}, box, None, _points()),
        RigidBody("001", {0: _pose(0.3, 5), 2: _pose(0.4, 6)}, None, (0.5, 1.5), _points((2, 0))),
    ]


def test_bodies_come_back_as_they_were_written(tmp_path):
    matrix = torch.tensor([[9.0, 0, 4.5], [0, 9, 3.5], [0, 0, 1]])
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE, intrinsics=matrix)
    found = read_bodies(folder, ["001"], NAMES, SIZE)
    assert found.notes == ("001 is registered in 2 of 3 frames",)
    torch.testing.assert_close(found.intrinsics, matrix)
    for body, written in zip(found.bodies, _bodies(), strict=True):
        assert (body.name, body.scale_range) == (written.name, written.scale_range)
        assert body.frames == written.frames
        for frame in body.frames:
            expected = written.object_from_camera[frame]
            torch.testing.assert_close(body.object_from_camera[frame], expected)
        torch.testing.assert_close(body.points.pixels, written.points.pixels)
        assert body.points.depths.tolist() == written.points.depths.tolist()
        assert body.points.frames.tolist() == written.points.frames.tolist()
        assert body.points.weights.tolist() == written.points.weights.tolist()
        assert body.points.errors.tolist() == written.points.errors.tolist()
    box = found.bodies[0].bounds
    assert box is not None
    assert box.tolist() == [[-1, -2, -3], [1, 2, 3]]
    assert found.bodies[1].bounds is None


def test_the_files_are_those_of_the_original(tmp_path):
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE, true_scales=[2.0, 4.0])
    poses = np.load(folder / "poses" / "pose1.npy")
    # not registered: the identity, and OpenGL's axes: y and z of the camera are turned round
    assert (poses.dtype, poses.shape) == (np.float32, (3, 4, 4))
    np.testing.assert_array_equal(poses[1], np.eye(4))
    expected = _pose(0.3, 5).numpy()
    np.testing.assert_allclose(poses[0][:3], expected[:3] * [1, -1, -1, 1])
    assert np.load(folder / "poses" / "vis1.npy").tolist() == [1, 0, 1]
    assert np.load(folder / "poses" / "bbox0.npy").tolist() == [[-1, 1], [-2, 2], [-3, 3]]
    table = np.load(folder / "depth" / "depth0.npy")
    # u, v from the first pixel's centre; depth; reprojection error; weight
    np.testing.assert_allclose(table[1], [2, 3, 2, 0.25, 2])
    assert np.load(folder / "depth" / "vid0.npy").tolist() == [0, 2, 2]
    assert np.load(folder / "depth" / "scale1.npy").tolist() == [0.5, 1.5]
    assert np.load(folder / "depth" / "scales_gt.npy").tolist() == [2, 4]
    assert not (folder / "depth" / "scale0.npy").exists()


def test_frames_are_paired_by_name(tmp_path):
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
    body = read_bodies(folder, ["001"], ["x", *NAMES], SIZE, ["f2", "x", "f0"]).bodies[1]
    assert body.frames == (0, 2)
    torch.testing.assert_close(body.object_from_camera[0], _pose(0.4, 6))
    assert body.points.frames.tolist() == [0, 2]
    with pytest.raises(InputError, match="frame f1: the bodies have a frame that the capture has"):
        read_bodies(folder, ["001"], ["f0", "f2"], SIZE)


def test_without_a_head_frames_and_bodies_are_counted_in_order(tmp_path):
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
    (folder / "bodies.json").unlink()
    assert body_names(folder) == ("background", "001")
    found = read_bodies(folder, ["cat"], ["a", "b", "c"], SIZE, ["b", "c"])
    assert [body.name for body in found.bodies] == ["background", "cat"]
    assert found.bodies[1].frames == (1,)
    assert found.intrinsics is None
    with pytest.raises(InputError, match=r"pose0\.npy: .* \(3, 4, 4\) .*expected .* \(4, 4, 4\)"):
        read_bodies(folder, ["cat"], ["a", "b", "c", "d"], SIZE)


def test_objects_are_paired_by_name(tmp_path):
    bodies = [*_bodies(), replace(_bodies()[1], name="dog", scale_range=(0.2, 1.8))]
    folder = write_bodies(tmp_path / "b", bodies, NAMES, SIZE)
    found = read_bodies(folder, ["dog", "001"], NAMES, SIZE).bodies
    assert [body.scale_range for body in found] == [None, (0.2, 1.8), (0.5, 1.5)]
    with pytest.raises(InputError, match="has the bodies background, 001, dog; expected those"):
        read_bodies(folder, ["dog", "cat"], NAMES, SIZE)


def test_pixels_follow_the_size_of_the_pictures(tmp_path):
    matrix = torch.tensor([[9.0, 0, 4.5], [0, 9, 3.5], [0, 0, 1]])
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE, intrinsics=matrix)
    found = read_bodies(folder, ["001"], NAMES, (16, 18))
    torch.testing.assert_close(found.bodies[0].points.pixels[1], torch.tensor([5.0, 10.5]))
    assert found.intrinsics is not None
    assert found.intrinsics[:2].tolist() == [[18, 0, 9], [0, 27, 10.5]]


def test_trajectories(tmp_path):
    pixels = np.arange(12, dtype=np.float32).reshape(2, 3, 2) + 0.5
    visible = np.array([[True, False, True], [True, True, True]])
    tracks = Trajectories(pixels, visible, np.array([0, 1]))
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE, trajectories=tracks)
    assert np.load(folder / "trajectories.npy")[0, 1].tolist() == [2, 3]
    found = read_trajectories(folder)
    assert found is not None
    np.testing.assert_array_equal(found.pixels, pixels)
    np.testing.assert_array_equal(found.visible, visible)
    assert found.bodies.tolist() == [0, 1]
    (folder / "segm_preds.npy").unlink()
    with pytest.raises(InputError, match=r"segm_preds\.npy: there is no such file"):
        read_trajectories(folder)


def test_an_object_in_one_frame_and_without_key_points(tmp_path):
    body = RigidBody("001", {1: _pose(0, 1)}, None, (1.0, 1.0), KeyPoints.none())
    folder = write_bodies(tmp_path / "b", [_bodies()[0], body], NAMES, SIZE)
    found = read_bodies(folder, ["001"], NAMES, SIZE, ["f0", "f2"]).bodies[1]
    assert (found.frames, len(found.points)) == ((), 0)


def test_key_points_without_a_depth_are_left_out(tmp_path):
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
    file = folder / "depth" / "depth0.npy"
    table = np.load(file)
    table[1, 2] = -1
    np.save(file, table)
    found = read_bodies(folder, ["001"], NAMES, SIZE)
    assert found.bodies[0].points.frames.tolist() == [0, 2]
    assert found.notes[0] == "background: 1 key points without a depth were left out"


def test_what_a_body_refuses():
    good = _bodies()[1]
    with pytest.raises(ValueError, match="pose of 001 in frame 0 is not rigid"):
        replace(good, object_from_camera={0: torch.eye(4) * 2})
    with pytest.raises(ValueError, match="scale range"):
        replace(good, scale_range=(1.5, 0.5))
    with pytest.raises(ValueError, match="no box"):
        replace(good, bounds=torch.tensor([[1.0, 0, 0], [0, 1, 1]]))
    with pytest.raises(ValueError, match="depth is not above 0"):
        replace(good.points, depths=torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match="for 2 key points"):
        replace(good.points, weights=torch.ones(3))


def test_what_cannot_be_written(tmp_path):
    for bodies, names, message in (
        (_bodies()[1:], NAMES, '"background" first'),
        (_bodies(), NAMES[:2], "background has a frame 2; expected at most 1"),
        (_bodies(), ["a", "a", "b"], "two frames"),
        ([_bodies()[0], replace(_bodies()[1], scale_range=None)], NAMES, "no scale range"),
    ):
        with pytest.raises(UsageError, match=message):
            write_bodies(tmp_path / "b", bodies, names, SIZE)
        assert not list(tmp_path.iterdir())


def test_damaged_folders(tmp_path):
    with pytest.raises(InputError, match="not a folder of rigid bodies"):
        read_bodies(tmp_path, [], NAMES, SIZE)
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
    np.save(folder / "depth" / "vid1.npy", np.array([0, 7]))
    with pytest.raises(InputError, match=r"vid1\.npy: a key point is in frame 7; expected 0 to 2"):
        read_bodies(folder, ["001"], NAMES, SIZE)
    poses = np.load(folder / "poses" / "pose0.npy")
    poses[1, 0, 0] = 9
    np.save(folder / "poses" / "pose0.npy", poses)
    with pytest.raises(InputError, match=r"pose0\.npy: the pose of background in frame 1"):
        read_bodies(folder, ["001"], NAMES, SIZE)
    head = json.loads((folder / "bodies.json").read_text())
    (folder / "bodies.json").write_text(json.dumps({**head, "version": 2}))
    with pytest.raises(InputError, match="version 2; expected version 1"):
        read_bodies(folder, ["001"], NAMES, SIZE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bodies": None}, "bodies is None; expected a list of names"),
        (
            {"bodies": ["001", "background"]},
            "expected a list of names, each once, background first",
        ),
        ({"bodies": ["background", 1]}, "bodies is"),
        ({"bodies": ["background"]}, "poses: there are poses of 2 bodies; expected 1"),
        ({"bodies": ["background", "001", "002"]}, "there are poses of 2 bodies; expected 3"),
        ({"frames": ["f0", "f1", "f1"]}, "frames is .* expected a list of names, each once;?"),
        ({"width": 0}, "width is 0; expected a whole number"),
        ({"height": "6"}, "height is '6'"),
        ({"intrinsics": 7}, "the intrinsics are 7; expected"),
        ({"intrinsics": [[9, 0, 4], [0, float("nan"), 3], [0, 0, 1]]}, "the intrinsics are"),
        ({"intrinsics": [[-9, 0, 4], [0, 9, 3], [0, 0, 1]]}, "the intrinsics are"),
        ({"intrinsics": [[9, 0, 4], [0, 9, 3], [0, 0, 0]]}, "the intrinsics are"),
    ],
)
def test_a_damaged_head_is_named_with_the_mend(tmp_path, changes, message):
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
    head = json.loads((folder / "bodies.json").read_text())
    (folder / "bodies.json").write_text(json.dumps({**head, **changes}))
    with pytest.raises(InputError, match=f"{message}.*fourfold prepare sfm"):
        read_bodies(folder, ["001"], NAMES, SIZE)


def test_a_head_that_lacks_something(tmp_path):
    for key in ("bodies", "frames", "width", "height"):
        folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
        head = json.loads((folder / "bodies.json").read_text())
        del head[key]
        (folder / "bodies.json").write_text(json.dumps(head))
        with pytest.raises(InputError, match=rf"bodies\.json: {key} is None"):
            read_bodies(folder, ["001"], NAMES, SIZE)


def test_damaged_boxes_and_scales_name_their_file(tmp_path):
    folder = write_bodies(tmp_path / "b", _bodies(), NAMES, SIZE)
    np.save(folder / "depth" / "scale1.npy", np.array([np.nan, 1.5]))
    with pytest.raises(InputError, match=r"scale1\.npy: the scales go from nan to 1\.5"):
        read_bodies(folder, ["001"], NAMES, SIZE)
    np.save(folder / "poses" / "bbox0.npy", np.full((3, 2), np.nan))
    with pytest.raises(InputError, match=r"bbox0\.npy: the bounds are no box"):
        read_bodies(folder, ["001"], NAMES, SIZE)


def test_toy(real_capture):
    folder = real_capture("toy_osn") / "sam_raft"
    assert body_names(folder) == ("background", "001", "002")
    names = [f"{t:04d}" for t in range(12)]
    bodies = read_bodies(folder, ["001", "002"], names, (64, 48)).bodies
    assert [len(body.points) for body in bodies] == [4594, 3424, 2267]
    for body in bodies:
        assert body.frames == tuple(range(12))
        assert body.bounds is not None
        # each key point, lifted by its depth, is in the body's box (which has a margin)
        poses = torch.stack([body.object_from_camera[t] for t in body.frames])
        x = (body.points.pixels - torch.tensor([32.5, 24.5])) / (0.5 * 64 / np.tan(0.5269432))
        rays = torch.cat((x, torch.ones(len(x), 1)), 1) * body.points.depths[:, None]
        at = poses[body.points.frames]
        lifted = (at[:, :3, :3] @ rays[..., None])[..., 0] + at[:, :3, 3]
        assert ((lifted >= body.bounds[0]) & (lifted <= body.bounds[1])).all()
