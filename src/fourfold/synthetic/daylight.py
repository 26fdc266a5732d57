"""Sun and sky baked into the colours of a landscape, and the haze in front of them.

With the light in the colours, a picture has no noise and every view sees the same surface alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fourfold.geometry import Camera
from fourfold.synthetic.noise import linear
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.skinning import vertex_normals
from fourfold.synthetic.solids import Solid
from fourfold.synthetic.stage import Actor, Stage, Viewpoint, to_world, world_camera

# How far above a surface a light must be hidden to count, in pixels of a shadow map: those of a
# low sun fall on flat land aslant.
_BIAS = 4.0
# where the sun's map is read for a shadow with a soft rim
_SOFT = tuple((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1))
# A light that comes from the sky all round needs coarser maps than the sun.
_COARSER = 3
# Maps are taken from so many radii away, where rays are nearly parallel.
_AWAY = 8.0


@dataclass(frozen=True)
class Ball:
    """A part of the stage whose shadows are seen in maps of `pixels` squared."""

    center: tuple[float, float, float]
    radius: float
    pixels: int


@dataclass(frozen=True)
class Daylight:
    """The light of a day: directions on the stage, linear colours.

    Attributes:
        sun: towards the sun.
        sunlight: what a surface that faces the sun receives.
        skylight: what one receives that the whole sky shines on, from above.
        haze, haze_distance: the air's own light, and where it has taken 63 % of a view.
    """

    sun: tuple[float, float, float] = (-0.86, 0.37, 0.34)
    sunlight: tuple[float, float, float] = (2.35, 1.62, 0.92)
    skylight: tuple[float, float, float] = (0.36, 0.46, 0.66)
    haze: tuple[float, float, float] = tuple(linear(243, 206, 178))
    haze_distance: float = 210.0

    def bake(self, solids: Sequence[Solid], balls: Sequence[Ball]) -> list[Solid]:
        """Paint light, shadow and haze onto solids that stand on the stage.

        The sun's shadows and the part of the sky that is seen are taken from depth maps that
        Mitsuba renders from far away; a light is hidden where the map of one of the balls shows
        something before the point.
        """
        scene = _filmed(solids, 2.0 * _AWAY * max(ball.radius for ball in balls))
        shades = [_Shade(scene, ball) for ball in balls]
        return [self._lit(solid, shades) for solid in solids]

    def _lit(self, solid: Solid, shades: Sequence["_Shade"]) -> Solid:
        normals = vertex_normals(solid.vertices, solid.faces)
        sun = np.array(self.sun) / np.linalg.norm(self.sun)
        facing = np.maximum(normals @ sun, 0.0) * _open(solid, shades, sun, soft=True)
        sky = 0.0
        for direction in _SKY:
            free = _open(solid, shades, direction, soft=False)
            sky = sky + np.maximum(normals @ direction, 0.0) * free
        share = sky / np.maximum(_SKY[:, 1], 0.0).sum()
        light = facing[:, None] * np.array(self.sunlight)
        light = light + share[:, None] * np.array(self.skylight)
        return Solid(solid.vertices, solid.faces, self.hazy(solid.vertices, solid.colors * light))

    def hazy(
        self, points: Float[np.ndarray, "N 3"], colors: Float[np.ndarray, "N 3"]
    ) -> Float[np.ndarray, "N 3"]:
        """Lay the air between the photo's camera and points on the stage over their colours."""
        distance = np.linalg.norm(points, axis=1, keepdims=True)
        clear = np.exp(-distance / self.haze_distance)
        return tone(colors * clear + np.array(self.haze) * (1.0 - clear))


def tone(light: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Compress bright light as film does, so that none is cut off (Hable's curve is alike)."""
    return 1.0 - np.exp(-1.25 * light)


def _sky_directions() -> Float[np.ndarray, "L 3"]:
    """Spread directions over the upper half sphere, by the golden angle."""
    count = 9
    up = (np.arange(count) + 0.5) / count * 0.9 + 0.08
    turn = np.arange(count) * np.pi * (3.0 - np.sqrt(5.0))
    flat = np.sqrt(1.0 - up**2)
    return np.stack((flat * np.cos(turn), up, flat * np.sin(turn)), -1)


_SKY = _sky_directions()


class _Shade:
    """What hides lights from the surfaces in a ball."""

    def __init__(self, scene: FilmedScene, ball: Ball) -> None:
        self._scene, self._ball = scene, ball
        self._maps: dict[tuple[bytes, int], tuple[Camera, np.ndarray]] = {}

    def open(
        self, points: Float[np.ndarray, "N 3"], direction: Float[np.ndarray, "3"], soft: bool
    ) -> Float[np.ndarray, "N"]:
        """Tell to which share each point is open to a far light; 1 outside the ball's map."""
        pixels_across = self._ball.pixels if soft else self._ball.pixels // _COARSER
        camera, depth = self._map(direction, pixels_across)
        pixels, far = _projected(camera, to_world(points))
        nearer = far - _BIAS * 2.0 * self._ball.radius / pixels_across
        free = np.zeros(len(points))
        offsets = _SOFT if soft else ((0, 0),)
        for offset in offsets:
            x, y = np.clip((pixels + offset).astype(int), 0, pixels_across - 1).T
            free += nearer < depth[y, x]
        inside = ((pixels > 0) & (pixels < pixels_across)).all(-1)
        return np.where(inside, free / len(offsets), 1.0)

    def _map(self, direction: np.ndarray, pixels: int) -> tuple[Camera, np.ndarray]:
        key = direction.tobytes(), pixels
        if key not in self._maps:
            position = np.array(self._ball.center) + _AWAY * self._ball.radius * direction
            fov = 2 * float(np.degrees(np.arcsin(1.0 / _AWAY)))
            x, y, z = position.tolist()
            look = Viewpoint((x, y, z), self._ball.center, fov)
            camera = world_camera(look, pixels, pixels)
            depth, _ = self._scene.survey(camera)
            self._maps[key] = camera, np.where(depth > 0, depth, np.inf)
        return self._maps[key]


def _open(
    solid: Solid, shades: Sequence[_Shade], direction: np.ndarray, *, soft: bool
) -> Float[np.ndarray, "N"]:
    return np.prod([shade.open(solid.vertices, direction, soft) for shade in shades], axis=0)


def _projected(
    camera: Camera, points: Float[np.ndarray, "N 3"]
) -> tuple[Float[np.ndarray, "N 2"], Float[np.ndarray, "N"]]:
    """Give pixels and z of points before a camera whose axis is the middle of its picture."""
    pose = camera.camera_from_world.double().numpy()
    x, y, z = pose[:3, :3] @ points.T + pose[:3, 3:]
    scale = camera.focal[0] / z
    return np.stack((scale * x + camera.width / 2, scale * y + camera.height / 2), -1), z


def _filmed(solids: Sequence[Solid], reach: float) -> FilmedScene:
    """Put solids into Mitsuba for their shapes alone."""
    actors = tuple(
        Actor(f"solid_{k}", solid.faces, solid.colors, lambda time, solid=solid: solid.vertices)
        for k, solid in enumerate(solids)
    )
    stage = Stage(
        name="shade",
        seconds=1.0,
        actors=actors,
        room=(),
        lamps=(),
        sky=(0.0, 0.0, 0.0),
        viewpoint_at=lambda time: Viewpoint((0.0, 0.0, 0.0), (0.0, 0.0, -1.0), 60.0),
        pivot=(0.0, 0.0, 0.0),
        glowing=True,
        reach=reach,
        flat=True,
    )
    return FilmedScene(stage, 0.0)
