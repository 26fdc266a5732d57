"""Camera paths about a rig of cameras: LLFF's spiral, a circle, and a flight through the rig."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.errors import UsageError
from fourfold.geometry import Camera, focus_point, interpolate_cameras, look_at, upward_direction
from fourfold.scene.camera_tour import tour
from fourfold.scene.scene import Scene

RIG_PATHS = ("spiral", "circle", "bullet-time")

# LLFF's spiral (Mildenhall et al. 2019): two turns, moving to and fro at half their rate, as far
# as half of what 90 % of the cameras stay within (the half is MixVoxels').
_TURNS, _TO_AND_FRO, _WITHIN, _SHARE = 2.0, 0.5, 0.9, 0.5
# In radians: the cameras of a row have no height to swing in, and those that stand all round have
# too much width for two turns in some seconds.
_LEAST_SWING, _MOST_SWING = math.radians(1.5), math.radians(30.0)
# LLFF looks at the point between the nearest and the farthest depth, in disparity at 3/4.
_NEARER, _FARTHER, _FOCUS = 0.9, 5.0, 0.75
_DEPTH_ENDS = (0.02, 0.98)
_SCOUT_SIZE = 320
# A globe is put about the place where axes cross if they spread by more than this, in degrees:
# farther away it would be flat.
_SPREAD = 10.0
# Below this mean of level directions the cameras stand all round; the first one is the front.
_ONE_SIDED = 0.3
# A rig that looks along "up" more than this has its pole in its pictures' upward direction.
_STEEP = math.cos(math.radians(30.0))
_HIGHEST = math.radians(85.0)


@dataclass(frozen=True)
class _Layout:
    """Where the cameras of a rig stand about the point that they look at: a globe of them."""

    reference: Camera
    focus: Float[Tensor, " 3"]
    axes: Float[Tensor, "3 3"]
    """Rows: to the front, where the cameras are; to their right; to the pole."""
    azimuths: Float[Tensor, " V"]
    elevations: Float[Tensor, " V"]
    distances: Float[Tensor, " V"]

    def camera(self, azimuth: float, elevation: float, distance: float) -> Camera:
        """Stand in a place on the globe (radians, units of the scene) and look at its middle."""
        elevation = min(max(elevation, -_HIGHEST), _HIGHEST)
        flat = math.cos(elevation)
        place = (flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation))
        position = self.focus + distance * (torch.tensor(place) @ self.axes)
        return self.reference.moved(look_at(position, self.focus, self.axes[2]))


def rig_path(scene: Scene, name: str, times: Sequence[float]) -> list[Camera]:
    """Move a camera about a rig while time plays; a camera per time, the first closing the last.

    "spiral": LLFF's, on the globe about the point that the rig looks at, so that it follows the
    arc on which cameras stand. "circle": a whole turn at the cameras' height and distance where
    they stand all round, else a small one before them. "bullet-time": through all cameras from
    end to end of the rig (which does not close). They hold the rig as it is at the middle time.

    Raises:
        UsageError: the scene has no rig.
    """
    if not scene.rig:
        raise UsageError(
            f"the path {name} in a scene that one camera filmed",
            expected="a scene of several cameras",
        )
    middle = times[len(times) // 2]
    cameras = [interpolate_cameras(each, middle) for each in scene.rig.values()]
    if name == "bullet-time":
        return tour(cameras, len(times))
    layout = _layout(scene, cameras, middle)
    return _spiral(layout, len(times)) if name == "spiral" else _circle(layout, len(times))


def _spiral(rig: _Layout, count: int) -> list[Camera]:
    sideways, up, to_and_fro = _swings(rig)
    elevation, distance = float(rig.elevations.median()), float(rig.distances.median())
    cameras = []
    for index in range(count):
        angle = 2.0 * math.pi * _TURNS * index / count
        cameras.append(
            rig.camera(
                sideways * math.cos(angle),
                elevation + up * math.sin(angle),
                distance + to_and_fro * math.sin(_TO_AND_FRO * angle),
            )
        )
    return cameras


def _circle(rig: _Layout, count: int) -> list[Camera]:
    elevation, distance = float(rig.elevations.median()), float(rig.distances.median())
    angles = [2.0 * math.pi * index / count for index in range(count)]
    if _surrounds(rig.azimuths):
        return [rig.camera(angle, elevation, distance) for angle in angles]
    swing = sum(_swings(rig)[:2]) / 2.0
    return [
        rig.camera(swing * math.cos(angle), elevation + swing * math.sin(angle), distance)
        for angle in angles
    ]


def _swings(rig: _Layout) -> tuple[float, float, float]:
    """Give how far to swing sideways and up (radians) and to and fro (units of the scene)."""

    def reach(values: Tensor) -> float:
        return _SHARE * float(values.abs().quantile(_WITHIN))

    sideways = min(max(reach(rig.azimuths), _LEAST_SWING), _MOST_SWING)
    up = min(max(reach(rig.elevations - rig.elevations.median()), _LEAST_SWING), _MOST_SWING)
    return sideways, up, reach(rig.distances - rig.distances.median())


def _surrounds(azimuths: Float[Tensor, " V"]) -> bool:
    """Say whether the cameras leave no gap of half a turn."""
    around = azimuths.sort().values
    gaps = torch.cat((around, around[:1] + 2.0 * math.pi)).diff()
    return float(gaps.max()) < math.pi


def _layout(scene: Scene, cameras: Sequence[Camera], time: float) -> _Layout:
    positions = torch.stack([camera.position for camera in cameras])
    nearest = (positions - positions.mean(0)).norm(dim=1).argmin()
    reference = cameras[int(nearest)]
    focus = focus_point(cameras, _SPREAD)
    if focus is None:
        focus = _focus_in_depth(scene, cameras, positions, reference, time)
    offsets = positions - focus
    directions = functional.normalize(offsets, dim=1)
    axes = _axes(directions, functional.normalize(scene.up.to(focus), dim=0), cameras)
    front, right, pole = (directions @ axes.mT).unbind(1)
    return _Layout(
        reference,
        focus,
        axes,
        torch.atan2(right, front),
        torch.asin(pole.clamp(-1.0, 1.0)),
        offsets.norm(dim=1),
    )


def _axes(
    directions: Float[Tensor, "V 3"], up: Float[Tensor, " 3"], cameras: Sequence[Camera]
) -> Float[Tensor, "3 3"]:
    middle, level = directions.mean(0), directions - up * (directions @ up)[:, None]
    front, pole = level.mean(0), up
    if abs(float(middle @ up)) > _STEEP:
        upward = upward_direction(cameras)
        front, pole = middle, upward - middle * (upward @ middle) / middle.square().sum()
    elif float(front.norm()) < _ONE_SIDED:
        lengths = level.norm(dim=1)
        front = level[int((lengths > 0.5 * lengths.max()).nonzero()[0])]
    pole = functional.normalize(pole, dim=0)
    right = functional.normalize(torch.linalg.cross(pole, front), dim=0)
    return torch.stack((torch.linalg.cross(right, pole), right, pole))


@torch.no_grad()
def _focus_in_depth(
    scene: Scene,
    cameras: Sequence[Camera],
    positions: Float[Tensor, "V 3"],
    reference: Camera,
    time: float,
) -> Float[Tensor, " 3"]:
    """Find LLFF's point on the mean axis, from the depth that the middle camera sees."""
    factor = min(_SCOUT_SIZE / max(reference.width, reference.height), 1.0)
    small = reference.scaled(factor)
    depth = scene.render(small, time, outputs=("depth",))["depth"]
    known = depth[depth.isfinite()]
    near, far = known.quantile(torch.tensor(_DEPTH_ENDS)).tolist() if len(known) else (1.0, 1.0)
    distance = 1.0 / ((1.0 - _FOCUS) / (_NEARER * near) + _FOCUS / (_FARTHER * far))
    forward = torch.stack([camera.forward for camera in cameras]).mean(0)
    return positions.mean(0) + distance * functional.normalize(forward, dim=0)
