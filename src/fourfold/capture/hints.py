"""Motion hints: arrows drawn on a photo that say where matter goes, and how fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

# A hint's arrow is the way of 50 frames (3D-MOM and 3D-Cinemagraphy), played at this rate.
HINT_FRAMES = 50
HINT_FPS = 30.0


@dataclass(frozen=True)
class Hint:
    """An arrow on a photo: what is at its start moves along it.

    Attributes:
        name: as it was labelled.
        start, end: x and y in pixels, the centre of the first pixel at 0.5; they may lie outside.
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (*self.start, *self.end))):
            raise ValueError(f"the hint {self.name!r} goes from {self.start} to {self.end}")
        if self.start == self.end:
            raise ValueError(f"the hint {self.name!r} has no length")

    @property
    def velocity(self) -> tuple[float, float]:
        """The velocity (x, y) in pixels per frame at 30 frames per second: a fiftieth of the arrow.

        >>> Hint("hint_0", (10.0, 20.0), (110.0, 10.0)).velocity
        (2.0, -0.2)
        """
        return (
            (self.end[0] - self.start[0]) / HINT_FRAMES,
            (self.end[1] - self.start[1]) / HINT_FRAMES,
        )

    @property
    def speed(self) -> float:
        """The length of the velocity, pixels per frame."""
        return math.hypot(*self.velocity)

    def resized(self, factor_x: float, factor_y: float) -> Hint:
        """Give the hint of the same photo with another number of pixels."""
        (x, y), (to_x, to_y) = self.start, self.end
        return Hint(self.name, (x * factor_x, y * factor_y), (to_x * factor_x, to_y * factor_y))
