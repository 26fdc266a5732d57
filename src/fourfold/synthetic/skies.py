"""A sky at infinity whose clouds drift along the rows of the picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.noise import fractal_noise, linear, ramp
from fourfold.synthetic.patterns import mix

Values = Float[np.ndarray, "*batch"]

_ZENITH, _MIDDLE, _GLOW = linear(70, 116, 178), linear(150, 178, 204), linear(255, 214, 164)
_LIT, _SHADOW = linear(255, 236, 214), linear(158, 150, 170)


@dataclass(frozen=True)
class Sky:
    """Clouds on a plane overhead, on the picture's plane at distance 1.

    A place is (x, rise): to the right, and above the horizon. Clouds move to the right by
    `wind` (rise + `lowest`) per frame: as on a plane, those near the horizon look slower. Own.
    """

    seed: int
    wind: float
    lowest: float = 0.12

    def speed(self, rise: Values) -> Values:
        """Give the clouds' speed to the right, on the plane at distance 1, per frame."""
        return self.wind * (rise + self.lowest)

    def colors(self, x: Values, rise: Values, frames: float) -> Float[np.ndarray, "*batch 3"]:
        """Paint the sky as it is after some frames; linear light."""
        x = x - self.speed(rise) * frames
        flat = 1.0 / (np.maximum(rise, 0.0) + self.lowest)
        p = np.stack((0.9 * x * flat, 1.0 * flat), -1)
        warp = p + 0.5 * fractal_noise(p * 0.9 + 17.0, self.seed + 9, 4)[..., None]
        density = fractal_noise(warp * 1.35, self.seed, 8)
        lit_from = warp + np.array([-0.10, 0.05])
        thickness = fractal_noise(lit_from * 1.35, self.seed, 8)
        cover = ramp(density, 0.41, 0.58)
        shadow = ramp(thickness - density + 0.5 * (density - 0.55), -0.05, 0.14)
        return mix(self._clear(rise), mix(_LIT, _SHADOW, 0.85 * shadow), 0.92 * cover)

    def _clear(self, rise: Values) -> Float[np.ndarray, "*batch 3"]:
        colors = mix(_MIDDLE, _ZENITH, ramp(rise, 0.10, 0.50))
        return mix(colors, _GLOW, ramp(rise, 0.26, -0.02))
