"""The mirrored far side, against reflections by matrices."""

import pytest
import torch
from torch import Tensor

from fourfold.geometry import quaternion_to_matrix
from fourfold.priors import PRIORS, leave_open, mirror_front
from fourfold.scene import Gaussians

REFLECTION = torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64))


def random_front(count: int = 50) -> Gaussians:
    generator = torch.Generator().manual_seed(0)
    return Gaussians.from_colors(
        torch.randn(count, 3, generator=generator),
        torch.rand(count, 3, generator=generator),
        torch.rand(count, 3, generator=generator) + 0.1,
        torch.rand(count, generator=generator),
        torch.randn(count, 4, generator=generator),
    )


def covariance(gaussians: Gaussians) -> Tensor:
    unit = torch.nn.functional.normalize(gaussians.quaternions.double(), dim=-1)
    spread = quaternion_to_matrix(unit) * gaussians.scales.double()[:, None]
    return spread @ spread.mT


def test_the_front_is_kept_and_comes_first():
    front = random_front()
    whole = mirror_front(front)
    assert len(whole) == 100
    for name, tensor in front.tensors().items():
        assert torch.equal(whole.tensors()[name][:50], tensor)


def test_the_back_is_the_reflection_by_matrices():
    whole = mirror_front(random_front())
    expected = whole.means[:50].double() @ REFLECTION
    torch.testing.assert_close(whole.means[50:].double(), expected)
    expected = REFLECTION @ covariance(whole)[:50] @ REFLECTION
    torch.testing.assert_close(covariance(whole)[50:], expected, atol=1e-6, rtol=1e-5)


def test_colours_and_opacities_are_the_front_ones():
    whole = mirror_front(random_front())
    assert torch.equal(whole.colors()[50:], whole.colors()[:50])
    assert torch.equal(whole.opacities[50:], whole.opacities[:50])


def test_mirroring_twice_brings_everything_back():
    front = random_front()
    back = mirror_front(front).select(slice(50, 100))
    again = mirror_front(back).select(slice(50, 100))
    torch.testing.assert_close(again.means, front.means)
    torch.testing.assert_close(covariance(again), covariance(front))


def test_both_sides_pull_at_the_front():
    front = random_front(2)
    means = front.means.clone().requires_grad_()
    mirrored = mirror_front(Gaussians(**{**front.tensors(), "means": means}))
    mirrored.means.sum().backward()
    # x and y count twice, z once as it is and once negated
    assert means.grad is not None
    assert means.grad.tolist() == [[2.0, 2.0, 0.0]] * 2


def test_no_prior_leaves_the_front_alone():
    front = random_front()
    assert leave_open(front) is front
    assert PRIORS["none"] is leave_open
    assert PRIORS["symmetry"] is mirror_front
    with pytest.raises(TypeError):
        PRIORS["other"] = leave_open  # type: ignore[index]
