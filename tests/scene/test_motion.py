"""Motions: known answers, and control nodes that must agree with the rigid motion."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from fourfold.geometry import (
    axis_angle_to_quaternion,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_matrix,
)
from fourfold.scene import (
    Appearance,
    ControlNodeMotion,
    Gaussians,
    Motion,
    RigidMotion,
    Skinning,
    StaticMotion,
    bind_points,
    deform,
    deform_reference,
)

MakeGaussians = Callable[..., Gaussians]
TIMES = torch.arange(6.0)


def assert_same_gaussians(a: Gaussians, b: Gaussians, tolerance: float = 1e-5) -> None:
    """Compare Gaussians; quaternions as rotations."""
    for name in ("means", "log_scales", "logit_opacities", "harmonics"):
        assert_close(a.tensors()[name], b.tensors()[name], atol=tolerance, rtol=tolerance)
    turns = quaternion_to_matrix(a.quaternions), quaternion_to_matrix(b.quaternions)
    assert_close(*turns, atol=tolerance, rtol=tolerance)


def swinging_pose(seed: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    turns = 0.4 * torch.randn(6, 3, generator=generator).cumsum(0)
    return {
        "quaternions": axis_angle_to_quaternion(turns),
        "translations": torch.randn(6, 3, generator=generator),
        "log_scales": 0.2 * torch.randn(6, generator=generator),
    }


def test_rigid_motion_by_hand():
    half = math.sqrt(0.5)
    motion = RigidMotion(
        torch.tensor([0.0, 2.0]),
        torch.tensor([[1.0, 0, 0, 0], [half, 0, 0, half]]),
        torch.tensor([[0.0, 0, 0], [10.0, 0, 0]]),
        torch.tensor([0.0, math.log(3.0)]),
    )
    points = torch.tensor([[1.0, 0.0, 2.0]])
    assert_close(motion.move_points(points, 2.0), torch.tensor([[10.0, 3.0, 6.0]]))
    # halfway: 45 degrees, scale sqrt 3, shift 5
    side = math.sqrt(1.5)
    halfway = torch.tensor([[5.0 + side, side, 2.0 * math.sqrt(3.0)]])
    assert_close(motion.move_points(points, 1.0), halfway)


@pytest.mark.parametrize("degree", [0, 1])
def test_rigid_motion_transforms_gaussians_as_its_matrix_does(
    make_gaussians: MakeGaussians, degree: int
):
    gaussians = make_gaussians(degree=degree)
    motion = RigidMotion(TIMES, **swinging_pose())
    expected = gaussians.transformed(motion.pose(1.3).matrix())
    assert_same_gaussians(motion.apply(gaussians, 1.3), expected)


def test_trajectories_follow_the_gaussians(make_gaussians: MakeGaussians, chain: ControlNodeMotion):
    gaussians = make_gaussians()
    moving = replace(chain, node_translations=torch.rand(6, 5, 3), **swinging_pose())
    times = torch.tensor([0.0, 1.5, 4.0])
    for motion in (StaticMotion(), RigidMotion(TIMES, **swinging_pose()), moving):
        tracks = motion.trajectory(gaussians.means, times)
        assert tracks.shape == (3, 6, 3)
        for place, time in zip(tracks, times.tolist(), strict=True):
            assert_close(place, motion.apply(gaussians, time).means)


def test_nodes_at_rest_leave_everything_where_it_is(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion
):
    gaussians = make_gaussians(degree=1)
    assert_same_gaussians(chain.apply(gaussians, 2.2), gaussians)


@pytest.mark.parametrize("time", [2.0, 2.6])
def test_the_pose_of_resting_nodes_is_a_rigid_motion(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion, time: float
):
    gaussians = make_gaussians(degree=1)
    moving = replace(chain, **swinging_pose())
    expected = RigidMotion(TIMES, **swinging_pose()).apply(gaussians, time)
    assert_same_gaussians(moving.apply(gaussians, time), expected)


def test_nodes_that_all_move_as_one_body_are_a_rigid_motion(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion
):
    gaussians, pose = make_gaussians(), swinging_pose()
    turns = pose["quaternions"].unsqueeze(1).expand(6, 5, 4)
    # x -> R (x - n) + n + t is the same for all nodes where t = R n - n + translation
    places = quaternion_rotate(turns, chain.nodes) + pose["translations"].unsqueeze(1)
    moving = replace(chain, node_quaternions=turns, node_translations=places - chain.nodes)
    rigid = RigidMotion(TIMES, pose["quaternions"], pose["translations"], torch.zeros(6))
    assert_same_gaussians(moving.apply(gaussians, 3.0), rigid.apply(gaussians, 3.0))


def test_rotations_of_opposite_sign_blend_as_one(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion
):
    gaussians = make_gaussians(20)
    turn = axis_angle_to_quaternion(torch.tensor([0.0, 0.5, 0.1])).expand(6, 5, 4)
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0]).view(1, 5, 1)
    one = replace(chain, node_quaternions=turn)
    other = replace(chain, node_quaternions=signs * turn)
    assert_same_gaussians(other.apply(gaussians, 1.0), one.apply(gaussians, 1.0))


def test_a_point_at_a_node_between_two_by_hand(chain: ControlNodeMotion):
    points = torch.tensor([[2.0, 0.0, 0.0]])
    side = math.exp(-0.5 / 0.49)  # one unit away with radius 0.7
    share = side / (1.0 + 2.0 * side)
    skinning = chain.bind(points)
    assert skinning.index.tolist() == [[2, 1, 3]]
    assert_close(skinning.weights, torch.tensor([[1.0 - 2.0 * share, share, share]]))
    lifted = torch.zeros(6, 5, 3)
    lifted[:, 3, 1] = 1.0
    moving = replace(chain, node_translations=lifted)
    assert_close(moving.move_points(points, 0.0), torch.tensor([[2.0, share, 0.0]]))


def test_a_missing_neighbour_has_no_weight(chain: ControlNodeMotion):
    skinning = chain.bind(torch.tensor([[-0.2, 0.0, 0.0]]))
    assert skinning.weights[0, 2] == 0.0
    assert_close(skinning.weights.sum(), torch.tensor(1.0))


def test_far_points_still_follow_their_nodes(chain: ControlNodeMotion):
    skinning = chain.bind(torch.tensor([[500.0, 0.0, 0.0]]))
    assert_close(skinning.weights.sum(), torch.tensor(1.0))


def test_limbs_near_in_space_but_far_along_the_body_are_not_glued():
    # two legs 0.1 apart; each node only knows its own leg
    nodes = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.1, 0.0, 0.0], [0.1, 1.0, 0.0]])
    neighbors = torch.tensor([[0, 1], [1, 0], [2, 3], [3, 2]])
    rest = ControlNodeMotion.at_rest(nodes, neighbors, torch.ones(4), torch.zeros(1))
    forward = torch.zeros(1, 4, 3)
    forward[:, 2:, 2] = 1.0
    moving = replace(rest, node_translations=forward)
    legs = torch.tensor([[0.0, 0.5, 0.0], [0.1, 0.5, 0.0]])
    assert_close(moving.move_points(legs, 0.0)[:, 2], torch.tensor([0.0, 1.0]))


def test_gaussians_turn_with_their_nodes(chain: ControlNodeMotion):
    turn = axis_angle_to_quaternion(torch.tensor([0.0, 0.0, 0.8]))
    turned = replace(chain, node_quaternions=turn.expand(6, 5, 4))
    gaussians = Gaussians.from_colors(
        chain.nodes, torch.ones(5, 3), torch.tensor([[0.1, 0.2, 0.3]]).expand(5, 3), torch.ones(5)
    )
    moved = turned.apply(gaussians, 0.0).quaternions
    expected = quaternion_multiply(turn, gaussians.quaternions)
    assert_close(quaternion_to_matrix(moved), quaternion_to_matrix(expected))


def random_deformation(dtype: torch.dtype) -> tuple[list[torch.Tensor], Skinning]:
    """Make maps and turns of 9 nodes, 40 points with orientations, and their skinning."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    nodes, points = draw(9, 3), draw(40, 3)
    neighbors = torch.cdist(nodes, nodes).argsort(1)[:, :4]
    neighbors[2, 3] = -1
    skinning = bind_points(points, nodes, neighbors, torch.full((9,), 0.8, dtype=dtype))
    return [draw(9, 3, 4), draw(9, 4), points, draw(40, 4)], skinning


def test_deformation_equals_the_dense_sum():
    (maps, turns, points, quaternions), skinning = random_deformation(torch.float64)
    dense = torch.zeros(40, 9, dtype=torch.float64)
    dense.scatter_add_(1, skinning.index, skinning.weights)
    moved, _ = deform(maps, turns, points, quaternions, skinning)
    each = torch.einsum("mij,nj->nmi", maps[..., :3], points) + maps[..., 3]
    assert_close(moved, torch.einsum("nm,nmi->ni", dense, each))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_fast_and_slow_deformation_agree_both_ways(dtype: torch.dtype):
    tensors, skinning = random_deformation(dtype)
    results = []
    for function in (deform, deform_reference):
        inputs = [tensor.clone().requires_grad_() for tensor in tensors]
        maps, turns, points, quaternions = inputs
        moved, turned = function(maps, turns, points, quaternions, skinning)
        (moved.sin().sum() + turned.sin().sum()).backward()
        results.append([moved, turned, *(tensor.grad for tensor in inputs)])
    assert_close(*results)
    # of the points alone
    maps, turns, points, quaternions = tensors
    without = deform(maps, turns, points, quaternions[:0], skinning)
    assert torch.equal(without[0], results[0][0])
    assert without[1].shape == (0, 4)


@pytest.mark.parametrize("function", [deform, deform_reference])
def test_deformation_is_differentiable(function: Callable[..., tuple[torch.Tensor, torch.Tensor]]):
    tensors, skinning = random_deformation(torch.float64)
    inputs = [tensor.requires_grad_() for tensor in tensors]
    assert torch.autograd.gradcheck(lambda *values: function(*values, skinning), inputs)


def test_skinning_of_other_points_is_refused(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion
):
    skinning = chain.bind(make_gaussians(4).means)
    with pytest.raises(ValueError, match="skinning of 4 points to 5 nodes given for 6 points"):
        chain.apply(make_gaussians(6), 0.0, skinning)
    (maps, turns, points, quaternions), skinning = random_deformation(torch.float32)
    with pytest.raises(ValueError, match="3 quaternions for 40 points"):
        deform(maps, turns, points, quaternions[:3], skinning)


def test_control_nodes_are_differentiable_in_everything_that_is_learnt(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion
):
    gaussians = make_gaussians(4, dtype=torch.float64)
    double = {n: t.double() if t.is_floating_point() else t for n, t in chain.tensors().items()}
    base = ControlNodeMotion(**double)
    skinning = base.bind(gaussians.means)
    learnt = ("node_quaternions", "node_translations", "quaternions", "translations", "log_scales")
    generator = torch.Generator().manual_seed(1)
    start = []
    for name in learnt:
        value = double[name]
        noise = 0.2 * torch.randn(value.shape, generator=generator, dtype=torch.float64)
        start.append((value + noise).requires_grad_())

    def move(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        moving = replace(base, **dict(zip(learnt, values, strict=True)))
        moved = moving.apply(gaussians, 2.3, skinning)
        return moved.means, moved.quaternions, moved.log_scales

    assert torch.autograd.gradcheck(move, start, fast_mode=True)


def test_gradients_are_the_same_on_every_run(
    make_gaussians: MakeGaussians, chain: ControlNodeMotion
):
    gaussians = make_gaussians(5000)

    def gradients() -> tuple[torch.Tensor, ...]:
        turns = chain.node_quaternions.clone().requires_grad_()
        shifts = chain.node_translations.clone().requires_grad_()
        moved = replace(chain, node_quaternions=turns, node_translations=shifts).apply(
            gaussians, 1.0
        )
        return torch.autograd.grad(
            moved.means.square().sum() + moved.quaternions.sum(), (turns, shifts)
        )

    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        first = gradients()
        torch.set_num_threads(2)
        for _ in range(3):
            assert all(map(torch.equal, first, gradients()))
    finally:
        torch.set_num_threads(threads)


def test_motions_come_back_from_their_parts(chain: ControlNodeMotion):
    for motion in (StaticMotion(), RigidMotion(TIMES, **swinging_pose()), chain):
        back = Motion.restore(motion.config(), motion.tensors())
        assert type(back) is type(motion)
        for name, tensor in motion.tensors().items():
            assert torch.equal(back.tensors()[name], tensor)
    with pytest.raises(ValueError, match="unknown kind of motion 'teleport'"):
        Motion.restore({"kind": "teleport"}, {})
    with pytest.raises(ValueError, match="a rigid motion has"):
        Motion.restore({"kind": "rigid"}, {"times": TIMES})


def test_wrong_shapes_and_neighbours_are_refused(chain: ControlNodeMotion):
    with pytest.raises(ValueError, match="6 key times need 6 poses"):
        replace(chain, log_scales=torch.zeros(5))
    with pytest.raises(ValueError, match="radii has shape"):
        replace(chain, radii=torch.ones(4))
    with pytest.raises(ValueError, match="the node itself"):
        replace(chain, neighbors=chain.neighbors.roll(1, 0))
    beyond = chain.neighbors.clone()
    beyond[0, 1] = 5
    with pytest.raises(ValueError, match="-1 … 4"):
        replace(chain, neighbors=beyond)


def test_appearance_changes_colour_and_opacity_by_hand(make_gaussians: MakeGaussians):
    gaussians = make_gaussians(2)
    coefficients = torch.tensor([[[1.0, 2.0, 3.0, 4.0]], [[0.0, 0.0, 0.0, -1.0]]])
    appearance = Appearance(torch.tensor([0.0, 2.0]), torch.tensor([[0.0], [10.0]]), coefficients)
    halfway = appearance.apply(gaussians, 1.0)
    change = (halfway.harmonics - gaussians.harmonics)[:, 0]
    assert_close(change, torch.tensor([[5.0, 10.0, 15.0], [0.0, 0.0, 0.0]]))
    opacity = halfway.logit_opacities - gaussians.logit_opacities
    assert_close(opacity, torch.tensor([20.0, -5.0]))
    assert torch.equal(halfway.means, gaussians.means)
    kept = appearance.select(torch.tensor([1]))
    assert_close(kept.coefficients, coefficients[1:])
    with pytest.raises(ValueError, match="do not fit together"):
        Appearance(torch.tensor([0.0]), torch.zeros(2, 1), coefficients)
