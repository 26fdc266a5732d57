"""The scene `juggler`: a figure swings clubs; a dog walks round it, first behind, then in front."""

import numpy as np

from fourfold.synthetic.dog import dog, dog_pose
from fourfold.synthetic.person import person, person_pose
from fourfold.synthetic.room import room
from fourfold.synthetic.stage import Actor, Lamp, Stage, Viewpoint

SECONDS = 2.0
# the dog's way over the floor: an ellipse about this point (x, z) with these half axes, walked
# from one angle to the other; at 0 the dog is behind the figure, at pi before it
_WAY_MIDDLE, _WAY_RADII = np.array([0.04, 0.07]), np.array([0.82, 0.71])
_WAY_FROM, _WAY_TO = np.radians(4.0), np.radians(188.0)


def juggler(seed: int) -> Stage:
    """Set the stage: a figure of 1.9 m in the origin, a dog that walks half round it.

    At first the figure hides up to a third of the dog; then the dog comes forth, turns, and hides
    up to a fifth of the figure. The seed changes the textures, never the geometry.
    """
    figure, animal = person(seed), dog(seed + 1)
    return Stage(
        name="juggler",
        seconds=SECONDS,
        actors=(
            Actor("juggler", figure.faces, figure.colors, lambda t: figure.posed(_juggler_pose(t))),
            Actor("dog", animal.faces, animal.colors, lambda t: animal.posed(dog_pose(dog_way, t))),
        ),
        room=room(seed + 2),
        lamps=(
            Lamp((-2.8, 3.9, 0.8), (2.0, -0.3, 0), (0, 0, 2.0), (16.0, 14.4, 12.2)),
            Lamp((1.6, 3.4, 2.6), (1.2, 0.5, 0), (0, 0, 1.2), (3.0, 3.4, 4.0)),
        ),
        sky=(0.45, 0.48, 0.54),
        viewpoint_at=viewpoint,
        pivot=(-0.10, 0.80, 0.20),
    )


def dog_way(time: float) -> tuple[np.ndarray, float]:
    """Give the floor point under the dog's middle, and its heading, at a time in seconds.

    Beyond the scene's two seconds it goes on round the figure.
    """
    angle = _WAY_FROM + (_WAY_TO - _WAY_FROM) * time / SECONDS
    x, z = _WAY_MIDDLE + _WAY_RADII * [np.sin(angle), -np.cos(angle)]
    # unwrapped, so that headings can be blended
    turned = np.arctan2(_WAY_RADII[0] * np.cos(angle), _WAY_RADII[1] * np.sin(angle))
    heading = turned - 2 * np.pi * np.round((turned - np.pi / 2 + angle) / (2 * np.pi))
    return np.array([x, 0.0, z]), float(heading)


def viewpoint(time: float) -> Viewpoint:
    """Move the camera slowly to the right on an arc of 9 degrees, and a little nearer."""
    u = time / SECONDS
    azimuth = np.radians(-4.0 + 9.0 * u)
    distance = 5.0 - 0.25 * u
    position = (
        float(distance * np.sin(azimuth)),
        1.45 + 0.10 * u,
        float(distance * np.cos(azimuth)),
    )
    return Viewpoint(position, (-0.12 + 0.06 * u, 0.92, 0.0), 32.0)


def _juggler_pose(time: float):
    place, _ = dog_way(time)
    # it looks after the dog out of the corner of its eye
    look = 0.45 * np.arctan2(place[0], 1.5 + place[2])
    return person_pose(2 * np.pi * time / SECONDS, float(look))
