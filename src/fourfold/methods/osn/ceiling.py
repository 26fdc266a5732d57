"""What perfect geometry would show under other scales: the ceiling of every mean over samples.

A valid combination of scales that is not the true one moves objects in a new view, however good
their shape is. The ceiling takes the true layers of that view and moves them exactly so.
"""

from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from fourfold.geometry import Camera

ITERATIONS = 12
"""Steps of the fixed point that looks for where a pixel comes from."""
NEAR_ENOUGH = 0.5
"""Pixels by which the place that was found may miss."""


def perfect_image(
    images: Float[Tensor, "K H W 3"],
    depths: Float[Tensor, "K H W"],
    camera: Camera,
    center: Float[Tensor, " 3"],
    factors: Float[Tensor, " K"],
) -> Float[Tensor, "H W 3"]:
    """Compose true layers, each enlarged by a factor about `center`, as `camera` sees them.

    Own. Enlarging a body by r about a point c looks to a camera at p as the body itself looks
    from c + (p - c) / r, at r times the depth: each layer is warped to that place by its depth.

    Args:
        images: each body alone, in [0,1].
        depths: z of each body alone in units of the camera's world; NaN where it is not.
        camera: whose view the layers are.
        center: the filming camera's centre at that time, in the world.
        factors: of each body beside its true scale; the background's is 1.
    """
    composed = torch.zeros_like(images[0])
    nearest = torch.full(depths.shape[1:], torch.inf)
    for image, depth, factor in zip(images, depths, factors.tolist(), strict=True):
        moved = (1.0 / factor - 1.0) * (camera.position - center)
        shown, z = _seen_from(image, depth, camera, moved)
        front = z * factor < nearest
        nearest = torch.where(front, z * factor, nearest)
        composed = torch.where(front[..., None], shown, composed)
    return composed


def _seen_from(
    image: Float[Tensor, "H W 3"],
    depth: Float[Tensor, "H W"],
    camera: Camera,
    moved: Float[Tensor, " 3"],
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W"]]:
    """Warp a layer to a camera that has moved by a vector of the world; depth inf where nothing is.

    The place q of the layer that a pixel p shows solves F(q) = p, F being the projection: found by
    q <- p - (F(q) - q), with depths spread beyond the layer's edge.
    """
    offset = (camera.camera_from_world[:3, :3] @ -moved).numpy()
    there = np.isfinite(depth.numpy())
    if not there.any() or not np.abs(offset).any():
        return image, depth.nan_to_num(torch.inf)
    spread = _spread(depth.numpy(), there)
    grid = camera.pixel_grid().numpy()
    place = grid.copy()
    for _ in range(ITERATIONS):
        local = _points(camera, place, _look_up(spread, place)) + offset
        place = grid - (_project(camera, local) - place)
    z = _look_up(spread, place, cv2.INTER_NEAREST)
    local = _points(camera, place, z) + offset
    missed = np.linalg.norm(_project(camera, local) - grid, axis=-1) > NEAR_ENOUGH
    inside = _look_up(there.astype(np.float32), place, cv2.INTER_NEAREST) > 0.5
    found = torch.from_numpy(inside & ~missed & (local[..., 2] > 0))
    shown = torch.from_numpy(_look_up(image.numpy(), place))
    return shown, torch.from_numpy(local[..., 2]).where(found, torch.inf)


def _spread(
    depth: Float[np.ndarray, "H W"], there: Bool[np.ndarray, "H W"]
) -> Float[np.ndarray, "H W"]:
    """Give every pixel beside the layer the depth of the layer's nearest pixel."""
    nearest: Any = distance_transform_edt(~there, return_distances=False, return_indices=True)
    return depth[tuple(nearest)]


def _look_up(values: np.ndarray, place: np.ndarray, method: int = cv2.INTER_LINEAR) -> np.ndarray:
    x, y = (place[..., i].astype(np.float32) - 0.5 for i in (0, 1))
    return cv2.remap(values, x, y, method, borderMode=cv2.BORDER_REPLICATE)


def _points(camera: Camera, place: np.ndarray, z: np.ndarray) -> Float[np.ndarray, "H W 3"]:
    directions = camera.directions(torch.from_numpy(place.astype(np.float32))).numpy()
    return directions * z[..., None]


def _project(camera: Camera, local: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 2"]:
    (fx, fy), k = camera.focal, camera.intrinsics
    depth = np.maximum(local[..., 2:], 1e-6)
    return local[..., :2] / depth * [fx, fy] + [float(k[0, 2]), float(k[1, 2])]
