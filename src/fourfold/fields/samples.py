"""Pieces of rays, packed one ray after the other: what fields are asked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """S pieces of R rays, ray by ray and front to back (packed as in nerfacc).

    `rays` (S,) int32 are the numbers of the rays, `starts` (R+1,) int64 where each ray's pieces
    begin (and the last end). `distances` (S,) are those of the pieces' middles along the rays, in
    the world. `widths` (S,) are the lengths of the pieces in the cube, its longest side in voxels
    being one: a density d makes alpha = 1 - exp(-d width). `lengths` (S,) are those in the world:
    finite, the speed in a piece's middle times its share of the path, also where a piece reaches
    infinity. `points` (S,3) are the middles in the cube.
    """

    rays: Int[Tensor, " S"]
    starts: Int[Tensor, " R+1"]
    distances: Float[Tensor, " S"]
    widths: Float[Tensor, " S"]
    lengths: Float[Tensor, " S"]
    points: Float[Tensor, "S 3"]

    def __len__(self) -> int:
        return len(self.distances)

    @property
    def num_rays(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> Int[Tensor, " R"]:
        """How many pieces each ray has."""
        return self.starts[1:] - self.starts[:-1]

    def select(self, keep: Bool[Tensor, " S"]) -> Samples:
        """Give some of the pieces of the same rays.

        >>> samples = Samples.of([[1.0, 2.0], [], [3.0]])
        >>> samples.select(torch.tensor([False, True, True])).starts
        tensor([0, 1, 1, 2])
        """
        index = keep.nonzero().squeeze(1)
        starts = torch.searchsorted(index, self.starts)  # how many of the kept ones come before
        values = (self.distances, self.widths, self.lengths, self.points)
        kept = (value.index_select(0, index) for value in values)
        return Samples(self.rays.index_select(0, index), starts, *kept)

    @staticmethod
    def of(distances: Sequence[Sequence[float]]) -> Samples:
        """Pack pieces of length 1 at given distances on each ray, in the middle of the cube."""
        counts = torch.tensor([len(ray) for ray in distances])
        flat = torch.tensor([d for ray in distances for d in ray], dtype=torch.float32)
        rays = torch.repeat_interleave(torch.arange(len(distances), dtype=torch.int32), counts)
        starts = torch.nn.functional.pad(torch.cumsum(counts, 0), (1, 0))
        ones = torch.ones_like(flat)
        return Samples(rays, starts, flat, ones, ones, torch.full((len(flat), 3), 0.5))
