"""The looping scene of a lifted photo."""

from typing import Any

import fourfold
from fourfold.methods.mom.canvas import extend_canvas
from fourfold.methods.mom.config import MOMConfig
from fourfold.methods.mom.lift import EPS2D
from fourfold.methods.mom.loop import loop_motion
from fourfold.methods.mom.photo import Photo
from fourfold.methods.mom.state import State
from fourfold.scene import BACKGROUND, Scene, SceneObject, StaticMotion
from fourfold.training import to_plain

FILLED = "filled"
"""Name of the object that the photo does not show: what is hidden, or outside of it."""
FPS = 30.0
"""Frames per second in which hints count (3D-MOM)."""


def finish_scene(state: State, photo: Photo, config: MOMConfig) -> Scene:
    """Make the scene: what stands still, what was filled in, and each region in its loop.

    The photo's camera is the world. The loop's frames are all seen by it.
    """
    assert state.landscape is not None
    assert state.motion is not None
    assert state.lifted is not None
    canvas, motion = extend_canvas(photo.image, state.landscape, photo.camera), state.motion
    velocity = canvas.extend(motion.velocity)
    objects = [
        SceneObject(BACKGROUND, state.lifted.still, StaticMotion()),
        SceneObject(FILLED, state.lifted.filled, StaticMotion()),
    ]
    parts = zip(motion.names, motion.masks, state.lifted.moving, strict=True)
    for number, (name, mask, gaussians) in enumerate(parts):
        flow = loop_motion(canvas.extend(mask), velocity, canvas, config.loop, config.seed + number)
        objects.append(SceneObject(name, gaussians, flow))
    provenance: dict[str, Any] = {
        "method": "mom",
        "fourfold": fourfold.__version__,
        "config": to_plain(config),
        "depth": state.landscape.source,
        "regions": list(motion.report),
        "unused_hints": list(motion.unused_hints),
        "figures": dict(motion.figures),
    }
    return Scene(
        [item for item in objects if len(item.geometry)],
        [photo.camera] * config.loop.frames,
        fps=FPS,
        period=float(config.loop.frames),
        background_color=photo.image.mean((0, 1)),
        provenance=provenance,
        eps2d=EPS2D,
    )
