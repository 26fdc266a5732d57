"""Tracks of a scene whose motion is known."""

import math

import pytest
import torch

from fourfold.evaluation import (
    counted_entries,
    first_visible,
    predict_tracks,
    track_epe_2d,
    track_epe_3d,
)
from fourfold.geometry import Camera, project_points, similarity_matrix, unproject_pixels

FRAMES = 4  # of the scene in conftest.py


def true_path(point: torch.Tensor, first: int) -> torch.Tensor:
    """Where the plate's motion takes a world point of frame `first`, worked out by hand."""
    path = []
    turned = math.radians(10.0 * first)
    x, y = float(point[0]) - 0.1 * first, float(point[1])
    x, y = x * math.cos(turned) + y * math.sin(turned), y * math.cos(turned) - x * math.sin(turned)
    for frame in range(FRAMES):
        c, s = math.cos(math.radians(10.0 * frame)), math.sin(math.radians(10.0 * frame))
        path.append([c * x - s * y + 0.1 * frame, s * x + c * y, float(point[2])])
    return torch.tensor(path)


@pytest.mark.parametrize("first", [0, 2])
@pytest.mark.parametrize("objects", [None, ["plate"]])
def test_a_point_of_the_plate_turns_with_it(two_plates, first, objects):
    scene = two_plates
    camera = scene.camera_at(0.0)
    # A third of a pixel off any grid, half-way to the plate's corner.
    point = torch.tensor([[0.217 + 0.1 * first, -0.143, 2.0]])
    query, _ = project_points(camera, point)
    tracks = predict_tracks(scene, query, torch.tensor([first]), objects)
    assert torch.allclose(tracks.pixels[first], query, atol=1e-3)
    expected, _ = project_points(camera, true_path(point[0], first))
    # The rendered depth averages over the plate's thickness and, at its rim, over the wall.
    assert (tracks.pixels[:, 0] - expected).norm(dim=-1).max() < 0.1
    assert (tracks.points[:, 0] - true_path(point[0], first)).norm(dim=-1).max() < 0.03
    assert tracks.visible.all()


def test_a_point_of_the_wall_stays_and_is_hidden_by_the_plate(two_plates):
    scene = two_plates
    # At frame 3 the plate has moved 0.3 to the right and covers this pixel.
    query, _ = project_points(scene.camera_at(0.0), torch.tensor([[0.62, 0.1, 2.0]]))
    tracks = predict_tracks(scene, query, torch.tensor([0]))
    assert torch.allclose(tracks.pixels, query.expand(FRAMES, 1, 2), atol=1e-3)
    assert tracks.visible[:, 0].tolist() == [True, True, False, False]


def test_a_named_object_is_followed_behind_others_and_beside_its_silhouette(two_plates):
    scene = two_plates
    # The middle of the image: named, the wall behind the plate answers.
    query = torch.tensor([[24.0, 24.0], [46.0, 2.0]])
    tracks = predict_tracks(scene, query, torch.tensor([0, 0]), ["background", "plate"])
    assert float(tracks.points[0, 0, 2]) == pytest.approx(4.0, abs=0.05)
    assert not tracks.visible[0, 0]
    # Far from the plate, the plate answers at its own depth all the same.
    expected = unproject_pixels(scene.camera_at(0.0), query[1:], torch.tensor([2.0]))
    assert torch.allclose(tracks.points[0, 1:], expected, atol=1e-4)


def test_errors_and_counted_entries_by_hand():
    visible = torch.tensor([[True, False], [True, True], [False, True]])
    queries = first_visible(visible, [0, 1, 2])
    assert queries.tolist() == [0, 1]
    counted = counted_entries(visible, queries)
    assert counted.tolist() == [[False, False], [True, False], [False, True]]
    truth = torch.zeros(3, 2, 3)
    predicted = truth.clone()
    predicted[1, 0] = torch.tensor([3.0, 4.0, 0.0])
    predicted[2, 1] = torch.tensor([0.0, 0.0, 1.0])
    predicted[0] = 100.0
    assert track_epe_2d(predicted[..., :2], truth[..., :2], counted) == 2.5
    assert track_epe_3d(predicted, truth, counted) == 3.0
    half = similarity_matrix(torch.tensor(0.5), torch.eye(3), torch.zeros(3))
    assert track_epe_3d(predicted, truth, counted, half) == 1.5


def test_a_point_never_visible_in_the_frames_has_no_query():
    visible = torch.tensor([[True, True], [False, True]])
    queries = first_visible(visible, [1])
    assert queries.tolist() == [-1, 1]
    assert not counted_entries(visible, queries)[:, 0].any()


def test_a_camera_that_moves_is_accounted_for(two_plates):
    scene = two_plates
    shifted = torch.eye(4)
    shifted[0, 3] = -0.2
    cameras = [scene.cameras[0], *[Camera.from_fov(48, 48, 60.0, shifted)] * (FRAMES - 1)]
    moving = type(scene)(scene.objects, cameras)
    query = torch.tensor([[40.0, 24.0]])
    tracks = predict_tracks(moving, query, torch.tensor([0]))
    focal = scene.cameras[0].focal[0]
    assert float(tracks.pixels[1, 0, 0]) == pytest.approx(40.0 - 0.2 * focal / 4.0, abs=0.05)
