"""Implicit bodies and the meshes made of them."""

import numpy as np
import pytest

from fourfold.synthetic.dog import PARTS as DOG_PARTS
from fourfold.synthetic.implicit import MELT, Part, body_distance, body_grid, part_coordinates
from fourfold.synthetic.skinning import skin, vertex_normals
from fourfold.synthetic.surface_nets import surface_nets

BALL = Part("a", "p", (0, 0, 0), (0, 0, 0), 0.3, 0.3)
CONE = Part("a", "p", (0, 0, 0), (1, 0, 0), 0.2, 0.1)


def volume(vertices, faces):
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return np.einsum("fi,fi->", a, np.cross(b, c)) / 6


def directed_edges(faces):
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def test_distance_to_a_cone_is_measured_from_its_axis():
    points = np.array([[0.5, 1.0, 0.0], [-1.0, 0.0, 0.0], [1.0, 0.0, 0.05]])
    distance, along, away = part_coordinates(CONE, points)
    np.testing.assert_allclose(distance, [1.0 - 0.15, 1.0 - 0.2, 0.05 - 0.1])
    np.testing.assert_allclose(along, [0.5, 0.0, 1.0])
    np.testing.assert_allclose(away[0], [0.0, 1.0, 0.0])


def test_two_equal_parts_bulge_by_the_melt():
    points = np.array([[0.4, 0.0, 0.0]])
    one, _ = body_distance([BALL], points)
    two, _ = body_distance([BALL, BALL], points)
    np.testing.assert_allclose(one, [0.1])
    np.testing.assert_allclose(two, [0.1 - MELT * np.log(2)])


def test_gradient_of_the_melted_union_is_its_derivative():
    parts = [BALL, Part("b", "p", (0.2, 0.1, 0), (0.2, 0.6, 0), 0.15, 0.15)]
    point = np.array([[0.28, 0.22, 0.05]])
    _, gradient = body_distance(parts, point)
    step = 1e-6
    moved = np.concatenate([point + step * np.eye(3), point - step * np.eye(3)])
    values, _ = body_distance(parts, moved)
    np.testing.assert_allclose(gradient[0], (values[:3] - values[3:]) / (2 * step), atol=1e-6)


def test_grid_agrees_with_the_function_near_the_surface():
    values, origin = body_grid([BALL, CONE], 0.05)
    index = np.argwhere(np.abs(values) < 0.03)
    expected, _ = body_distance([BALL, CONE], origin + 0.05 * index)
    np.testing.assert_allclose(values[tuple(index.T)], expected, atol=1e-3)
    assert values[0].min() > 0


def test_surface_nets_of_one_inside_sample_is_a_small_cube():
    values = np.ones((3, 3, 3))
    values[1, 1, 1] = -1.0
    vertices, faces = surface_nets(values)
    assert len(vertices) == 8
    assert len(faces) == 12
    # three of each cell's edges cross, half way to the sample in the middle
    np.testing.assert_allclose(np.abs(vertices - 1.0), 1 / 6)
    assert volume(vertices, faces) == pytest.approx((1 / 3) ** 3)


def test_a_ball_has_its_volume_and_faces_outwards():
    vertices, faces = skin([BALL], 0.03)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.3, atol=1e-6)
    assert volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.01)
    normals = vertex_normals(vertices, faces)
    assert (np.einsum("ni,ni->n", normals, vertices / 0.3) > 0.99).all()


def test_a_body_is_closed_and_its_vertices_lie_on_it():
    vertices, faces = skin(DOG_PARTS, 0.03)
    edges = directed_edges(faces)
    forward, counts = np.unique(edges, axis=0, return_counts=True)
    backward, counts_back = np.unique(edges[:, ::-1], axis=0, return_counts=True)
    np.testing.assert_array_equal(forward, backward)
    np.testing.assert_array_equal(counts, counts_back)
    distance, _ = body_distance(DOG_PARTS, vertices)
    assert np.quantile(np.abs(distance), 0.99) < 1e-3
