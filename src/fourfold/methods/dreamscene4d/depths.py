"""How far away everything is: what one camera leaves open, decided from evidence, and reported.

In this order: given depth maps; the ground that moving cameras triangulate, and where objects
stand on it; a level ground below an assumed horizon; which object hides which. What none of these
tells is reported as undetermined. The apparent size gives the change over time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.capture import Capture
from fourfold.estimators import Triangulation, depth_in_view, grow_mask, occlusion_order
from fourfold.geometry import Camera, project_points, unproject_pixels
from fourfold.methods.dreamscene4d.clip import HALO, Clip
from fourfold.methods.dreamscene4d.inflation import inflate
from fourfold.methods.dreamscene4d.paths import apparent_sizes
from fourfold.methods.dreamscene4d.standing import (
    Ground,
    find_contacts,
    find_ground,
    path_on_ground,
    stay_above,
)

NOMINAL_DEPTH = 2.0
"""Depth of the median object where nothing gives a scale: the original's camera radius."""
BEFORE_BACKGROUND = 0.5
"""Depth of the median object over that of the background, where only the latter was measured."""
FAR = 3.0
"""The backdrop stands this many times as far as the farthest object, where nothing tells."""
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
    ground = find_ground(points, cameras, horizon)
    contacts = [find_contacts(clip, k, cameras, ground) for k in range(clip.num_objects)]
    nominal = _nominal_depth(points, cameras)
    if maps:
        depths, sources = _depths_from_maps(maps, clip, angular, focal, nominal)
    else:
        depths, sources = _depths_from_contact(contacts, ground, angular, nominal)
    if not maps and not ground.metric:
        factor = nominal / float(depths.median())
        depths, ground = depths * factor, ground.lowered(cameras[0], factor)
        contacts = [{t: z * factor for t, z in of_object.items()} for of_object in contacts]
    on_ground = ground.metric and not maps
    depths, moved = _respect_order(depths, _overall_order(clip), clip, sources, on_ground)
    if not maps:
        depths, ground = stay_above(depths, ground, contacts, cameras[0])
    plate_depth = None if points is None else depth_in_view(points, view, plate)
    measured = "depth maps" if maps else "triangulated"
    notes = {
        "objects": dict(zip(clip.object_names, sources, strict=True)),
        "background": "assumed" if plate_depth is None else measured,
        "moved_by_occlusion": moved,
        "paths": depths.tolist(),
    }
    if plate_depth is not None:
        return Arrangement(depths, sizes, plate_depth.depth, notes)
    backdrop = FAR * float(depths.max())
    return Arrangement(depths, sizes, ground.depth(view).clamp(max=backdrop), notes)


def _nominal_depth(points: Triangulation | None, cameras: list[Camera]) -> float:
    """Choose the depth of objects that nothing tells the depth of: before what is known."""
    if points is None:
        return NOMINAL_DEPTH
    _, depths = project_points(cameras[0], points.points)
    ahead = depths[depths > 0]
    return BEFORE_BACKGROUND * float(ahead.median()) if len(ahead) else NOMINAL_DEPTH


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


def _depths_from_maps(
    maps: dict[int, Tensor], clip: Clip, sizes: Tensor, focal: Tensor, nominal: float
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
    return _fill_undetermined(rows, sizes, nominal), sources


def _depths_from_contact(
    contacts: list[dict[int, float]], ground: Ground, sizes: Tensor, nominal: float
) -> tuple[Tensor, list[str]]:
    """Put the objects that touch the ground where they stand on it."""
    told = "ground contact" if ground.metric else "ground contact, assumed horizon"
    rows = [
        path_on_ground(found, ground, sizes[k]) if found else None
        for k, found in enumerate(contacts)
    ]
    sources = [told if found else "undetermined" for found in contacts]
    return _fill_undetermined(rows, sizes, nominal), sources


def _fill_undetermined(rows: Sequence[Tensor | None], sizes: Tensor, nominal: float) -> Tensor:
    """Give objects of unknown depth the median depth of the others."""
    known = [row.median() for row in rows if row is not None]
    middle = torch.stack(known).median() if known else torch.tensor(nominal)
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
    depths: Tensor, order: Tensor, clip: Clip, sources: list[str], on_ground: bool
) -> tuple[Tensor, list[str]]:
    """Scale whole depth paths where what hides another object is not nearer than it.

    Of a pair the object of undetermined depth is moved, else the one behind; ``on_ground``, which
    was measured, the one in front, since the other one would sink. A factor about the camera leaves
    the picture as it is.
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
                ratio = float((depths[i, frames] / depths[j, frames]).max())
                if ratio < 1.0:
                    continue
                open_i, open_j = sources[i] == "undetermined", sources[j] == "undetermined"
                if open_i > open_j or (open_i == open_j and on_ground):
                    depths[i] /= ratio * GAP
                else:
                    depths[j] *= ratio * GAP
                moved.append(f"{clip.object_names[i]} before {clip.object_names[j]}")
    return depths, sorted(set(moved))
