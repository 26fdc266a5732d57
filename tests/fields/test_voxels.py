"""Voxel fields: values by hand, other grids, what is occupied, variation, saving, learning."""

import math

import pytest
import torch
from torch.testing import assert_close

from fourfold.fields import Field, MixedVoxels, RowAdam, VoxelField
from fourfold.fields.voxels import INITIAL_ALPHA

AHEAD = torch.tensor([[0.0, 0.0, 1.0]])


def random_field(times=(0.0,), degree=1, share=0.7, size=(5, 4, 6), seed=0):
    generator = torch.Generator().manual_seed(seed)
    field = VoxelField.at_voxels(
        torch.rand(size, generator=generator) < share, times, degree=degree
    )
    for rows in field.parameters().values():
        rows.copy_(torch.randn(rows.shape, generator=generator))
    return field


def random_points(count=50, seed=1):
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))


def answers(field, points, times=None):
    directions = AHEAD.expand(len(points), 3)
    return field.density(points, times), field.colors(points, times, directions)


def test_a_fresh_voxel_has_the_initial_alpha_and_is_grey():
    field = VoxelField.dense((10, 20, 40))
    density, color = answers(field, random_points(3))
    assert_close(1 - torch.exp(-density / 40), torch.full((3,), INITIAL_ALPHA), rtol=1e-3, atol=0)
    assert_close(color, torch.full((3, 3), 0.5))


def test_density_and_colour_by_hand():
    field = VoxelField.dense((2, 2, 2), degree=1)
    field.densities[4:] = 2.0  # at x = 1
    field.harmonics[..., 0] = 3.0  # the constant harmonic, red
    field.harmonics[..., 7] = 5.0  # the one along z, green
    density, color = answers(field, torch.tensor([[0.25, 0.5, 0.5]]))
    assert_close(
        density[0].item(), 2.0 * math.log1p(math.exp(0.5 + field.shift)), rtol=1e-5, atol=0
    )
    red, green = 3.0 * 0.28209479, 5.0 * math.sqrt(3 / (4 * math.pi))
    expected = torch.tensor([1 / (1 + math.exp(-red)), 1 / (1 + math.exp(-green)), 0.5])
    assert_close(color[0], expected)


def test_nothing_is_far_from_filled_vertices():
    filled = torch.zeros(5, 5, 5, dtype=torch.bool)
    filled[1, 1, 1] = True
    field = VoxelField.at_voxels(filled)
    points = torch.tensor([[0.9, 0.9, 0.9], [0.3, 0.3, 0.3]]).requires_grad_()
    density = field.density(points)
    assert density[0] == 0
    assert density[1] > 0


def test_a_moving_field_is_linear_between_keys_and_held_outside():
    field = random_field(times=(2.0, 4.0, 8.0))
    point = random_points(1).expand(5, 3)
    times = torch.tensor([0.0, 2.0, 3.0, 6.0, 100.0])
    raw = torch.expm1(field.density(point, times) / field.scale).log() - field.shift
    keys = [field._still_values(field.densities[:, k : k + 1], point[:1]).item() for k in range(3)]
    expected = [keys[0], keys[0], (keys[0] + keys[1]) / 2, (keys[1] + keys[2]) / 2, keys[2]]
    assert_close(raw, torch.tensor(expected), rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="asked at times"):
        field.density(point)


@pytest.mark.parametrize("times", [(0.0,), (0.0, 1.0, 5.0)])
def test_a_grid_twice_as_fine_gives_the_same_field(times):
    field = random_field(times=times, share=2.0)
    fine = field.upsampled((9, 7, 11))
    moments = torch.linspace(0, 5, 50)
    for one, other in zip(
        *(answers(f, random_points(), moments) for f in (field, fine)), strict=True
    ):
        assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_finer_grid_is_filled_where_the_field_was():
    field = random_field(share=0.2)
    fine = field.upsampled((9, 7, 11))
    assert torch.equal(fine.filled[::2, ::2, ::2], field.filled)
    vertices = torch.nonzero(fine.filled) / (torch.tensor(fine.resolution) - 1)
    assert_close(fine.density(vertices), field.density(vertices), rtol=1e-4, atol=1e-5)
    everywhere = random_points(500)
    assert ((field.density(everywhere) > 0) <= (fine.density(everywhere) > 0)).all()


def test_pruned():
    field = random_field(degree=0)
    keep = torch.rand(field.resolution, generator=torch.Generator().manual_seed(3)) < 0.5
    pruned = field.pruned(keep)
    assert torch.equal(pruned.filled, field.filled & keep)
    assert_close(pruned.densities, field.densities[keep[field.filled]])
    assert_close(pruned.harmonics, field.harmonics[keep[field.filled]])


def test_occupied_is_what_lies_within_a_voxel_of_something_solid():
    field = VoxelField.dense((6, 7, 8), times=(0.0, 1.0))
    field.densities[field.index[2, 3, 0], 1] = 20.0
    occupied = field.occupancy(0.5)
    expected = torch.zeros(6, 7, 8, dtype=torch.bool)
    expected[1:4, 2:5, 0:2] = True
    assert torch.equal(occupied, expected)
    points = random_points(5000)
    solid = field.density(points, torch.ones(5000)) > 2 * field.density(points, torch.zeros(5000))
    cell = (points * torch.tensor(field.resolution)).long().unbind(1)
    assert solid.any()
    assert occupied[cell][solid].all()


def test_variation_by_hand():
    field = VoxelField.at_voxels(torch.tensor([[[True, True], [True, False]]]), times=(0.0, 3.0))
    field.densities[:, 0, 0] = torch.tensor([0.0, 1.0, 4.0])
    field.densities[:, 1, 0] = torch.tensor([2.0, 1.0, 4.0])
    # key 0: 1 along z, 16 along y; key 1: 1 and 4; in time: 4; six values in all
    assert_close(field.total_variation(), torch.tensor((1 + 16 + 1 + 4 + 4) / 6))


@pytest.mark.parametrize("name", ["densities", "harmonics"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_variation_is_added_to_the_rows_that_were_touched(name, dtype):
    field = random_field(times=(0.0, 1.0, 2.0))
    rows = field.parameters()[name] = field.parameters()[name].to(dtype)
    object.__setattr__(field, name, rows)
    leaf = rows.requires_grad_()
    touched = torch.arange(0, len(leaf), 2)
    place = torch.stack((touched, touched % 3))
    zeros = torch.zeros(len(touched), leaf.shape[-1], dtype=dtype)
    leaf.grad = torch.sparse_coo_tensor(place, zeros, leaf.shape, check_invariants=True)
    field.add_variation(name, 2.0)
    space = leaf.grad.to_dense()
    field.add_variation(name, 0.0, 7.0)
    both = leaf.grad.to_dense()
    leaf.grad = None
    field.total_variation().backward()
    assert leaf.grad is not None
    wanted = torch.zeros_like(leaf)
    wanted[*place] = leaf.grad[*place]
    assert_close(space / 2 + (both - space) / 7, wanted, rtol=1e-4, atol=1e-6)
    assert (space != 0).any()
    assert (both != space).any()


@pytest.mark.parametrize("times", [(0.0,), (0.0, 1.5)])
def test_saved_and_restored(times):
    field = random_field(times=times)
    again = Field.restore(field.config(), field.tensors())
    for one, other in zip(
        *(answers(f, random_points(), torch.ones(50)) for f in (field, again)), strict=True
    ):
        assert torch.equal(one, other)


def test_what_does_not_fit_is_refused():
    field = random_field()
    tensors = field.tensors()
    with pytest.raises(ValueError, match="unknown kind"):
        Field.restore(field.config() | {"kind": "fog"}, tensors)
    with pytest.raises(ValueError, match="a voxels field has"):
        Field.restore(field.config(), {"filled": tensors["filled"]})
    with pytest.raises(ValueError, match="do not fit rows"):
        Field.restore(field.config(), tensors | {"densities": tensors["densities"][1:]})
    with pytest.raises(ValueError, match="increasing"):
        VoxelField.dense((2, 2, 2), times=(1.0, 1.0))


def test_mixed_voxels_add_densities_and_average_colours():
    mixed = MixedVoxels(random_field(), random_field(times=(0.0, 1.0), share=0.4, seed=5))
    points, times = random_points(200), torch.linspace(0, 1, 200)
    density, color = answers(mixed, points, times)
    (still, still_color), (moving, moving_color) = (
        answers(part, points, times) for part in mixed.parts.values()
    )
    assert_close(density, still + moving)
    assert_close(
        color * density[:, None], still_color * still[:, None] + moving_color * moving[:, None]
    )
    assert sorted(mixed.parameters()) == [
        *("moving.densities", "moving.harmonics", "still.densities", "still.harmonics"),
    ]
    again = Field.restore(mixed.config(), mixed.tensors())
    assert torch.equal(again.density(points, times), density)


@pytest.mark.parametrize("times", [(0.0,), (0.0, 1.0)])
def test_no_samples_and_no_vertices_are_fine(times):
    nothing = VoxelField.at_voxels(torch.zeros(3, 4, 5, dtype=torch.bool), times, degree=1)
    for field, points in ((nothing, random_points()), (random_field(times), random_points(0))):
        for rows in field.parameters().values():
            rows.requires_grad_()
        density, color = answers(field, points, torch.zeros(len(points)))
        (density.sum() + color.sum()).backward()
        field.add_variation("densities", 1.0, 1.0)
        RowAdam(field.parameters(), {"densities": 0.1, "harmonics": 0.1}).step()
        assert (density == 0).all()
    assert not nothing.occupancy(0.1).any()
    assert len(nothing.upsampled((5, 6, 7)).densities) == 0


def test_fields_of_several_times_change():
    still, moving = VoxelField.dense((2, 2, 2)), VoxelField.dense((2, 2, 2), [0.0, 1.0])
    assert (still.changes, moving.changes) == (False, True)
    assert MixedVoxels(still, moving).changes
    assert not MixedVoxels(still, still).changes


def test_a_field_learns_a_box():
    """Its density and colour are pulled towards those of a red box by points in and around it."""
    field = VoxelField.dense((16, 16, 16))
    for rows in field.parameters().values():
        rows.requires_grad_()
    adam = RowAdam(field.parameters(), {"densities": 0.3, "harmonics": 0.3})
    generator = torch.Generator().manual_seed(0)
    red = torch.tensor([1.0, 0.0, 0.0])
    for _ in range(60):
        points = torch.rand(2000, 3, generator=generator)
        inside = ((points - 0.5).abs().amax(1) < 0.25).float()
        density, color = answers(field, points)
        opacity = 1 - torch.exp(-density / 4)
        loss = (opacity - inside).square().mean() + (
            inside[:, None] * (color - red)
        ).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    density, color = answers(field, torch.tensor([[0.5, 0.5, 0.5], [0.1, 0.9, 0.5]]))
    assert 1 - math.exp(-density[0].item() / 4) > 0.9
    assert 1 - math.exp(-density[1].item() / 4) < 0.1
    assert_close(color[0], red, atol=0.1, rtol=0)


def test_rows_that_half_precision_holds_are_stored_in_it():
    field = VoxelField.dense((2, 2, 2), (0.0, 1.0))
    field.densities.copy_(torch.arange(16.0).view(8, 2, 1) / 8)
    field.harmonics[3, 1, 2] = 1 / 3
    stored = field.tensors()
    assert (stored["densities"].dtype, stored["harmonics"].dtype) == (torch.half, torch.float32)
    back = VoxelField.rebuild(field.config(), stored)
    assert torch.equal(back.densities, field.densities)
    assert torch.equal(back.harmonics, field.harmonics)
