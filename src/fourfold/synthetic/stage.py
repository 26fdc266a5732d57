"""What a synthetic scene is: bodies that move, a room, lights, a camera path.

A stage is built with x to the right, y up and z towards the viewer, in metres. The world of a
capture has y down and z forward, so that its up direction is (0, -1, 0), as in scenes without
given cameras: `to_world` is the half turn about x between the two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from fourfold.geometry import Camera, look_at

UP = (0.0, -1.0, 0.0)
_HALF_TURN = np.array([1.0, -1.0, -1.0])


def to_world(points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Take points or directions from the stage (y up) to the world (y down), or back."""
    return points * _HALF_TURN


@dataclass(frozen=True)
class Actor:
    """An object with a mask of its own.

    `vertices_at` gives the closed mesh's vertices (N,3) on the stage at a time in seconds; the
    faces and the linear colours (N,3) stay.
    """

    name: str
    faces: Int[np.ndarray, "F 3"]
    colors: Float[np.ndarray, "N 3"]
    vertices_at: Callable[[float], Float[np.ndarray, "N 3"]]


@dataclass(frozen=True)
class Panel:
    """A flat piece of the room: corner + u edge + v edge, facing edge_u x edge_v.

    `texture` (H,W,3) is linear; columns run along u, rows along v, from the corner.
    """

    corner: tuple[float, float, float]
    edge_u: tuple[float, float, float]
    edge_v: tuple[float, float, float]
    texture: Float[np.ndarray, "H W 3"]


@dataclass(frozen=True)
class Lamp:
    """A rectangular light that shines along edge_u x edge_v with a linear RGB radiance."""

    corner: tuple[float, float, float]
    edge_u: tuple[float, float, float]
    edge_v: tuple[float, float, float]
    radiance: tuple[float, float, float]


@dataclass(frozen=True)
class Viewpoint:
    """Where the camera stands and what it looks at, on the stage; field of view in degrees."""

    position: tuple[float, float, float]
    target: tuple[float, float, float]
    vertical_fov: float


@dataclass(frozen=True)
class Stage:
    """A scene to be filmed: `seconds` long, `viewpoint_at` a time in seconds, `pivot` (3,).

    `sky` is the linear RGB radiance that comes from where the room is open. `fill` is the linear
    RGB of a white surface in light that comes to all surfaces alike: it throws no shadow. On a
    `glowing` stage no light falls: every surface shines in its own colour, wherever it is. Cameras
    see as far as `reach`, in metres. Mitsuba lets a surface shine where its smoothed normal faces
    the camera; with `flat` its faces' own do, so that rims of coarse meshes stay bright.
    """

    name: str
    seconds: float
    actors: tuple[Actor, ...]
    room: tuple[Panel, ...]
    lamps: tuple[Lamp, ...]
    sky: tuple[float, float, float]
    viewpoint_at: Callable[[float], Viewpoint]
    pivot: tuple[float, float, float]
    glowing: bool = False
    reach: float = 100.0
    flat: bool = False
    fill: tuple[float, float, float] = (0.0, 0.0, 0.0)


def world_camera(viewpoint: Viewpoint, width: int, height: int) -> Camera:
    """Build the camera of a viewpoint, in the world."""
    position, target = (
        torch.from_numpy(to_world(np.array(point)))
        for point in (viewpoint.position, viewpoint.target)
    )
    pose = look_at(position, target, torch.tensor(UP, dtype=position.dtype))
    return Camera.from_fov(width, height, viewpoint.vertical_fov, pose.float())
