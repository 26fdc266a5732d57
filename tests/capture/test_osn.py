"""OSN's layout: frames, masks and bodies as a method sees them."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
import torch

from fourfold.capture import (
    KeyPoints,
    OsnFrames,
    RigidBody,
    describe,
    open_capture,
    write_bodies,
    write_capture,
    write_osn,
)
from fourfold.capture.writing import FilmedView
from fourfold.errors import InputError, UsageError
from fourfold.geometry import invert_rigid, rigid_matrix

WIDTH, HEIGHT, FOCAL = 8, 6, 10.0
NUM_FRAMES = 3


def _path(step: float = 1.0) -> torch.Tensor:
    """Give cameras that move to the right by `step` and look along the world's z."""
    places = torch.stack([torch.tensor([step * t, 0.0, -4.0]) for t in range(NUM_FRAMES)])
    return rigid_matrix(torch.eye(3).expand(NUM_FRAMES, 3, 3), places)


def _labels() -> list[torch.Tensor]:
    labels = torch.zeros(NUM_FRAMES, HEIGHT, WIDTH, dtype=torch.int64)
    labels[:, 0, 0], labels[:, 1, :2] = 1, 2
    return list(labels)


def _frames(**changes) -> OsnFrames:
    objects = torch.eye(4).expand(NUM_FRAMES, 3, 4, 4)
    values: dict[str, Any] = {
        "images": [torch.full((HEIGHT, WIDTH, 3), 0.2 * t) for t in range(NUM_FRAMES)],
        "focal": FOCAL,
        "world_from_camera": _path(),
        "world_from_object": objects,
        "labels": _labels(),
    }
    return OsnFrames(**{**values, **changes})


def _bodies(names=("background", "mug", "house"), without=()) -> list[RigidBody]:
    """Give bodies of half the true size: their cameras move by 0.5."""
    poses = _path(0.5)
    pixels = torch.tensor([[0.5, 0.5], [7.5, 5.5]])
    two, frames = torch.ones(2), torch.tensor([0, 2])
    points = KeyPoints(pixels, 2 * two, frames, two, two)
    return [
        RigidBody(
            name,
            {t: pose for t, pose in enumerate(poses) if k or t not in without},
            None,
            (0.5, 1.5) if k else None,
            points,
        )
        for k, name in enumerate(names)
    ]


def test_what_is_missing_for_the_method(tmp_path):
    found = describe(open_capture(write_osn(tmp_path / "c", _frames())))
    assert found.has_truth
    assert found.missing["osn"] == (
        "rigid bodies (fourfold prepare sfm CAPTURE --out DIR, then --bodies DIR)",
    )
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies())
    assert describe(open_capture(folder)).missing["osn"] == ()
    assert describe(open_capture(folder, frames="1")).missing["osn"] == ("a second frame",)


def test_frames_and_masks_without_bodies(tmp_path):
    capture = open_capture(write_osn(tmp_path / "c", _frames()))
    assert (capture.layout, capture.frames) == ("osn", ("0000", "0001", "0002"))
    assert capture.object_names == ("001", "002")
    assert capture.areas.tolist() == [[1, 2]] * 3
    assert capture.channels == {"image", "mask", "camera"}
    assert capture.bodies == ()
    camera = capture.camera(1)
    assert camera is not None
    torch.testing.assert_close(camera.position, torch.tensor([1.0, 0, -4]))
    # pixel (u, v) of OSN has the ray ((u - W/2) / f, ...); its centre is at (u + 0.5, v + 0.5)
    expected = torch.tensor([[FOCAL, 0, 4.5], [0, FOCAL, 3.5], [0, 0, 1]])
    torch.testing.assert_close(camera.intrinsics, expected)


def test_cameras_are_those_of_the_background(tmp_path):
    capture = open_capture(write_osn(tmp_path / "c", _frames(), bodies=_bodies()))
    assert capture.object_names == ("mug", "house")
    assert [body.name for body in capture.bodies] == ["background", "mug", "house"]
    camera = capture.camera(2)
    assert camera is not None
    torch.testing.assert_close(camera.position, torch.tensor([1.0, 0, -4]))
    assert capture.notes == ()


def test_key_points_and_cameras_follow_frames_and_size(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies())
    capture = open_capture(folder, frames="1:", max_size=4)
    points = capture.bodies[1].points
    assert capture.bodies[1].frames == (0, 1)
    assert points.frames.tolist() == [1]
    assert points.pixels.tolist() == [[3.75, 2.75]]
    camera = capture.camera(0)
    assert camera is not None
    assert camera.intrinsics.tolist() == [[5, 0, 2.25], [0, 5, 1.75], [0, 0, 1]]


def test_a_capture_without_objects(tmp_path):
    alone = torch.eye(4).expand(NUM_FRAMES, 1, 4, 4)
    labels = [torch.zeros(HEIGHT, WIDTH, dtype=torch.int64)] * NUM_FRAMES
    frames = _frames(world_from_object=alone, labels=labels)
    capture = open_capture(write_osn(tmp_path / "c", frames, bodies=_bodies(["background"])))
    assert (capture.object_names, capture.channels) == ((), {"image", "camera"})
    assert capture.masks(0).shape == (0, HEIGHT, WIDTH)
    assert [body.name for body in capture.bodies] == ["background"]
    assert capture.rigid_truth is not None
    torch.testing.assert_close(
        capture.rigid_truth.scales(), torch.tensor([2.0], dtype=torch.float64)
    )


def test_a_frame_in_which_the_background_is_not_registered_has_no_camera(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies(without=[1]))
    capture = open_capture(folder)
    assert [capture.camera(t) is None for t in range(3)] == [False, True, False]
    assert capture.notes == ("background is registered in 2 of 3 frames",)
    assert capture.bodies[1].frames == (0, 1, 2)


@pytest.mark.parametrize("compact", [False, True])
def test_compact_files_say_the_same(tmp_path, compact):
    depth = [torch.full((HEIGHT, WIDTH), 1.25)] * NUM_FRAMES
    frames = _frames(depth=depth)
    folder = write_osn(tmp_path / "c", frames, compact=compact, depth_unit=0.001)
    suffix = "png" if compact else "npy"
    assert (folder / "segm_sam" / f"0000.{suffix}").is_file()
    capture = open_capture(folder)
    assert capture.areas.tolist() == [[1, 2]] * 3
    # the depths beside the input are truth
    assert capture.depth(0) is None
    truth = capture.rigid_truth
    assert truth is not None
    torch.testing.assert_close(truth.depth(2), depth[2])


def test_real_captures_have_a_focal_length_and_names(tmp_path):
    frames = _frames(world_from_object=None)
    folder = write_osn(tmp_path / "c", frames, kind="iphone", frame_names=["a7", "a8", "a9"])
    data = json.loads((folder / "transforms_train.json").read_text())
    assert (data["focal"], data["img_w"], data["img_h"]) == (FOCAL, WIDTH, HEIGHT)
    assert [f["time"] for f in data["frames"]] == [0, 0.5, 1]
    # the poses are found by the pictures' names, in whatever order
    data["frames"].reverse()
    (folder / "transforms_train.json").write_text(json.dumps(data))
    capture = open_capture(folder)
    camera = capture.camera(2)
    assert camera is not None
    torch.testing.assert_close(camera.position, torch.tensor([2.0, 0, -4]))
    # the number of objects is that of the labels
    assert capture.object_names == ("001", "002")


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        (lambda names: [*names[:2], "images_train/b1"], "frame a9: 1 of 3 pictures in .* no pose"),
        (
            lambda names: [*names[:2], None],
            "frame a9: 1 of 3 pictures in images_train have no pose",
        ),
        (lambda names: [*names[:2], names[1]], "frame a8: two poses name one picture"),
        (lambda names: [f"images_test/a{t}" for t in (7, 8, 9)], "0 poses for 3 pictures"),
    ],
)
def test_named_poses_are_never_counted(tmp_path, rename, message):
    frames = _frames(world_from_object=None)
    folder = write_osn(tmp_path / "c", frames, kind="iphone", frame_names=["a7", "a8", "a9"])
    file = folder / "transforms_train.json"
    data = json.loads(file.read_text())
    names = rename([entry["file_path"] for entry in data["frames"]])
    for entry, name in zip(data["frames"], names, strict=True):
        entry["file_path"] = name
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=rf"transforms_train\.json.*{message}"):
        open_capture(folder)


def test_transparent_parts_are_white_and_no_object(tmp_path, save):
    folder = write_osn(tmp_path / "c", _frames())
    for t in range(NUM_FRAMES):
        rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        rgba[:, 4:, 3] = 255
        save(folder / "images_train" / f"{t:04d}.png", rgba)
    capture = open_capture(folder)
    assert capture.image(0)[0, :, 0].tolist() == [1] * 4 + [0] * 4
    assert capture.object_names == ("001", "002")


def test_the_fingerprint_follows_the_bodies(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies(), true_scales=[1.0, 2, 3])
    before = open_capture(folder).fingerprint()
    np.save(folder / "sam_raft" / "depth" / "scales_gt.npy", np.ones(3) * 7)
    assert open_capture(folder).fingerprint() == before
    np.save(folder / "sam_raft" / "depth" / "scale1.npy", np.array([0.25, 1.75]))
    assert open_capture(folder).fingerprint() != before


def test_other_bodies_can_be_given(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies())
    other = [RigidBody(b.name, b.object_from_camera, None, b.scale_range, KeyPoints.none())
             for b in _bodies()]  # fmt: skip
    names = [f"{t:04d}" for t in range(NUM_FRAMES)]
    given = write_bodies(tmp_path / "b", other, names, (WIDTH, HEIGHT))
    assert [len(b.points) for b in open_capture(folder).bodies] == [2, 2, 2]
    assert [len(b.points) for b in open_capture(folder, bodies=given).bodies] == [0, 0, 0]


def test_given_cameras_put_the_captures_own_bodies_aside(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies(without=[1]))
    file = tmp_path / "cameras.json"
    matrix = [[9.0, 0, 4], [0, 9, 3], [0, 0, 1]]
    poses = {f"{t:04d}": torch.eye(4).tolist() for t in range(NUM_FRAMES)}
    file.write_text(json.dumps({"intrinsics": matrix, "camera_from_world": {"main": poses}}))
    capture = open_capture(folder, cameras=file)
    assert capture.bodies == ()
    assert capture.notes[-1:] == (
        "the cameras given are used, and the capture's own bodies put aside",
    )
    for t in range(NUM_FRAMES):
        camera = capture.camera(t)
        assert camera is not None
        assert camera.position.tolist() == [0, 0, 0]
    # bodies that are given as well bring their poses along: the camera file then gives the lens
    both = open_capture(folder, cameras=file, bodies=folder / "sam_raft")
    assert len(both.bodies) == 3
    camera = both.camera(2)
    assert camera is not None
    assert camera.position.tolist() == [1, 0, -4]


def test_bodies_beside_a_clip_of_another_layout(tmp_path, clip):
    root = clip(frames=3, width=WIDTH, height=HEIGHT)
    bodies = _bodies(("background", "001"))
    names = ["00000", "00001", "00002"]
    matrix = torch.tensor([[9.0, 0, 4], [0, 9, 3], [0, 0, 1]])
    folder = write_bodies(tmp_path / "b", bodies, names, (WIDTH, HEIGHT), intrinsics=matrix)
    capture = open_capture(root, bodies=folder, frames="2")
    camera = capture.camera(0)
    assert camera is not None
    assert camera.focal == (9, 9)
    torch.testing.assert_close(camera.position, torch.tensor([1.0, 0, -4]))
    assert [body.name for body in capture.bodies] == ["background", "001"]
    assert capture.rigid_truth is None
    write_bodies(folder, bodies, names, (WIDTH, HEIGHT))
    with pytest.raises(InputError, match="nothing says the camera's focal length"):
        open_capture(root, bodies=folder)
    file = tmp_path / "cameras.json"
    poses = {name: torch.eye(4).tolist() for name in names}
    content = {"intrinsics": matrix.tolist(), "camera_from_world": {"main": poses}}
    file.write_text(json.dumps(content))
    camera = open_capture(root, bodies=folder, cameras=file).camera(1)
    assert camera is not None
    assert (camera.focal, camera.position.tolist()) == ((9, 9), [0.5, 0, -4])
    shutil.rmtree(root / "Annotations")
    with pytest.raises(
        InputError,
        match=r"has the bodies background, 001; expected those of the capture: background\.",
    ):
        open_capture(root, bodies=folder)


def test_bodies_fit_one_view_only(tmp_path):
    images = [torch.zeros(HEIGHT, WIDTH, 3)]
    views = {"a": FilmedView(images), "b": FilmedView(images)}
    folder = write_capture(tmp_path / "c", views, fps=1.0)
    with pytest.raises(UsageError, match="bodies can be added to one view, not to 2"):
        open_capture(folder, bodies=tmp_path)


def test_masks_of_other_objects_put_the_bodies_aside(tmp_path, save):
    folder = write_osn(tmp_path / "c", _frames(), bodies=_bodies())
    for t in range(NUM_FRAMES):
        save(tmp_path / "m" / "cat" / f"{t:04d}.png", np.full((HEIGHT, WIDTH), 255, np.uint8))
    capture = open_capture(folder, masks=tmp_path / "m")
    assert (capture.object_names, capture.bodies, capture.rigid_truth) == (("cat",), (), None)
    assert "name other objects" in capture.notes[-1]


def _remove(folder, name):
    (folder / name).unlink()


def _edit(folder, **changes):
    file = folder / "transforms_train.json"
    data = json.loads(file.read_text())
    file.write_text(json.dumps({**data, **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: _remove(c, "segm_sam/0001.npy"), "frame 0001: 1 of 3 frames have no label map"),
        (
            lambda c: np.save(c / "segm_sam" / "0009.npy", np.zeros((HEIGHT, WIDTH))),
            r"0009\.npy: the label map belongs to no frame",
        ),
        (
            lambda c: np.save(c / "segm_sam" / "0000.npy", np.zeros((4, 4))),
            r"0000\.npy: an array of shape \(4, 4\) .*expected numbers of shape \(6, 8\)",
        ),
        (
            lambda c: np.save(c / "segm_sam" / "0000.npy", np.full((HEIGHT, WIDTH), 3)),
            "frame 0000: the label map has the label 3; expected 0 .* 1 to 2",
        ),
        (
            lambda c: np.save(c / "segm_sam" / "0000.npy", np.full((HEIGHT, WIDTH), 0.5)),
            "not a label map",
        ),
        (lambda c: _edit(c, camera_angle_x=None), "no focal length; expected camera_angle_x"),
        (lambda c: _edit(c, camera_angle_x="wide"), "camera_angle_x is 'wide'"),
        (lambda c: _edit(c, frames=[]), "0 poses for 3 pictures"),
        (lambda c: _edit(c, frames="none"), "no list of frames"),
    ],
)
def test_damaged_captures(tmp_path, damage, message):
    folder = write_osn(tmp_path / "c", _frames())
    damage(folder)
    with pytest.raises(InputError, match=message):
        _ = open_capture(folder).areas


def test_a_pose_that_is_not_rigid(tmp_path):
    folder = write_osn(tmp_path / "c", _frames())
    data = json.loads((folder / "transforms_train.json").read_text())
    data["frames"][1]["transform_matrix"][0][0] = 3
    _edit(folder, frames=data["frames"])
    with pytest.raises(InputError, match=r"transforms_train\.json, frame 1: .* not a rotation"):
        open_capture(folder)


def test_what_cannot_be_written(tmp_path):
    cases: tuple[tuple[OsnFrames, dict[str, Any], str], ...] = (
        (_frames(labels=None), {}, "needs label maps"),
        (_frames(labels=_labels()[:2]), {}, "3 frames, 2 label maps"),
        (_frames(world_from_object=None), {}, "stores the objects' poses"),
        (_frames(views=[0]), {}, r"channels of \[1, 3\] frames; expected 3"),
        (_frames(depth=[torch.full((HEIGHT, WIDTH), 70.0)] * 3), {"compact": True}, "too far"),
        (_frames(labels=[m * 200 for m in _labels()]), {}, "labels of 0000 lie between 0 and 400"),
    )
    for frames, options, message in cases:
        with pytest.raises(UsageError, match=message):
            write_osn(tmp_path / "c", frames, **options)
        assert not list(tmp_path.iterdir())


def test_toy(real_capture):
    capture = open_capture(real_capture("toy_osn"))
    assert (capture.layout, capture.num_frames, capture.object_names) == ("osn", 12, ("001", "002"))
    assert (capture.width, capture.height) == (64, 48)
    for body, index in zip(capture.bodies[1:], range(2), strict=True):
        # key points lie on their object
        for frame in (0, 11):
            pixels = body.points.pixels[body.points.frames == frame].long()
            assert capture.masks(frame)[index][pixels[:, 1], pixels[:, 0]].all()
    camera, pose = capture.camera(3), capture.bodies[0].object_from_camera[3]
    assert camera is not None
    torch.testing.assert_close(camera.camera_from_world, invert_rigid(pose))
