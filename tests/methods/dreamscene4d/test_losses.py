"""Terms on the motion: what they must not punish, and numbers worked out by hand."""

import math

import pytest
import torch
from torch import Tensor

from fourfold.geometry import axis_angle_to_quaternion, quaternion_to_matrix
from fourfold.methods.dreamscene4d.losses import acceleration, drift_in_depth, rigidity
from fourfold.scene import ControlNodeMotion

FLOOR = 1e-3
"""The root of the 1e-6 that keeps the acceleration term differentiable at rest."""


def at_rest(nodes: Tensor, times: list[float]) -> ControlNodeMotion:
    index = torch.arange(len(nodes))
    neighbors = torch.stack([index, (index + 1) % len(nodes), (index + 2) % len(nodes)], 1)
    return ControlNodeMotion.at_rest(
        nodes, neighbors[:, : len(nodes)], torch.ones(len(nodes)), torch.tensor(times)
    )


def turned(conjugate: bool) -> ControlNodeMotion:
    """Six nodes that turn by 0.8 rad about an axis and move, as one rigid body."""
    nodes = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    motion = at_rest(nodes, [0.0, 1.0])
    turn = axis_angle_to_quaternion(torch.tensor([0.3, -0.5, 0.55]))
    moved = nodes @ quaternion_to_matrix(turn).T + torch.tensor([1.0, 2.0, 3.0])
    if conjugate:
        turn = turn * torch.tensor([1.0, -1.0, -1.0, -1.0])
    motion.node_translations[1] = moved - nodes
    motion.node_quaternions[1] = turn
    return motion


def test_a_rigid_rotation_is_free():
    assert float(rigidity(turned(conjugate=False), [0, 1])) == pytest.approx(0.0, abs=1e-10)


def test_the_transposed_rotation_is_not():
    # the fault of the original program, for which this would be the rigid motion
    assert float(rigidity(turned(conjugate=True), [0, 1])) > 0.5


def test_a_stretched_edge_costs_the_square_of_its_stretch():
    motion = at_rest(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), [0.0, 1.0])
    motion.node_translations[1, 1, 0] = 0.5
    # both directions of the only edge miss by 0.5, of a spacing of 1
    assert float(rigidity(motion, [1])) == pytest.approx(0.25)
    assert float(rigidity(motion, [0, 1])) == pytest.approx(0.125)


def test_a_single_node_is_rigid():
    assert float(rigidity(at_rest(torch.zeros(1, 3), [0.0, 1.0]), [0, 1])) == 0.0


def test_rigidity_turns_the_nodes():
    motion = turned(conjugate=False)
    quaternions = torch.tensor([1.0, 0.0, 0.0, 0.0]).repeat(2, 6, 1).requires_grad_()
    loss = rigidity(ControlNodeMotion(**{**motion.tensors(), "node_quaternions": quaternions}), [1])
    loss.backward()
    assert quaternions.grad is not None
    downhill = -quaternions.grad[1].mean(0)[1:]
    assert float(downhill @ torch.tensor([0.3, -0.5, 0.55])) > 0


def path(times: list[float], node_x: list[float], pose_x: list[float]) -> ControlNodeMotion:
    motion = at_rest(torch.zeros(1, 3), times)
    motion.node_translations[:, 0, 0] = torch.tensor(node_x)
    motion.translations[:, 0] = torch.tensor(pose_x)
    return motion


def test_constant_speed_is_free_at_keys_of_any_distance():
    times = [0.0, 1.0, 4.0, 4.5]
    steady = path(times, [2 * t for t in times], [-3 * t for t in times])
    for key in (1, 2):
        assert float(acceleration(steady, key)) == pytest.approx(1.1 * FLOOR, abs=1e-5)


def test_acceleration_of_even_keys_is_the_second_difference():
    # 0, 0, 1 and 0, 0, 2
    found = float(acceleration(path([0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 2.0]), 1))
    assert found == pytest.approx(1.0 + 0.1 * 2.0, abs=1e-4)


def test_acceleration_of_a_thrown_stone_at_uneven_keys():
    times = [0.0, 1.0, 4.0]
    # x = t^2 between steps of 1 and 3: (3*0 - 4*1 + 1*16) / 4 * 2
    found = float(acceleration(path(times, [t * t for t in times], [0.0] * 3), 1))
    assert found == pytest.approx(6.0 + 0.1 * FLOOR, abs=1e-4)


def test_the_ends_and_short_paths_are_free():
    bent = path([0.0, 1.0, 2.0], [0.0, 5.0, 0.0], [0.0] * 3)
    assert float(acceleration(bent, 0)) == 0.0 == float(acceleration(bent, 2))
    assert float(acceleration(at_rest(torch.zeros(1, 3), [3.0]), 0)) == 0.0


def test_drift_counts_what_goes_along_the_view_only():
    motion = at_rest(torch.zeros(1, 3), [0.0])
    motion.node_translations[0, 0] = torch.tensor([5.0, 0.0, 0.5])
    assert float(drift_in_depth(motion, 0, torch.tensor([0.0, 0.0, 1.0]))) == pytest.approx(0.25)
    assert float(drift_in_depth(motion, 0, torch.tensor([0.0, 1.0, 0.0]))) == pytest.approx(0.0)


def test_drift_is_measured_in_the_world():
    motion = at_rest(torch.zeros(1, 3), [0.0])
    motion.node_translations[0, 0] = torch.tensor([0.5, 0.0, 0.0])
    # a quarter turn about y takes x to -z
    motion.quaternions[0] = axis_angle_to_quaternion(torch.tensor([0.0, math.pi / 2, 0.0]))
    assert float(drift_in_depth(motion, 0, torch.tensor([0.0, 0.0, 1.0]))) == pytest.approx(0.25)
    assert float(drift_in_depth(motion, 0, torch.tensor([1.0, 0.0, 0.0]))) == pytest.approx(
        0.0, abs=1e-10
    )
