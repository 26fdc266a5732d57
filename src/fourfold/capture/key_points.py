"""Depths of key points from a COLMAP model, in the world and the pixels of a capture's cameras."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture.bodies import KeyPoints
from fourfold.capture.colmap_model import ColmapImage, ColmapModel, find_model, read_model
from fourfold.capture.colmap_names import match_views
from fourfold.errors import InputError
from fourfold.geometry import Camera, transform_points

# How much a model's poses may differ from a capture's: the turn between two cameras in degrees,
# and the way between them as a share of the mean way. Two runs of COLMAP on the same pictures
# agree to about a tenth of that.
_MAX_TURN = 2.0
_MAX_SHIFT = 0.1

MOST_WEIGHT = 2.0
"""DS-NeRF's weight of a key point that is seen just where it should be."""


def read_key_points(
    folder: Path, cameras: Mapping[str, Camera], only: Collection[str] | None = None
) -> dict[str, KeyPoints]:
    """Read the key points that a model has in each view: those that at least two views see.

    Depths are z of the model's points in the model's cameras, times the scale between the model
    and the capture; pixels are those of the model without its lens distortion, seen by the
    capture's lens. Errors are reprojection errors in these pixels, and weights DS-NeRF's,
    2 exp(-(error / mean error)^2) (Deng et al. 2022). `frames` are 0: a model does not name them.

    Args:
        folder: the model's, or one with a `sparse` in it.
        cameras: of all views by name, without distortion, in the pixels that are wanted.
        only: names of the views that have a say, all if None. What others see is not known: a
            point that they and one of these see has no depth.

    Returns:
        View name -> its key points, for the views (of `only`) that have some.

    Raises:
        InputError: no model, one of other views or poses, or one with too few points.
    """
    place = find_model(folder)
    if place is None:
        raise InputError(
            "there is no COLMAP model",
            path=folder,
            expected="sparse/0 with cameras, images and points3D",
            mend="Make one: fourfold prepare poses CAPTURE --out DIR",
        )
    model = read_model(place)
    matched, _ = match_views([image.name for image in model.images], list(cameras), place)
    images = {
        view: model.images[index] for view, index in matched.items() if only is None or view in only
    }
    scale, seen = scale_of(images, cameras, place), _seen_twice(images, model)
    found = {view: _key_points(images[view], model, cameras[view], scale, seen) for view in images}
    found = {view: points for view, points in found.items() if len(points)}
    if not found:
        raise InputError(
            "no view has a key point",
            path=place,
            expected="points that at least two views see",
            mend="Use pictures with more texture or closer together",
        )
    return found


def scale_of(images: Mapping[str, ColmapImage], cameras: Mapping[str, Camera], path: Path) -> float:
    """Find how many units of the capture one unit of the model is, from the ways between cameras.

    Raises:
        InputError: the model's cameras do not stand to each other as the capture's do.
    """
    apart = InputError(
        "the model's scale cannot be told",
        path=path,
        expected="at least two views in different places",
    )
    if len(images) < 2:
        raise apart
    model = torch.stack([image.camera.camera_from_world for image in images.values()])
    own = torch.stack([cameras[view].camera_from_world.double() for view in images])
    (turns, ways), (own_turns, own_ways) = _relative(model), _relative(own)
    length = float((ways * ways).sum())
    if length == 0:
        raise apart
    cosines = ((turns * own_turns).sum((-1, -2)) - 1) / 2
    turn = math.degrees(math.acos(max(-1.0, min(1.0, float(cosines.min())))))
    scale = float((ways * own_ways).sum()) / length
    shift = float((own_ways - scale * ways).norm() / own_ways.norm().clamp(min=1e-12))
    if turn > _MAX_TURN or shift > _MAX_SHIFT or not scale > 0:
        raise InputError(
            "the model's cameras do not stand as the capture's: they are turned by up to "
            f"{turn:.1f} degrees and shifted by {shift:.0%}",
            path=path,
            expected="a model of the same cameras, in any world and scale",
            mend="Make one with the capture's poses: fourfold prepare poses CAPTURE --out DIR",
        )
    return scale


def _relative(
    poses: Float[Tensor, "V 4 4"],
) -> tuple[Float[Tensor, "V V 3 3"], Float[Tensor, "V V 3"]]:
    """Give each camera's turn and place in every other camera's frame; no world is in that."""
    relative = poses[:, None] @ torch.linalg.inv(poses)[None]
    return relative[..., :3, :3], relative[..., :3, 3]


def depth_bounds(image: ColmapImage, model: ColmapModel) -> tuple[float, float] | None:
    """Give the depths between which 99.8 % of a picture's points lie, as LLFF does; None if none.

    In units of the model.
    """
    depths = _depths(image.camera, model, image.rows)
    depths = depths[depths > 0]
    if len(depths) == 0:
        return None
    near, far = np.percentile(depths.numpy(), (0.1, 99.9))
    return float(near), float(far)


def reprojection_errors(image: ColmapImage, model: ColmapModel) -> Float[np.ndarray, "M"]:
    """Give the distance between each point and where the picture sees it, in the model's pixels.

    Both without the lens distortion.
    """
    lens = image.camera.intrinsics
    points = torch.from_numpy(model.points[image.rows])
    ideal = _projected(transform_points(image.camera.camera_from_world, points), lens)
    seen = _projected(image.camera.directions(torch.from_numpy(image.pixels)), lens)
    return (seen - ideal).norm(dim=1).numpy()


def _depths(camera: Camera, model: ColmapModel, rows: Int[np.ndarray, "M"]) -> Float[Tensor, "M"]:
    return transform_points(camera.camera_from_world, torch.from_numpy(model.points[rows]))[:, 2]


def _seen_twice(images: Mapping[str, ColmapImage], model: ColmapModel) -> Bool[np.ndarray, "P"]:
    """Say which of the model's points at least two of the pictures see."""
    count = np.zeros(len(model.points), np.int64)
    for image in images.values():
        count[np.unique(image.rows)] += 1
    return count >= 2


def _key_points(
    image: ColmapImage,
    model: ColmapModel,
    camera: Camera,
    scale: float,
    counted: Bool[np.ndarray, "P"],
) -> KeyPoints:
    lens = camera.intrinsics.double()
    points = torch.from_numpy(model.points[image.rows])
    placed = transform_points(image.camera.camera_from_world, points)
    seen = _projected(image.camera.directions(torch.from_numpy(image.pixels)), lens)
    ideal = _projected(placed, lens)
    size = seen.new_tensor([camera.width, camera.height])
    kept = (placed[:, 2] > 0) & ((seen >= 0) & (seen < size)).all(1)
    kept &= torch.from_numpy(counted[image.rows])
    seen, depths, errors = seen[kept], placed[kept, 2] * scale, (seen - ideal).norm(dim=1)[kept]
    mean = errors.mean().clamp(min=1e-6) if len(errors) else 1.0
    weights = MOST_WEIGHT * torch.exp(-((errors / mean) ** 2))
    frames = torch.zeros(len(errors), dtype=torch.int64)
    return KeyPoints(seen.float(), depths.float(), frames, weights.float(), errors.float())


def _projected(points: Float[Tensor, "M 3"], lens: Float[Tensor, "3 3"]) -> Float[Tensor, "M 2"]:
    pixels = points @ lens.mT
    return pixels[:, :2] / pixels[:, 2:]
