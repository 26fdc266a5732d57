"""The scene `arena`: a dog runs, a ball bounces, a top spins between things that stand still.

Eleven cameras on an arc of 116 degrees film it. The ways are several times as long as what moves
on them, so that every place is empty most of the time.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from fourfold.synthetic.arena_set import FILL, LAMP, SKY, arena_set
from fourfold.synthetic.arena_toys import ball, top
from fourfold.synthetic.dog import dog, dog_pose
from fourfold.synthetic.garden import toadstool
from fourfold.synthetic.limbs import Transform, turn
from fourfold.synthetic.rig_stage import RigStage, arc
from fourfold.synthetic.rigid import Prop, standing
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Actor, Stage
from fourfold.synthetic.toys import house

SECONDS = 0.8  # fifteen frames per second when there are 12
_TARGET, _RADIUS, _FOV = (0.0, 0.42, -0.05), 3.5, 31.5
_LOW, _HIGH = 1.0, 1.9
# cam00 stands in the middle of the arc, the others from the left to the right
_AZIMUTHS = {"cam00": 0.0} | {
    f"cam{k + 1:02d}": side * 11.6 * step
    for k, (side, step) in enumerate(
        [(-1, s) for s in (5, 4, 3, 2, 1)] + [(1, s) for s in range(1, 6)]
    )
}
# 35 and 46 degrees apart; the nearest one stands 12 degrees beside cam00, and lower
_FEW = ("cam02", "cam05", "cam08")

# The dog is made smaller, and its clock runs faster: it trots at a toy's speed.
_DOG_SIZE, _DOG_HASTE = 0.6, 2.5
_DOG_MIDDLE, _DOG_RADIUS = np.array([0.05, -0.15]), 0.80
_DOG_FROM, _DOG_TO = np.radians(-95.0), np.radians(30.0)

_BALL_FROM, _BALL_TO = np.array([1.08, 0.80]), np.array([0.74, -1.02])
_BALL_HOPS, _BALL_HOP = 2.0, 0.62
_TOP_FROM, _TOP_TO, _TOP_BEND = np.array([0.55, -0.62]), np.array([-0.92, -0.50]), 0.28
_TOP_TURNS, _TOP_LEAN = 1.25, 9.0


def arena(seed: int) -> RigStage:
    """Set the stage: a dog, a ball and a top move about a toadstool, before a doll's house.

    They never touch. The seed changes the textures, never the geometry.
    """
    movers = (
        _dog(seed),
        _actor("ball", ball(seed + 10), _ball_pose),
        _actor("top", top(seed + 20), _top_pose),
    )
    still = (
        _standing("toadstool", toadstool(seed + 30).resized(0.62), (0.05, -0.15), -0.5),
        _standing("house", house(seed + 40).resized(0.85), (-1.42, -1.12), 0.55),
    )
    viewpoints = {
        name: arc(
            azimuth,
            _HIGH if k % 2 == 0 else _LOW,
            radius=_RADIUS,
            target=_TARGET,
            fov=_FOV,
        )
        for k, (name, azimuth) in enumerate(_AZIMUTHS.items())
    }
    stage = Stage(
        name="arena",
        seconds=SECONDS,
        actors=(*movers, *still),
        room=arena_set(seed + 50),
        lamps=(LAMP,),
        sky=SKY,
        viewpoint_at=lambda time: viewpoints["cam00"],
        pivot=_TARGET,
        fill=FILL,
    )
    moving = frozenset(actor.name for actor in movers)
    return RigStage(stage, viewpoints, moving, held_out="cam00", few=_FEW)


def _dog(seed: int) -> Actor:
    animal = dog(seed)

    def vertices_at(time: float) -> Float[np.ndarray, "N 3"]:
        return _DOG_SIZE * animal.posed(dog_pose(dog_way, _DOG_HASTE * time))

    return Actor("dog", animal.faces, animal.colors, vertices_at)


def dog_way(time: float) -> tuple[Float[np.ndarray, "3"], float]:
    """Give the dog's place and heading by its own clock and size: round the toadstool."""
    angle = _DOG_FROM + (_DOG_TO - _DOG_FROM) * time / (_DOG_HASTE * SECONDS)
    x, z = (_DOG_MIDDLE + _DOG_RADIUS * np.array([np.sin(angle), np.cos(angle)])) / _DOG_SIZE
    return np.array([x, 0.0, z]), float(angle + np.pi / 2)


def _actor(name: str, solid: Solid, pose_at: Callable[[Solid, float], Transform]) -> Actor:
    prop = Prop(name, solid, lambda time: pose_at(solid, time / SECONDS))
    return Actor(name, solid.faces, solid.colors, prop.vertices_at)


def _standing(name: str, solid: Solid, place: tuple[float, float], yaw: float) -> Actor:
    pose = standing(solid, np.array([place[0], 0.0, place[1]]), yaw)
    return _actor(name, solid, lambda solid, u: pose)


def _ball_pose(solid: Solid, u: float) -> Transform:
    """Roll a centred ball forward in two bounces; `u` is the share of the way."""
    radius = float(solid.bounds[1][1])
    way = _BALL_TO - _BALL_FROM
    beat = (_BALL_HOPS * u + 0.5) % 1.0  # it comes in at the top of a bounce
    x, z = _BALL_FROM + u * way
    heading = float(np.arctan2(way[0], way[1]))
    rolled = 0.5 * float(np.linalg.norm(way)) * u / radius
    pose = np.eye(4)
    pose[:3, :3] = turn("y", heading) @ turn("x", rolled) @ turn("z", 0.4)
    pose[:3, 3] = x, radius + 4 * _BALL_HOP * beat * (1 - beat), z
    return pose


def _top_pose(solid: Solid, u: float) -> Transform:
    """Spin a top on its tip along a bend, leaning round as it goes."""
    way = _TOP_TO - _TOP_FROM
    aside = _TOP_BEND * 4 * u * (1 - u) * np.array([-way[1], way[0]]) / np.linalg.norm(way)
    x, z = _TOP_FROM + u * way + aside
    spin, lean = 2 * np.pi * _TOP_TURNS * u, np.radians(_TOP_LEAN)
    pose = np.eye(4)
    pose[:3, :3] = turn("y", spin / 2) @ turn("z", lean) @ turn("y", spin)
    pose[:3, 3] = np.array([x, 0.0, z]) - pose[:3, :3] @ np.array([0.0, solid.bounds[0][1], 0.0])
    return pose
