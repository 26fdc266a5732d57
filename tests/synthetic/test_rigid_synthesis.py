"""Rigid stages written in OSN's layout agree with their truth, checked by ways of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.capture import open_capture
from fourfold.errors import UsageError
from fourfold.geometry import invert_rigid, project_points, unproject_pixels
from fourfold.scene.scale_set.brute_force import brute_force_accuracy
from fourfold.synthetic import Prop, RigidStage, Storage
from fourfold.synthetic.demo import render_demo
from fourfold.synthetic.footage import Filming
from fourfold.synthetic.limbs import turn
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.rigid_synthesis import count_pictures, synthesize_rigid
from fourfold.synthetic.solids import block
from fourfold.synthetic.stage import Lamp, Panel, Stage, Viewpoint, to_world
from fourfold.synthetic.takes import rigid_camera, shot

WIDTH, HEIGHT, FRAMES = 40, 30, 4
FILMING = Filming(WIDTH, HEIGHT, FRAMES, 4, 0)


def _paint(v: np.ndarray) -> np.ndarray:
    return 0.3 + 0.25 * np.sin(5 * v[:, [0, 1, 2]] + 1.0)


def _wall(corner: tuple, edge_u: tuple, edge_v: tuple) -> Panel:
    texture = np.random.default_rng(0).uniform(0.1, 0.9, (8, 12, 3)).astype(np.float32)
    return Panel(corner, edge_u, edge_v, texture)


def _crossing(way: float, depth: float, time: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = turn("y", 0.3 * time)
    pose[:3, 3] = way * (time - 1.0), 0.8, depth
    return pose


def _boxes(glowing: bool, solutions: int) -> RigidStage:
    """Two boxes that cross before a wall: the near one hides the far one."""
    props = (
        Prop("near", block((-0.4, -0.4, -0.3), (0.4, 0.4, 0.3), _paint, 0.1), _near),
        Prop("far", block((-0.5, -0.5, -0.3), (0.5, 0.5, 0.3), _paint, 0.1), _far),
    )
    stage = Stage(
        name="boxes",
        seconds=2.0,
        actors=(),
        room=(
            _wall((-6, -1.5, 2), (12, 0, 0), (0, 0, -4)),
            _wall((-6, -1.5, -2), (12, 0, 0), (0, 8, 0)),
        ),
        lamps=(Lamp((-1.0, 4.0, 1.0), (2.0, 0, 0), (0, 0, 2.0), (9.0, 9.0, 9.0)),),
        sky=(0.4, 0.4, 0.4),
        viewpoint_at=lambda t: Viewpoint((0.8 * t - 0.8, 1.2, 4.5), (0.0, 0.7, 0.0), 36.0),
        pivot=(0.0, 0.7, 0.0),
        glowing=glowing,
    )
    return RigidStage.of(props, stage, solutions)


def _near(time: float) -> np.ndarray:
    return _crossing(0.5, 1.2, time)


def _far(time: float) -> np.ndarray:
    return _crossing(-0.5, 0.0, time)


def _film(out: Path, glowing: bool, solutions: int) -> Path:
    pytest.importorskip("mitsuba")
    return synthesize_rigid(_boxes(glowing, solutions), out, FILMING, Storage())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return _film(tmp_path_factory.mktemp("rigid") / "lit", False, 0)


@pytest.fixture(scope="module")
def capture(folder):
    return open_capture(folder)


@pytest.fixture(scope="module")
def glowing(tmp_path_factory):
    return open_capture(_film(tmp_path_factory.mktemp("rigid") / "glowing", True, 3))


def test_a_method_sees_images_masks_bodies_and_no_truth(capture):
    assert (capture.width, capture.height, len(capture.frames)) == (WIDTH, HEIGHT, FRAMES)
    assert capture.object_names == ("near", "far")
    assert capture.channels == {"image", "mask", "camera"}
    assert [body.name for body in capture.bodies] == ["background", "near", "far"]
    assert 0.05 < capture.image(0).mean() < 0.9


def test_what_is_seen_is_the_nearest_layer(capture):
    truth = capture.rigid_truth
    for frame in range(FRAMES):
        layers, labels, depth = truth.layers(frame), truth.labels(frame), truth.depth(frame)
        nearest, index = torch.nan_to_num(layers, nan=1e9).min(0)
        # layers are stored in millimetres
        assert (index == labels).float().mean() > 0.998
        torch.testing.assert_close(
            nearest[index == labels], depth[index == labels], atol=1e-3, rtol=0
        )
        assert (capture.masks(frame)[0] == (labels == 1)).all()
    hidden = ~torch.isnan(layers[2]) & (labels == 1)
    assert hidden.sum() > 20


def test_layers_of_two_frames_lie_on_the_same_surfaces(capture):
    truth = capture.rigid_truth
    layer = [truth.layers(frame)[2] for frame in (0, 3)]
    # the far box, also where it is hidden: from frame 0 over its own frame to frame 3
    cameras = [
        capture.camera(frame).moved(invert_rigid(truth.world_from_camera[frame].float()))
        for frame in (0, 3)
    ]
    points = unproject_pixels(cameras[0], cameras[0].pixel_grid(), layer[0])[~layer[0].isnan()]
    moved = truth.world_from_object[3, 2] @ torch.linalg.inv(truth.world_from_object[0, 2])
    points = points @ moved[:3, :3].T.float() + moved[:3, 3].float()
    pixels, depth = project_points(cameras[1], points)
    x, y = pixels.long().unbind(-1)
    error = (layer[1][y.clamp(0, HEIGHT - 1), x.clamp(0, WIDTH - 1)] - depth).abs()
    assert (error < 0.06).float().mean() > 0.7


def test_key_points_have_exact_depth_and_scales_agree(capture):
    truth = capture.rigid_truth
    scales = truth.scales()
    stored = np.load(truth.folder / "sam_raft" / "depth" / "scales_gt.npy")
    np.testing.assert_allclose(scales.numpy(), stored, rtol=1e-3)
    for k, body in enumerate(capture.bodies):
        points = body.points
        assert len(points) >= 40
        x, y = points.pixels.long().unbind(-1)
        labels = torch.stack([truth.labels(frame) for frame in range(FRAMES)])
        depth = torch.stack([truth.depth(frame) for frame in range(FRAMES)])
        assert (labels[points.frames, y, x] == k).all()
        torch.testing.assert_close(
            points.depths * scales[k], depth[points.frames, y, x], rtol=1e-4, atol=0
        )
        if body.scale_range is not None:
            assert body.scale_range[0] < scales[k] / scales[0] < body.scale_range[1]


def test_bodies_lie_in_their_bounds(capture):
    for body in capture.bodies:
        points = body.points
        for frame in body.frames:
            own = points.where(points.frames == frame)
            camera = capture.camera(frame).moved(invert_rigid(body.object_from_camera[frame]))
            place = unproject_pixels(camera, own.pixels, own.depths)
            assert (place >= body.bounds[0] - 1e-3).all()
            assert (place <= body.bounds[1] + 1e-3).all()


def test_test_views_show_what_their_layers_say(capture):
    views = capture.rigid_truth.test_views()
    assert len(views) == FRAMES
    for view in views:
        layers, labels = view.layers(), view.labels()
        index = torch.nan_to_num(layers, nan=1e9).argmin(0)
        assert (index == labels).float().mean() > 0.995
        images = view.layer_images()
        composed = images.gather(0, labels[None, ..., None].expand(1, -1, -1, 3))[0]
        torch.testing.assert_close(composed, view.image())
        assert (images[layers.isnan()] == 0).all()
        assert (images[~layers.isnan()].amax(-1) > 0).all()


def test_the_same_seed_gives_the_same_files(folder, tmp_path):
    again = _film(tmp_path / "again", False, 0)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_a_solution_leaves_the_video_as_it_is(glowing):
    truth = glowing.rigid_truth
    assert truth.combinations.shape == (3, 2)
    torch.testing.assert_close(truth.combinations[0].float(), torch.ones(2))
    rigid = _boxes(True, 3)
    camera = rigid_camera(rigid, 0.0, WIDTH, HEIGHT)
    centre = to_world(camera.position.numpy().astype(np.float64))
    for factors in truth.combinations[1:].numpy():
        assert abs(factors - 1).max() > 0.2
        scene = FilmedScene(rigid.enlarged(factors, centre).stage, 0.0)
        picture = shot(scene, camera, FILMING.samples, 0)
        difference = (picture.image - glowing.image(0)).abs().amax(-1)
        # a ray that grazes an outline may fall to the other side of it
        assert (picture.labels == truth.labels(0)).float().mean() > 0.99
        assert (difference < 0.01).float().mean() > 0.99


def test_solutions_change_the_test_views(glowing):
    truth = glowing.rigid_truth
    plain, filmed, other = (truth.test_views(which) for which in (None, 0, 1))
    for a, b, c in zip(plain, filmed, other, strict=True):
        torch.testing.assert_close(a.labels(), b.labels())
        torch.testing.assert_close(a.depth(), b.depth())
        assert (c.depth() - a.depth()).abs().max() > 0.1


def test_solutions_are_valid_by_brute_force(glowing):
    truth = glowing.rigid_truth
    layers = [truth.layers(frame) for frame in range(FRAMES)]
    labels = [truth.labels(frame) for frame in range(FRAMES)]
    assert (brute_force_accuracy(layers, labels, truth.combinations.float()) > 0.99).all()


def test_no_two_pictures_share_their_noise(tmp_path, monkeypatch):
    pytest.importorskip("mitsuba")
    seeds, photograph = [], FilmedScene.photograph

    def noted(scene, camera, samples, seed):
        seeds.append(seed)
        return photograph(scene, camera, samples, seed)

    monkeypatch.setattr(FilmedScene, "photograph", noted)
    small = replace(FILMING, width=16, height=12, frames=2, samples=1)
    synthesize_rigid(_boxes(True, 3), tmp_path / "small", small, Storage())
    # three solutions at two test views among them
    assert len(seeds) == count_pictures(_boxes(True, 3), 2)
    assert len(set(seeds)) == len(seeds)


def test_pictures_are_counted(tmp_path):
    pytest.importorskip("mitsuba")
    rigid, seen = _boxes(True, 0), []
    small = replace(FILMING, width=16, height=12, frames=2, samples=1)
    storage = Storage(jpeg_quality=80, compact=True, points_across=4)
    out = synthesize_rigid(rigid, tmp_path / "small", small, storage, lambda *now: seen.append(now))
    total = count_pictures(rigid, 2)
    # two frames, two test views, three bodies alone in each
    assert total == 2 + 2 * (1 + 3)
    assert seen == [(done, total) for done in range(1, total + 1)]
    assert len(list((out / "images_train").glob("*.jpg"))) == 2
    assert len(list((out / "segm_train").glob("*.png"))) == 2


def test_an_unknown_example_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no example 'circus'"):
        render_demo("circus", tmp_path / "x")
