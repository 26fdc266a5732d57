"""Layers of voxels: rates, pruning, finer grids, saving; and how large grids are."""

import pytest
import torch
from torch.testing import assert_close

from fourfold.fields import (
    BoxSpace,
    ContractedSpace,
    NdcSpace,
    Rays,
    Space,
    VoxelField,
    dilated,
    render_rays,
)
from fourfold.methods.mixvoxels.exposures import Exposures
from fourfold.methods.mixvoxels.finish import volume_objects
from fourfold.methods.mixvoxels.fit import FRESH_ALPHA, Fit, Layer, coarsened, grid_of
from fourfold.training import flatten, unflatten

BOX = BoxSpace(torch.zeros(3), torch.tensor([4.0, 2.0, 1.0]))


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        # cubic voxels, but a third of the longest side at least
        (BOX, (64, 32, 21)),
        (ContractedSpace(torch.zeros(3), torch.ones(3)), (64, 64, 64)),
        # across as the picture is, in depth three quarters
        (NdcSpace(torch.eye(4), torch.tensor([0.8, 0.6]), torch.tensor(1.0)), (64, 48, 48)),
    ],
)
def test_grids_have_about_cubic_voxels(space: Space, expected: tuple[int, int, int]):
    assert grid_of(space, 64) == expected


def layer_with_a_block() -> Layer:
    """Make a layer of 9x9x9 voxels of which the 3x3x3 in the middle are opaque, the rest clear."""
    field = VoxelField.dense((9, 9, 9), alpha=FRESH_ALPHA)
    solid = torch.zeros(9, 9, 9, dtype=torch.bool)
    solid[3:6, 3:6, 3:6] = True
    field.densities.fill_(-20.0)
    field.densities[field.index[solid].long()] = 12.0
    field.harmonics[field.index[solid].long()] = 1.5
    return Layer(field)


def test_where_rays_end():
    layer = Layer(VoxelField.dense((3, 2, 5)))
    # near the vertices (2, 1, 4), (1, 0, 2), (1, 0, 2) again and (0, 0, 0)
    points = torch.tensor([[0.9, 0.8, 1.0], [0.45, 0.1, 0.55], [0.6, 0.0, 0.4], [0.1, 0.2, 0.1]])
    layer.note(points[:2])
    layer.note(points[2:])
    assert layer.reached.nonzero().tolist() == [[0, 0, 0], [1, 0, 2], [2, 1, 4]]


def test_a_ray_ends_where_it_leaves_more_than_a_hundredth_of_its_light():
    rays = Rays(
        torch.tensor([[0.5, 0.5, -1.0]]),
        torch.tensor([[0.0, 0, 1]]),
        torch.zeros(1),
        torch.full((1,), 9.0),
    )
    space = BoxSpace(torch.zeros(3), torch.ones(3))
    fit = Fit(space, Exposures.none(2), layer_with_a_block())
    fit.note(render_rays(fit.parts(rays, 0.5), torch.zeros(1)))
    assert {(x, y) for x, y, _ in fit.still.reached.nonzero().tolist()} == {(4, 4)}
    # opaque from 3 on, half a voxel before it hardly
    depths = fit.still.reached[4, 4].nonzero().flatten().tolist()
    assert 3 in depths
    assert max(depths) <= 4


def block_with_rays() -> Layer:
    """Give the block, with rays that end on one of its sides."""
    layer = layer_with_a_block()
    x, y = torch.meshgrid(torch.arange(3, 6) / 8, torch.arange(3, 6) / 8, indexing="ij")
    ends = torch.stack((x, y, torch.full_like(x, 3 / 8)), -1).reshape(-1, 3)
    layer.note(ends)
    return layer


def test_voxels_at_which_rays_end_are_kept_with_their_neighbours():
    layer = block_with_rays()
    layer.prune()
    expected = torch.zeros(9, 9, 9, dtype=torch.bool)
    expected[2:7, 2:7, 2:5] = True
    assert torch.equal(layer.voxels.filled, expected)
    assert layer.occupancy is not None
    assert torch.equal(layer.occupancy, expected)
    assert not bool(layer.reached.any())
    middle = torch.tensor([[0.5, 0.5, 3 / 8]])
    before, after = layer_with_a_block().voxels, layer.voxels
    assert_close(after.density(middle).detach(), before.density(middle).detach())


def test_pruning_never_drops_everything():
    layer = Layer(VoxelField.dense((4, 4, 4)))
    layer.prune()
    assert int(layer.voxels.filled.sum()) == 64
    assert layer.occupancy is None


def test_a_finer_grid_is_the_same_matter():
    layer = layer_with_a_block()
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
    before = layer.voxels.density(points).detach()
    layer.upsample((17, 17, 17))
    assert layer.voxels.resolution == (17, 17, 17)
    inside = (points - 0.5).abs().amax(1) < 0.2
    assert int(inside.sum()) > 5
    # the scale of densities is that of voxels before; between vertices it is the same value
    assert_close(
        layer.voxels.density(points).detach()[inside], before[inside], rtol=1e-4, atol=1e-3
    )
    assert layer.reached.shape == (17, 17, 17)


def descend(layer: Layer) -> None:
    """Take a step towards more density and red everywhere."""
    layer.set_rate(0.1)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(1))
    directions = torch.tensor([[0.0, 0, 1]]).expand(50, 3)
    density = layer.voxels.density(points).mean()
    colors = layer.voxels.colors(points, None, directions)
    (colors[:, 0].mean() + 0.1 * density).neg().backward()
    layer.step(1e-4, 1e-4)


def test_steps_go_downhill_at_their_rates():
    layer = Layer(VoxelField.dense((4, 4, 4)))
    descend(layer)
    # Adam's first step is the rate itself; densities go twice as fast
    assert float(layer.voxels.densities.detach().max()) == pytest.approx(0.2, rel=1e-3)
    red, green, blue = layer.voxels.harmonics.detach().amax((0, 1)).tolist()
    assert red == pytest.approx(0.1, rel=1e-3)
    assert (green, blue) == (0.0, 0.0)


def test_a_stopped_fit_goes_on_to_the_same_bits():
    whole = Fit(BOX, Exposures.none(2), layer_with_a_block())
    for _ in range(4):
        descend(whole.still)
    first = Fit(BOX, Exposures.none(2), layer_with_a_block())
    first.moving = Layer(VoxelField.at_voxels(torch.ones(2, 2, 2, dtype=torch.bool), [0.0, 1.0]))
    for _ in range(2):
        descend(first.still)
    second = Fit.restore(BOX, unflatten(flatten(first.tensors())))
    for _ in range(2):
        descend(second.still)
    for name, tensor in flatten(whole.still.tensors()).items():
        assert_close(flatten(second.still.tensors())[name], tensor, rtol=0, atol=0)
    assert second.moving is not None
    assert second.moving.voxels.times.tolist() == [0.0, 1.0]
    assert [len(each.layers) for each in (whole, second)] == [1, 2]


def test_an_empty_voxel_takes_less_than_a_byte_in_a_checkpoint():
    movable = torch.zeros(41, 40, 39, dtype=torch.bool)
    movable[4:7, 5:9, 30:33] = True
    still, moving = (Layer(VoxelField.at_voxels(movable), dilated(movable)) for _ in range(2))
    still.note(torch.rand(9, 3, generator=torch.Generator().manual_seed(0)))
    fit = Fit(BOX, Exposures.none(2), still, moving, movable)
    flat = flatten(fit.tensors())
    # two layers have three masks each, and there is that of what may move: seven bits
    assert sum(tensor.nbytes for tensor in flat.values()) < movable.numel()
    restored = Fit.restore(BOX, unflatten(flat))
    assert restored.movable is not None
    assert torch.equal(restored.movable, movable)
    for before, after in zip(fit.layers, restored.layers, strict=True):
        assert torch.equal(after.voxels.filled, movable)
        assert after.occupancy is not None
        assert torch.equal(after.occupancy, dilated(movable))
        assert torch.equal(after.reached, before.reached)


def test_frozen_layers_and_held_keys_stay_as_they_are():
    layer = layer_with_a_block()
    layer.freeze()
    assert layer.frozen
    restored = Layer.restore(unflatten(flatten(layer.tensors())))
    assert restored.frozen
    voxels = VoxelField.at_voxels(torch.ones(3, 3, 3, dtype=torch.bool), [0.0, 1.0, 2.0])
    held = Layer(voxels, held=1)
    held.set_rate(0.1)
    times = torch.arange(3.0)
    held.voxels.density(torch.full((3, 3), 0.5), times).sum().backward()
    held.step(0.0, 0.0)
    middle = held.voxels.densities.detach()[13, :, 0].tolist()
    assert middle == pytest.approx([0.0, -0.2, -0.2], rel=1e-3)


def test_movers_of_which_nothing_is_seen_are_no_object():
    fit = Fit(BOX, Exposures.none(2), layer_with_a_block(), layer_with_a_block())
    assert [item.name for item in volume_objects(fit)] == ["background", "moving"]
    assert fit.moving is not None
    fit.moving.voxels.densities.detach().fill_(-20.0)
    assert [item.name for item in volume_objects(fit)] == ["background"]


def test_a_coarser_grid_covers_the_voxels_of_a_finer_one():
    fine = torch.zeros(12, 8, 10, dtype=torch.bool)
    fine[9, 2, 4] = True
    coarse = coarsened(fine, (6, 4, 5))
    covered = VoxelField.at_voxels(coarse).upsampled((12, 8, 10)).filled
    assert bool(covered[9, 2, 4])
    assert 0.0 < float(covered.float().mean()) < 0.5


def test_movers_become_finer_only_where_they_may_be():
    movable = torch.zeros(12, 8, 10, dtype=torch.bool)
    movable[4:9, 2:5, 3:7] = True
    coarse = coarsened(movable, (6, 4, 5))
    moving = Layer(VoxelField.at_voxels(coarse, [0.0, 1.0]), coarse)
    fit = Fit(BOX, Exposures.none(2), layer_with_a_block(), moving, movable)
    restored = Fit.restore(BOX, unflatten(flatten(fit.tensors())))
    restored.refine_movers((12, 8, 10))
    assert restored.moving is not None
    assert torch.equal(restored.moving.voxels.filled, movable)
    assert restored.moving.voxels.densities.shape == (int(movable.sum()), 2, 1)
