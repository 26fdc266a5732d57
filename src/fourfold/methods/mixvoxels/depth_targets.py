"""Depths to be guided by: a still model's, key points', or maps'."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture import KeyPoints, read_key_points
from fourfold.capture.depths import read_depth
from fourfold.capture.key_points import MOST_WEIGHT
from fourfold.errors import InputError, UsageError
from fourfold.geometry import Camera, project_points
from fourfold.methods.mixvoxels.config import MixVoxelsConfig
from fourfold.methods.mixvoxels.depth_source import (
    STATIC,
    SWEEP,
    find_maps,
    find_points,
    load_still_model,
    names_model,
)
from fourfold.methods.mixvoxels.footage import Footage
from fourfold.methods.mixvoxels.gaussian_depth import sweep_depths
from fourfold.methods.mixvoxels.shots import read_shots
from fourfold.scene import Scene
from fourfold.training import Progress

AGREEMENT = 0.02
"""Two cameras agree on a surface when their depths differ by less than this share."""
SAME_POSE = 1e-3
"""A still model's camera is the capture's when its matrix differs by less than this share."""


@dataclass(frozen=True)
class DepthTargets:
    """Places in pictures whose depth is known, P of them.

    `views` as in `Footage`; `pixels` (x, y), centres at +0.5; `depths` z; `stds` of the depth;
    `confidences` in 0 to 1. `scattered`: they are of key points here and there, not of maps.
    """

    views: Int[Tensor, " P"]
    pixels: Float[Tensor, "P 2"]
    depths: Float[Tensor, " P"]
    stds: Float[Tensor, " P"]
    confidences: Float[Tensor, " P"]
    scattered: bool = False

    def __len__(self) -> int:
        return len(self.views)

    def select(self, keep: Tensor) -> DepthTargets:
        """Keep some of them."""
        return DepthTargets(
            self.views[keep],
            self.pixels[keep],
            self.depths[keep],
            self.stds[keep],
            self.confidences[keep],
            self.scattered,
        )


def read_depth_targets(
    footage: Footage,
    config: MixVoxelsConfig,
    changing: list[Bool[Tensor, "H W"]],
    say: Callable[[str], None] = lambda note: None,
) -> DepthTargets | None:
    """Read what `--depth` names, at pixels that do not change; None if it names nothing.

    `say` is told which cameras have no depths.

    Raises:
        InputError: it is not there, or does not fit the capture's cameras.
        UsageError: it names no kind of depth.
    """
    source = config.depth
    if not source:
        return None
    if source.startswith(STATIC):
        found = _of_still_model(footage, Path(source.removeprefix(STATIC)), config)
    elif source == SWEEP:
        found = _of_sweep(footage, config)
    elif names_model(source):
        found = _of_key_points(footage, find_points(source, footage.capture), config)
    else:
        found = _of_maps(footage, Path(source), config)
    kept = found.select(_at_rest(found, changing))
    without = set(range(footage.num_views)) - set(kept.views.tolist())
    if len(kept) and without:
        names = ", ".join(footage.capture.views[footage.views[view]] for view in sorted(without))
        say(f"--depth says nothing of {names}")
    if not len(kept):
        raise InputError(
            f"--depth {source} gives no depth at a pixel that stands still",
            path=footage.capture.path,
            mend="Give other depths, or none",
        )
    return kept


def _at_rest(targets: DepthTargets, changing: list[Bool[Tensor, "H W"]]) -> Bool[Tensor, " P"]:
    keep = torch.zeros(len(targets), dtype=torch.bool)
    for view, mask in enumerate(changing):
        own = targets.views == view
        x, y = targets.pixels[own].long().unbind(1)
        x, y = x.clamp(0, mask.shape[1] - 1), y.clamp(0, mask.shape[0] - 1)
        keep[own] = ~mask[y, x]
    return keep


def _join(parts: list[DepthTargets]) -> DepthTargets:
    names = ("views", "pixels", "depths", "stds", "confidences")
    joined = [torch.cat([getattr(part, name) for part in parts]) for name in names]
    return DepthTargets(*joined, scattered=parts[0].scattered)


def _of_map(
    view: int,
    camera: Camera,
    depth: Float[Tensor, "h w"],
    confidence: Float[Tensor, "h w"] | None,
    std: float,
) -> DepthTargets:
    """Take the middle of every pixel of a map, which may be smaller than the picture."""
    known = torch.isfinite(depth) & (depth > 0)
    if confidence is not None:
        known &= confidence > 0
    values, (height, width) = depth[known], depth.shape
    stretch = torch.tensor([camera.width / width, camera.height / height])
    pixels = camera.resized(width, height).pixel_grid() * stretch
    return DepthTargets(
        torch.full((len(values),), view),
        pixels[known],
        values,
        std * values,
        torch.ones_like(values) if confidence is None else confidence[known],
    )


def _of_sweep(footage: Footage, config: MixVoxelsConfig) -> DepthTargets:
    """Sweep planes through the training cameras themselves; see `sweep_depths`."""
    shots = read_shots(footage)
    with Progress(shots.num_views, "sweeping depths") as bar:
        depths = sweep_depths(shots, bar)
    cameras = [row[0] for row in footage.cameras]
    return _join(
        [
            _of_map(view, camera, depth, None, config.depth_loss.std)
            for view, (camera, depth) in enumerate(zip(cameras, depths, strict=True))
        ]
    )


def _of_maps(footage: Footage, folder: Path, config: MixVoxelsConfig) -> DepthTargets:
    """Read a map of each camera that has one."""
    names = [footage.capture.views[view] for view in footage.views]
    maps, parts = find_maps(folder, names), []
    for index, (name, row) in enumerate(zip(names, footage.cameras, strict=True)):
        if name in maps:
            depth = torch.from_numpy(read_depth(maps[name], (row[0].width, row[0].height)))
            parts.append(_of_map(index, row[0], depth, None, config.depth_loss.std))
    return _join(parts)


def _of_key_points(footage: Footage, model: Path, config: MixVoxelsConfig) -> DepthTargets:
    """Take the key points of a COLMAP model, less sure where they are reprojected badly.

    Only points that at least two cameras see of those that are not held out.
    After DS-NeRF (Deng et al. 2022): the confidence is its weight, and the depth is as uncertain
    as the reprojection error is large.
    """
    capture = footage.capture
    names = [capture.views[view] for view in footage.views]
    cameras = capture.posed_views(footage.frames[0])
    having_say = [name for name in capture.views if name not in capture.held_out_views]
    points = read_key_points(model, cameras, having_say)
    found = [points.get(name, KeyPoints.none()) for name in names]
    parts = []
    for index, keys in enumerate(found):
        if not len(keys):
            continue
        ratio = keys.errors / keys.errors.mean().clamp_min(1e-6)
        parts.append(
            DepthTargets(
                torch.full((len(keys.depths),), index),
                keys.pixels,
                keys.depths,
                config.depth_loss.std * keys.depths * ratio.clamp(0.5, 3.0),
                keys.weights / MOST_WEIGHT,
                scattered=True,
            )
        )
    if not parts:
        raise InputError(
            "no training camera has a key point",
            path=model,
            expected="points that a training camera and another one see",
        )
    return _join(parts)


def _of_still_model(footage: Footage, run: Path, config: MixVoxelsConfig) -> DepthTargets:
    """Draw a still model's depth in the training cameras, trusted where its cameras agree.

    Own: each place is looked at from the other cameras of the model's rig; its confidence is the
    share of those in whose picture it lies that have a surface there, times its alpha.
    """
    scene = load_still_model(run)
    names = [footage.capture.views[view] for view in footage.views]
    peeked = set(scene.provenance.get("trained_views", ())) & set(footage.capture.held_out_views)
    if peeked:
        raise UsageError(
            f"the still model was trained on {', '.join(sorted(peeked))}, held out here",
            path=run,
            mend="Train it with the same --test-cameras",
        )
    for name, row in zip(names, footage.cameras, strict=True):
        _require_same_camera(scene, name, row[0], run)
    drawn = {name: _draw_depth(scene, cameras[0]) for name, cameras in scene.rig.items()}
    parts = []
    for index, name in enumerate(names):
        camera, (depth, alpha) = scene.rig[name][0], drawn[name]
        others = [(scene.rig[key][0], drawn[key][0]) for key in drawn if key != name]
        confidence = alpha * _agreement(camera, depth, others)
        own = footage.cameras[index][0]
        parts.append(_of_map(index, own, depth, confidence, config.depth_loss.std))
    return _join(parts)


def _require_same_camera(scene: Scene, name: str, camera: Camera, run: Path) -> None:
    known = scene.rig.get(name)
    if known is None:
        raise InputError(
            f"the still model knows no camera {name}", path=run, expected=", ".join(scene.rig)
        )
    ours, theirs = camera.camera_from_world, known[0].camera_from_world
    if not torch.allclose(ours, theirs, rtol=0.0, atol=SAME_POSE * float(theirs.abs().max())):
        raise InputError(
            f"the still model's camera {name} stands elsewhere",
            path=run,
            expected="a model of the same cameras in the same world",
        )


def _draw_depth(scene: Scene, camera: Camera) -> tuple[Float[Tensor, "H W"], Float[Tensor, "H W"]]:
    with torch.no_grad():
        drawn = scene.render(camera, 0.0, ("depth", "alpha"))
    return drawn["depth"], drawn["alpha"]


def _agreement(
    camera: Camera,
    depth: Float[Tensor, "H W"],
    others: list[tuple[Camera, Float[Tensor, "H W"]]],
) -> Float[Tensor, "H W"]:
    """Give the share of the other cameras that have a surface where this one has it."""
    pose = camera.world_from_camera
    seen = camera.directions(camera.pixel_grid()) * depth.unsqueeze(-1)
    points = (seen @ pose[:3, :3].T + pose[:3, 3]).reshape(-1, 3)
    asked, agree = torch.zeros(len(points)), torch.zeros(len(points))
    for other, surface in others:
        pixels, z = project_points(other, points)
        x, y = pixels.floor().nan_to_num(-1.0).long().unbind(1)
        inside = (z > 0) & (x >= 0) & (x < other.width) & (y >= 0) & (y < other.height)
        found = surface[y.clamp(0, other.height - 1), x.clamp(0, other.width - 1)]
        visible = inside & torch.isfinite(found) & (z < found * (1.0 + AGREEMENT))
        asked += visible
        agree += visible & (z > found * (1.0 - AGREEMENT))
    # nobody else sees it: half as sure
    share = torch.where(asked > 0, agree / asked.clamp_min(1.0), torch.full_like(asked, 0.5))
    return share.reshape(depth.shape)
