"""Long clips: what moves is fitted in blocks of frames, so that memory does not grow with them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import safetensors.torch
import torch
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from torch import Tensor

from fourfold.errors import InputError
from fourfold.fields import VoxelField, time_keys
from fourfold.files import write_atomic, writing
from fourfold.methods.mixvoxels.finish import SHOWN_ALPHA
from fourfold.methods.mixvoxels.fit import Layer, restored_voxels, voxel_tensors

SPREAD_SHARE = 0.5
"""Share of the stage in which frames spread over the whole clip are fitted, before the blocks."""
MOST_ROWS = 1 << 24
"""Moving voxels times keys that are fitted at a time; with their moments they take 1 GB."""


@dataclass(frozen=True)
class Block:
    """Frames that are fitted together, one key each, and the steps of the stage that fit them."""

    frames: range
    steps: range


def plan_blocks(num_frames: int, num_voxels: int, block_frames: int, steps: int) -> list[Block]:
    """Divide a clip: one block if it is short, else frames spread over it, then parts of it.

    The parts are equally long but for one frame, and have steps in proportion. What moves in more
    voxels is fitted in shorter parts, so that a part's rows stay within `MOST_ROWS`.

    >>> for block in plan_blocks(num_frames=5, num_voxels=100, block_frames=3, steps=20):
    ...     print(block.frames, block.steps)
    range(0, 5, 2) range(0, 10)
    range(0, 2) range(10, 14)
    range(2, 5) range(14, 20)
    """
    most = min(block_frames, max(MOST_ROWS // max(num_voxels, 1), 2))
    if num_frames <= most:
        return [Block(range(num_frames), range(steps))]
    spread = int(SPREAD_SHARE * steps)
    blocks = [Block(range(0, num_frames, -(-num_frames // most)), range(spread))]
    count = -(-num_frames // most)
    borders = [num_frames * number // count for number in range(count + 1)]
    for first, last in pairwise(borders):
        begin, end = (spread + (steps - spread) * t // num_frames for t in (first, last))
        blocks.append(Block(range(first, last), range(begin, end)))
    return blocks


@dataclass(frozen=True)
class BlockStore:
    """The moving voxels of finished blocks, in half precision on disk.

    What is computed from a block is computed from what was stored, so that a training that was
    stopped in between gives the same result.
    """

    folder: Path

    def save(self, number: int, layer: Layer) -> None:
        """Write the voxels of a block, but for a border that is another block's."""
        voxels, own = layer.voxels, slice(layer.held, None)
        stored = replace(
            voxels,
            densities=voxels.densities.detach()[:, own].half(),
            harmonics=voxels.harmonics.detach()[:, own].half(),
            times=voxels.times[own].clone(),
        )
        write_atomic(self._path(number), safetensors.torch.save(voxel_tensors(stored)))

    def load(self, number: int) -> VoxelField:
        """Read the voxels of a block.

        Raises:
            InputError: they are missing or damaged.
        """
        path = self._path(number)
        try:
            return restored_voxels(safetensors.torch.load_file(path))
        except (OSError, SafetensorError, KeyError) as error:
            raise InputError(
                "a block of moving voxels is missing or damaged",
                path=path,
                mend="--overwrite begins the training anew",
            ) from error

    def begin(self, number: int, block: Block) -> Layer:
        """Make the voxels that a block begins with: those of the spread frames, between the keys.

        The last key of the block before is kept as the first: nothing changes it, but the
        variation in time draws the block's own first key to it.
        """
        first = self.load(0)
        keys = [float(frame) for frame in block.frames]
        densities = rows_at(first, first.densities, keys)
        harmonics = rows_at(first, first.harmonics, keys)
        held = 0
        if number > 1:
            before = self.load(number - 1)
            densities = torch.cat((before.densities[:, -1:], densities), 1)
            harmonics = torch.cat((before.harmonics[:, -1:], harmonics), 1)
            keys, held = [float(before.times[-1]), *keys], 1
        voxels = replace(first, densities=densities, harmonics=harmonics, times=torch.tensor(keys))
        return Layer(voxels, first.filled, held)

    def join(self, count: int) -> Layer:
        """Put `count` blocks together, frozen, without voxels in which never anything is."""
        first = self.load(1)
        keep, times = torch.zeros_like(first.filled), []
        for number in _parts(count):
            block = self.load(number)
            keep |= block.occupancy(SHOWN_ALPHA)
            times.append(block.times)
        densities, harmonics = self._gather(count, keep, sum(map(len, times)))
        voxels = VoxelField(
            first.filled & keep, densities, harmonics, torch.cat(times), first.scale, first.shift
        )
        return Layer(voxels, keep, frozen=True)

    def _gather(
        self, count: int, keep: Bool[Tensor, "X Y Z"], num_keys: int
    ) -> tuple[Float[Tensor, "M T 1"], Float[Tensor, "M T C"]]:
        """Read the rows of the voxels that are kept, one block at a time: they may be large."""
        begin, densities, harmonics = 0, torch.empty(0), torch.empty(0)
        for number in _parts(count):
            block = self.load(number).pruned(keep)
            if number == 1:
                rows, channels = len(block.densities), block.harmonics.shape[-1]
                densities = torch.empty(rows, num_keys, 1)
                harmonics = torch.empty(rows, num_keys, channels)
            own = slice(begin, begin + len(block.times))
            densities[:, own], harmonics[:, own] = block.densities, block.harmonics
            begin = own.stop
        return densities, harmonics

    def remove(self) -> None:
        """Remove all blocks, if there are any: once they are joined and saved."""
        with writing(self.folder):
            if self.folder.exists():
                shutil.rmtree(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:04d}.safetensors"


def _parts(count: int) -> range:
    """Number the blocks that follow each other; 0 are the spread frames."""
    return range(1, count + 1)


def rows_at(
    voxels: VoxelField, rows: Float[Tensor, "M T C"], moments: list[float]
) -> Float[Tensor, "M K C"]:
    """Give rows at other times: linear between the keys, held before the first and after the last.

    >>> field = VoxelField.dense((1, 1, 1), [0.0, 2.0])
    >>> rows_at(field, torch.tensor([[[1.0], [3.0]]]), [0.0, 1.0, 5.0]).flatten().tolist()
    [1.0, 2.0, 3.0]
    """
    if len(voxels.times) == 1:
        return rows.expand(-1, len(moments), -1).clone()
    lower, share = time_keys(voxels.times, torch.tensor(moments))
    return torch.lerp(rows[:, lower], rows[:, lower + 1], share[:, None])
