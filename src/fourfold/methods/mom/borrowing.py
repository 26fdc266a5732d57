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
        self,
        kind: str,
        window: tuple[slice, slice],
        mask: Bool[np.ndarray, "h w"],
        world: Float[np.ndarray, "N 3"],
    ) -> None:
        """Take in a solved region: its mask in a window, the world velocity of its N pixels."""
        self._world[window][mask] = world
        self._solved.setdefault(kind, np.zeros(self._world.shape[:2], dtype=bool))
        self._solved[kind][window] |= mask
        self._nearest.pop(kind, None)

    def borrow(
        self, kind: str, window: tuple[slice, slice], mask: Bool[np.ndarray, "h w"]
    ) -> Float[np.ndarray, "3"] | None:
        """Give the world velocity of the nearest solved pixel of a kind, None out of reach."""
        if kind not in self._solved:
            return None
        if kind not in self._nearest:
            self._nearest[kind] = nearest_pixel(self._solved[kind])
        away, rows, columns = (part[window][mask] for part in self._nearest[kind])
        nearest = away.argmin()
        if away[nearest] > REACH * max(self._world.shape[:2]):
            return None
        return self._world[rows[nearest], columns[nearest]]
