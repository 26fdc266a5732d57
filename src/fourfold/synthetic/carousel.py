"""Rigid motions on the table: things go round on an ellipse, turn, hop and hover."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.limbs import Transform
from fourfold.synthetic.parlour import LAMPS, SKY, TABLE, viewpoint
from fourfold.synthetic.rigid import Prop, RigidStage, standing
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Panel, Stage

SECONDS = 2.4  # ten frames per second when there are 24


@dataclass(frozen=True)
class Round:
    """A way round the middle of the table. Angles in degrees, lengths in metres.

    It begins at the angle `start` of an ellipse with half axes `radii` (x, z), 0 to the right and
    90 in front, and goes on by `sweep`; the yaw runs from `yaw[0]` to `yaw[1]`. On its way it hops
    `hops` times by `hop`, rocking by `rock`, `height` above the table.
    """

    start: float
    sweep: float
    yaw: tuple[float, float]
    radii: tuple[float, float] = (0.46, 0.36)
    height: float = 0.0
    hops: float = 0.0
    hop: float = 0.0
    rock: float = 0.0

    def pose(self, solid: Solid, u: float) -> Transform:
        """Give the pose of a solid after the share `u` of the way, from 0 to 1."""
        yaw, turned = self.yaw
        beat = np.pi * self.hops * u
        spot = self.spot(u) + np.array([0.0, self.hop * abs(np.sin(beat)), 0.0])
        rock = np.radians(self.rock) * np.sin(2 * beat)
        return standing(solid, spot, np.radians(yaw + (turned - yaw) * u), float(rock))

    def spot(self, u: float) -> Float[np.ndarray, "3"]:
        """Give the point under the solid, hops left out."""
        angle = np.radians(self.start + self.sweep * u)
        along_x, along_z = self.radii
        return np.array([along_x * np.cos(angle), TABLE + self.height, along_z * np.sin(angle)])


def on_the_table(
    name: str,
    cast: Sequence[tuple[str, Solid, Round]],
    room: tuple[Panel, ...],
    *,
    glowing: bool = False,
    solutions: int = 0,
) -> RigidStage:
    """Set a stage in the parlour: solids on their ways round the table."""
    props = tuple(
        Prop(title, solid, lambda t, solid=solid, way=way: way.pose(solid, t / SECONDS))
        for title, solid, way in cast
    )
    stage = Stage(
        name=name,
        seconds=SECONDS,
        actors=(),
        room=room,
        lamps=LAMPS,
        sky=SKY,
        viewpoint_at=lambda t: viewpoint(t / SECONDS),
        pivot=(0.0, TABLE + 0.13, 0.0),
        glowing=glowing,
    )
    return RigidStage.of(props, stage, solutions)
