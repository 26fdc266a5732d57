"""Captures filmed by Mitsuba agree with their truth, which is checked by ways of its own."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import max_pool2d

from fourfold.capture import open_capture
from fourfold.errors import MissingDependencyError, UsageError
from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.synthetic import NOVEL_VIEWS, Storage, synthesize, world_camera
from fourfold.synthetic.juggler import juggler
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.stage import Viewpoint, to_world
from fourfold.synthetic.truth import swung

WIDTH, HEIGHT, FRAMES = 96, 60, 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    pytest.importorskip("mitsuba")
    out = tmp_path_factory.mktemp("synthetic") / "juggler"
    return synthesize("juggler", out, width=WIDTH, height=HEIGHT, frames=FRAMES, samples=2)


@pytest.fixture(scope="module")
def capture(folder):
    return open_capture(folder)


@pytest.fixture(scope="module")
def filmed():
    pytest.importorskip("mitsuba")
    return FilmedScene(juggler(0), 1.0)


@pytest.fixture(scope="module")
def camera() -> Camera:
    return world_camera(juggler(0).viewpoint_at(1.0), WIDTH, HEIGHT)


def test_a_viewpoint_ahead_looks_along_z_with_up_upwards():
    camera = world_camera(Viewpoint((0, 1, 5), (0, 1, 0), 40.0), 20, 10)
    torch.testing.assert_close(camera.forward, torch.tensor([0.0, 0.0, 1.0]))
    pixels, depth = project_points(
        camera, torch.from_numpy(to_world(np.array([1.0, 1.5, 0.0]))).float()
    )
    assert depth == pytest.approx(5.0)
    assert pixels[0] > 10
    assert pixels[1] < 5


@pytest.mark.slow
def test_a_capture_has_what_a_method_may_see_and_no_depth(capture):
    assert (capture.width, capture.height, len(capture.frames)) == (WIDTH, HEIGHT, FRAMES)
    assert capture.object_names == ("juggler", "dog")
    assert capture.channels == {"image", "mask", "camera"}
    assert capture.fps == pytest.approx(FRAMES / 2.0)
    assert 0.1 < capture.image(0).mean() < 0.9
    assert not (capture.masks(0)[0] & capture.masks(0)[1]).any()


def test_visible_tracks_lie_in_their_mask_at_their_depth(capture):
    tracks = capture.truth.tracks()
    for frame in range(FRAMES):
        pixels, depth = project_points(capture.camera(frame), tracks.points[frame])
        torch.testing.assert_close(pixels, tracks.pixels[frame], atol=1e-2, rtol=0)
        seen = tracks.visible[frame]
        assert 0.25 < seen.float().mean() < 0.75
        x, y = pixels[seen].long().unbind(-1)
        masks = capture.masks(frame)
        inside = masks[tracks.objects[seen], y, x]
        # the centre of a pixel that shows a point on an outline may lie beside it, not farther
        beside = max_pool2d(masks.float(), 3, 1, 1)[tracks.objects[seen], y, x] > 0
        assert inside.float().mean() > 0.75
        assert beside.all()
        error = (capture.truth.depth(frame)[y, x] - depth[seen]).abs()[inside]
        assert error.median() < 0.02
        assert (error < 0.15).float().mean() > 0.95


def test_hidden_tracks_lie_behind_what_is_seen(capture):
    tracks = capture.truth.tracks()
    pixels, depth = project_points(capture.camera(1), tracks.points[1])
    hidden = ~tracks.visible[1]
    x, y = pixels[hidden].long().unbind(-1)
    gap = depth[hidden] - capture.truth.depth(1)[y, x]
    assert (gap > -0.02).float().mean() > 0.9


def test_novel_cameras_swing_about_the_pivot_by_their_angle(capture):
    pivot = torch.from_numpy(to_world(np.array(juggler(0).pivot))).float()
    views = list(capture.truth.novel_views())
    assert {(view.name, view.angle) for view in views} == set(NOVEL_VIEWS.items())
    assert len(views) == FRAMES * len(NOVEL_VIEWS)
    for view in views:
        reference = capture.camera(view.frame)
        arms = [(c.position - pivot)[[0, 2]] for c in (reference, view.camera)]
        x, z = arms[1]
        turned = torch.atan2(x, -z) - torch.atan2(arms[0][0], -arms[0][1])
        assert torch.rad2deg(turned).item() == pytest.approx(view.angle, abs=1e-2)
        before, _ = project_points(reference, pivot)
        after, _ = project_points(view.camera, pivot)
        torch.testing.assert_close(before, after, atol=1e-2, rtol=0)
        assert view.image().shape == (HEIGHT, WIDTH, 3)


def test_depth_of_one_view_lands_on_the_depth_of_another(filmed, camera):
    other = swung(juggler(0), camera, 20.0)
    depth, _ = filmed.survey(camera)
    depth_other, _ = filmed.survey(other)
    points = unproject_pixels(camera, camera.pixel_grid(), torch.from_numpy(depth))[depth > 0]
    pixels, far = project_points(other, points)
    inside = ((pixels > 1) & (pixels < torch.tensor([WIDTH - 1, HEIGHT - 1]))).all(-1)
    x, y = pixels[inside].long().unbind(-1)
    measured = torch.from_numpy(depth_other)[y, x]
    agree = (far[inside] - measured).abs() < 0.02 * far[inside]
    hidden = far[inside] > measured * 1.02
    assert agree.float().mean() > 0.75
    # what does not agree is hidden from the other view; nothing floats before it but outlines
    assert (agree | hidden).float().mean() > 0.97


def test_survey_agrees_with_rays_to_the_vertices(filmed, camera):
    depth, actor = filmed.survey(camera)
    for k, vertices in enumerate(filmed.vertices):
        projected = project_points(camera, torch.from_numpy(vertices).float())
        pixels, far = (values.numpy() for values in projected)
        mask = actor == k
        rows, columns = np.nonzero(mask)
        assert columns.min() >= np.floor(pixels[:, 0].min()) - 1e-3
        assert columns.max() <= np.ceil(pixels[:, 0].max())
        assert abs(rows.min() - pixels[:, 1].min()) < 1.5
        assert far.min() - 0.01 < depth[mask].min() < far.min() + 0.1


def test_the_same_seed_gives_the_same_files(folder, tmp_path):
    again = synthesize("juggler", tmp_path / "b", width=WIDTH, height=HEIGHT, frames=2, samples=2)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in names:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_shapes_and_lamps_keep_their_order():
    pytest.importorskip("mitsuba")
    stage = juggler(0)
    expected = ["lamp_0", "lamp_1", *(f"panel_{k}" for k in range(len(stage.room)))]
    for _ in range(3):
        scene = FilmedScene(stage, 0.0)._scene
        names = [shape.id() for shape in scene.shapes()]
        assert names == [*expected, "actor_0", "actor_1"]


def test_storage_thins_the_truth_and_progress_counts(tmp_path):
    pytest.importorskip("mitsuba")
    seen = []
    out = synthesize(
        "juggler",
        tmp_path / "small",
        width=24,
        height=15,
        frames=3,
        samples=1,
        storage=Storage(jpeg_quality=80, novel_every=2, depth_every=3),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert sorted(path.name for path in (out / "images").iterdir()) == [
        "00000.jpg",
        "00001.jpg",
        "00002.jpg",
    ]
    assert len(list((out / "truth" / "novel" / "p20").iterdir())) == 2
    assert len(list((out / "truth" / "depth").iterdir())) == 1
    assert len(json.loads((out / "truth" / "order.json").read_text())) == 3


def test_wrong_requests_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no scene 'circus'"):
        synthesize("circus", tmp_path / "x")
    with pytest.raises(UsageError, match="1 or more"):
        synthesize("juggler", tmp_path / "x", frames=0)
    with pytest.raises(UsageError, match="the seed is -1; expected 0 or more"):
        synthesize("tabletop", tmp_path / "x", seed=-1)


def test_without_mitsuba_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(MissingDependencyError, match=r"fourfold\[synthetic\]"):
        synthesize("juggler", tmp_path / "x")
    assert not (tmp_path / "x").exists()
