"""The truth of OSN captures: poses, scales, layers, test views; and the alignment of paths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.capture import (
    KeyPoints,
    OsnFrames,
    OsnTruth,
    RigidBody,
    open_capture,
    write_bodies,
    write_osn,
)
from fourfold.capture.camera_alignment import fit_camera_paths, move_camera
from fourfold.errors import InputError, UsageError
from fourfold.geometry import (
    Camera,
    axis_angle_to_quaternion,
    decompose_similarity,
    invert_rigid,
    invert_similarity,
    project_points,
    quaternion_to_matrix,
    rigid_matrix,
    similarity_matrix,
    transform_points,
    unproject_pixels,
)

WIDTH, HEIGHT, FOCAL, NUM_FRAMES = 8, 6, 10.0, 6
SCALES = (0.5, 2.0, 3.0)


def _turn(*axis_angle: float) -> torch.Tensor:
    return quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor(axis_angle)))


def _arc(num_frames: int = NUM_FRAMES) -> torch.Tensor:
    """Give cameras on an arc, which look roughly along z."""
    angles = torch.linspace(-0.5, 0.5, num_frames).tolist()
    places = [torch.tensor([4 * np.sin(a), 0.3 * a * a, -4 * np.cos(a)]).float() for a in angles]
    return torch.stack(
        [rigid_matrix(_turn(0, -a, 0), p) for a, p in zip(angles, places, strict=True)]
    )


def _object_path(k: int) -> torch.Tensor:
    steps = range(NUM_FRAMES)
    if k == 0:
        return torch.eye(4).expand(NUM_FRAMES, 4, 4)
    turns = torch.stack([_turn(0, 0.1 * k * t, 0.05 * t) for t in steps])
    return rigid_matrix(turns, torch.tensor([[0.2 * t, 0.1 * k, 0.0] for t in steps]))


def _body(k: int, name: str, similarity: torch.Tensor) -> RigidBody:
    """Give a body whose frame `similarity` takes to the true object's; its scale: true units."""
    true = invert_rigid(_object_path(k)) @ _arc()
    scale, rotation, translation = decompose_similarity(similarity)
    poses = {}
    for t, pose in enumerate(true):
        place = rotation.mT @ (pose[:3, 3] - translation) / scale
        poses[t] = rigid_matrix(rotation.mT @ pose[:3, :3], place)
    return RigidBody(name, poses, None, (0.5, 1.5) if k else None, KeyPoints.none())


def _bodies() -> list[RigidBody]:
    similarities = [
        similarity_matrix(s, _turn(0.3 * k, 0.2, 0.1), torch.tensor([1.0, k, -1]))
        for k, s in enumerate(SCALES)
    ]
    names = ("background", "a", "b")
    return [_body(k, name, similarities[k]) for k, name in enumerate(names)]


def _frames(steps: Sequence[int] = range(NUM_FRAMES), views: list[int] | None = None) -> OsnFrames:
    views = list(steps) if views is None else views
    objects = torch.stack([_object_path(k) for k in range(3)], dim=1)
    return OsnFrames(
        images=[torch.full((HEIGHT, WIDTH, 3), 0.1 * t) for t in steps],
        focal=FOCAL,
        world_from_camera=_arc()[list(views)],
        world_from_object=objects[list(steps)],
        labels=[torch.full((HEIGHT, WIDTH), t % 3) for t in steps],
        depth=[torch.full((HEIGHT, WIDTH), 1.0 + t) for t in steps],
        time_steps=list(steps),
        views=views,
    )


def _layers(count: int) -> list[torch.Tensor]:
    layers = torch.full((count, 3, HEIGHT, WIDTH), float("nan"))
    layers[:, 0] = 4.0
    layers[:, 1, 2, 3] = torch.arange(1.0, count + 1)
    return list(layers)


def _truth(folder, **options):
    truth = open_capture(folder, **options).rigid_truth
    assert truth is not None
    return truth


def test_poses_and_scales(tmp_path):
    truth = _truth(write_osn(tmp_path / "c", _frames(), bodies=_bodies()), frames="1:")
    torch.testing.assert_close(truth.world_from_camera, _arc()[1:])
    assert truth.world_from_object is not None
    torch.testing.assert_close(truth.world_from_object[:, 2], _object_path(2)[1:])
    torch.testing.assert_close(truth.scales(), torch.tensor(SCALES, dtype=torch.float64))


def test_scales_with_bad_frames_and_frames_that_are_not_registered(tmp_path):
    bodies = _bodies()
    poses = dict(bodies[1].object_from_camera)
    poses[2] = rigid_matrix(_turn(1.0, 2.0, 0), torch.tensor([9.0, 9, 9]))
    del poses[4]
    bodies[1] = replace(bodies[1], object_from_camera=poses)
    scales = _truth(write_osn(tmp_path / "c", _frames(), bodies=bodies)).scales()
    assert scales is not None
    assert abs(float(scales[1]) / SCALES[1] - 1) < 1e-3


def test_scales_where_the_poses_do_not_say_them(tmp_path):
    bodies = _bodies()
    bodies[2] = replace(bodies[2], object_from_camera={3: bodies[2].object_from_camera[3]})
    scales = _truth(write_osn(tmp_path / "c", _frames(), bodies=bodies)).scales()
    assert scales is not None
    assert scales.isnan().tolist() == [False, False, True]
    folder = write_osn(tmp_path / "c", _frames(), bodies=bodies, true_scales=[1, 2, 4])
    filled = _truth(folder).scales()
    assert filled is not None
    assert filled.tolist() == [*scales[:2].tolist(), 4]
    real = replace(_frames(), world_from_object=None)
    folder = write_osn(tmp_path / "r", real, kind="kitti", bodies=_bodies(), true_scales=[1, 2, 4])
    scales = _truth(folder).scales()
    assert scales is not None
    assert scales.tolist() == [1, 2, 4]
    # other bodies have other units
    names = [f"{t:04d}" for t in range(NUM_FRAMES)]
    other = write_bodies(tmp_path / "b", _bodies(), names, (WIDTH, HEIGHT))
    assert _truth(folder, bodies=other).scales() is None


def test_scales_are_measured_where_depths_are_known(tmp_path):
    # a slightly wrong lens bends a body: its depths say 0.7, the camera's path about it 2
    frames = torch.arange(NUM_FRAMES).repeat_interleave(3)
    pixels = torch.tensor([[0.5, 0.5], [3.5, 2.5], [7.5, 5.5]]).repeat(NUM_FRAMES, 1)
    depths, ones = (1.0 + frames) / 0.7, torch.ones(len(frames))
    depths[::3] = 50.0  # of something else, behind its edge
    bodies = _bodies()
    bodies[1] = replace(bodies[1], points=KeyPoints(pixels, depths, frames, ones, ones))
    scales = _truth(write_osn(tmp_path / "c", _frames(), bodies=bodies)).scales()
    assert scales is not None
    torch.testing.assert_close(
        scales, torch.tensor([0.5, 0.7, 3.0], dtype=torch.float64), rtol=1e-3, atol=0
    )


def test_layers_and_maps_of_training_frames(tmp_path):
    truth = OsnTruth(layers_train=_layers(NUM_FRAMES))
    found = _truth(write_osn(tmp_path / "c", _frames(), truth=truth, depth_unit=0.01), frames="2:")
    layers = found.layers(1)
    assert layers is not None
    assert layers.shape == (3, HEIGHT, WIDTH)
    assert (layers[0] == 4).all()
    assert layers[1, 2, 3] == 4
    assert (~layers.isnan()).sum((1, 2)).tolist() == [HEIGHT * WIDTH, 1, 0]
    labels, depth = found.labels(1), found.depth(1)
    assert labels is not None
    assert depth is not None
    assert (labels == 0).all()
    assert (depth == 4).all()


def test_layers_survive_to_half_a_count(tmp_path):
    depths = torch.rand(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0)) * 8 + 0.01
    depths[0, 0, 0], depths[1, 0, 0] = 1e-5, float("nan")
    truth = OsnTruth(layers_train=[depths] * NUM_FRAMES)
    folder = write_osn(tmp_path / "c", _frames(), truth=truth, depth_unit=0.0002)
    layers = _truth(folder).layers(0)
    torch.testing.assert_close(layers, depths, atol=0.0002, rtol=0, equal_nan=True)
    # however near, it is there
    assert layers is not None
    assert layers[0, 0, 0] > 0
    with pytest.raises(UsageError, match=r"in 0000 is too far; expected at most 6\.5535"):
        write_osn(tmp_path / "c", _frames(), truth=truth, depth_unit=0.0001)
    assert open_capture(folder).num_frames == NUM_FRAMES


def test_test_views_have_the_cameras_of_the_capture(tmp_path):
    images = [torch.rand(3, HEIGHT, WIDTH, 3) for _ in range(2)]
    truth = OsnTruth(layers_test=_layers(2), layer_images_test=images)
    test = _frames([0, 5], views=[3, 1])
    folder = write_osn(tmp_path / "c", _frames(), test, bodies=_bodies(), truth=truth)
    capture = open_capture(folder)
    assert capture.rigid_truth is not None
    first, second = capture.rigid_truth.test_views()
    assert (first.frame, second.frame, first.combination) == (0, 5, None)
    for view, filmed in ((first, 3), (second, 1)):
        camera = capture.camera(filmed)
        assert camera is not None
        torch.testing.assert_close(view.camera.camera_from_world, camera.camera_from_world)
        torch.testing.assert_close(view.camera.intrinsics, camera.intrinsics)
    torch.testing.assert_close(second.image(), torch.full((HEIGHT, WIDTH, 3), 128 / 255))
    labels, depth, layers = second.labels(), second.depth(), second.layers()
    alone = second.layer_images()
    assert labels is not None
    assert depth is not None
    assert layers is not None
    assert alone is not None
    assert ((labels == 2).all(), (depth == 6).all(), layers[1, 2, 3]) == (True, True, 2)
    torch.testing.assert_close(alone, images[1], atol=0.5 / 255 + 1e-6, rtol=0)
    assert second.covisible() is None


def test_test_views_have_the_lens_that_was_found(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), _frames([0], views=[3]), bodies=_bodies())
    lens = torch.tensor([[9.0, 0.0, 4.0], [0.0, 9.0, 3.0], [0.0, 0.0, 1.0]])
    names = [f"{t:04d}" for t in range(NUM_FRAMES)]
    found = write_bodies(tmp_path / "b", _bodies(), names, (WIDTH, HEIGHT), intrinsics=lens)
    (view,) = _truth(folder, bodies=found).test_views()
    torch.testing.assert_close(view.camera.intrinsics, lens)


def test_layers_of_test_views_are_paired_by_name(tmp_path):
    """A picture is gone: those after it keep their own layers."""
    real = replace(_frames(), world_from_object=None)
    test = replace(_frames([0, 2, 5]), world_from_object=None)
    truth = OsnTruth(layers_test=_layers(3))
    folder = write_osn(tmp_path / "c", real, test, kind="iphone", truth=truth)
    (folder / "images_test" / "0001.png").unlink()
    first, second = _truth(folder).test_views()
    assert (first.name, second.name, second.frame) == ("0000", "0002", 5)
    layers = second.layers()
    assert layers is not None
    assert float(layers[1, 2, 3]) == pytest.approx(3)


def test_views_of_frames_that_are_not_selected(tmp_path):
    test = _frames([0, 5], views=[3, 1])
    folder = write_osn(tmp_path / "c", _frames(), test, bodies=_bodies())
    views = _truth(folder, frames="2:").test_views()
    # time 5 is frame 3 of those selected; its camera's frame isn't selected, so the file says it
    assert [view.frame for view in views] == [3]
    expected = invert_rigid(_bodies()[0].object_from_camera[1])
    torch.testing.assert_close(views[0].camera.camera_from_world, expected, atol=1e-4, rtol=1e-4)


def test_test_cameras_of_real_captures_are_aligned(tmp_path):
    real = replace(_frames(), world_from_object=None)
    test = replace(_frames([2]), world_from_object=None, world_from_camera=_arc(3)[1:2], focal=14.0)
    folder = write_osn(tmp_path / "c", real, test, kind="multimotion", bodies=_bodies())
    (view,) = _truth(folder).test_views()
    # a point of the file's world is seen at the same pixel, its depth in the background's units
    point = torch.tensor([[0.4, -0.2, 1.0]])
    true = Camera(invert_rigid(_arc(3)[1]), view.camera.intrinsics, WIDTH, HEIGHT)
    pixels, depth = project_points(true, point)
    similarity = similarity_matrix(SCALES[0], _turn(0, 0.2, 0.1), torch.tensor([1.0, 0, -1]))
    own = transform_points(invert_similarity(similarity), point)
    found, found_depth = project_points(view.camera, own)
    torch.testing.assert_close(found, pixels, atol=1e-3, rtol=0)
    torch.testing.assert_close(found_depth * SCALES[0], depth, atol=1e-4, rtol=0)
    assert view.camera.focal == (14, 14)


def test_a_merged_sequence_brings_its_own_training_frames(tmp_path):
    # the training file agrees with the bodies; the test file is of a second, merged solution
    real = replace(_frames(), world_from_object=None)
    test = replace(_frames([2]), world_from_object=None, world_from_camera=_arc(3)[1:2])
    bodies = [_body(0, "background", torch.eye(4)), *_bodies()[1:]]
    folder = write_osn(tmp_path / "c", real, test, kind="kitti", bodies=bodies)
    (same,) = _truth(folder).test_views()
    merged = similarity_matrix(4.0, _turn(0.1, 0.7, 0), torch.tensor([1.0, 2, 3])).double()
    files = [folder / f"transforms_{split}.json" for split in ("test", "train")]
    entries = [entry for file in files for entry in json.loads(file.read_text())["frames"]]
    for entry in entries:
        moved = merged @ torch.tensor(entry["transform_matrix"], dtype=torch.float64)
        moved[:3, :3] /= 4
        entry["transform_matrix"] = moved.tolist()
    files[0].write_text(json.dumps({**json.loads(files[0].read_text()), "frames": entries}))
    (view,) = _truth(folder).test_views()
    expected = same.camera.camera_from_world
    torch.testing.assert_close(view.camera.camera_from_world, expected, atol=1e-4, rtol=1e-4)


def test_views_follow_the_working_size(tmp_path):
    folder = write_osn(tmp_path / "c", _frames(), _frames([2]))
    (view,) = _truth(folder, max_size=4).test_views()
    labels = view.labels()
    assert labels is not None
    assert view.image().shape == (3, 4, 3)
    assert labels.shape == (3, 4)
    assert view.camera.intrinsics.tolist() == [[5, 0, 2.25], [0, 5, 1.75], [0, 0, 1]]


def test_combinations(tmp_path):
    test = _frames([1, 2])
    shown = [replace(test, images=[torch.full((HEIGHT, WIDTH, 3), x)] * 2) for x in (0.2, 0.6)]
    combinations = torch.tensor([[1.0, 1], [0.8, 1.2]], dtype=torch.float64)
    truth = OsnTruth(combinations=combinations, combination_tests=shown)
    found = _truth(write_osn(tmp_path / "c", _frames(), test, truth=truth))
    torch.testing.assert_close(found.combinations, combinations)
    views = found.test_views(1)
    assert [view.combination for view in views] == [1, 1]
    torch.testing.assert_close(views[0].image(), torch.full((HEIGHT, WIDTH, 3), 0.6))
    assert (views[0].labels() is None, views[0].layers() is None) == (False, True)
    with pytest.raises(InputError, match=r"combinations/02/images_test: there are no pictures"):
        found.test_views(2)


def test_covisibility_is_read(tmp_path, save):
    folder = write_osn(tmp_path / "c", _frames(), _frames([2]))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[:, :3] = 255
    save(folder / "covis_mask" / "0000.png", mask)
    covisible = _truth(folder).test_views()[0].covisible()
    assert covisible is not None
    assert covisible.sum() == 18


def test_a_capture_without_truth(tmp_path):
    truth = _truth(write_osn(tmp_path / "c", _frames()))
    assert truth.test_views() == ()
    assert (truth.layers(0), truth.combinations, truth.scales()) == (None, None, None)


def test_damaged_truth(tmp_path):
    truth = OsnTruth(layers_train=_layers(NUM_FRAMES))
    folder = write_osn(
        tmp_path / "c", _frames(), _frames([0, 1]), bodies=_bodies()[:2], truth=truth
    )
    found = _truth(folder)
    (folder / "truth" / "layers_train" / "0001.npz").write_bytes(b"PK no more")
    with pytest.raises(InputError, match=r"0001\.npz: the layers are damaged"):
        found.layers(1)
    with pytest.raises(InputError, match="the truth has 3 bodies; expected 2"):
        found.scales()
    data = json.loads((folder / "transforms_test.json").read_text())
    data["frames"].pop()
    (folder / "transforms_test.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"transforms_test\.json: 1 poses for 2 pictures"):
        found.test_views()


@given(st.floats(0.05, 20), st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_any_similarity_between_paths_is_found(scale, numbers):
    similarity = similarity_matrix(scale, _turn(*numbers[:3]), torch.tensor(numbers[3:])).double()
    source = _arc().double()
    target = similarity @ source
    target[:, :3, :3] /= scale
    found = fit_camera_paths(source, target)
    torch.testing.assert_close(found, similarity, atol=1e-5 * scale + 1e-6, rtol=1e-5)


def test_paths_along_a_line_leave_nothing_open():
    line = _arc()
    line[:, 1:3, 3] = 0
    similarity = similarity_matrix(2.5, _turn(0.3, 0.2, 0.1), torch.tensor([1.0, 2, 3])).double()
    moved = similarity @ line.double()
    moved[:, :3, :3] /= 2.5
    torch.testing.assert_close(fit_camera_paths(line, moved), similarity)
    with pytest.raises(ValueError, match="stays in one place"):
        fit_camera_paths(line[:1].expand(3, 4, 4), moved[:3])


def test_noise_of_the_path_does_not_shrink_the_scale():
    generator = torch.Generator().manual_seed(0)
    target = _arc(400)
    source = target.clone()
    source[:, :3, 3] += 0.3 * torch.randn(400, 3, generator=generator)
    scale = float(torch.linalg.det(fit_camera_paths(source, target)[:3, :3]).pow(1 / 3))
    # least squares the other way round would give about 1 / (1 + 3 * 0.3^2 / 1.4) = 0.84
    assert abs(scale - 1) < 0.06


def test_a_moved_camera_sees_the_same():
    camera = Camera(invert_rigid(_arc()[0]), torch.eye(3), WIDTH, HEIGHT)
    similarity = similarity_matrix(3.0, _turn(0.5, 0.1, 0), torch.tensor([1.0, 2, 3]))
    point = torch.tensor([[0.1, 0.2, 0.3]])
    pixels, depth = project_points(camera, point)
    moved = move_camera(camera, similarity)
    found, found_depth = project_points(moved, transform_points(similarity, point))
    torch.testing.assert_close(found, pixels)
    torch.testing.assert_close(found_depth, 3 * depth)


def test_toy(real_capture):
    folder = real_capture("toy_osn")
    truth = _truth(folder)
    scales = truth.scales()
    assert scales is not None
    stored = torch.from_numpy(np.load(folder / "sam_raft" / "depth" / "scales_gt.npy"))
    torch.testing.assert_close(scales, stored, atol=1e-3, rtol=0)
    # true depth = scale * depth of the body, at the key points of a frame
    capture = open_capture(folder)
    depth = truth.depth(4)
    assert depth is not None
    for body, scale in zip(capture.bodies, scales, strict=True):
        now = body.points.frames == 4
        x, y = body.points.pixels[now].long().T
        torch.testing.assert_close(depth[y, x], (scale * body.points.depths[now]).float())
    views = truth.test_views()
    assert [view.frame for view in views] == list(range(12))
    camera = capture.camera(4)
    assert camera is not None
    torch.testing.assert_close(views[0].camera.camera_from_world, camera.camera_from_world)
    # the camera is where the file says, in the background's units
    fits = truth.true_from_bodies()
    assert fits is not None
    assert fits[0] is not None
    position = transform_points(fits[0], views[0].camera.position.double()[None])[0]
    filed = json.loads((folder / "transforms_test.json").read_text())["frames"][0]
    expected = torch.tensor(filed["transform_matrix"], dtype=torch.float64)[:3, 3]
    torch.testing.assert_close(position, expected, atol=1e-4, rtol=1e-4)


def test_key_points_of_toy_lie_on_the_surfaces_of_its_test_views(real_capture):
    capture = open_capture(real_capture("toy_osn"))
    truth = capture.rigid_truth
    assert truth is not None
    scales = truth.scales()
    assert scales is not None
    relative = (scales / scales[0]).float()
    view = truth.test_views()[3]
    labels, depth, camera = view.labels(), view.depth(), capture.camera(view.frame)
    assert labels is not None
    assert depth is not None
    assert camera is not None
    for index, body in enumerate(capture.bodies):
        now = body.points.frames == view.frame
        depths = relative[index] * body.points.depths[now]
        world = unproject_pixels(camera, body.points.pixels[now], depths)
        pixels, found = project_points(view.camera, world)
        x, y = pixels.floor().long().T
        seen = (x >= 0) & (x < 64) & (y >= 0) & (y < 48)
        seen[seen.clone()] &= labels[y[seen], x[seen]] == index
        error = (found[seen] * float(scales[0]) / depth[y[seen], x[seen]] - 1).abs()
        assert seen.float().mean() > 0.7
        assert error.median() < 0.01
