"""The embedded examples are small, whole, and hide their truth from methods."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from fourfold.capture import open_capture
from fourfold.geometry import project_points, unproject_pixels
from fourfold.scene.scale_set.brute_force import brute_force_accuracy
from fourfold.synthetic import NOVEL_VIEWS

DEMO = Path(str(files("fourfold"))) / "data" / "demo"
FOLDER = DEMO / "juggler"


@pytest.fixture(scope="module")
def capture():
    return open_capture(FOLDER)


@pytest.fixture(scope="module")
def tabletop():
    return open_capture(DEMO / "tabletop")


@pytest.fixture(scope="module")
def valley():
    return open_capture(DEMO / "valley")


@pytest.fixture(scope="module")
def arena():
    return open_capture(DEMO / "arena")


@pytest.mark.parametrize("name", ["juggler", "tabletop", "valley", "arena"])
def test_it_is_at_most_two_megabytes(name):
    sizes = [path.stat().st_size for path in (DEMO / name).rglob("*") if path.is_file()]
    assert 100_000 < sum(sizes) <= 2_000_000


def test_it_gives_images_masks_and_cameras_only(capture):
    assert capture.channels == {"image", "mask", "camera"}
    assert (capture.width, capture.height, len(capture.frames)) == (288, 180, 20)
    for frame in range(len(capture.frames)):
        assert capture.image(frame).shape == (180, 288, 3)
        assert (capture.masks(frame).flatten(1).sum(1) > 1000).all()
        assert capture.camera(frame) is not None


def test_its_truth_is_whole(capture):
    truth = capture.truth
    tracks = truth.tracks()
    assert tracks.points.shape == (20, 512, 3)
    views = list(truth.novel_views())
    assert len(views) == 5 * len(NOVEL_VIEWS)
    assert all(view.image().shape == (180, 288, 3) for view in views)
    assert [frame for frame in range(20) if truth.depth(frame) is not None] == [0, 4, 8, 12, 16]


def test_the_objects_change_places(capture):
    assert capture.truth.order(0) == ("juggler", "dog")
    assert capture.truth.order(19) == ("dog", "juggler")


def test_each_object_hides_a_part_of_the_other(capture):
    tracks = capture.truth.tracks()

    def hidden_share(frame: int, hidden: int) -> float:
        x, y = tracks.pixels[frame].long().unbind(-1)
        other = capture.masks(frame)[1 - hidden][y, x]
        return (other & ~tracks.visible[frame])[tracks.objects == hidden].float().mean().item()

    juggler, dog = ([hidden_share(frame, k) for frame in range(20)] for k in (0, 1))
    assert 0.1 < np.mean(dog[:5]) < 0.4
    assert np.mean(juggler[:5]) < 0.01
    assert 0.1 < np.mean(juggler[-5:]) < 0.4
    assert np.mean(dog[-5:]) < 0.01


def test_tabletop_gives_images_masks_and_bodies(tabletop):
    assert tabletop.channels == {"image", "mask", "camera"}
    assert (tabletop.width, tabletop.height, len(tabletop.frames)) == (128, 96, 18)
    assert tabletop.object_names == ("teapot", "house", "duck")
    for body in tabletop.bodies:
        assert body.frames == tuple(range(18))
    for frame in range(18):
        assert (tabletop.masks(frame).flatten(1).sum(1) > 100).all()


def test_tabletops_objects_hide_each_other(tabletop):
    truth = tabletop.rigid_truth
    hidden = torch.zeros(4, 4, dtype=torch.int64)
    for frame in range(18):
        present, labels = ~truth.layers(frame).isnan(), truth.labels(frame)
        for body in range(4):
            hidden[body] += present[:, labels == body].sum(1)
    teapot, house, duck = 1, 2, 3
    assert hidden[teapot, duck] > 200
    assert hidden[duck, teapot] > 200
    assert hidden[teapot, house] > 200
    assert hidden[duck, house] > 200
    assert (hidden[1:, 0] > 2000).all()


def test_tabletops_valid_scales_are_a_real_restriction(tabletop):
    truth = tabletop.rigid_truth
    scales = truth.scales()
    ranges = torch.tensor([body.scale_range for body in tabletop.bodies[1:]])
    random = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0))
    drawn = ranges[:, 0] + random * (ranges[:, 1] - ranges[:, 0])
    layers = [truth.layers(frame) for frame in range(18)]
    labels = [truth.labels(frame) for frame in range(18)]
    factors = torch.cat((torch.ones(1, 3), drawn / (scales[1:] / scales[0])))
    accuracy = brute_force_accuracy(layers, labels, factors)
    assert accuracy[0] > 0.999
    assert 0.02 < (accuracy[1:] > 0.99).float().mean() < 0.5


def test_tabletops_test_views_have_their_layers(tabletop):
    views = tabletop.rigid_truth.test_views()
    assert len(views) == 12
    for view in views:
        layers, labels = view.layers(), view.labels()
        nearest = torch.nan_to_num(layers, nan=1e9).argmin(0)
        assert (nearest == labels).float().mean() > 0.99
        images = view.layer_images()
        composed = images.gather(0, labels[None, ..., None].expand(1, -1, -1, 3))[0]
        # each picture is a JPEG of its own
        assert (composed - view.image()).abs().mean() < 0.02


def test_valley_gives_a_photo_with_regions_hints_and_a_camera(valley):
    assert valley.channels == {"image", "mask", "camera", "hint"}
    assert (valley.width, valley.height) == (640, 360)
    assert {"motion_river", "motion_clouds"} <= set(valley.object_names)
    assert len(valley.hints) >= 8


def test_valleys_hints_are_true_where_they_are(valley):
    motion, depth = valley.landscape_truth.motion(), valley.landscape_truth.depth()
    depths = []
    for hint in valley.hints:
        x, y = (int((a + b) / 2) for a, b in zip(hint.start, hint.end, strict=True))
        np.testing.assert_allclose(hint.velocity, motion[y, x], atol=0.01)
        depths.append(float(depth[y, x]))
    assert min(depths) < 3.0
    assert max(d for d in depths if np.isfinite(d)) > 12.0
    assert float("inf") in depths


def test_valleys_truth_is_whole(valley):
    truth = valley.landscape_truth
    views = truth.views()
    assert len(views) == 15
    assert {view.time for view in views} == {0.0, 8.0}
    assert all(view.image().shape == (360, 640, 3) for view in views)
    assert 0.1 < truth.regions()["river"].float().mean() < 0.3
    assert 3.0 < truth.motion()[truth.regions()["river"]].norm(dim=-1).max() < 6.0


def test_arena_gives_frames_and_cameras_of_a_rig(arena):
    assert arena.layout == "rig"
    assert arena.channels == {"image", "camera"}
    assert (arena.width, arena.height, len(arena.frames), len(arena.views)) == (192, 144, 12, 11)
    assert arena.held_out_views == ("cam00",)


def test_arenas_truth_is_whole(arena):
    truth = arena.rig_truth
    assert set(truth.few) < set(arena.views) - {"cam00"}
    for view in range(11):
        depths = [truth.depth(frame, view) for frame in range(12)]
        stored = [frame for frame, depth in enumerate(depths) if depth is not None]
        assert stored == (list(range(12)) if view == 0 else [0])
        assert not depths[0].isnan().any()
        share = torch.stack([truth.moving(frame, view) for frame in range(12)]).float().mean()
        assert 0.03 < share < 0.10


def test_what_moves_in_arena_is_seen_to_move_and_the_rest_is_not(arena):
    images = torch.stack([arena.image(frame) for frame in range(12)])
    moving = torch.stack([arena.rig_truth.moving(frame) for frame in range(12)])
    change = (images - images.median(0).values).abs().mean(-1)
    # a place is empty most of the time, so that the median shows what is behind
    often = moving.float().mean(0)
    assert (often[often > 0] <= 0.5).float().mean() > 0.95
    assert change[moving].mean() > 5 * change[~moving].mean()
    assert change[~moving].mean() < 0.01


def test_arenas_few_cameras_see_what_the_held_out_one_sees(arena):
    truth = arena.rig_truth
    own, still = truth.depth(0), ~truth.moving(0)
    camera = arena.camera(0)
    points = unproject_pixels(camera, camera.pixel_grid(), own)[still]
    seen = torch.zeros(len(points), dtype=torch.int64)
    for view in (arena.views.index(name) for name in truth.few):
        pixels, depth = project_points(arena.camera(0, view), points)
        x, y = pixels.long().unbind(-1)
        framed = (x >= 0) & (x < 192) & (y >= 0) & (y < 144)
        there = truth.depth(0, view)[y.clamp(0, 143), x.clamp(0, 191)]
        seen += framed & ((there - depth).abs() < 0.03 * depth)
    assert (seen > 0).float().mean() > 0.95
    assert 0.6 < (seen > 1).float().mean() < 0.95
