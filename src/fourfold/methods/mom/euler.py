"""Where matter is after some time in a steady flow.

Euler integration in the way of Holynski et al., "Animating Pictures with Eulerian Motion Fields"
(2021), with sub-steps of at most a pixel and the velocity read between pixels.
"""

import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float

# The longest way of one sub-step, in pixels.
LONGEST_STEP = 1.0


def read_at(
    image: Float[np.ndarray, "H W C"],
    places: Float[np.ndarray, "h w 2"],
    interpolation: int = cv2.INTER_LINEAR,
) -> Float[np.ndarray, "h w C"]:
    """Read a picture between its pixels; beyond its border the outermost pixel goes on.

    Args:
        places: (x, y) in pixels, first centre at 0.5, float32.
    """
    x, y = places[..., 0] - 0.5, places[..., 1] - 0.5
    found = cv2.remap(image, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(*places.shape[:2], -1)


def pixel_places(height: int, width: int) -> Float[np.ndarray, "{height} {width} 2"]:
    """Give the pixel centres (x, y), float32."""
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def advance(
    places: Float[np.ndarray, "h w 2"], velocity: Float[np.ndarray, "H W 2"], time: float
) -> Float[np.ndarray, "h w 2"]:
    """Carry places along a steady flow for so many frames; negative: back along it.

    Args:
        velocity: pixels per frame.
    """
    fastest = float(np.linalg.norm(velocity, axis=-1).max())
    steps = math.ceil(fastest * abs(time) / LONGEST_STEP)
    for _ in range(steps):
        places = places + np.float32(time / steps) * read_at(velocity, places)
    return places


def paths(
    velocity: Float[np.ndarray, "H W 2"], times: Sequence[float]
) -> Iterator[Float[np.ndarray, "H W 2"]]:
    """Give where the matter of each pixel is at each time.

    Args:
        times: frames, each step from the one before (the first from 0) along the flow.
    """
    places, now = pixel_places(*velocity.shape[:2]), 0.0
    for time in times:
        places, now = advance(places, velocity, time - now), time
        yield places
