"""How far away everything is: what one camera leaves open, decided from evidence, and reported.

In this order: given depth maps; the ground that moving cameras triangulate, and where objects
stand on it; a level ground below an assumed horizon; which object hides which. What none of these
tells is reported as undetermined. The apparent size gives the change over time.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.capture import Capture
from fourfold.estimators import (
    Triangulation,
    contact_depth,
    depth_in_view,
    fit_ground_plane,
    grow_mask,
    occlusion_order,
)
from fourfold.geometry import Camera, unproject_pixels
from fourfold.methods.dreamscene4d.clip import HALO, Clip
from fourfold.methods.dreamscene4d.inflation import inflate
from fourfold.methods.dreamscene4d.paths import apparent_sizes, smooth_positive

NOMINAL_DEPTH = 2.0
"""Depth of the median object where nothing gives a scale: the original's camera radius."""
FAR = 3.0
"""The backdrop stands this many times as far as the farthest object, where nothing tells."""
GROUNDED_QUANTILE = 0.05
"""An object in the air seems to stand farther away, so the nearer of its contacts count."""
AIRBORNE = 0.2
"""A contact this much farther than the nearer ones say means that the object is in the air."""
UNMEASURED = 0.02
"""Weight of the path that sizes give, in frames in which the object does not stand."""
FOOT = 0.1
"""The lowest share of an object's height is taken for its foot."""
GAP = 1.1
"""An object that hides another is put nearer by at least this factor."""
MAP_FRAMES = 5
"""Frames whose given depth maps are fused into the background's."""
MAP_DEVIATION = 0.02
"""Relative error assumed of a given depth map."""


@dataclass(frozen=True)
class Arrangement:
    """Depths along the camera's axis, in scene units.

    depths (K,T) of the objects' centres; sizes (K,T) apparent, in pixels; background_depth (Hp,Wp)
    of the plate.
    """

    depths: Float[Tensor, "K T"]
    sizes: Float[Tensor, "K T"]
    background_depth: Float[Tensor, "Hp Wp"]
    notes: dict[str, Any] = field(default_factory=dict)


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


def arrange_depths(
    capture: Capture,
    clip: Clip,
    cameras: list[Camera],
    triangulated: Triangulation | None,
    plate: Float[Tensor, "Hp Wp 3"],
    view: Camera,
    horizon: float,
) -> Arrangement:
    """Decide the depth of every object in every frame, and of the background plate.

    ``triangulated`` are points of the background that given cameras saw from several places;
    ``view`` is the plate's camera, ``horizon`` the row of an assumed horizon as a share of the
    image height.
    """
    sizes = torch.stack([apparent_sizes(clip, k) for k in range(clip.num_objects)])
    # A lens that zooms in makes objects larger without bringing them nearer.
    focal = torch.tensor([sum(camera.focal) / 2 for camera in cameras])
    angular = sizes / focal * focal.mean()
    maps = _given_maps(capture, clip)
    points = _map_points(clip, cameras, maps) if maps else triangulated
    ground = _find_ground(points, cameras, horizon)
    contacts = [_contacts(clip, k, cameras, ground) for k in range(clip.num_objects)]
    if maps:
        depths, sources = _depths_from_maps(maps, clip, angular, focal)
    else:
        depths, sources = _depths_from_contact(contacts, ground, angular)
    if not maps and not ground.metric:
        factor = NOMINAL_DEPTH / float(depths.median())
        depths, ground = depths * factor, ground.lowered(cameras[0], factor)
        contacts = [{t: z * factor for t, z in of_object.items()} for of_object in contacts]
    depths, moved = _respect_order(depths, _overall_order(clip), clip, sources)
    depths, ground = _stay_above(depths, ground, contacts, cameras[0])
    notes = {
        "objects": dict(zip(clip.object_names, sources, strict=True)),
        "background": "depth maps" if maps else "triangulated" if points else "assumed",
        "moved_by_occlusion": moved,
        "paths": depths.tolist(),
    }
    plate_depth = _plate_depth(points, ground, plate, view, float(depths.max()))
    return Arrangement(depths, sizes, plate_depth, notes)


def _given_maps(capture: Capture, clip: Clip) -> dict[int, Tensor]:
    """Read the depth maps of the trained frames that have one."""
    if not capture.has("depth"):
        return {}
    maps = {t: capture.depth(t) for t in clip.trained}
    return {t: depth for t, depth in maps.items() if depth is not None}


def _map_points(clip: Clip, cameras: list[Camera], maps: dict[int, Tensor]) -> Triangulation | None:
    """Lift the background of given depth maps into space."""
    found = []
    for t in list(maps)[:: max(len(maps) // MAP_FRAMES, 1)]:
        seen = clip.free[t] & torch.isfinite(maps[t]) & (maps[t] > 0)
        found.append(unproject_pixels(cameras[t], cameras[t].pixel_grid()[seen], maps[t][seen]))
    if not found:
        return None
    points = torch.cat(found)
    return Triangulation(points, torch.full((len(points),), MAP_DEVIATION), float("nan"))


def _find_ground(points: Triangulation | None, cameras: list[Camera], horizon: float) -> Ground:
    """Fit the ground to points of the background, or assume it one unit below a level horizon."""
    camera = cameras[0]
    up = -camera.world_from_camera[:3, 1]
    if points is not None:
        plane = fit_ground_plane(points.points, up, camera.position)
        if plane is not None:
            return Ground(plane.normal, plane.offset, True)
    slope = (horizon * camera.height - camera.intrinsics[1, 2]) / camera.intrinsics[1, 1]
    level = torch.stack([torch.zeros(()), -torch.ones(()), slope])
    normal = camera.world_from_camera[:3, :3] @ (level / level.norm())
    return Ground(normal, float(normal @ camera.position) - 1.0, False)


def _depths_from_maps(
    maps: dict[int, Tensor], clip: Clip, sizes: Tensor, focal: Tensor
) -> tuple[Tensor, list[str]]:
    """Take each object's median depth inside its mask, away from the outline.

    Maps show the visible surface: the middle of the body lies half its thickness behind.
    """
    rows, sources = [], []
    for k in range(clip.num_objects):
        found = []
        for t, depth in maps.items():
            inner = clip.masks[t, k] & ~grow_mask(~clip.masks[t, k], HALO)
            inner = (inner if inner.any() else clip.masks[t, k]) & torch.isfinite(depth)
            if inner.any():
                half = inflate(clip.masks[t, k])[inner].median() / focal[t]
                found.append(depth[inner].median() * (1 + half) * sizes[k, t])
        sources.append("depth maps" if found else "undetermined")
        rows.append(torch.stack(found).median() / sizes[k] if found else None)
    return _fill_undetermined(rows, sizes), sources


def _contacts(clip: Clip, name: int, cameras: list[Camera], ground: Ground) -> dict[int, float]:
    """Find the depth of the middle of an object if it stands on the ground, per frame.

    A mask that the lower edge of the picture cuts off stands at that edge or nearer: the edge's
    depth is taken.
    """
    found = {}
    for t in clip.visible_frames(name):
        mask = clip.masks[t, name].clone()
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


def _depths_from_contact(
    contacts: list[dict[int, float]], ground: Ground, sizes: Tensor
) -> tuple[Tensor, list[str]]:
    """Put objects where they stand on the ground; their size gives the change over time.

    On a ground that cameras measured, the contacts themselves give the path where the object
    stands; on an assumed one they only give its level.
    """
    rows, sources = [], []
    for k, found in enumerate(contacts):
        if not found:
            rows.append(None)
            sources.append("undetermined")
            continue
        frames, depths = torch.tensor(list(found)), torch.tensor(list(found.values()))
        bases = depths * sizes[k, frames]
        path = bases.quantile(GROUNDED_QUANTILE) / sizes[k]
        if ground.metric:
            path = _follow_contacts(path, frames, depths)
        rows.append(path)
        sources.append("ground contact" if ground.metric else "ground contact, assumed horizon")
    return _fill_undetermined(rows, sizes), sources


def _follow_contacts(path: Tensor, frames: Tensor, depths: Tensor) -> Tensor:
    """Bend a path of depths to the contacts of the frames in which the object stands."""
    standing = depths <= path[frames] * (1 + AIRBORNE)
    measured, weights = path.clone(), torch.full_like(path, UNMEASURED)
    measured[frames[standing]], weights[frames[standing]] = depths[standing], 1.0
    return smooth_positive(measured, weights)


def _stay_above(
    depths: Tensor, ground: Ground, contacts: list[dict[int, float]], camera: Camera
) -> tuple[Tensor, Ground]:
    """See that no object sinks: lower an assumed ground, or bring objects nearer."""
    sunk = torch.ones(len(depths))
    for k, found in enumerate(contacts):
        for t, depth in found.items():
            sunk[k] = max(float(sunk[k]), float(depths[k, t]) / depth)
    if ground.metric:
        return depths / sunk[:, None], ground
    return depths, ground.lowered(camera, float(sunk.max()))


def _fill_undetermined(rows: list[Tensor | None], sizes: Tensor) -> Tensor:
    """Give objects of unknown depth the median depth of the others."""
    known = [row.median() for row in rows if row is not None]
    middle = torch.stack(known).median() if known else torch.tensor(NOMINAL_DEPTH)
    filled = [
        middle * sizes[k].median() / sizes[k] if row is None else row for k, row in enumerate(rows)
    ]
    return torch.stack(filled)


def _overall_order(clip: Clip) -> Float[Tensor, "T K K"]:
    """Tell per trained frame which object is before which (1), behind (-1), unknown (0)."""
    order = torch.zeros(clip.num_frames, clip.num_objects, clip.num_objects)
    order[list(clip.trained)] = occlusion_order(clip.masks[list(clip.trained)]).float()
    return order


def _respect_order(
    depths: Tensor, order: Tensor, clip: Clip, sources: list[str]
) -> tuple[Tensor, list[str]]:
    """Scale whole depth paths until what hides another object is nearer than it.

    Of a pair the object of undetermined depth is moved, else the one behind. A factor about the
    camera leaves the picture as it is.
    """
    depths, moved = depths.clone(), []
    count = clip.num_objects
    votes = order.sum(0)
    for _ in range(count):
        for i in range(count):
            for j in range(count):
                if votes[i, j] <= 0:
                    continue
                frames = order[:, i, j] > 0
                ratio = float((depths[i, frames] / depths[j, frames]).max()) * GAP
                if ratio <= 1.0:
                    continue
                if sources[i] == "undetermined" and sources[j] != "undetermined":
                    depths[i] /= ratio
                else:
                    depths[j] *= ratio
                moved.append(f"{clip.object_names[i]} before {clip.object_names[j]}")
    return depths, sorted(set(moved))


def _plate_depth(
    points: Triangulation | None,
    ground: Ground,
    plate: Float[Tensor, "Hp Wp 3"],
    view: Camera,
    farthest: float,
) -> Float[Tensor, "Hp Wp"]:
    """Give the plate the depth of triangulated points, or of a ground before a backdrop."""
    if points is not None:
        found = depth_in_view(points, view, plate)
        if found is not None:
            return found.depth
    return ground.depth(view).clamp(max=FAR * farthest)
