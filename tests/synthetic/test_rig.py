"""A rig's stage is written as N3V's layout has it, and agrees with its truth."""

import json
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from fourfold.capture import open_capture
from fourfold.geometry import project_points, unproject_pixels
from fourfold.synthetic import Storage
from fourfold.synthetic.arena import SECONDS, arena
from fourfold.synthetic.footage import Filming
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.rig_stage import RigStage, arc
from fourfold.synthetic.rig_synthesis import synthesize_rig
from fourfold.synthetic.solids import Solid, block
from fourfold.synthetic.stage import Actor, Lamp, Panel, Stage, world_camera

FILMING = Filming(width=32, height=24, frames=2, samples=4, seed=0)
CAMERAS = {"left": -25.0, "middle": 0.0, "right": 30.0}


def _wall(corner: tuple, edge_u: tuple, edge_v: tuple) -> Panel:
    texture = np.random.default_rng(0).uniform(0.1, 0.9, (8, 12, 3)).astype(np.float32)
    return Panel(corner, edge_u, edge_v, texture)


def _actor(name: str, solid: Solid, path) -> Actor:
    return Actor(name, solid.faces, solid.colors, lambda time: solid.vertices + path(time))


def _rig() -> RigStage:
    """A box that goes to the right, and one that stays behind it."""
    side = block((-0.3, 0.0, -0.3), (0.3, 0.6, 0.3), lambda v: 0.4 + 0 * v, 0.2)
    actors = (
        _actor("post", side, lambda time: np.array([0.1, 0.0, -0.9])),
        _actor("cart", side, lambda time: np.array([1.6 * time - 0.8, 0.0, 0.3])),
    )
    target = (0.0, 0.4, 0.0)
    viewpoints = {
        name: arc(angle, 1.2, radius=3.5, target=target, fov=32.0)
        for name, angle in CAMERAS.items()
    }
    stage = Stage(
        name="carts",
        seconds=1.0,
        actors=actors,
        room=(
            _wall((-6, 0, 2), (12, 0, 0), (0, 0, -4)),
            _wall((-6, 0, -2), (12, 0, 0), (0, 6, 0)),
        ),
        lamps=(Lamp((-1.0, 4.0, 1.0), (2.0, 0, 0), (0, 0, 2.0), (4.0, 4.0, 4.0)),),
        sky=(0.2, 0.2, 0.2),
        viewpoint_at=lambda time: viewpoints["middle"],
        pivot=target,
        fill=(0.3, 0.3, 0.3),
    )
    return RigStage(stage, viewpoints, frozenset({"cart"}), "middle", ("left", "right"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    pytest.importorskip("mitsuba")
    return synthesize_rig(_rig(), tmp_path_factory.mktemp("rig") / "carts", FILMING, Storage())


@pytest.fixture(scope="module")
def capture(folder):
    return open_capture(folder)


@pytest.fixture(scope="module")
def rig() -> RigStage:
    return arena(0)


def test_it_is_read_as_a_rig_with_its_cameras(capture):
    assert capture.layout == "rig"
    assert (capture.views, capture.frames) == (tuple(CAMERAS), ("0000", "0001"))
    for view, viewpoint in enumerate(_rig().viewpoints.values()):
        exact, read = world_camera(viewpoint, 32, 24), capture.camera(1, view)
        torch.testing.assert_close(read.camera_from_world, exact.camera_from_world)
        torch.testing.assert_close(read.intrinsics, exact.intrinsics)


def test_truth_of_two_cameras_lies_on_the_same_surfaces(capture):
    truth = capture.rig_truth
    first, second = capture.camera(0, 0), capture.camera(0, 2)
    depth, other = truth.depth(0, 0), truth.depth(0, 2)
    points = unproject_pixels(first, first.pixel_grid(), depth).reshape(-1, 3)
    pixels, z = project_points(second, points)
    x, y = pixels.long().unbind(-1)
    seen = (x >= 0) & (x < 32) & (y >= 0) & (y < 24) & (z > 0)
    behind = z[seen] - other[y[seen], x[seen]]
    # nothing lies before what the other camera sees, much lies on it
    assert (behind < -0.25).float().mean() < 0.02
    assert (behind.abs() < 0.1).float().mean() > 0.6


def test_only_the_cart_moves(capture):
    truth = capture.rig_truth
    assert truth.moving_objects == ("cart",)
    for view in range(3):
        before, after = (truth.moving(frame, view) for frame in (0, 1))
        assert before.sum() > 15
        assert after.sum() > 15
        # from -0.8 to 0: it has left its place, and the rest has kept its depth
        assert (before & ~after).sum() > 5
        still = ~(before | after)
        depths = [truth.depth(frame, view)[still] for frame in (0, 1)]
        torch.testing.assert_close(*depths)
        left = before & ~after
        assert (truth.depth(0, view)[left] < truth.depth(1, view)[left]).all()


def test_bounds_enclose_what_is_seen(folder, capture):
    bounds = np.load(folder / "poses_bounds.npy")[:, 15:]
    for view in range(3):
        depths = torch.stack([capture.rig_truth.depth(frame, view) for frame in range(2)])
        seen = depths[~depths.isnan()]
        assert bounds[view, 0] < seen.min() < 1.1 * bounds[view, 0]
        assert 0.9 * bounds[view, 1] < seen.max() < bounds[view, 1]


def test_its_head_says_how_it_was_filmed(folder):
    head = json.loads((folder / "truth" / "rig.json").read_text())
    assert (head["fps"], head["held_out"], head["few"]) == (2.0, "middle", ["left", "right"])
    assert set(head["cameras"]) == set(CAMERAS)


def test_the_same_seed_gives_the_same_files_and_compact_ones_are_fewer(folder, tmp_path):
    again = synthesize_rig(_rig(), tmp_path / "again", FILMING, Storage(compact=True))
    left_out = {Path(f"truth/depth/{name}/0001.png") for name in ("left", "right")}
    files, fewer = ({p.relative_to(f) for p in f.rglob("*.*")} for f in (folder, again))
    assert files - fewer == left_out
    assert not fewer - files
    for name in fewer:
        assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_arenas_few_cameras_are_far_apart_and_do_not_hold_the_tested_one(rig):
    assert len(rig.viewpoints) == 11
    assert next(iter(rig.viewpoints)) == rig.held_out == "cam00"
    assert rig.held_out not in rig.few
    angles = [np.degrees(np.arctan2(p.position[0], p.position[2])) for p in rig.viewpoints.values()]
    assert angles[1:] == sorted(angles[1:])
    assert 110 < angles[-1] - angles[1] < 125
    of = dict(zip(rig.viewpoints, angles, strict=True))
    assert all(of[b] - of[a] > 30 for a, b in pairwise(rig.few))


def test_arenas_movers_leave_their_places_and_touch_nothing(rig):
    times = np.linspace(0, SECONDS, 12, endpoint=False)
    for mover in (actor for actor in rig.stage.actors if actor.name in rig.moving):
        low, high = (mover.vertices_at(t)[:, [0, 2]] for t in (times[0], times[-1]))
        size = np.ptp(low, axis=0).max()
        assert np.linalg.norm(high.mean(0) - low.mean(0)) > 1.5 * size
    for time in times[::4]:
        places = {a.name: a.vertices_at(time)[::7] for a in rig.stage.actors}
        trees = {name: KDTree(vertices) for name, vertices in places.items()}
        for a, b in combinations(places, 2):
            assert trees[a].query(places[b])[0].min() > 0.1, (a, b, time)
        assert min(vertices[:, 1].min() for vertices in places.values()) > -0.01


def test_arena_fills_all_pictures(rig):
    pytest.importorskip("mitsuba")
    scene = FilmedScene(rig.stage, 0.5 * SECONDS)
    for viewpoint in rig.viewpoints.values():
        depth, actor = scene.survey(world_camera(viewpoint, 48, 36))
        assert (depth > 0).all()
        seen = {rig.stage.actors[k].name for k in np.unique(actor[actor >= 0])}
        assert {"dog", "ball", "toadstool"} <= seen
