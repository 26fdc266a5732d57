"""Where nothing can be: right before the lenses of the rig, and in them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera, project_points
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.space_choice import looked_at

NEAREST, FARTHEST = 0.3, 4.0
"""Depths where none are known, as shares of the distance to what all cameras look at."""
CLEAR = 0.9
"""Share of the nearest depth up to which there is nothing before a lens."""
HOUSING = 0.1
"""Share of the nearest depth around a lens, also beside and behind it, in which nothing else is."""
REACH = 2.0
"""Standard deviations of a Gaussian that may not reach into a picture from beside the lens."""

Lens = tuple[Camera, float]
"""A camera, and the nearest depth in its pictures."""


def room_before(lenses: Sequence[Lens], points: Float[Tensor, "N 3"]) -> Float[Tensor, " N"]:
    """Give how large a Gaussian may be, in standard deviations, so as to veil no lens.

    Own. 0 right before a lens, or in it; infinite for most. Cameras in a wall are overlooked by all
    others, and what lies there would be a fog for each of them alone.
    """
    room = torch.full((len(points),), torch.inf)
    for camera, near in lenses:
        pixels, depth = project_points(camera, points)
        size = pixels.new_tensor([camera.width, camera.height])
        beside = ((pixels - size / 2).abs() - size / 2).amax(1).clamp_min(0)
        close = (depth > 0) & (depth < CLEAR * near)
        largest = beside * depth / (camera.focal[0] * REACH)
        room = torch.where(close, torch.minimum(room, largest), room)
        room[(points - camera.position).norm(dim=1) < HOUSING * near] = 0
    return room


def depth_bounds(footage: Footage) -> list[tuple[float, float]]:
    """Give each view's nearest and farthest depth: known, or guessed from where cameras look."""
    cameras = [row[0] for row in footage.cameras]
    focus, known = looked_at(footage), torch.isfinite(footage.bounds).all(1)
    return [
        (float(pair[0]), float(pair[1])) if known[view] else _guessed(cameras[view], focus)
        for view, pair in enumerate(footage.bounds)
    ]


def training_lenses(footage: Footage) -> list[Lens]:
    """Give the training cameras and their nearest depths. Cameras held out have no say in it."""
    bounds = depth_bounds(footage)
    return [(row[0], near) for row, (near, _) in zip(footage.cameras, bounds, strict=True)]


def _guessed(camera: Camera, focus: Float[Tensor, " 3"]) -> tuple[float, float]:
    distance = float((camera.position - focus).norm())
    return NEAREST * distance, FARTHEST * distance
