"""Poses: rigid motions of bones, and limbs that reach for a point."""

import numpy as np
from jaxtyping import Float

Vector = Float[np.ndarray, "3"]
Matrix = Float[np.ndarray, "3 3"]
Transform = Float[np.ndarray, "4 4"]


def turn(axis: str, radians: float) -> Matrix:
    """Build the right-handed rotation about "x", "y" or "z"."""
    c, s = np.cos(radians), np.sin(radians)
    k = "xyz".index(axis)
    u, v = (k + 1) % 3, (k + 2) % 3
    rotation = np.eye(3)
    rotation[u, u], rotation[u, v], rotation[v, u], rotation[v, v] = c, -s, s, c
    return rotation


def between(source: Vector, target: Vector) -> Matrix:
    """Build the smallest rotation that turns one direction into another (Rodrigues).

    The two must not be opposite.
    """
    a, b = source / np.linalg.norm(source), target / np.linalg.norm(target)
    x, y, z = np.cross(a, b)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1.0 + a @ b)


def about(joint: Vector, rotation: Matrix, moved_joint: Vector) -> Transform:
    """Turn a bone about its joint at rest and put the joint at `moved_joint`."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = moved_joint - rotation @ joint
    return transform


def moved(transform: Transform, point: Vector) -> Vector:
    """Apply a transform to one point."""
    return transform[:3, :3] @ point + transform[:3, 3]


def bend_to(start: Vector, target: Vector, upper: float, lower: float, pole: Vector) -> Vector:
    """Find the middle joint of a two-bone limb from `start` to `target`, bent towards `pole`.

    The law of cosines; `upper`, `lower` are the bones' lengths, `pole` a direction. The target
    is taken to be within reach (see `within_reach`).
    """
    line = target - start
    distance = np.linalg.norm(line)
    line = line / distance
    along = (upper**2 - lower**2 + distance**2) / (2 * distance)
    aside = pole - (pole @ line) * line
    height = np.sqrt(max(upper**2 - along**2, 0.0))
    return start + along * line + height * aside / np.linalg.norm(aside)


def within_reach(start: Vector, target: Vector, length: float) -> Vector:
    """Pull a target towards `start` smoothly where it is beyond 93 % of the limb's length."""
    line = target - start
    distance = np.linalg.norm(line)
    soft, room = 0.93 * length, 0.06 * length
    if distance <= soft:
        return target
    reached = soft + room * (1.0 - np.exp(-(distance - soft) / room))
    return start + line * (reached / distance)


def reach(
    parent: Transform, joints: tuple[Vector, Vector, Vector], target: Vector, pole: Vector
) -> tuple[Transform, Transform, Vector]:
    """Pose a limb (hip, knee, ankle at rest) of a posed `parent` so that its end is at `target`.

    Returns the transforms of the upper and the lower bone, and where the end came to be: the
    target, or a little before it when it is out of reach. Twist is the least possible.
    """
    first, middle, end = joints
    start = moved(parent, first)
    upper, lower = float(np.linalg.norm(middle - first)), float(np.linalg.norm(end - middle))
    target = within_reach(start, target, upper + lower)
    knee = bend_to(start, target, upper, lower, pole)
    frame = parent[:3, :3]
    upper_turn = between(frame @ (middle - first), knee - start) @ frame
    lower_turn = between(upper_turn @ (end - middle), target - knee) @ upper_turn
    return about(first, upper_turn, start), about(middle, lower_turn, knee), target
