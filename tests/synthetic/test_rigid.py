"""Rigid stages: poses, bodies alone, enlarging about a camera, exact bodies and solutions."""

import numpy as np
import pytest
import torch

from fourfold.errors import UsageError
from fourfold.geometry import Camera, project_points
from fourfold.synthetic import Prop, RigidStage, Solid
from fourfold.synthetic.carousel import Round
from fourfold.synthetic.exact_bodies import Seen, exact_bodies, observed_bounds
from fourfold.synthetic.parlour import TABLE, viewpoint
from fourfold.synthetic.rigid import standing
from fourfold.synthetic.solids import block
from fourfold.synthetic.solution_draw import draw_solutions, spread
from fourfold.synthetic.stage import Stage, Viewpoint, to_world
from fourfold.synthetic.takes import choose_tests, rigid_camera

EYE = (0.5, 1.0, 4.0)


def _box(size: float) -> Solid:
    half = size / 2
    corner = (half, half, half)
    return block((-half, -half, -half), corner, lambda v: np.full((len(v), 3), 0.5), size)


def _moved(time: float, x: float) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, 3] = x + time, 0.5, -1.0
    return pose


@pytest.fixture
def rigid() -> RigidStage:
    props = (
        Prop("left", _box(0.5), lambda t: _moved(t, -1.0)),
        Prop("right", _box(0.25), lambda t: _moved(-t, 1.0)),
    )
    stage = Stage(
        name="boxes",
        seconds=2.0,
        actors=(),
        room=(),
        lamps=(),
        sky=(1.0, 1.0, 1.0),
        viewpoint_at=lambda t: Viewpoint(EYE, (0.0, 0.5, 0.0), 40.0),
        pivot=(0.0, 0.5, 0.0),
    )
    return RigidStage.of(props, stage)


def test_poses_take_vertices_to_the_world(rigid):
    poses = rigid.world_from_object(0.5)
    for k, (prop, actor) in enumerate(zip(rigid.props, rigid.stage.actors, strict=True)):
        expected = to_world(actor.vertices_at(0.5))
        moved = prop.solid.vertices @ poses[k, :3, :3].T + poses[k, :3, 3]
        np.testing.assert_allclose(moved, expected, atol=1e-12)
        assert np.linalg.det(poses[k, :3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(poses[0, :3, 3], (-0.5, -0.5, 1.0))


def test_a_body_alone_is_the_room_or_one_actor(rigid):
    assert rigid.alone(0).actors == ()
    assert [actor.name for actor in rigid.alone(2).actors] == ["right"]


def test_enlarging_about_the_camera_keeps_the_picture(rigid):
    camera = rigid_camera(rigid, 0.5, 40, 30)
    before = to_world(rigid.stage.actors[0].vertices_at(0.5))
    larger = rigid.enlarged(np.array([1.5, 1.0]), np.array(EYE)).stage.actors
    after = to_world(larger[0].vertices_at(0.5))
    seen, depth = project_points(camera, torch.from_numpy(before).float())
    still, deeper = project_points(camera, torch.from_numpy(after).float())
    torch.testing.assert_close(still, seen, atol=1e-3, rtol=0)
    torch.testing.assert_close(deeper, 1.5 * depth)
    np.testing.assert_array_equal(
        larger[1].vertices_at(0.5), rigid.stage.actors[1].vertices_at(0.5)
    )


def test_the_camera_has_the_rays_of_osn(rigid):
    camera = rigid_camera(rigid, 0.0, 40, 30)
    focal = camera.focal[0]
    directions = camera.directions(camera.pixel_grid())
    expected = torch.tensor([(7 - 20) / focal, (11 - 15) / focal, 1.0])
    torch.testing.assert_close(directions[11, 7], expected)


def test_standing_puts_the_lowest_point_on_the_spot():
    pose = standing(_box(0.5), np.array([1.0, 2.0, 3.0]), yaw=0.7)
    vertices = _box(0.5).vertices @ pose[:3, :3].T + pose[:3, 3]
    assert vertices[:, 1].min() == pytest.approx(2.0)
    np.testing.assert_allclose(vertices.mean(0)[[0, 2]], (1.0, 3.0), atol=1e-9)


def test_a_round_goes_from_the_right_to_the_front():
    way = Round(0.0, 90.0, (0.0, 90.0), radii=(0.5, 0.25), height=0.1, hops=2, hop=0.2)
    np.testing.assert_allclose(way.spot(0.0), (0.5, TABLE + 0.1, 0.0), atol=1e-12)
    np.testing.assert_allclose(way.spot(1.0), (0.0, TABLE + 0.1, 0.25), atol=1e-12)
    # at a quarter of two hops it is at the top of the first
    lift = way.pose(_box(0.2), 0.25)[1, 3] - (TABLE + 0.1 + 0.1)
    assert lift == pytest.approx(0.2)


def test_the_camera_goes_round_the_table_by_54_degrees():
    places = [np.array(viewpoint(u).position)[[0, 2]] for u in (0.0, 1.0)]
    bearings = [np.degrees(np.arctan2(x, z)) for x, z in places]
    assert bearings == pytest.approx([-27.0, 27.0])


def test_tests_are_cameras_of_other_frames():
    assert choose_tests(1) == [(0, 0)]
    pairs = choose_tests(24)
    assert len(pairs) == 12
    assert [step for _, step in pairs] == sorted({step for _, step in pairs})
    assert {abs(view - step) for view, step in pairs} == {5}
    assert all(0 <= view < 24 for view, _ in pairs)


@pytest.fixture
def seen() -> Seen:
    """Two frames of a wall at z = 4, before which in the first frame a plate stands at z = 2."""
    cameras = [Camera.from_fov(8, 4, 90.0), Camera.from_fov(8, 4, 90.0)]
    plate = torch.zeros(4, 8, dtype=torch.int64)
    plate[:, 2:4] = 1
    labels = [plate, torch.zeros_like(plate)]
    return Seen(cameras, labels, [torch.where(part == 1, 2.0, 4.0) for part in labels])


def test_units_and_ranges_are_those_of_process_colmap(seen):
    poses = torch.eye(4).expand(2, 2, 4, 4).clone()
    poses[:, 1, 2, 3] = 2.0
    sizes = torch.tensor([[8.0, 4.0, 1.0], [1.0, 2.0, 0.5]])
    (room, plate), scales = exact_bodies(seen, ["plate"], poses, sizes, points_across=80)
    # 0.95 * 8 / 4; and the mean of 1.05 / 2 and 0.95 * 8 / 2
    unit, plate_unit = 1.9, (0.525 + 3.8) / 2
    assert scales == pytest.approx([1 / unit, 1 / plate_unit])
    assert room.scale_range is None
    assert plate.scale_range == pytest.approx((0.525 / plate_unit, 3.8 / plate_unit))
    assert sum(plate.scale_range or ()) == pytest.approx(2.0)
    assert (room.frames, plate.frames) == ((0, 1), (0,))
    expected = torch.tensor([[-0.275, -0.55, -0.1375], [0.275, 0.55, 0.1375]]) * 2 * plate_unit
    torch.testing.assert_close(plate.bounds, expected)
    # every second pixel: (2.5, 0.5) and (2.5, 2.5)
    torch.testing.assert_close(plate.points.pixels, torch.tensor([[2.5, 0.5], [2.5, 2.5]]))
    torch.testing.assert_close(plate.points.depths, torch.full((2,), 2 * plate_unit))
    assert len(room.points) == 2 * 2 * 4 - 2
    shift = plate.object_from_camera[0][:3, 3]
    torch.testing.assert_close(shift, torch.tensor([0.0, 0.0, -2.0 * plate_unit]))


def test_an_object_that_no_frame_shows_is_named(seen):
    poses = torch.eye(4).expand(2, 3, 4, 4)
    with pytest.raises(UsageError, match=r"cup is not seen in any of 2 frames of 8x4\. .*--width"):
        exact_bodies(seen, ["plate", "cup"], poses, torch.ones(3, 3), points_across=80)


def test_the_room_that_is_seen_is_bounded(seen):
    # the plate hides what lies between; the outermost pixel centres are 3.5 and 1.5 from the axis
    bounds = observed_bounds(seen)
    torch.testing.assert_close(bounds, torch.tensor([[-7.0, -3.0, 4.0], [7.0, 3.0, 4.0]]))


def test_solutions_are_valid_spread_and_begin_with_the_filmed_one():
    layers = torch.full((3, 6, 10), 4.0)
    layers[1], layers[2] = 2.0, 3.0
    labels = torch.ones(6, 10, dtype=torch.int64)
    ranges = torch.tensor([[0.4, 2.4], [0.4, 2.4]])
    drawn = draw_solutions([layers], [labels], ranges, 8, seed=1)
    torch.testing.assert_close(drawn[0], torch.ones(2))
    # the first is seen: before the wall and before the second
    assert (drawn[:, 0] < 2.0).all()
    assert (2.0 * drawn[:, 0] < 3.0 * drawn[:, 1]).all()
    assert torch.cdist(drawn, drawn).add(9 * torch.eye(8)).min() > 0.2
    with pytest.raises(UsageError, match=r"are valid; expected 50000 or more.*--frames"):
        draw_solutions([layers], [labels], ranges, 50_000, seed=1)


def test_spread_takes_the_farthest():
    points = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.1, 0.0]])
    assert spread(points, 3).tolist() == [0, 2, 1]
