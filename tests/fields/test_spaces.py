"""Spaces: known points, round trips, infinity, and that they come back from what is saved."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fourfold.fields import BoxSpace, ContractedSpace, NdcSpace, Space, sample_rays
from fourfold.geometry import axis_angle_to_quaternion, quaternion_to_matrix, rigid_matrix
from tests.fields.rays_of_tests import random_rays

BOX = BoxSpace(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([1.0, 4.0, 3.0]))
NDC = NdcSpace(torch.eye(4), torch.tensor([1.0, 0.5]), torch.tensor(2.0))
CONTRACTED = ContractedSpace(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([2.0, 1.0, 1.0]))
SPACES = {"box": BOX, "ndc": NDC, "contracted": CONTRACTED}


def turned(space: NdcSpace) -> NdcSpace:
    rotation = quaternion_to_matrix(axis_angle_to_quaternion(torch.tensor([0.3, -0.5, 0.2])))
    pose = rigid_matrix(rotation, torch.tensor([0.1, 0.2, 0.3]))
    return NdcSpace(pose, space.slopes, space.near)


def test_known_points_of_a_box():
    points = torch.tensor([[-1.0, 0.0, 2.0], [0.0, 1.0, 3.0], [2.0, 2.0, 2.5]])
    expected = torch.tensor([[0.0, 0.0, 0.0], [0.5, 0.25, 1.0], [1.5, 0.5, 0.5]])
    torch.testing.assert_close(BOX.to_cube(points), expected)


def test_known_points_of_a_frustum():
    # near plane, twice as far at its lower right corner, very far
    points = torch.tensor([[0.0, 0.0, 2.0], [4.0, 2.0, 4.0], [0.0, 0.0, 2e8]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [1.0, 1.0, 0.5], [0.5, 0.5, 1.0]])
    torch.testing.assert_close(NDC.to_cube(points), expected)


def test_known_points_of_a_contracted_space():
    # the middle, the box's corner, two half sizes out along x, infinity along -y
    points = torch.tensor([[1.0, 0.0, 0.0], [3.0, 1.0, -1.0], [5.0, 0.0, 0.0], [1.0, -1e9, 0.0]])
    expected = [[0.5, 0.5, 0.5], [0.75, 0.75, 0.25], [0.875, 0.5, 0.5], [0.5, 0.0, 0.5]]
    torch.testing.assert_close(CONTRACTED.to_cube(points), torch.tensor(expected))


coordinate = st.floats(1 / 64, 63 / 64, width=32)


@pytest.mark.parametrize("name", SPACES)
@given(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=5))
def test_round_trip(name, cube):
    space = turned(NDC) if name == "ndc" else SPACES[name]
    points = torch.tensor(cube)
    torch.testing.assert_close(space.to_cube(space.to_world(points)), points, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", SPACES)
def test_the_whole_cube_has_finite_places_in_the_world(name):
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3)
    assert torch.isfinite(SPACES[name].to_world(corners)).all()


@pytest.mark.parametrize("name", SPACES)
def test_restored_from_what_is_saved(name):
    space = SPACES[name]
    restored = Space.restore(space.config(), space.tensors())
    assert type(restored) is type(space)
    points = torch.rand(4, 3) + 3
    assert torch.equal(restored.to_cube(points), space.to_cube(points))


def test_unknown_kinds_and_missing_tensors_are_named():
    with pytest.raises(ValueError, match="unknown kind of space 'ball'"):
        Space.restore({"kind": "ball"}, {})
    with pytest.raises(ValueError, match="high"):
        Space.restore({"kind": "box"}, {"low": torch.zeros(3)})


def test_empty_spaces_are_refused():
    zero = torch.zeros(3)
    with pytest.raises(ValueError, match="no box"):
        BoxSpace(zero, zero)
    with pytest.raises(ValueError, match="no box"):
        ContractedSpace(zero, zero)
    with pytest.raises(ValueError, match="no frustum"):
        NdcSpace(torch.eye(4), torch.ones(2), torch.tensor(0.0))


def test_rays_into_the_far_end_before_infinity():
    # of a frustum: the middle of a piece that reached infinity would be anywhere
    space = NdcSpace(torch.eye(4), torch.tensor([1.0, 0.8]), torch.tensor(1.5))
    rays = random_rays(400, 0.1).bounded(near=0.5)
    forward = rays.select(rays.directions[:, 2] > 0.2)
    assert len(forward) > 100
    jitter = torch.linspace(0.0, 0.999, len(forward))
    samples = sample_rays(forward, space, (36, 20, 30), step=1.0, jitter=jitter)
    assert float(samples.distances.min()) > 0.5
    same = samples.rays[1:] == samples.rays[:-1]
    assert bool((samples.distances.diff()[same] > 0).all())
    assert 200 < float(samples.distances.max()) < 3000
