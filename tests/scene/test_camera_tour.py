"""The way through the cameras of a rig."""

from itertools import pairwise

import torch

from fourfold.scene.camera_tour import shortest_way, tour
from tests.scene.rigs import camera_at, on_globe


def test_points_on_a_line_come_in_their_order():
    points = torch.tensor([[3.0, 0, 0], [0, 0, 0], [2, 0, 0], [1, 0, 0]])
    assert shortest_way(points) == [0, 2, 3, 1]


def test_two_rows_are_walked_along_not_across():
    # from x = 0 to 3 in the row y = 0, back in the row y = 2: 3 + 2 + 3, zigzag would be 8 + 3
    points = torch.tensor([[float(x), float(y), 0.0] for x in range(4) for y in (0, 2)])
    way = shortest_way(points)
    assert float(points[way].diff(dim=0).norm(dim=1).sum()) == 8.0


def test_no_way_crosses_itself():
    torch.manual_seed(0)
    points = torch.rand(12, 3) * torch.tensor([1.0, 1.0, 0.0])
    placed = points[shortest_way(points)].tolist()
    segments = list(pairwise(placed))

    def side(a: list[float], b: list[float], c: list[float]) -> bool:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0

    for i, (a, b) in enumerate(segments):
        for c, d in segments[i + 2 :]:
            assert side(a, b, c) == side(a, b, d) or side(c, d, a) == side(c, d, b)


def test_a_tour_begins_and_ends_at_cameras_and_meets_those_between():
    cameras = [camera_at(on_globe(angle, 0.0)) for angle in (-40.0, 40.0, 0.0)]
    flown = tour(cameras, 5)
    for step, index in ((0, 0), (2, 2), (4, 1)):
        expected = cameras[index].camera_from_world
        torch.testing.assert_close(flown[step].camera_from_world, expected, atol=1e-5, rtol=1e-5)


def test_a_tour_between_cameras_keeps_looking_at_the_middle():
    cameras = [camera_at(on_globe(angle, 10.0)) for angle in (-45.0, -15.0, 15.0, 45.0)]
    for camera in tour(cameras, 31):
        to_middle = -camera.position / camera.position.norm()
        assert float(camera.forward @ to_middle) > 0.999
        assert 3.8 < float(camera.position.norm()) < 4.02  # 4.0 on the arc, less on its chords


def test_a_tour_is_smooth():
    cameras = [camera_at(on_globe(angle, 0.0)) for angle in range(0, 180, 30)]
    places = torch.stack([camera.position for camera in tour(cameras, 101)])
    steps = places.diff(dim=0)
    assert float(steps.norm(dim=1).max() / steps.norm(dim=1).min()) < 1.3
    turns = torch.nn.functional.cosine_similarity(steps[1:], steps[:-1], dim=1)
    assert float(turns.min()) > 0.998


def test_lenses_change_along_the_way_unless_the_sizes_differ():
    near, far = camera_at(on_globe(0.0, 0.0)), camera_at(on_globe(30.0, 0.0))
    tele = far.cropped(16, 12, 32, 24).resized(64, 48)
    assert float(tour([near, tele], 3)[1].intrinsics[0, 0]) == 72.0  # between 48 and 96
    small = far.cropped(16, 12, 32, 24)
    assert [float(camera.intrinsics[0, 0]) for camera in tour([near, small], 3)] == [48.0] * 3


def test_one_camera_stands_still():
    camera = camera_at([0.0, 0.0, -4.0])
    assert tour([camera], 3) == [camera] * 3


def test_cameras_in_one_place_are_one_stop_after_the_other():
    camera = camera_at([0.0, 0.0, -4.0])
    turned = camera_at([0.0, 0.0, -4.0], [1.0, 0.0, 0.0])
    flown = tour([camera, turned], 3)
    assert float(flown[1].forward @ (camera.forward + turned.forward)) > 1.9
