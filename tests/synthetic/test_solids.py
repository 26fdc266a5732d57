"""Solids are closed, turn outwards and have the sizes that were asked for."""

import numpy as np
import pytest

from fourfold.synthetic.garden import gnome, snail, toadstool
from fourfold.synthetic.implicit import Part
from fourfold.synthetic.playroom import die, rocket
from fourfold.synthetic.solids import Solid, block, box_sides, folded, joined, melted, turned
from fourfold.synthetic.toys import duck, house, teapot


def _grey(v: np.ndarray) -> np.ndarray:
    return np.full((len(v), 3), 0.5)


def _volume(solid: Solid) -> float:
    a, b, c = (solid.vertices[solid.faces[:, k]] for k in range(3))
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


def _edges_are_paired(faces: np.ndarray) -> bool:
    edges = np.concatenate([faces[:, (a, b)] for a, b in ((0, 1), (1, 2), (2, 0))])
    there, back = np.sort(edges @ [100_003, 1]), np.sort(edges @ [1, 100_003])
    return len(np.unique(there)) == len(there) and bool((there == back).all())


def test_a_turned_rectangle_is_a_cylinder():
    solid = turned([(0, 0), (0.5, 0), (0.5, 2), (0, 2)], _grey, 0.05)
    assert _volume(solid) == pytest.approx(np.pi * 0.25 * 2, rel=0.005)
    assert _edges_are_paired(solid.faces)
    np.testing.assert_allclose(solid.bounds, ((-0.5, 0, -0.5), (0.5, 2, 0.5)), atol=2e-3)


def test_a_block_has_its_volume_and_sharp_edges():
    solid = block((-1, 0, 0), (1, 3, 0.5), _grey, 0.2)
    assert _volume(solid) == pytest.approx(3.0)
    assert len(box_sides((0, 0, 0), (1, 1, 1))) == 6
    edges = solid.vertices[solid.faces] - np.roll(solid.vertices[solid.faces], 1, axis=1)
    assert np.linalg.norm(edges, axis=2).max() <= 0.2 * np.sqrt(2) + 1e-9


def test_a_folded_triangle_has_no_empty_faces():
    corners = np.array([(0, 0, 0), (2, 0, 0), (0, 1, 0)], float)
    solid = folded([(corners, _grey)], 0.3)
    a, b, c = (solid.vertices[solid.faces[:, k]] for k in range(3))
    areas = np.cross(b - a, c - a)[:, 2] / 2
    assert areas.sum() == pytest.approx(1.0)
    assert (areas > 1e-6).all()


def test_melted_parts_take_the_paint_of_the_nearest():
    parts = [
        Part("a", "red", (0, 0, 0), (0, 0, 0), 0.1, 0.1),
        Part("a", "blue", (0.3, 0, 0), (0.3, 0, 0), 0.1, 0.1),
    ]
    red, blue = np.array([0.8, 0, 0]), np.array([0, 0, 0.8])
    solid = melted(parts, {"red": lambda v: red + 0 * v, "blue": lambda v: blue + 0 * v}, 0.02)
    assert (solid.colors[solid.vertices[:, 0] < 0.1] == red).all()
    assert (solid.colors[solid.vertices[:, 0] > 0.2] == blue).all()


def test_joined_resized_and_centred():
    one = block((0, 0, 0), (1, 1, 1), _grey, 1.0)
    two = joined(one, block((2, 0, 0), (3, 1, 1), _grey, 1.0))
    assert _volume(two) == pytest.approx(2.0)
    low, high = two.resized(2.0).centred().bounds
    np.testing.assert_allclose((low, high), ((-3, -1, -1), (3, 1, 1)))


@pytest.mark.parametrize(
    ("build", "height"),
    [
        (teapot, 0.356),
        (house, 0.385),
        (duck, 0.37),
        (gnome, 0.46),
        (toadstool, 0.40),
        (snail, 0.30),
        (rocket, 0.42),
        (die, 0.24),
    ],
)
def test_toys_are_painted_whole_and_stand_in_their_middle(build, height):
    toy = build(3)
    low, high = toy.bounds
    np.testing.assert_allclose(low, -high, atol=1e-9)
    assert (high - low)[1] == pytest.approx(height, abs=0.025)
    assert _volume(toy) > 0
    assert (toy.colors.max(1) > 0).all()
    assert toy.colors.max() <= 0.92
    # rich in texture: no single colour covers it
    assert toy.colors.std(0).max() > 0.1
    np.testing.assert_array_equal(build(3).colors, toy.colors)
    assert (build(4).colors != toy.colors).any()
    np.testing.assert_array_equal(build(4).vertices, toy.vertices)
