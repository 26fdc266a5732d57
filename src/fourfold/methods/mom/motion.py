"""How each region of a photo moves: from hints, from a given field, or from several views."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import InputError, UsageError
from fourfold.estimators import LandscapeDepth
from fourfold.methods.mom.config import MOMConfig
from fourfold.methods.mom.dense_field import clean_field
from fourfold.methods.mom.multiview import solve_multiview
from fourfold.methods.mom.photo import Photo
from fourfold.methods.mom.regions import label_regions
from fourfold.methods.mom.velocity import solve_velocity


@dataclass(frozen=True)
class PhotoMotion:
    """The velocity of a photo's matter, and what there is to say about it.

    `velocity` (H,W,2) in pixels per frame, 0 where nothing moves; `masks` (R,H,W) of the connected
    regions that move, none over another, and their `names`; `report`, JSON, one entry per region
    that was drawn; `unused_hints`, names.
    """

    velocity: Float[Tensor, "H W 2"]
    masks: Bool[Tensor, "R H W"]
    names: Sequence[str]
    report: Sequence[dict[str, Any]] = ()
    unused_hints: Sequence[str] = ()
    figures: dict[str, float] = field(default_factory=dict)


def find_motion(photo: Photo, landscape: LandscapeDepth, config: MOMConfig) -> PhotoMotion:
    """Find the velocity of everything that moves.

    A given field counts before hints.

    Raises:
        InputError: no hint lies in or near a moving region, or nothing moves.
        UsageError: several views are asked for, and a field is given.
    """
    if photo.field is not None:
        return _given(photo, photo.field, landscape, config)
    place = photo.moving, photo.hints, landscape.depth, landscape.sky, photo.camera
    found = solve_velocity(*place, solver=config.solver)
    velocity, figures = found.velocity, {}
    if config.motion == "multiview":
        views = solve_multiview(photo.image, *place, solver=config.solver)
        velocity, figures = views.velocity, {"multiview_flow_epe": views.flow_epe}
    masks, names = _regions(photo, landscape, velocity)
    report = [_entry(asdict(region), photo) for region in found.regions]
    unused = [photo.hints[index].name for index in found.unused_hints]
    return PhotoMotion(config.speed * velocity, masks, names, report, unused, figures)


def _given(
    photo: Photo, given: Float[Tensor, "H W 2"], landscape: LandscapeDepth, config: MOMConfig
) -> PhotoMotion:
    """Take a field where something is marked to move."""
    if config.motion == "multiview":
        raise UsageError("--motion multiview with a motion field", expected="hints, no field")
    velocity = clean_field(given, photo.moving.any(0)).velocity
    masks, names = _regions(photo, landscape, velocity)
    return PhotoMotion(config.speed * velocity, masks, names)


def _entry(entry: dict[str, Any], photo: Photo) -> dict[str, Any]:
    """Say names where the solver says numbers, and None for what is not known."""
    entry["region"] = photo.moving_names[entry.pop("mask")]
    entry["hints"] = [photo.hints[index].name for index in entry["hints"]]
    return {key: None if value != value else value for key, value in entry.items()}


def _free_name(name: str, taken: Sequence[str]) -> str:
    """Number a name from 2 on until it is free: a drawn region may be called motion-2."""
    return next(free for n in count(2) if (free := f"{name}-{n}") not in taken)


def _regions(
    photo: Photo, landscape: LandscapeDepth, velocity: Float[Tensor, "H W 2"]
) -> tuple[Bool[Tensor, "R H W"], list[str]]:
    """Give the connected regions in which something moves, named after what was drawn."""
    drawn = photo.moving
    labels, kinds = label_regions(drawn.any(0).numpy(), landscape.sky.numpy())
    masks, names, counts = [], [], Counter[str]()
    for number in range(1, len(kinds) + 1):
        mask = torch.from_numpy(labels == number)
        if not bool(velocity[mask].any()):
            continue
        name = photo.moving_names[int((drawn & mask).sum((1, 2)).argmax())]
        counts[name] += 1
        names.append(name if counts[name] == 1 else _free_name(name, [*names, *photo.moving_names]))
        masks.append(mask)
    if not masks:
        raise InputError(
            "nothing moves: the velocity is zero in every region",
            expected="hints that do not cancel each other, or a motion field that is not zero",
        )
    return torch.stack(masks), names
