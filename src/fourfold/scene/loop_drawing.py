"""Drawing looping matter: a picture for each of its copies, blended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.geometry import Camera, project_points
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.loop_blending import BLEND_REACH, blend_pictures
from fourfold.scene.rendering import NEAR, Drawing, NextFrame, draw
from fourfold.scene.scene_object import SceneObject

# What matter that does not loop counts, and the background colour where nothing is, beside shares
# that sum to 1 where matter does: so little that still ground seen through a gap in one copy gives
# way to another copy.
_STILL_SHARE = 1e-3
# A copy of a smaller share is not drawn.
_LEAST_SHARE = 1e-4
# Matter is drawn within this many pixels of its centres, or is as large as its radius says.
_REACH = 4
# Side of the tiles that are blended at once, in pixels.
_TILE = 128


@dataclass(frozen=True)
class Shot:
    """What is drawn: camera and time, and both one frame later for the flow."""

    camera: Camera
    time: float
    next_camera: Camera
    next_time: float
    asked: frozenset[str]
    background_color: Float[Tensor, " 3"]
    eps2d: float
    near: float = NEAR


@dataclass(frozen=True)
class _Pass:
    """One picture: the Gaussians of each object, their shares and their next places."""

    parts: list[Gaussians]
    shares: list[Float[Tensor, " N"]]
    following: list[Float[Tensor, "N 3"]]

    def select(self, keep: Sequence[Bool[Tensor, " N"] | None]) -> _Pass:
        """Keep some Gaussians of each object, all where None."""

        def chosen(values, index):
            return [v if k is None else v[k] for v, k in zip(values, index, strict=True)]

        parts = [p if k is None else p.select(k) for p, k in zip(self.parts, keep, strict=True)]
        following = chosen(self.following, keep) if self.following else []
        return _Pass(parts, chosen(self.shares, keep), following)


def loops(objects: Sequence[SceneObject]) -> bool:
    """Tell whether one picture is not enough to draw the objects."""
    return any(len(item.motion.copies(0.0)) > 1 and len(item.geometry) for item in objects)


def draw_loop(objects: Sequence[SceneObject], shot: Shot) -> Drawing:
    """Draw like `draw`: each copy of looping matter with all else, and blend by their shares.

    The first picture is drawn whole, the others where looping matter is. The drawing's
    rasterisation is that of the first.
    """
    moving = [len(item.motion.copies(shot.time)) > 1 for item in objects]
    passes = _passes(objects, shot)
    first = _draw(passes[0], shot)
    if len(passes) == 1:
        first.outputs.pop("shares")
        return first
    areas = [_area(each, moving, shot.camera) for each in passes]
    others, still = [], _still(passes[0], moving, first, shot.camera)
    for each, area in zip(passes[1:], areas[1:], strict=True):
        others.append(_draw(each.select(still.near(area, moving)), shot))
    return _blend([first, *others], areas, shot.asked)


def _passes(objects: Sequence[SceneObject], shot: Shot) -> list[_Pass]:
    """Give what is in each picture, without what counts less than still matter does.

    Pictures in which nothing counts are left out.
    """
    copies = [item.motion.copies(shot.time) for item in objects]
    found = []
    for number in range(max(map(len, copies))):
        parts, shares, following, counts = [], [], [], False
        for item, motions in zip(objects, copies, strict=True):
            if len(motions) == 1:
                shown, share = (
                    item,
                    item.geometry.means.new_full((len(item.geometry),), _STILL_SHARE),
                )
            else:
                copy = motions[number % len(motions)]
                share = item.share_at(shot.time, copy)
                keep = torch.nonzero(share > _LEAST_SHARE)[:, 0]
                shown, share = item.copied(copy, keep), share[keep]
                counts = counts or len(keep) > 0
            parts.append(shown.at(shot.time))
            shares.append(share)
            if "flow" in shot.asked:
                following.append(shown.means_at(shot.next_time))
        if counts:
            found.append(_Pass(parts, shares, following))
    return found


def _draw(picture: _Pass, shot: Shot) -> Drawing:
    flow = "flow" in shot.asked
    return draw(
        picture.parts,
        shot.camera,
        shot.asked,
        background_color=shot.background_color,
        next_frame=NextFrame(picture.following, shot.next_camera) if flow else None,
        eps2d=shot.eps2d,
        near=shot.near,
        shares=torch.cat(picture.shares),
    )


def _area(picture: _Pass, moving: Sequence[bool], camera: Camera) -> Bool[Tensor, "H W"]:
    """Mark the pixels that looping matter may reach in a picture."""
    means = picture.parts[0].means
    area = torch.zeros(camera.height, camera.width, dtype=torch.bool, device=means.device)
    for part, looping in zip(picture.parts, moving, strict=True):
        if looping and len(part):
            pixels, depth = project_points(camera, part.means)
            marked = torch.zeros_like(area)
            x, y = pixels.detach().floor().long().unbind(-1)
            inside = (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
            marked[y[inside], x[inside]] = True
            area |= _grown(marked, _reach(part, depth, camera))
    return area


def _reach(part: Gaussians, depth: Float[Tensor, " N"], camera: Camera) -> int:
    """Give the pixels around its centres that matter is drawn in, by its middle axis."""
    axes = part.log_scales.detach()
    middle = axes.sum(-1) - axes.amax(-1) - axes.amin(-1)
    width = middle.exp() * float(camera.intrinsics[0, 0]) / depth.detach().clamp_min(NEAR)
    largest = float(width[depth > NEAR].amax()) if bool((depth > NEAR).any()) else 0.0
    return min(max(ceil(3.0 * largest), _REACH), max(camera.width, camera.height))


class _Still(NamedTuple):
    """Matter that does not loop: the pixel of each Gaussian, row by row, and if it is large."""

    pixels: Int[Tensor, " M"]
    large: Bool[Tensor, " M"]
    counts: list[int]

    def near(self, area: Bool[Tensor, "H W"], moving: Sequence[bool]) -> list[Tensor | None]:
        """Tell which Gaussians of each object are drawn in or beside an area; None for all."""
        near = self.large | _grown(area, _REACH).flatten()[self.pixels]
        parts = iter(near.split(self.counts))
        return [None if looping else next(parts) for looping in moving]


def _still(picture: _Pass, moving: Sequence[bool], drawn: Drawing, camera: Camera) -> _Still:
    """Find where matter that does not loop is in a picture that was drawn."""
    meta, counts = drawn.rasterization.meta, [len(part) for part in picture.parts]
    own = torch.repeat_interleave(~torch.tensor(moving), torch.tensor(counts)).to(meta.radii.device)
    x, y = meta.means2d.detach()[own].long().unbind(-1)
    x.clamp_(0, camera.width - 1)
    y.clamp_(0, camera.height - 1)
    still = [count for count, looping in zip(counts, moving, strict=True) if not looping]
    return _Still(y * camera.width + x, meta.radii[own] > _REACH, still)


def _blend(
    drawings: Sequence[Drawing], areas: Sequence[Bool[Tensor, "H W"]], asked: frozenset[str]
) -> Drawing:
    """Blend where the areas are; outside of its area a picture is the first one."""
    first = drawings[0]
    shares = [_shares(drawing) for drawing in drawings]
    blended = {name: first.outputs[name].clone() for name in asked}
    for box, within in _tiles(torch.stack(list(areas)).any(0)):
        own = [area[box] for area in areas]
        # the first picture is whole: everywhere one counts
        weights = [shares[0][box]] + [
            torch.where(area, share[box], 0.0)
            for area, share in zip(own[1:], shares[1:], strict=True)
        ]
        for name in asked:
            here = first.outputs[name][box]
            values = [here] + [
                torch.where(_like(area, here), drawing.outputs[name][box], here)
                for area, drawing in zip(own[1:], drawings[1:], strict=True)
            ]
            mixed = blend_pictures(values, weights) if name == "rgb" else _mean(values, weights)
            blended[name][box] = torch.where(_like(within, here), mixed, blended[name][box])
    return Drawing(blended, first.rasterization)


def _shares(drawing: Drawing) -> Float[Tensor, "H W"]:
    """Take out how much a picture counts: what it shows, and the background behind it."""
    return drawing.outputs.pop("shares") + _STILL_SHARE * (1.0 - drawing.rasterization.alpha)


def _like(mask: Bool[Tensor, "H W"], picture: Tensor) -> Tensor:
    return mask.view(mask.shape + (1,) * (picture.ndim - 2))


def _tiles(
    area: Bool[Tensor, "H W"],
) -> Iterator[tuple[tuple[slice, slice], Bool[Tensor, "h w"]]]:
    """Cut an area into tiles that stay in a core's cache while they are blended.

    Yields:
        a box, the tile and what blending looks at around it; the tile's part of the area in it.
    """
    height, width = area.shape
    for top, left in product(range(0, height, _TILE), range(0, width, _TILE)):
        tile = slice(top, top + _TILE), slice(left, left + _TILE)
        if bool(area[tile].any()):
            first = max(top - BLEND_REACH, 0), max(left - BLEND_REACH, 0)
            rows = slice(first[0], min(top + _TILE + BLEND_REACH, height))
            columns = slice(first[1], min(left + _TILE + BLEND_REACH, width))
            within = torch.zeros_like(area[rows, columns])
            inner = slice(top - first[0], top - first[0] + _TILE)
            across = slice(left - first[1], left - first[1] + _TILE)
            within[inner, across] = area[tile]
            yield (rows, columns), within


def _grown(area: Bool[Tensor, "H W"], pixels: int) -> Bool[Tensor, "H W"]:
    size = 2 * pixels + 1
    wide = cv2.dilate(area.cpu().numpy().astype(np.uint8), np.ones((size, size)))
    return torch.from_numpy(wide).to(area.device) > 0


def _mean(values: Sequence[Tensor], shares: Sequence[Float[Tensor, "H W"]]) -> Tensor:
    """Give the mean by shares of those pictures that know the pixel (depth is NaN elsewhere)."""
    stacked, weights = torch.stack(list(values)), torch.stack(list(shares))
    weights = weights.view(weights.shape + (1,) * (stacked.ndim - weights.ndim))
    weights = weights * stacked.isfinite()
    total = weights.sum(0)
    return torch.where(total > 0, (weights * stacked.nan_to_num()).sum(0) / total, torch.nan)
