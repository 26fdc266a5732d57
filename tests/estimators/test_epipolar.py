"""Matching along epipolar lines."""

from __future__ import annotations

import numpy as np
import torch

from fourfold.estimators.structure_from_motion.epipolar import (
    epipolar_distances,
    fundamental_matrix,
    guided_matches,
)
from fourfold.geometry import Camera, look_at, project_points

UP = torch.tensor([0.0, -1, 0])


def _camera(*position: float) -> Camera:
    matrix = torch.tensor([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]])
    pose = torch.eye(4)
    pose[:3, 3] = -torch.tensor(position)
    return Camera(pose, matrix, 64, 48)


def test_cameras_side_by_side_have_rows_for_epipolar_lines():
    matrix = fundamental_matrix(_camera(0, 0, 0), _camera(1, 0, 0))
    first, second = np.array([[10.0, 20.0]]), np.array([[40.0, 20.0], [40.0, 23.0]])
    np.testing.assert_allclose(epipolar_distances(matrix, first, second), [[0, 3]], atol=1e-9)


def test_a_point_s_pixels_lie_on_each_other_s_lines():
    first = _camera(0.3, -0.2, 0.1)
    turned = look_at(torch.tensor([2.0, 1, -1]), torch.tensor([0.0, 0, 4]), UP)
    second = first.moved(turned)
    points = torch.tensor([[0.2, 0.1, 4.0], [-0.5, 0.4, 5], [0.7, -0.6, 3]])
    pixels = [project_points(camera, points)[0].double().numpy() for camera in (first, second)]
    far = epipolar_distances(fundamental_matrix(first, second), *pixels)
    assert np.diag(far).max() < 1e-3
    assert far[~np.eye(3, dtype=bool)].min() > 1


def _unit(*rows):
    values = np.array(rows, np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


MATRIX = fundamental_matrix(_camera(0, 0, 0), _camera(1, 0, 0))


def test_a_better_descriptor_off_the_line_is_no_candidate():
    first = _unit([1, 0, 0, 0])
    second = _unit([1, 0.3, 0, 0], [1, 0, 0, 0])
    found = guided_matches(
        MATRIX, np.array([[10.0, 20]]), first, np.array([[5.0, 21], [5.0, 30]]), second
    )
    assert found.tolist() == [[0, 0]]


def test_two_candidates_alike_are_no_match():
    first, second = _unit([1, 0, 0]), _unit([1, 0.3, 0], [1, 0, 0.3])
    pixels = np.array([[5.0, 20], [9.0, 20]])
    assert len(guided_matches(MATRIX, np.array([[10.0, 20]]), first, pixels, second)) == 0


def test_matches_are_mutual_and_near():
    first = _unit([1, 0.2, 0], [1, 0, 0])
    second = _unit([1, 0, 0], [0, 0, 1])
    here = np.array([[10.0, 20], [12.0, 20]])
    there = np.array([[5.0, 20], [6.0, 20]])
    # both of the first like the same one best; the second's other is like none of them
    assert guided_matches(MATRIX, here, first, there, second).tolist() == [[1, 0]]
    none = _unit([0, 1, 0], [0, 0, 1])
    assert len(guided_matches(MATRIX, here, _unit([1, 0, 0], [1, 0, 0]), there, none)) == 0


def test_pictures_without_features():
    empty = np.zeros((0, 2)), np.zeros((0, 3), np.float32)
    one = np.array([[1.0, 2]]), _unit([1, 0, 0])
    for pair in ((empty, one), (one, empty), (empty, empty)):
        assert guided_matches(MATRIX, *pair[0], *pair[1]).shape == (0, 2)
