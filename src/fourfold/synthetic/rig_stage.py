"""Stages filmed by a rig: synchronised cameras that stand still around what moves."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fourfold.synthetic.stage import Stage, Viewpoint


@dataclass(frozen=True)
class RigStage:
    """A stage, and the cameras around it by name.

    Attributes:
        stage: what is filmed.
        viewpoints: of the cameras, in the order of their names.
        moving: names of the actors that move; the others stand still.
        held_out: the camera kept for testing.
        few: cameras that see most of what `held_out` sees, far apart from one another.
    """

    stage: Stage
    viewpoints: Mapping[str, Viewpoint]
    moving: frozenset[str]
    held_out: str
    few: tuple[str, ...]


def arc(
    azimuth: float, height: float, *, radius: float, target: tuple[float, float, float], fov: float
) -> Viewpoint:
    """Stand a camera on a circle about a target that it looks at.

    Args:
        azimuth: in degrees about the vertical, 0 in front (+z), positive to the right (+x).
        height: above the floor, in metres.
        radius: of the circle, along the floor.
        fov: vertical field of view in degrees.
    """
    angle = np.radians(azimuth)
    position = (
        target[0] + float(radius * np.sin(angle)),
        height,
        target[2] + float(radius * np.cos(angle)),
    )
    return Viewpoint(position, target, fov)
