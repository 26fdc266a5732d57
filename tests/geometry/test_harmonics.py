"""Spherical harmonics: orthonormal, of the known signs, and turning as functions turn."""

import math

import pytest
import torch
from torch.testing import assert_close

from fourfold.geometry import harmonics_basis, quaternion_rotate, rotate_harmonics
from fourfold.scene import Gaussians


def directions(count: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    vectors = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return vectors / vectors.norm(dim=-1, keepdim=True)


def test_values_along_the_axes_by_hand():
    basis = harmonics_basis(torch.eye(3, dtype=torch.float64), 2)
    constant = 0.5 / math.sqrt(math.pi)
    first = math.sqrt(3 / (4 * math.pi))
    assert_close(basis[:, 0], torch.full((3,), constant, dtype=torch.float64))
    # along x, y, z: the first degree is (-y, z, -x)
    expected = first * torch.tensor([[0, 0, -1.0], [-1.0, 0, 0], [0, 1.0, 0]]).double()
    assert_close(basis[:, 1:4], expected)
    # (3 z^2 - 1) and (x^2 - y^2) of the second degree
    third, fifth = math.sqrt(5 / math.pi) / 4, math.sqrt(15 / math.pi) / 4
    assert_close(basis[:, 6], third * torch.tensor([-1.0, -1.0, 2.0]).double())
    assert_close(basis[:, 8], fifth * torch.tensor([1.0, -1.0, 0.0]).double())


def test_the_sixteen_are_orthonormal_on_the_sphere():
    # Gauss-Legendre in z times equal steps in angle integrates degree 6 exactly
    outer = torch.tensor([0.9324695142031521, 0.6612093864662645, 0.2386191860831969]).double()
    nodes = torch.cat((-outer, outer.flip(0)))
    shares = torch.tensor([0.1713244923791704, 0.3607615730481386, 0.4679139345726910]).double()
    weights = torch.cat((shares, shares.flip(0)))
    angles = torch.arange(8, dtype=torch.float64) * (2 * math.pi / 8)
    radius = (1 - nodes**2).sqrt()
    grid = torch.stack(
        (
            radius[:, None] * angles.cos(),
            radius[:, None] * angles.sin(),
            nodes[:, None].expand(-1, 8),
        ),
        dim=-1,
    )
    basis = harmonics_basis(grid, 3)
    gram = torch.einsum("zak,zal,z->kl", basis, basis, weights) * (2 * math.pi / 8)
    assert_close(gram, torch.eye(16, dtype=torch.float64), atol=1e-6, rtol=0)


def test_basis_agrees_with_gsplat():
    helpers = pytest.importorskip("gsplat.cuda._torch_impl")
    expected = helpers._eval_sh_bases_fast(16, directions().float())
    assert_close(harmonics_basis(directions().float(), 3), expected)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_turned_harmonics_show_at_the_turned_direction_what_was_shown_before(degree: int):
    generator = torch.Generator().manual_seed(degree)
    harmonics = torch.randn(7, (degree + 1) ** 2, 3, generator=generator, dtype=torch.float64)
    quaternions = torch.randn(7, 4, generator=generator, dtype=torch.float64)

    def show(harmonics: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        return (harmonics_basis(seen, degree).unsqueeze(-1) * harmonics).sum(1)

    before = show(harmonics, directions())
    each = show(
        rotate_harmonics(harmonics, quaternions), quaternion_rotate(quaternions, directions())
    )
    assert_close(each, before)
    one = quaternions[0]
    all_by_one = show(rotate_harmonics(harmonics, one), quaternion_rotate(one, directions()))
    assert_close(all_by_one, before)


def test_colors_of_gaussians_depend_on_the_direction_and_are_never_negative():
    harmonics = torch.zeros(2, 4, 3)
    harmonics[0, 2] = 1.0  # brighter towards +z
    harmonics[1, 0] = -10.0
    shape = torch.zeros(2, 3)
    gaussians = Gaussians(shape, torch.ones(2, 4), shape, torch.zeros(2), harmonics)
    forward = torch.tensor([[0.0, 0.0, 1.0]]).expand(2, 3)
    lit = 0.5 + math.sqrt(3 / (4 * math.pi))
    assert_close(gaussians.colors(forward), torch.tensor([[lit] * 3, [0.0] * 3]))
    assert_close(gaussians.colors(-forward)[0], torch.full((3,), 1.0 - lit))
    assert_close(gaussians.colors()[0], torch.full((3,), 0.5))
