"""How well pictures from other places agree with each depth of a pixel: a plane sweep.

After Collins, "A space-sweep approach to true multi-image matching" (1996), with the two sides of
the path compared on their own, as Kang, Szeliski and Chai, "Handling occlusions in dense
multi-view stereo" (2001): what is hidden on the one side is mostly seen on the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

from fourfold.geometry import Camera

WINDOW = 5
"""Pixels across the window in which pictures are correlated."""
LEAST_WINDOW = 0.3
"""Share of a window that must be seen in both pictures."""
NOISE = 2 / 255
"""Standard deviation of a grey value; a surface with less texture than this tells nothing."""
MOST_DIFFERENCE = 0.04
"""Difference of colours beyond which it does not matter how large it is."""
NO_EVIDENCE = 1.0
"""Cost where no partner sees a pixel at a depth: that of unrelated pictures is 1 to 2."""
FEWEST_PLANES = 16
"""Planes that are warped at least: where pictures move little, the best one lies between pixels."""
_CENTRES = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
"""Pixels of the house (first centre at 0.5) from those of OpenCV (at 0)."""


@dataclass(frozen=True, eq=False)
class SweptView:
    """A picture of something static.

    image: (H, W, 3) float32 in [0, 1]. seen: (H, W) where that thing is seen. camera: in its world.
    """

    image: Float[np.ndarray, "H W 3"]
    seen: Bool[np.ndarray, "H W"]
    camera: Camera


def sweep_costs(
    reference: SweptView,
    sides: Sequence[Sequence[SweptView]],
    inverse_depths: Float[np.ndarray, "D"],
    unseen_cost: float = NO_EVIDENCE,
) -> Float[np.ndarray, "H W D"]:
    """Give the cost of each inverse depth in each pixel of a view, 0 (agrees) to about 3.

    1 - ZNCC over a window that stays within what is seen, plus the truncated difference of
    colours in the pixel itself, which knows where a window reaches over an edge. The mean over the
    partners of a side, of which a pixel takes the better one.

    Args:
        reference: the view whose depth is wanted; all views have one size.
        sides: partners from one side of it, and from the other; empty ones do not count.
        inverse_depths: 1/z of the planes, evenly spaced and rising.
        unseen_cost: where no partner sees a pixel at a depth.
    """
    costs = np.full((len(inverse_depths), *reference.seen.shape), np.inf, np.float32)
    for side in sides:
        total, count = np.zeros_like(costs), np.zeros_like(costs)
        for partner in side:
            cost, known = _partner_costs(reference, partner, inverse_depths)
            total += cost
            count += known
        np.minimum(costs, total / np.maximum(count, 1e-6), out=costs, where=count > 0)
    costs[np.isinf(costs)] = unseen_cost
    return np.ascontiguousarray(costs.transpose(1, 2, 0))


def sweep_pixels(
    reference: Camera,
    partner: Camera,
    pixel: tuple[float, float],
    inverse_depths: tuple[float, float],
) -> float:
    """Measure how far a pixel's place in another view moves over a range of inverse depths.

    Infinite where it passes behind the other camera.
    """
    far, step = _homographies(reference, partner)
    ends = []
    for inverse in inverse_depths:
        x, y, z = (far + inverse * step) @ np.array([*pixel, 1.0])
        if z <= 0:
            return math.inf
        ends.append((x / z, y / z))
    return math.dist(*ends)


def _partner_costs(
    reference: SweptView, partner: SweptView, inverse_depths: Float[np.ndarray, "D"]
) -> tuple[Float[np.ndarray, "D H W"], Float[np.ndarray, "D H W"]]:
    """Compare with one view: the cost, 0 where it is not known, and 1 where it is.

    No more planes are warped than the way over all of them has pixels; between them it is linear.
    """
    height, width = reference.seen.shape
    ends = (float(inverse_depths[0]), float(inverse_depths[-1]))
    way = sweep_pixels(reference.camera, partner.camera, (width / 2, height / 2), ends)
    count = int(min(max(way, FEWEST_PLANES), len(inverse_depths)))
    comparison = _Comparison(reference, partner)
    pairs = [comparison.at(inverse) for inverse in np.linspace(*ends, count)]
    cost, known = (np.stack(each) for each in zip(*pairs, strict=True))
    places = np.linspace(0, count - 1, len(inverse_depths))
    low = places.astype(int).clip(0, count - 2)
    share = (places - low).astype(np.float32)[:, None, None]
    both = known[low] * known[low + 1]
    return both * ((1 - share) * cost[low] + share * cost[low + 1]), both


class _Comparison:
    """A view, and another one that is warped to it by planes parallel to its image."""

    def __init__(self, reference: SweptView, partner: SweptView) -> None:
        self._far, self._step = (
            np.linalg.inv(_CENTRES) @ each @ _CENTRES
            for each in _homographies(reference.camera, partner.camera)
        )
        self._image, self._grey = reference.image, _grey(reference.image)
        self._seen = np.float32(reference.seen)
        self._source = np.dstack([_grey(partner.image), np.float32(partner.seen)])
        self._partner = partner.image

    def at(self, inverse_depth: float) -> tuple[Float[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
        """Give the cost at a depth, and 1 where both see the pixel."""
        matrix = self._far + inverse_depth * self._step
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = self._seen.shape[::-1]
        grey, seen = cv2.split(cv2.warpPerspective(self._source, matrix, size, flags=flags))
        colors = cv2.warpPerspective(self._partner, matrix, size, flags=flags)
        both = self._seen * (seen > 0.99)
        correlation, share = _correlation(self._grey, grey, both)
        known = both * (share > LEAST_WINDOW)
        difference = cv2.absdiff(self._image, colors).sum(2) / (3 * MOST_DIFFERENCE)
        return known * (1 - correlation + np.minimum(difference, 1)), known


def _correlation(
    a: Float[np.ndarray, "H W"], b: Float[np.ndarray, "H W"], weights: Float[np.ndarray, "H W"]
) -> tuple[Float[np.ndarray, "H W"], Float[np.ndarray, "H W"]]:
    """Correlate two pictures in windows, by zero mean and norm; also each window's mean weight."""

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, -1, (WINDOW, WINDOW), borderType=cv2.BORDER_CONSTANT)

    share = mean(weights)
    inverse, wa, wb = 1 / np.maximum(share, 1e-6), weights * a, weights * b
    mean_a, mean_b = mean(wa) * inverse, mean(wb) * inverse
    spread_a = np.maximum(mean(wa * a) * inverse - mean_a**2, 0) + NOISE**2
    spread_b = np.maximum(mean(wb * b) * inverse - mean_b**2, 0) + NOISE**2
    shared = mean(wa * b) * inverse - mean_a * mean_b
    return shared / np.sqrt(spread_a * spread_b), share


def _homographies(
    reference: Camera, partner: Camera
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3 3"]]:
    """Give A and B: a view's pixels go to another's by A + w B on the plane z = 1 / w."""
    relative = (partner.camera_from_world.double() @ reference.world_from_camera.double()).numpy()
    lenses = [camera.intrinsics.double().numpy() for camera in (reference, partner)]
    rays = np.linalg.inv(lenses[0])
    return lenses[1] @ relative[:3, :3] @ rays, lenses[1] @ np.outer(relative[:3, 3], rays[2])


def _grey(image: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W"]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
