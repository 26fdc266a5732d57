"""The two parts of a scene that several cameras filmed: what stands still, and what moves."""

from dataclasses import replace

import torch

from fourfold.errors import UsageError
from fourfold.scene.scene import BACKGROUND, Scene

MOVING = "moving"
"""Name of the object that holds all that moves."""


def has_parts(scene: Scene) -> bool:
    """Say whether a scene is made of a still background and a part that moves."""
    return {BACKGROUND, MOVING} <= set(scene.object_names)


def still_part(scene: Scene) -> Scene:
    """Give a scene without what moves in it.

    Raises:
        UsageError: it is not made of a still and a moving part.
    """
    _check(scene)
    objects = [item for item in scene.objects if item.name != MOVING]
    return replace(scene, objects=objects, scale_set=None)


def moving_part(scene: Scene) -> Scene:
    """Give only what moves in a scene, before white.

    Raises:
        UsageError: it is not made of a still and a moving part.
    """
    _check(scene)
    white = torch.ones_like(scene.background_color)
    objects = [scene.object(MOVING)]
    return replace(scene, objects=objects, background_color=white, scale_set=None)


def _check(scene: Scene) -> None:
    if not has_parts(scene):
        raise UsageError(
            f"a still or moving part of a scene of {', '.join(scene.object_names)}",
            expected=f"a scene of {BACKGROUND} and {MOVING}, as mixvoxels makes it",
        )
