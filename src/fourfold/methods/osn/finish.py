"""The scene of a fit: bodies with their rigid motions, the corrected cameras, the set of scales."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import fourfold
from fourfold.capture import Capture
from fourfold.errors import ResultError
from fourfold.geometry import (
    Camera,
    interpolate_cameras,
    matrix_to_quaternion,
    upward_direction,
)
from fourfold.methods.osn.body import Fit
from fourfold.methods.osn.config import OSNConfig
from fourfold.methods.osn.footage import Footage, place_on_path
from fourfold.scene import (
    RigidMotion,
    ScaleSet,
    Scene,
    StaticMotion,
)
from fourfold.training import to_plain


@torch.no_grad()
def finish_scene(
    fit: Fit, footage: Footage, capture: Capture, scale_set: ScaleSet, config: OSNConfig
) -> Scene:
    """Make the scene of a fit. The world is the background's frame, every scale is 1 in it."""
    cameras = corrected_cameras(fit, footage)
    world_from_camera = torch.stack([camera.world_from_camera for camera in cameras])
    objects = []
    for index, (body, found) in enumerate(zip(fit.bodies, footage.bodies, strict=True)):
        motion, shown = StaticMotion(), torch.ones(footage.num_frames, dtype=torch.bool)
        if index:
            frames = list(found.frames)
            poses = torch.stack([world_from_camera[t] @ body.camera_from_object(t) for t in frames])
            motion = _rigid_motion(frames, poses)
            shown = footage.known[:, index]
        objects.append(body.scene_object(motion, shown, found.scale_range))
    provenance: dict[str, Any] = {
        "method": "osn",
        "fourfold": fourfold.__version__,
        "config": to_plain(config),
    }
    return Scene(
        objects,
        cameras,
        fps=capture.fps,
        up=upward_direction(cameras),
        background_color=footage.background_color,
        provenance=provenance,
        scale_set=scale_set,
    )


def corrected_cameras(fit: Fit, footage: Footage) -> list[Camera]:
    """Give the cameras with the background's corrections; others lie between their neighbours."""
    known = list(footage.bodies[0].frames)
    path = [footage.cameras[t].moved(fit.bodies[0].camera_from_object(t).detach()) for t in known]
    return [
        interpolate_cameras(path, place_on_path(known, frame))
        for frame in range(footage.num_frames)
    ]


def check_scales(scene: Scene) -> None:
    """Refuse a scene in which no combination of scales is valid.

    Raises:
        ResultError: there is none; it says how near the best one comes.
    """
    scale_set = scene.scale_set
    if scale_set is None or not scale_set.object_names:
        return
    best = scale_set.sample(1, torch.Generator().manual_seed(0))
    if not bool(best.valid.all()):
        raise ResultError(
            f"no combination of scales explains who hides whom. {best.note} Check masks and "
            "poses, or train with a lower --tau and --overwrite."
        )


def _rigid_motion(frames: list[int], poses: Float[Tensor, "T 4 4"]) -> RigidMotion:
    return RigidMotion(
        torch.tensor(frames, dtype=torch.float32),
        matrix_to_quaternion(poses[:, :3, :3]),
        poses[:, :3, 3],
        torch.zeros(len(frames)),
    )
