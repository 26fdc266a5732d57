"""TensorVMField and HexPlaneField: densities worked out by hand, sizes, saving, learning."""

import math

import pytest
import torch
from torch.nn.functional import normalize, softplus

from fourfold.fields import Field, HexPlaneField, ProductSettings, TensorVMField
from fourfold.fields.product_field import ProductField


def _still(**options) -> TensorVMField:
    return TensorVMField.random((7, 5, 6), torch.Generator().manual_seed(0), **options)


def _timed() -> HexPlaneField:
    generator = torch.Generator().manual_seed(0)
    return HexPlaneField.random((7, 5, 6), (10, 14), 3, generator)


def _asked(count: int = 50) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(count, 3, generator=generator)
    times = 10 + 4 * torch.rand(count, generator=generator)
    return points, times, normalize(torch.randn(count, 3, generator=generator), dim=1)


def _filled(field: ProductField, **values: float) -> None:
    """Set density grids to one number each, and all others to 0."""
    for name, grid in field.parameters().items():
        what, axes = name.split(".")[:2]
        grid.fill_(values.get(axes, 0.0) if what == "density" else 0.0)


def test_a_density_is_the_softplus_of_planes_times_lines():
    field = _still(settings=ProductSettings(shift=-2.0, scale=10.0))
    _filled(field, xy=0.5, z=0.25, yz=1.0, x=0.125)
    expected = 10 * math.log1p(math.exp(16 * (0.5 * 0.25 + 0.125) - 2))
    density = field.density(_asked()[0])
    assert torch.allclose(density, torch.full_like(density, expected))


def test_a_line_bends_the_density_along_its_axis_alone():
    field = _still()
    _filled(field, xz=1.0)
    field.parameters()["density.y.lines"][2] = 1.0  # the middle of five vertices
    points = torch.tensor([[0.1, 0.5, 0.9], [0.9, 0.5, 0.1], [0.3, 0.375, 0.3], [0.3, 1.0, 0.3]])
    expected = 50 * softplus(torch.tensor([16.0, 16.0, 8.0, 0.0]) - 3)
    assert torch.allclose(field.density(points), expected)


def test_time_is_in_frames_linear_between_moments_and_held_outside():
    field = _timed()
    _filled(field, xy=1.0)
    field.parameters()["density.zt.planes"][:, 2] = 1.0  # the last of frames 10, 12, 14
    times = torch.tensor([8.0, 12.0, 13.0, 14.0, 99.0])
    expected = 50 * softplus(torch.tensor([0.0, 0.0, 8.0, 16.0, 16.0]) - 3)
    assert torch.allclose(field.density(torch.full((5, 3), 0.3), times), expected)
    assert field.changes
    assert not _still().changes


def test_a_timed_field_needs_times_and_some_to_pass():
    with pytest.raises(ValueError, match="without one"):
        _timed().density(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="moments"):
        HexPlaneField.random((4, 4, 4), (3, 3), 2, torch.Generator())


def test_harmonics_alone_see_the_direction():
    field = _still(head="harmonics")
    points, times, directions = _asked()
    colors = field.colors(points, times, directions)
    assert colors.shape == (50, 3)
    assert (colors > 0).all()
    assert (colors < 1).all()
    assert not torch.allclose(colors, field.colors(points, times, -directions))


@pytest.mark.parametrize("make", [_still, _timed])
def test_a_finer_grid_holds_the_same_field(make):
    field, (points, times, directions) = make(), _asked()
    finer = field.upsampled((13, 9, 11))  # each cell in two
    assert finer.resolution == (13, 9, 11)
    assert torch.allclose(finer.density(points, times), field.density(points, times), rtol=1e-4)
    colors = field.colors(points, times, directions)
    assert torch.allclose(finer.colors(points, times, directions), colors, atol=1e-5)


@pytest.mark.parametrize("make", [_still, _timed])
def test_a_cropped_field_is_as_opaque_as_it_was(make):
    field, (points, times, _) = make(), _asked()
    part = field.cropped((1, 1, 2), (4, 4, 5))
    low, high = torch.tensor([1 / 6, 1 / 4, 2 / 5]), torch.tensor([4 / 6, 1.0, 1.0])
    before = field.density(low + points * (high - low), times)
    assert part.resolution == (4, 4, 4)
    # the longest side has three of its six cells left: a piece is twice as long in its unit
    assert torch.allclose(part.density(points, times), before / 2, rtol=1e-4)


def test_total_variation_and_sparsity_by_hand():
    field = _still()
    _filled(field)
    field.parameters()["density.xy.planes"][0, 0, 0] = 3.0
    # 7 x 5 vertices, 16 channels: one of 6 x 5 and one of 7 x 4 steps is 3
    expected = 9 / (6 * 5 * 16) + 9 / (7 * 4 * 16)
    assert field.total_variation().item() == pytest.approx(expected)
    assert field.sparsity().item() == pytest.approx(3 / (7 * 5 * 16))


@pytest.mark.parametrize("make", [_still, _timed])
def test_a_field_comes_back_from_what_it_saves(make):
    field, (points, times, directions) = make(), _asked()
    again = Field.restore(field.config(), field.tensors())
    assert type(again) is type(field)
    assert torch.equal(again.density(points, times), field.density(points, times))
    colors = field.colors(points, times, directions)
    assert torch.equal(again.colors(points, times, directions), colors)


def test_tensors_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"hex_plane field has .*density\.zt"):
        Field.restore({"kind": "hex_plane"}, _still().tensors())


def test_a_field_learns_a_colored_ball():
    generator = torch.Generator().manual_seed(0)
    field = TensorVMField.random((16, 16, 16), generator)
    leaves = [leaf.requires_grad_() for leaf in field.parameters().values()]
    optimizer = torch.optim.Adam(leaves, 0.02)
    losses = []
    for _ in range(40):
        points = torch.rand(2000, 3, generator=generator)
        inside = (points - 0.5).norm(dim=1) < 0.3
        alphas = 1 - torch.exp(-field.density(points) / 16)
        colors = field.colors(points, None, normalize(points, dim=1))
        loss = (alphas - inside.float()).square().mean() + (colors - points).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.15
    assert losses[-1] < 0.03
