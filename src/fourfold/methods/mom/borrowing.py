"""World velocities that regions without a hint may borrow from solved ones. Own."""

import numpy as np
from jaxtyping import Bool, Float

from fourfold.methods.mom.nearest import nearest_pixel

# A region without a hint borrows from one within this share of the chart's longer side.
REACH = 0.1


class Lenders:
    """The solved regions' world velocities, by kind of surface."""

    def __init__(self, height: int, width: int) -> None:
        self._world = np.zeros((height, width, 3), dtype=np.float32)
        self._solved: dict[str, np.ndarray] = {}
        self._nearest: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def lend(
        self, kind: str, mask: Bool[np.ndarray, "H W"], world: Float[np.ndarray, "N 3"]
    ) -> None:
        """Take in a solved region: the world velocity of each of its N pixels."""
        self._world[mask] = world
        self._solved.setdefault(kind, np.zeros_like(mask))
        self._solved[kind] |= mask
        self._nearest.pop(kind, None)

    def borrow(self, kind: str, mask: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "3"] | None:
        """Give the world velocity of the nearest solved pixel of a kind, None out of reach."""
        if kind not in self._solved:
            return None
        if kind not in self._nearest:
            self._nearest[kind] = nearest_pixel(self._solved[kind])
        away, rows, columns = self._nearest[kind]
        places = np.argwhere(mask)
        row, column = places[away[mask].argmin()]
        if away[row, column] > REACH * max(mask.shape):
            return None
        return self._world[rows[row, column], columns[row, column]]
