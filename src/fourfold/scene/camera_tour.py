"""A way through all cameras of a rig: their order along it, and smooth views between them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import Akima1DInterpolator
from torch import Tensor
from torch.nn import functional

from fourfold.geometry import (
    Camera,
    invert_rigid,
    matrix_to_quaternion,
    quaternion_to_matrix,
    rigid_matrix,
)

# What a way must win for a turn to be worth it, relative to its length: rounding does not count.
_WORTH = 1e-9
# The least step between two stops, relative to the mean one: a spline needs some.
_LEAST_STEP = 1e-3


def shortest_way(points: Float[Tensor, "N 3"]) -> list[int]:
    """Order points along a short open way through all of them.

    Greedy from every start, the shortest of these mended by 2-opt (Croes 1958): turning parts
    round while that shortens it. Not always the shortest there is, but without crossings; on a
    line or an arc it runs from end to end. It begins at the end that comes first in the input.
    """
    distances = torch.cdist(points.double(), points.double()).numpy()
    ways = [_greedy(distances, start) for start in range(len(distances))]
    way = _untangle(distances, min(ways, key=lambda way: _length(distances, way)))
    return way if way[0] <= way[-1] else way[::-1]


def tour(cameras: Sequence[Camera], count: int) -> list[Camera]:
    """Fly through all cameras in `count` smooth steps, from the first of their way to its last.

    Own: Akima splines ("makima") through positions, quaternions and intrinsics over the length of
    the way, which neither overshoot much nor stop at the cameras. The pictures have the size of
    the first camera; where the sizes differ, its intrinsics too.
    """
    stops = [cameras[index] for index in shortest_way(_positions(cameras))]
    if len(stops) == 1:
        return stops * count
    steps = torch.linalg.vector_norm(_positions(stops).diff(dim=0), dim=1).double()
    lengths = steps.clamp_min(_LEAST_STEP * float(steps.mean()) or 1.0).cumsum(0)
    lengths = functional.pad(lengths, (1, 0)).numpy()
    spline = Akima1DInterpolator(lengths, _rows(stops).numpy(), method="makima")
    places = torch.from_numpy(spline(np.linspace(0.0, lengths[-1], count))).float()
    one_size = len({(camera.width, camera.height) for camera in cameras}) == 1
    return [_camera(row, cameras[0], one_size) for row in places]


def _greedy(distances: np.ndarray, start: int) -> list[int]:
    way, left = [start], np.ones(len(distances), dtype=bool)
    left[start] = False
    while left.any():
        way.append(int(np.where(left, distances[way[-1]], np.inf).argmin()))
        left[way[-1]] = False
    return way


def _length(distances: np.ndarray, way: list[int]) -> float:
    return float(distances[way[:-1], way[1:]].sum())


def _untangle(distances: np.ndarray, way: list[int]) -> list[int]:
    worth, turned = _WORTH * _length(distances, way), True
    while turned:
        turned = False
        for first in range(len(way) - 1):
            for last in range(first + 1, len(way)):
                if _gain(distances, way, first, last) > worth:
                    way[first : last + 1] = way[first : last + 1][::-1]
                    turned = True
    return way


def _gain(distances: np.ndarray, way: list[int], first: int, last: int) -> float:
    """Give by how much the way is shorter with its part from `first` to `last` turned round."""
    gain = 0.0
    if first > 0:
        gain += distances[way[first - 1], way[first]] - distances[way[first - 1], way[last]]
    if last + 1 < len(way):
        gain += distances[way[last], way[last + 1]] - distances[way[first], way[last + 1]]
    return gain


def _positions(cameras: Sequence[Camera]) -> Float[Tensor, "N 3"]:
    return torch.stack([camera.position for camera in cameras])


def _rows(stops: Sequence[Camera]) -> Float[Tensor, "N 16"]:
    """Give per camera its position, quaternion and intrinsics, one after the other; float64."""
    rows, before = [], None
    for camera in stops:
        pose = camera.world_from_camera.double()
        quaternion = matrix_to_quaternion(pose[:3, :3])
        if before is not None and float(quaternion @ before) < 0.0:
            quaternion = -quaternion  # the same rotation, the short way round
        before = quaternion
        rows.append(torch.cat((pose[:3, 3], quaternion, camera.intrinsics.double().flatten())))
    return torch.stack(rows)


def _camera(row: Float[Tensor, "16"], first: Camera, own_lens: bool) -> Camera:
    rotation = quaternion_to_matrix(functional.normalize(row[3:7], dim=0))
    moved = first.moved(invert_rigid(rigid_matrix(rotation, row[:3])))
    return replace(moved, intrinsics=row[7:].reshape(3, 3)) if own_lens else moved
