"""Seeded value noise and the patterns made of it."""

import numpy as np
from jaxtyping import Float

_PRIMES = np.array([73856093, 19349663, 83492791], np.uint32)  # Teschner et al. 2003
_MIX = np.uint32(0x45D9F3B)


def value_noise(points: Float[np.ndarray, "*batch D"], seed: int) -> Float[np.ndarray, "*batch"]:
    """Evaluate smooth noise in [0,1] with lattice spacing 1, in up to three dimensions.

    Random values at lattice points (an integer hash), smoothstep in between. Own code; the same
    on every machine.
    """
    base = np.floor(points)
    fraction = points - base
    blend = fraction * fraction * (3.0 - 2.0 * fraction)
    lattice = base.astype(np.int64).astype(np.uint32)
    keys = [(lattice + np.uint32(offset)) * _PRIMES[: points.shape[-1]] for offset in (0, 1)]
    shares = (1.0 - blend, blend)
    total = np.zeros(points.shape[:-1])
    for corner in np.ndindex(*(2,) * points.shape[-1]):
        state = _seed_state(seed)
        weight = 1.0
        for axis, offset in enumerate(corner):
            state = state ^ keys[offset][..., axis]
            weight = weight * shares[offset][..., axis]
        total += weight * _mixed(state)
    return total


def fractal_noise(
    points: Float[np.ndarray, "*batch D"], seed: int, octaves: int = 4
) -> Float[np.ndarray, "*batch"]:
    """Sum octaves of value noise, each twice as fine and half as strong, into [0,1]."""
    total = sum(value_noise(points * 2**k, seed + k) * 0.5**k for k in range(octaves))
    return np.asarray(total) / (2.0 - 0.5 ** (octaves - 1))


def ramp(
    value: Float[np.ndarray, "*batch"], low: float, high: float
) -> Float[np.ndarray, "*batch 1"]:
    """Rise from 0 at `low` to 1 at `high`, smoothly; with a channel axis, to blend colours."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t))[..., None]


def linear(red: float, green: float, blue: float) -> Float[np.ndarray, "3"]:
    """Turn an sRGB colour (0 … 255) into a linear reflectance (IEC 61966-2-1)."""
    value = np.array([red, green, blue]) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _seed_state(seed: int) -> np.ndarray:
    return np.array((seed * 2654435761) & 0xFFFFFFFF, np.uint32)


def _mixed(state: np.ndarray) -> np.ndarray:
    """Scramble 32-bit integers into numbers in [0, 1)."""
    for _ in range(2):
        state = (state ^ (state >> np.uint32(16))) * _MIX
    return (state ^ (state >> np.uint32(16))) / 2.0**32
