"""Long clips in blocks: the plan, what is stored, borders, and a training that is stopped."""

import shutil
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from fourfold.errors import InputError
from fourfold.fields import VoxelField
from fourfold.methods.mixvoxels import train as training
from fourfold.methods.mixvoxels.blocks import Block, BlockStore, plan_blocks
from fourfold.methods.mixvoxels.fit import Layer
from fourfold.scene import Scene
from tests.methods.mixvoxels.short_clip import NUM_FRAMES, settings, write_clip


@given(st.integers(2, 500), st.integers(2, 100), st.integers(10, 3000))
def test_a_plan_has_all_frames_and_all_steps(num_frames, block_frames, steps):
    first, *rest = plan_blocks(num_frames, 1000, block_frames, steps)
    assert all(len(block.frames) <= block_frames for block in (first, *rest))
    assert [step for block in (first, *rest) for step in block.steps] == list(range(steps))
    if num_frames <= block_frames:
        assert first.frames == range(num_frames)
        assert not rest
    else:
        assert [frame for block in rest for frame in block.frames] == list(range(num_frames))
        assert first.frames.stop == num_frames
        sizes = {len(block.frames) for block in rest}
        assert max(sizes) - min(sizes) <= 1


def test_many_voxels_make_short_blocks():
    many = plan_blocks(300, 1 << 20, 64, 1000)
    assert {len(block.frames) for block in many[1:]} == {15, 16}
    # a block has two frames at least
    assert max(len(block.frames) for block in plan_blocks(9, 1 << 30, 64, 90)) == 2


def _field(times: list[float]) -> VoxelField:
    filled = torch.tensor([[[True, False], [True, True]]]).repeat(2, 1, 1)
    field = VoxelField.at_voxels(filled, times)
    values = torch.arange(field.densities.numel(), dtype=torch.float32).view_as(field.densities)
    return replace(field, densities=values, harmonics=-values.repeat(1, 1, 3))


def test_blocks_come_back_and_begin_where_others_end(tmp_path):
    store = BlockStore(tmp_path / "blocks")
    spread, before = _field([0.0, 4.0]), _field([2.0, 3.0])
    store.save(0, Layer(spread))
    store.save(1, Layer(before))
    layer = store.begin(2, Block(range(4, 7), range(0)))
    # the last key of the block before, then the spread keys, held after their last
    assert (layer.held, layer.voxels.times.tolist()) == (1, [3.0, 4.0, 5.0, 6.0])
    expected = torch.cat((before.densities[:, 1:], *[spread.densities[:, 1:]] * 3), 1)
    assert torch.equal(layer.voxels.densities, expected)
    assert torch.equal(layer.voxels.filled, spread.filled)
    # the first block has none before it, and lies between the keys
    first = store.begin(1, Block(range(1, 3), range(0)))
    assert (first.held, first.voxels.times.tolist()) == (0, [1.0, 2.0])
    assert first.voxels.densities[0].flatten().tolist() == [0.25, 0.5]


def test_a_border_is_stored_once_and_stays(tmp_path):
    layer = Layer(_field([2.0, 3.0, 4.0]), held=1)
    before = {name: rows.detach().clone() for name, rows in layer.voxels.parameters().items()}
    layer.set_rate(0.1)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    layer.voxels.density(points, torch.full((50,), 2.5)).sum().backward()
    layer.step(0.0, 0.0)
    assert torch.equal(layer.voxels.densities[:, 0], before["densities"][:, 0])
    assert (layer.voxels.densities[:, 1] < before["densities"][:, 1]).all()
    store = BlockStore(tmp_path)
    store.save(3, layer)
    stored = store.load(3)
    assert stored.times.tolist() == [3.0, 4.0]
    assert torch.equal(stored.densities, layer.voxels.densities.detach()[:, 1:].half().float())


def test_blocks_join_without_what_is_never_seen(tmp_path):
    store = BlockStore(tmp_path)
    first, second = _field([0.0]), _field([1.0, 2.0])
    empty = torch.full_like(first.densities, -50.0)
    store.save(1, Layer(replace(first, densities=empty)))
    store.save(2, Layer(replace(second, densities=empty.repeat(1, 2, 1))))
    layer = store.join(2)
    assert layer.frozen
    assert len(layer.voxels.densities) == 0
    assert layer.voxels.times.tolist() == [0.0, 1.0, 2.0]
    store.save(2, Layer(second))
    joined = store.join(2).voxels
    assert len(joined.densities) == len(second.densities)
    assert torch.equal(joined.densities[:, 1:], second.densities)


def test_a_damaged_block_is_named(tmp_path):
    store = BlockStore(tmp_path)
    store.save(1, Layer(_field([0.0, 1.0])))
    (tmp_path / "0001.safetensors").write_bytes(b"0")
    with pytest.raises(InputError, match=r"0001\.safetensors.*missing or damaged"):
        store.load(1)
    with pytest.raises(InputError, match=r"0002\.safetensors.*missing or damaged"):
        store.load(2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "rig")


def test_no_seam_between_blocks(clip, tmp_path):
    run = training.train(clip, tmp_path / "run", settings(block_frames=4), False)
    scene = Scene.load(run.scene_folder)
    field = scene.volume_objects[1].volume.field
    assert isinstance(field, VoxelField)
    assert field.times.tolist() == [float(frame) for frame in range(NUM_FRAMES)]
    camera = scene.rig["cam01"][0]
    drawn = torch.stack([scene.render(camera, float(t))["rgb"] for t in range(NUM_FRAMES)])
    steps = drawn.diff(dim=0).abs().mean((1, 2, 3))
    filmed = torch.stack([clip.image(t, 1) for t in range(NUM_FRAMES)]).diff(dim=0).abs().mean()
    # blocks are 0 to 3 and 4 to 7
    inside = torch.cat((steps[:3], steps[4:]))
    assert steps[3] < 1.1 * inside.max()
    # and it moves at all
    assert inside.mean() > 0.5 * filmed


def test_stopped_in_a_block_it_goes_on_the_same(clip, tmp_path, monkeypatch):
    config = settings(block_frames=3, iterations=40)
    whole = training.train(clip, tmp_path / "whole", config, False)
    monkeypatch.setattr("fourfold.training.watch.CHECKPOINT_SECONDS", 0.0)
    begin, calls = BlockStore.begin, []

    def stop_in_the_second(self, number, block):
        calls.append(number)
        if calls == [1, 2]:
            raise KeyboardInterrupt
        return begin(self, number, block)

    monkeypatch.setattr(BlockStore, "begin", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        training.train(clip, tmp_path / "stopped", config, False)
    shutil.rmtree(tmp_path / "stopped" / "previews")
    stopped = training.train(clip, tmp_path / "stopped", config, False)
    # what was finished is not fitted again
    assert calls == [1, 2, 2, 3]
    assert not (stopped.path / "checkpoints" / "blocks").exists()
    scenes = [load_file(run.scene_folder / "tensors.safetensors") for run in (whole, stopped)]
    assert scenes[0].keys() == scenes[1].keys()
    assert all(torch.equal(scenes[0][name], scenes[1][name]) for name in scenes[0])
