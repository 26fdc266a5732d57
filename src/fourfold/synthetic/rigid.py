"""Stages whose actors are rigid: each has a pose at every time."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.limbs import Transform, turn
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Actor, Stage

_HALF_TURN = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Prop:
    """A rigid object of a stage: `pose_at` a time in seconds maps its frame to the stage."""

    name: str
    solid: Solid
    pose_at: Callable[[float], Transform]

    def vertices_at(self, time: float) -> Float[np.ndarray, "N 3"]:
        """Give where the vertices are on the stage."""
        pose = self.pose_at(time)
        return self.solid.vertices @ pose[:3, :3].T + pose[:3, 3]


@dataclass(frozen=True)
class RigidStage:
    """A stage of rigid props, which are its actors, in the same order.

    `solutions` is how many combinations of scales that match the same video are filmed, too.
    """

    stage: Stage
    props: tuple[Prop, ...]
    solutions: int = 0

    @staticmethod
    def of(props: tuple[Prop, ...], stage: Stage, solutions: int = 0) -> "RigidStage":
        """Put props on a stage without actors."""
        actors = tuple(
            Actor(prop.name, prop.solid.faces, prop.solid.colors, prop.vertices_at)
            for prop in props
        )
        return RigidStage(replace(stage, actors=actors), props, solutions)

    def world_from_object(self, time: float) -> Float[np.ndarray, "K 4 4"]:
        """Give the poses of the props in the world (y down)."""
        return np.stack([_HALF_TURN @ prop.pose_at(time) for prop in self.props])

    def alone(self, body: int) -> Stage:
        """Give the stage with one body only: 0 is the room without props, k the k-th prop."""
        if body == 0:
            return replace(self.stage, actors=())
        return replace(self.stage, actors=(self.stage.actors[body - 1],), room=())

    def enlarged(
        self, factors: Float[np.ndarray, "K"], centre: Float[np.ndarray, "3"]
    ) -> "RigidStage":
        """Enlarge each prop about a point of the stage: from there the picture stays the same."""

        def about(prop: Prop, factor: float) -> Callable[[float], Float[np.ndarray, "N 3"]]:
            return lambda time: centre + factor * (prop.vertices_at(time) - centre)

        actors = tuple(
            replace(actor, vertices_at=about(prop, float(factor)))
            for actor, prop, factor in zip(self.stage.actors, self.props, factors, strict=True)
        )
        return replace(self, stage=replace(self.stage, actors=actors))


def standing(
    solid: Solid, spot: Float[np.ndarray, "3"], yaw: float, tilt: float = 0.0
) -> Transform:
    """Stand a centred solid on a point of the stage, turned about the vertical, then tilted.

    `yaw` and `tilt` in radians; the tilt is about the solid's own z axis and its lowest middle.
    """
    half = np.array([0.0, -solid.bounds[0][1], 0.0])
    pose = np.eye(4)
    pose[:3, :3] = turn("y", yaw) @ turn("z", tilt)
    pose[:3, 3] = spot + pose[:3, :3] @ half
    return pose
