"""A landscape: still land, a river and clouds that move without end, and one photo of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from fourfold.geometry import Camera
from fourfold.synthetic.river import River
from fourfold.synthetic.skies import Sky
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Actor, Panel, Stage, Viewpoint, world_camera

# Where the sky's panel hangs: cameras that move by a unit see it move by 0.02 pixels.
_SKY_DISTANCE = 20_000.0
# how far the sky goes beyond the photo, in shares of its size
_SKY_MARGIN = 0.2
_SKY_TEXELS = 2.0  # per pixel of the photo
RIVER = "river"


@dataclass(frozen=True)
class Surface:
    """A mesh over the river: vertices by x and d (N,) on the plane of height 0."""

    x: Float[np.ndarray, "N"]
    d: Float[np.ndarray, "N"]
    faces: Int[np.ndarray, "F 3"]


@dataclass(frozen=True)
class Landscape:
    """A valley as the photo's camera sees it; units are the camera's height above the water.

    Attributes:
        name: of the scene.
        viewpoint: of the photo, on the stage.
        river, sky: what moves, over time in frames.
        surface: builds the river's mesh for a cell: the distance of vertices on the image plane
            at distance 1.
        paint: colours the water at (x, d) of the surface, at time 0; linear light.
        still: builds everything else for a cell, by name, with its light.
    """

    name: str
    viewpoint: Viewpoint
    river: River
    sky: Sky
    surface: Callable[[float], Surface]
    paint: Callable[[Float[np.ndarray, "N"], Float[np.ndarray, "N"]], Float[np.ndarray, "N 3"]]
    still: Callable[[float], dict[str, Solid]]


class Scenery:
    """A landscape built as finely as one size of photo needs, to be staged at any time."""

    def __init__(self, landscape: Landscape, width: int, height: int, cell: float) -> None:
        self.landscape = landscape
        self.camera = world_camera(landscape.viewpoint, width, height)
        pixel = 1.0 / self.camera.focal[0]
        self._still = landscape.still(cell * pixel)
        self._surface = landscape.surface(cell * pixel)
        self.names = (RIVER, *self._still)

    def stage_at(self, frames: float) -> Stage:
        """Set the stage as it is some frames later: the same land, the matter moved on.

        Water has the colour of the place from which it came, and so have clouds.
        """
        actors = [_actor(name, solid) for name, solid in self._still.items()]
        return Stage(
            name=self.landscape.name,
            seconds=1.0,
            actors=(_actor(RIVER, self._water(frames)), *actors),
            room=(self._sky_panel(frames),),
            lamps=(),
            sky=(0.0, 0.0, 0.0),
            viewpoint_at=lambda time: self.landscape.viewpoint,
            pivot=(0.0, 0.0, -3.0),
            glowing=True,
            reach=2.0 * _SKY_DISTANCE,
            flat=True,
        )

    def _water(self, frames: float) -> Solid:
        surface, river = self._surface, self.landscape.river
        colors = self.landscape.paint(*river.moved(surface.x, surface.d, -frames))
        points = np.stack((surface.x, np.zeros_like(surface.x), -surface.d), -1)
        return Solid(points, surface.faces, colors)

    def _sky_panel(self, frames: float) -> Panel:
        """Hang the sky where the photo's plane meets it, from its lower left corner."""
        camera = self.camera
        reach_x, reach_y = (
            (0.5 + _SKY_MARGIN) * size / camera.focal[0] for size in (camera.width, camera.height)
        )
        right, up, forward = camera_axes(self.landscape.viewpoint)
        corner = np.array(self.landscape.viewpoint.position) + _SKY_DISTANCE * (
            forward - reach_x * right - reach_y * up
        )
        columns, rows = (
            int(np.ceil(2 * reach * camera.focal[0] * _SKY_TEXELS)) for reach in (reach_x, reach_y)
        )
        x, y = np.meshgrid(
            ((np.arange(columns) + 0.5) / columns * 2 - 1) * reach_x,
            ((np.arange(rows) + 0.5) / rows * 2 - 1) * reach_y,
        )
        texture = self.landscape.sky.colors(x, y - horizon(self.landscape.viewpoint), frames)
        edge_u, edge_v = 2 * reach_x * _SKY_DISTANCE * right, 2 * reach_y * _SKY_DISTANCE * up
        return Panel(_triple(corner), _triple(edge_u), _triple(edge_v), texture.astype(np.float32))

    def river_velocity(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """Give the water's velocity on the stage, at points of its surface, per frame."""
        along_x, forward = self.landscape.river.velocity(points[:, 0], -points[:, 2])
        return np.stack((along_x, np.zeros_like(along_x), -forward), -1)

    def cloud_velocity(self, pixels: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
        """Give the clouds' velocity in the photo, in pixels per frame."""
        focal, middle = self.camera.focal[1], float(self.camera.intrinsics[1, 2])
        rise = (middle - pixels[:, 1]) / focal - horizon(self.landscape.viewpoint)
        speed = focal * self.landscape.sky.speed(rise)
        return np.stack((speed, np.zeros_like(speed)), -1)


def camera_axes(
    viewpoint: Viewpoint,
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Give a level camera's right, up and forward direction on the stage."""
    forward = np.array(viewpoint.target) - np.array(viewpoint.position)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, np.array([0.0, 1.0, 0.0]))
    right = right / np.linalg.norm(right)
    return right, np.cross(right, forward), forward


def horizon(viewpoint: Viewpoint) -> float:
    """Give how far the horizon is above the camera's axis, on the plane at distance 1."""
    forward = np.array(viewpoint.target) - np.array(viewpoint.position)
    return float(-forward[1] / np.hypot(forward[0], forward[2]))


def photo_pose(camera: Camera) -> Float[np.ndarray, "4 4"]:
    """Give photo_from_stage: stage points (y up) in the frame of the photo's camera."""
    return camera.camera_from_world.double().numpy() @ np.diag([1.0, -1.0, -1.0, 1.0])


def _actor(name: str, solid: Solid) -> Actor:
    return Actor(name, solid.faces, solid.colors, lambda time: solid.vertices)


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
