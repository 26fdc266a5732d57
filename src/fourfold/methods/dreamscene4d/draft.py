"""A scene under construction: what the stages hand on to each other, and to checkpoints."""

from dataclasses import dataclass, field
from typing import Any

import torch

from fourfold.geometry import Camera
from fourfold.scene import Appearance, ControlNodeMotion, Gaussians, SceneObject


@dataclass(frozen=True)
class Draft:
    """The background, a camera per frame, and each object by its visible side only.

    ``notes`` (JSON) says what the report tells: where things came from, and what is undetermined.
    """

    background: Gaussians
    cameras: list[Camera]
    fronts: list[SceneObject]
    notes: dict[str, Any] = field(default_factory=dict)

    def tensors(self) -> dict[str, Any]:
        """Return all tensors, nested."""
        return {
            "background": self.background.tensors(),
            "cameras": torch.stack([camera.camera_from_world for camera in self.cameras]),
            "intrinsics": torch.stack([camera.intrinsics for camera in self.cameras]),
            "size": torch.tensor([self.cameras[0].width, self.cameras[0].height]),
            "fronts": {front.name: _object_tensors(front) for front in self.fronts},
        }

    @staticmethod
    def restore(tensors: dict[str, Any], notes: dict[str, Any]) -> "Draft":
        """Rebuild a draft from its tensors and notes. The objects keep the order of the notes."""
        width, height = tensors["size"].tolist()
        cameras = [
            Camera(pose, intrinsics, width, height)
            for pose, intrinsics in zip(tensors["cameras"], tensors["intrinsics"], strict=True)
        ]
        fronts = [_restore_object(name, tensors["fronts"][name]) for name in notes["objects"]]
        return Draft(Gaussians(**tensors["background"]), cameras, fronts, notes)


def control_nodes(front: SceneObject) -> ControlNodeMotion:
    """Return the motion of an object of a draft, which is always of this kind."""
    assert isinstance(front.motion, ControlNodeMotion)
    return front.motion


def _object_tensors(front: SceneObject) -> dict[str, Any]:
    assert front.appearance is not None
    return {
        "geometry": front.geometry.tensors(),
        "motion": front.motion.tensors(),
        "appearance": front.appearance.tensors(),
    }


def _restore_object(name: str, tensors: dict[str, Any]) -> SceneObject:
    return SceneObject(
        name,
        Gaussians(**tensors["geometry"]),
        ControlNodeMotion(**tensors["motion"]),
        Appearance(**tensors["appearance"]),
    )
