"""The scene: objects that move, the cameras that filmed them, and how to draw it all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.geometry import Camera, interpolate_cameras
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.loop_drawing import Shot
from fourfold.scene.object_drawing import draw_objects
from fourfold.scene.rendering import EPS2D, NEAR, check_outputs
from fourfold.scene.scale_set import ScaleSet
from fourfold.scene.scaled_motion import ScaledMotion
from fourfold.scene.scene_object import SceneObject
from fourfold.scene.volume import VolumeObject

BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class Scene:
    """A dynamic scene, whichever method made it.

    `objects`, of Gaussians or volumes, in a fixed order, of which "background", if there is one,
    comes first; `cameras`,
    one per frame of the capture; `fps`; `period` in frames of a scene that loops, else None;
    `up` (3,), a direction of the world (by default that of an OpenCV camera held level);
    `background_color` (3,) in [0,1], seen where nothing is; `provenance`, JSON: method, config,
    versions; `normalization` (4,4), the similarity from the capture's world to the scene's;
    `scale_set`, which combinations of object scales explain the video, where that was found out;
    `eps2d`, the blur in pixels^2 that it is drawn with, see `fourfold.splat.rasterize`; `rig`, by
    name the cameras of a capture that has several, each as one camera per frame, or a single one
    that stands still; `near`, the distance within which nothing is drawn before a camera, where
    nothing is known of what is nearer than any camera had it.
    """

    objects: Sequence[SceneObject | VolumeObject]
    cameras: Sequence[Camera]
    fps: float = 30.0
    period: float | None = None
    up: Float[Tensor, " 3"] = field(default_factory=lambda: torch.tensor([0.0, -1.0, 0.0]))
    background_color: Float[Tensor, " 3"] = field(default_factory=lambda: torch.zeros(3))
    provenance: Mapping[str, Any] = field(default_factory=dict)
    normalization: Float[Tensor, "4 4"] = field(default_factory=lambda: torch.eye(4))
    scale_set: ScaleSet | None = None
    eps2d: float = EPS2D
    rig: Mapping[str, Sequence[Camera]] = field(default_factory=dict)
    near: float = NEAR

    def __post_init__(self) -> None:
        names = self.object_names
        if not names or not self.cameras:
            raise ValueError("a scene needs an object and a camera")
        if len(set(names)) != len(names):
            raise ValueError(f"two objects of one name among {', '.join(names)}")
        if BACKGROUND in names[1:]:
            raise ValueError("the background must come first among the objects")
        if not self.eps2d >= 0:
            raise ValueError(f"eps2d {self.eps2d} is negative")
        if not self.near > 0:
            raise ValueError(f"near {self.near} is not positive")
        if not self.fps > 0 or (self.period is not None and not self.period > 0):
            raise ValueError(f"fps {self.fps} and period {self.period} must be positive")
        for name, cameras in self.rig.items():
            if len(cameras) not in (1, self.num_frames):
                raise ValueError(
                    f"{len(cameras)} cameras for the {self.num_frames} frames of {name}"
                )
        if self.scale_set is not None:
            strangers = set(self.scale_set.object_names) - set(names)
            if strangers:
                raise ValueError(f"scales of {', '.join(sorted(strangers))}, which the scene lacks")

    @property
    def object_names(self) -> tuple[str, ...]:
        """The names of the objects, in their order."""
        return tuple(item.name for item in self.objects)

    @property
    def num_frames(self) -> int:
        """The number of frames of the capture."""
        return len(self.cameras)

    @property
    def num_gaussians(self) -> int:
        """The number of Gaussians of all objects together."""
        return sum(len(item.geometry) for item in self.gaussian_objects)

    @property
    def num_voxels(self) -> int:
        """The number of occupied voxels of all volumes together."""
        return sum(len(item.volume) for item in self.volume_objects)

    @property
    def gaussian_objects(self) -> list[SceneObject]:
        """The objects that are made of Gaussians."""
        return [item for item in self.objects if isinstance(item, SceneObject)]

    @property
    def volume_objects(self) -> list[VolumeObject]:
        """The objects that are volumes."""
        return [item for item in self.objects if isinstance(item, VolumeObject)]

    def object(self, name: str) -> SceneObject | VolumeObject:
        """Find an object by name.

        Raises:
            UsageError: no object of that name.
        """
        for item in self.objects:
            if item.name == name:
                return item
        raise UsageError(f"no object {name!r}", expected=" or ".join(self.object_names))

    def camera_at(self, time: float, view: str | None = None) -> Camera:
        """Give the capture's camera at `time`, between the frames too; see interpolate_cameras.

        `view` is the name of one of the rig's cameras.

        Raises:
            UsageError: no camera of that name.
        """
        if view is not None and view not in self.rig:
            raise UsageError(
                f"no camera {view!r}",
                expected=" or ".join(self.rig) or "none: the scene is of one camera",
            )
        cameras = self.cameras if view is None else self.rig[view]
        return interpolate_cameras(cameras, self._wrapped(time))

    def at(self, time: float, scales: Mapping[str, float] | None = None) -> list[Gaussians]:
        """Give what to draw at `time`: one set of Gaussians per object, in the world.

        `scales` by object name are factors about the capture's camera centre at that time: an
        object twice as far and twice as large looks the same in the video. Differentiable in
        geometry, appearance and motion.
        """
        return [item.at(self._wrapped(time)) for item in self._scaled(scales)]

    def with_scales(self, scales: Mapping[str, float]) -> Scene:
        """Give the scene with objects at other scales, as `at` understands them, by name.

        The cameras stay. Such a scene is drawn, followed and exported like any other, not saved.

        Raises:
            UsageError: an unknown object, or a scale that is not positive.
        """
        for name in scales:
            self.object(name)
        objects = [
            replace(item, motion=ScaledMotion(item.motion, self._center_at, scales[item.name]))
            if item.name in scales
            else item
            for item in self.objects
        ]
        return replace(self, objects=objects)

    def at_typical_scales(self) -> Scene:
        """Give the scene with objects at a typical valid combination of scales; see `ScaleSet`.

        Without a scale set it is the scene itself.
        """
        return self if self.scale_set is None else self.with_scales(self.scale_set.typical())

    def eps2d_for(self, camera: Camera) -> float:
        """Give the blur to draw with, in pixels^2: `eps2d`, and more where the picture is coarser.

        Gaussians as small as a pixel of the capture's camera would flicker in larger pixels.
        """
        finest = max(float(each.intrinsics[0, 0]) for each in self.cameras)
        coarse = min(float(camera.intrinsics[0, 0]) / finest, 1.0)
        return self.eps2d + max(EPS2D - self.eps2d, 0.0) * (1.0 - coarse**2)

    def render(
        self,
        camera: Camera,
        time: float,
        outputs: Iterable[str] = ("rgb",),
        scales: Mapping[str, float] | None = None,
        next_camera: Camera | None = None,
        next_time: float | None = None,
    ) -> dict[str, Tensor]:
        """Draw the scene as `camera` sees it at `time` (frames, fractions too).

        `outputs` of "rgb", "depth", "alpha", "objects", "flow", as `draw` in
        `fourfold.scene.rendering` describes them. Flow goes from `time` to `next_time`, one
        frame later by default, seen by `next_camera`, by default the same one. For `scales` see
        `at`. Differentiable in all tensors of the scene and in the camera pose.

        Raises:
            UsageError: an unknown output or object name.
        """
        time, ahead = self._wrapped(time), 1.0 if next_time is None else next_time - time
        shot = Shot(
            camera,
            time,
            camera if next_camera is None else next_camera,
            time + ahead,
            check_outputs(outputs),
            self.background_color,
            self.eps2d_for(camera),
            self.near,
        )
        return draw_objects(self._scaled(scales), shot, self._wrapped(time + ahead))

    def save(self, folder: str | Path) -> None:
        """Write the scene into a folder, whole or not at all; what was there is replaced.

        Raises:
            OutputError: it cannot be written.
            ResultError: the scene holds NaN or infinite numbers.
        """
        from fourfold.scene.saving import save_scene

        save_scene(self, folder)

    @staticmethod
    def load(folder: str | Path) -> Scene:
        """Read a scene that `save` wrote.

        Raises:
            InputError: no scene there, or a damaged one.
        """
        from fourfold.scene.saving import load_scene

        return load_scene(folder)

    def _center_at(self, time: float) -> Float[Tensor, " 3"]:
        return self.camera_at(time).position

    def _wrapped(self, time: float) -> float:
        return time if self.period is None else time % self.period

    def _scaled(self, scales: Mapping[str, float] | None) -> Sequence[SceneObject | VolumeObject]:
        return (self.with_scales(scales) if scales else self).objects
