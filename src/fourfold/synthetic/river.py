"""A river whose water moves exactly: an analytic flow without divergence, along its banks.

Everything is over the plan: x to the right, d forward, in units of the camera's height above the
water; time in frames. The water surface is the plane of height 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

Values = Float[np.ndarray, "*batch"]

# The water in the middle is faster than at the banks: 1 - _DRAG n^2 over n from -1 to 1.
_DRAG = 0.6
# Newton's steps to machine precision: the area is nearly linear over a few frames' way.
_STEPS = 6


@dataclass(frozen=True)
class River:
    """A river along a curve, with the stream function psi = Q (n - drag n^3 / 3).

    n = (x - middle(d)) / half_width(d) is -1 and 1 at the banks, and psi is constant where n is:
    the water follows the lines of constant n, towards smaller d. Own.

    Attributes:
        middle: of the water, x over d.
        half_width: of the water along x, over d.
        discharge: Q, units^2 per frame.
    """

    middle: CubicSpline
    half_width: CubicSpline
    discharge: float

    @staticmethod
    def through(stations: Sequence[tuple[float, float, float]], discharge: float) -> "River":
        """Lay a river through stations (d, x, half width), with d rising."""
        d, x, half_width = np.array(stations).T
        return River(CubicSpline(d, x), CubicSpline(d, half_width), discharge)

    def across(self, x: Values, d: Values) -> Values:
        """Give n: 0 in the middle, -1 at the left bank, 1 at the right one."""
        return (x - self.middle(d)) / self.half_width(d)

    def along(self, d: Values) -> Values:
        """Give how much water surface lies before d, half the width counted."""
        return self.half_width.antiderivative()(d)

    def pace(self, n: Values) -> Values:
        """Give how much of `along` passes in a frame: the stream function's slope."""
        return self.discharge * (1.0 - _DRAG * n**2)

    def stream(self, x: Values, d: Values) -> Values:
        """Evaluate the stream function psi; the velocity is (d psi / d d, -d psi / d x)."""
        n = self.across(x, d)
        return self.discharge * (n - _DRAG * n**3 / 3.0)

    def velocity(self, x: Values, d: Values) -> tuple[Values, Values]:
        """Give the water's velocity along x and d, in units per frame."""
        n, width = self.across(x, d), self.half_width(d)
        forward = -self.pace(n) / width
        return forward * (self.middle(d, 1) + n * self.half_width(d, 1)), forward

    def moved(self, x: Values, d: Values, frames: float) -> tuple[Values, Values]:
        """Give where the water at a point is some frames later; earlier if they are negative.

        Along a line of constant n the area `along` falls evenly, which is solved for d.
        """
        n = self.across(x, d)
        target = self.along(d) - self.pace(n) * frames
        later = np.array(d, float)
        for _ in range(_STEPS):
            later -= (self.along(later) - target) / self.half_width(later)
        return self.middle(later) + n * self.half_width(later), later

    def bank_distance(self, x: Values, d: Values) -> Values:
        """Give about how far it is to the nearest bank; negative over water, exactly 0 there.

        Beyond the last station the river goes on straight ahead.
        """
        d = np.minimum(d, self.middle.x[-1])
        shore = np.abs(self.across(x, d)) - 1.0
        return shore * self.half_width(d) / np.hypot(1.0, self.middle(d, 1))
