"""Drawing objects of any kind: Gaussians together, volumes together, one before the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fourfold.scene.loop_drawing import Shot, draw_loop, loops
from fourfold.scene.rendering import DEPTH_MIN_ALPHA, NextFrame, draw
from fourfold.scene.scene_object import SceneObject
from fourfold.scene.volume import VolumeObject
from fourfold.scene.volume_drawing import draw_volumes, put_over, volume_flow

FAINT = 1e-3
"""Of mixed kinds, also what is hardly there has its place before or behind the rest."""


def draw_objects(
    objects: Sequence[SceneObject | VolumeObject], shot: Shot, later: float
) -> dict[str, Tensor]:
    """Draw what is asked for, by name; see `fourfold.scene.rendering.draw`.

    Args:
        objects: in the order of the channels of "objects".
        shot: how; its `next_time` goes on steadily from its time.
        later: the same, within the period of a scene that loops.

    Raises:
        UsageError: flow of a volume whose matter changes.
    """
    gaussians = [item for item in objects if isinstance(item, SceneObject)]
    volumes = [item for item in objects if isinstance(item, VolumeObject)]
    if not volumes:
        return _draw_gaussians(gaussians, shot, later)
    both = replace(shot, asked=shot.asked | {"depth", "alpha", "objects"})
    if not gaussians:
        drawn = _draw_volumes(volumes, both, later)
    else:
        layers = [
            _draw_gaussians(gaussians, both, later, FAINT),
            _draw_volumes(volumes, both, later, FAINT),
        ]
        kinds = [isinstance(item, VolumeObject) for item in objects]
        layers = [_all_channels(layer, kinds, kind) for kind, layer in enumerate(layers)]
        drawn = put_over(layers, shot.background_color)
    return {name: drawn[name] for name in shot.asked}


def _draw_gaussians(
    objects: Sequence[SceneObject],
    shot: Shot,
    later: float,
    least_alpha: float = DEPTH_MIN_ALPHA,
) -> dict[str, Tensor]:
    if loops(objects):
        return draw_loop(objects, shot).outputs
    following = None
    if "flow" in shot.asked:
        following = NextFrame([item.means_at(later) for item in objects], shot.next_camera)
    return draw(
        [item.at(shot.time) for item in objects],
        shot.camera,
        shot.asked,
        background_color=shot.background_color,
        next_frame=following,
        eps2d=shot.eps2d,
        near=shot.near,
        least_alpha=least_alpha,
    ).outputs


def _draw_volumes(
    objects: Sequence[VolumeObject],
    shot: Shot,
    later: float,
    least_alpha: float = DEPTH_MIN_ALPHA,
) -> dict[str, Tensor]:
    drawn = draw_volumes(
        objects,
        shot.camera,
        shot.time,
        shot.asked - {"flow"},
        shot.background_color,
        least_alpha,
        shot.near,
    )
    if "flow" in shot.asked:
        times = (shot.time, later)
        drawn["flow"] = volume_flow(objects, shot.camera, drawn, times, shot.next_camera)
    return drawn


def _all_channels(layer: dict[str, Tensor], kinds: Sequence[bool], kind: int) -> dict[str, Tensor]:
    """Give a layer whose "objects" has a channel for each object of the scene."""
    shares = layer["objects"]
    own = [index for index, other in enumerate(kinds) if other == bool(kind)]
    channels = shares.new_zeros(*shares.shape[:2], len(kinds))
    channels[..., torch.tensor(own)] = shares
    return layer | {"objects": channels}
