"""What stands on the ground: where it meets the ground in each frame, and how far away that is."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.estimators import Triangulation, contact_depth, fit_ground_plane, up_from_horizon
from fourfold.geometry import Camera
from fourfold.methods.dreamscene4d.clip import Clip
from fourfold.methods.dreamscene4d.paths import smooth_positive

GROUNDED_QUANTILE = 0.05
"""An object in the air seems to stand farther away, so the nearer of its contacts count."""
AIRBORNE = 0.2
"""A contact this much farther than the nearer ones say means that the object is in the air."""
UNMEASURED = 0.02
"""Weight of the path that sizes give, in frames in which the object does not stand."""
FOOT = 0.1
"""The lowest share of an object's height is taken for its foot."""
SUNKEN_QUANTILE = 0.9
"""Of how far an object sinks below its contacts: the worst tenth of the frames may be wrong."""


@dataclass(frozen=True)
class Ground:
    """A level ground: points X with normal . X = offset; ``metric`` when cameras gave its scale."""

    normal: Float[Tensor, " 3"]
    offset: float
    metric: bool

    def height(self, camera: Camera) -> float:
        """Return how far a camera is above the ground."""
        return float(self.normal @ camera.position) - self.offset

    def lowered(self, camera: Camera, factor: float) -> "Ground":
        """Return the ground ``factor`` times as far below a camera."""
        offset = float(self.normal @ camera.position) - factor * self.height(camera)
        return Ground(self.normal, offset, self.metric)

    def depth(self, camera: Camera) -> Float[Tensor, "H W"]:
        """Return the z-depth at which each pixel's ray meets the ground, infinite above it."""
        rays = camera.directions(camera.pixel_grid()) @ camera.camera_from_world[:3, :3]
        descent = -(rays @ self.normal)
        return torch.where(descent > 1e-6, self.height(camera) / descent, torch.inf)


def find_ground(points: Triangulation | None, cameras: list[Camera], horizon: float) -> Ground:
    """Fit the ground to points of the background, or assume it one unit below a level horizon."""
    camera = cameras[0]
    up = -camera.world_from_camera[:3, 1]
    if points is not None:
        plane = fit_ground_plane(points.points, up, camera.position)
        if plane is not None:
            return Ground(plane.normal, plane.offset, True)
    normal = up_from_horizon(camera, horizon * camera.height)
    return Ground(normal, float(normal @ camera.position) - 1.0, False)


def find_contacts(
    clip: Clip, index: int, cameras: list[Camera], ground: Ground
) -> dict[int, float]:
    """Find the depth of the middle of an object if it stands on the ground, per frame.

    A mask that the lower edge of the picture cuts off stands at that edge or nearer: the edge's
    depth is taken.
    """
    found = {}
    for t in clip.visible_frames(index):
        mask = clip.masks[t, index].clone()
        mask[-1] = False
        depth = contact_depth(mask, cameras[t], ground.normal, ground.height(cameras[t]))
        if depth is not None:
            focal = sum(cameras[t].focal) / 2
            found[t] = depth * (1 + _foot_radius(mask) / focal)
    return found


def _foot_radius(mask: Bool[Tensor, "H W"]) -> float:
    """Measure how thick the lowest part of a mask is, in pixels: the radius of its widest disc.

    What touches the ground at the lowest pixel is the near side of a foot, whose middle lies
    behind it by about half its thickness.
    """
    rows = torch.nonzero(mask.any(1))[:, 0]
    lowest = int(rows[-1]) - int(FOOT * (rows[-1] - rows[0]))
    distance = cv2.distanceTransform(mask.numpy().astype(np.uint8), cv2.DIST_L2, 3)
    return float(distance[lowest:].max())


def path_on_ground(
    contacts: dict[int, float], ground: Ground, sizes: Float[Tensor, " T"]
) -> Float[Tensor, " T"]:
    """Put an object where it stands on the ground; its size gives the change over time.

    On a ground that cameras measured, the contacts themselves give the path where the object
    stands; on an assumed one they only give its level. ``contacts`` are depths by frame, not empty;
    ``sizes`` apparent.
    """
    frames, depths = torch.tensor(list(contacts)), torch.tensor(list(contacts.values()))
    path = (depths * sizes[frames]).quantile(GROUNDED_QUANTILE) / sizes
    return _follow_contacts(path, frames, depths) if ground.metric else path


def _follow_contacts(path: Tensor, frames: Tensor, depths: Tensor) -> Tensor:
    """Bend a path of depths to the contacts of the frames in which the object stands."""
    standing = depths <= path[frames] * (1 + AIRBORNE)
    measured, weights = path.clone(), torch.full_like(path, UNMEASURED)
    measured[frames[standing]], weights[frames[standing]] = depths[standing], 1.0
    return smooth_positive(measured, weights)


def stay_above(
    depths: Float[Tensor, "K T"], ground: Ground, contacts: list[dict[int, float]], camera: Camera
) -> tuple[Float[Tensor, "K T"], Ground]:
    """See that no object sinks: lower an assumed ground, or bring objects nearer."""
    sunk = torch.stack(
        [_sinking(path, found) for path, found in zip(depths, contacts, strict=True)]
    )
    if ground.metric:
        return depths / sunk[:, None], ground
    return depths, ground.lowered(camera, float(sunk.max()))


def _sinking(path: Float[Tensor, " T"], contacts: dict[int, float]) -> Float[Tensor, ""]:
    """Return how many times as far as its contacts a path leads, 1 where it does not."""
    if not contacts:
        return torch.ones(())
    ratios = torch.stack([path[t] / depth for t, depth in contacts.items()])
    return ratios.quantile(SUNKEN_QUANTILE, interpolation="lower").clamp_min(1.0)
