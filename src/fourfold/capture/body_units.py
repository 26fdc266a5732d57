"""The unit of a rigid body and the range of its scales, as OSN's preprocessing chooses them."""

from __future__ import annotations

NEAR, FAR = 1.0, 8.0
"""Depths between which every scale keeps a body: those of all settings of OSN."""
DEPTH_PERCENTILES = (5.0, 95.0)
"""Depths of a frame beyond these bound no scale."""
BOUNDS_SHARE = 0.55
"""Half the side of a body's box over its full extent."""
_NEAR_MARGIN, _FAR_MARGIN = 1.05, 0.95


def background_unit(far: float) -> float:
    """Give the background's units per unit of `far`, its greatest depth: there it is 0.95 `FAR`.

    >>> background_unit(4.0)
    1.9
    """
    return _FAR_MARGIN * FAR / far


def object_unit(close: float, far: float) -> tuple[float, tuple[float, float]]:
    """Give an object's units per unit of its least and greatest depth, and the range of its scales.

    The scales keep it between 1.05 `NEAR` and 0.95 `FAR`; their mean is 1 (OSN's process_colmap).
    An object deeper than the whole room between these has no such scale: its range is then what
    would bring its near or its far end to the limit.

    >>> unit, scales = object_unit(1.05, 7.6)
    >>> unit, scales
    (1.0, (1.0, 1.0))
    """
    ends = _NEAR_MARGIN * NEAR / close, _FAR_MARGIN * FAR / far
    unit = sum(ends) / 2
    return unit, (min(ends) / unit, max(ends) / unit)
