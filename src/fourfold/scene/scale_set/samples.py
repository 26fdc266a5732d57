"""Combinations of scales that were drawn from a set."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Samples:
    """Drawn combinations, in an order in which the first few are spread out.

    `names` of the objects; `scales` (N,K-1) float32; `scores` (N,) of the set's mode; `valid`
    (N,): False where no valid combination was found and these are the best ones instead; `share`
    of the box of scale ranges that is valid, an estimate; `note` says what a user should know.
    """

    names: tuple[str, ...]
    scales: Float[Tensor, "N K-1"]
    scores: Float[Tensor, " N"]
    valid: Bool[Tensor, " N"]
    share: float
    note: str = ""

    def __len__(self) -> int:
        return len(self.scores)

    def mapping(self, index: int) -> dict[str, float]:
        """Give one combination by object name, as `Scene.render` takes it."""
        return dict(zip(self.names, self.scales[index].tolist(), strict=True))
