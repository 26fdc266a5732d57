"""Gaussians: building, joining, choosing, transforming."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.testing import assert_close

from fourfold.geometry import quaternion_to_matrix, similarity_matrix, transform_points
from fourfold.scene import Gaussians

MakeGaussians = Callable[..., Gaussians]


def covariances(gaussians: Gaussians) -> torch.Tensor:
    axes = quaternion_to_matrix(gaussians.quaternions) * gaussians.scales.unsqueeze(1)
    return axes @ axes.mT


def test_from_colors_keeps_what_it_was_given():
    colors = torch.tensor([[0.0, 0.5, 1.0], [0.25, 0.75, 0.1]])
    gaussians = Gaussians.from_colors(
        torch.ones(2, 3), colors, torch.tensor([[0.1], [0.2]]), torch.tensor([0.3, 1.0])
    )
    assert_close(gaussians.colors(), colors)
    assert_close(gaussians.scales, torch.tensor([[0.1] * 3, [0.2] * 3]))
    assert_close(gaussians.opacities, torch.tensor([0.3, 1.0]))
    assert gaussians.logit_opacities.isfinite().all()
    assert_close(gaussians.quaternions, torch.tensor([[1.0, 0, 0, 0]] * 2))


def test_shapes_that_do_not_fit_are_refused(make_gaussians: MakeGaussians):
    tensors = make_gaussians(3).tensors()
    with pytest.raises(ValueError, match=r"log_scales has shape \(2, 3\)"):
        Gaussians(**{**tensors, "log_scales": torch.zeros(2, 3)})
    with pytest.raises(ValueError, match="5 harmonics"):
        Gaussians(**{**tensors, "harmonics": torch.zeros(3, 5, 3)})


def test_joining_pads_the_lower_degree(make_gaussians: MakeGaussians):
    flat, bent = make_gaussians(2, degree=0), make_gaussians(3, degree=1, seed=1)
    joined = Gaussians.cat([flat, bent])
    assert len(joined) == 5
    assert joined.harmonics.shape == (5, 4, 3)
    assert_close(joined.harmonics[:2, 1:], torch.zeros(2, 3, 3))
    back = joined.select(slice(2, None))
    for name, tensor in bent.tensors().items():
        assert torch.equal(back.tensors()[name], tensor)


def test_choosing_by_mask_and_by_index(make_gaussians: MakeGaussians):
    gaussians = make_gaussians(4)
    by_mask = gaussians.select(torch.tensor([False, True, False, True]))
    by_index = gaussians.select(torch.tensor([1, 3]))
    for name, tensor in by_mask.tensors().items():
        assert torch.equal(by_index.tensors()[name], tensor)
    assert torch.equal(by_mask.means, gaussians.means[1::2])


def test_a_similarity_transforms_means_and_covariances(make_gaussians: MakeGaussians):
    gaussians = make_gaussians(5, dtype=torch.float64)
    turn = quaternion_to_matrix(torch.tensor([0.3, -0.5, 0.7, 0.1], dtype=torch.float64))
    similarity = similarity_matrix(1.7, turn, torch.tensor([1.0, 2.0, 3.0]).double())
    moved = gaussians.transformed(similarity)
    assert_close(moved.means, transform_points(similarity, gaussians.means))
    assert_close(covariances(moved), 1.7**2 * turn @ covariances(gaussians) @ turn.mT)


def test_scaling_by_hand():
    gaussians = Gaussians.from_colors(
        torch.tensor([[1.0, 2.0, 3.0]]), torch.ones(1, 3), torch.ones(1, 1), torch.ones(1)
    )
    double = gaussians.transformed(torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0])))
    assert_close(double.means, torch.tensor([[2.0, 4.0, 6.0]]))
    assert_close(double.log_scales, torch.full((1, 3), math.log(2.0)))


def test_types_and_gradients_can_be_changed(make_gaussians: MakeGaussians):
    gaussians = make_gaussians(2).to(dtype=torch.float64)
    assert all(tensor.dtype == torch.float64 for tensor in gaussians.tensors().values())
    gaussians.means.requires_grad_()
    assert not gaussians.detach().means.requires_grad
