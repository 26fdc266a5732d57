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
MARGIN = 4
"""Pixels around where the centres of a layer's pixels land, for what lies between them."""


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
    q <- p - (F(q) - q), with depths spread beyond the layer's edge. Only looked for where the layer
    lands.
    """
    offset = (camera.camera_from_world[:3, :3] @ -moved).float().numpy()
    there = np.isfinite(depth.numpy())
    if not there.any() or not np.abs(offset).any():
        return image, depth.nan_to_num(torch.inf)
    lens, shown, z = _Lens(camera), torch.zeros_like(image), torch.full_like(depth, torch.inf)
    window = _landing(lens, depth.numpy(), there, offset)
    grid = np.ascontiguousarray(camera.pixel_grid().float().numpy()[window])
    if not grid.size:
        return shown, z
    spread = _spread(depth.numpy(), there)
    place = grid.copy()
    for _ in range(ITERATIONS):
        local = lens.points(place, _look_up(spread, place)) + offset
        place += grid - lens.project(local)
    local = lens.points(place, _look_up(spread, place, cv2.INTER_NEAREST)) + offset
    missed = np.linalg.norm(lens.project(local) - grid, axis=-1) > NEAR_ENOUGH
    inside = _look_up(there.astype(np.float32), place, cv2.INTER_NEAREST) > 0.5
    found = torch.from_numpy(inside & ~missed & (local[..., 2] > 0))
    shown[window] = torch.from_numpy(_look_up(image.numpy(), place))
    z[window] = torch.from_numpy(local[..., 2]).where(found, z[window])
    return shown, z


def _landing(
    lens: "_Lens",
    depth: Float[np.ndarray, "H W"],
    there: Bool[np.ndarray, "H W"],
    offset: Float[np.ndarray, "3"],
) -> tuple[slice, slice]:
    """Give the rows and columns in which a layer lands; empty where that is outside."""
    y, x = np.nonzero(there)
    place = np.stack([x, y], -1).astype(np.float32) + np.float32(0.5)
    local = lens.points(place, depth[there]) + offset
    landed = lens.project(local[local[..., 2] > 0])
    if not len(landed):
        return slice(0), slice(0)
    size = np.array(depth.shape[::-1])
    low = np.clip(np.floor(landed.min(axis=0)) - MARGIN, 0, size).astype(int)
    high = np.clip(np.ceil(landed.max(axis=0)) + MARGIN, 0, size).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _spread(
    depth: Float[np.ndarray, "H W"], there: Bool[np.ndarray, "H W"]
) -> Float[np.ndarray, "H W"]:
    """Give every pixel beside the layer the depth of the layer's nearest pixel."""
    nearest: Any = distance_transform_edt(~there, return_distances=False, return_indices=True)
    return depth[tuple(nearest)]


def _look_up(values: np.ndarray, place: np.ndarray, method: int = cv2.INTER_LINEAR) -> np.ndarray:
    x, y = (np.ascontiguousarray(place[..., i]) - np.float32(0.5) for i in (0, 1))
    return cv2.remap(values, x, y, method, borderMode=cv2.BORDER_REPLICATE)


class _Lens:
    """A pinhole in NumPy and single precision, whose steps are many."""

    def __init__(self, camera: Camera) -> None:
        k = camera.intrinsics.float().numpy()
        self.focal, self.middle = k[[0, 1], [0, 1]], k[:2, 2]

    def points(
        self, place: Float[np.ndarray, "*S 2"], z: Float[np.ndarray, "*S"]
    ) -> Float[np.ndarray, "*S 3"]:
        """Give the points at depth z that are seen at pixels."""
        local = np.empty((*z.shape, 3), np.float32)
        local[..., :2] = (place - self.middle) / self.focal * z[..., None]
        local[..., 2] = z
        return local

    def project(self, local: Float[np.ndarray, "*S 3"]) -> Float[np.ndarray, "*S 2"]:
        """Give the pixels at which points are seen; anywhere for those that lie behind."""
        return local[..., :2] / np.maximum(local[..., 2:], 1e-6) * self.focal + self.middle
