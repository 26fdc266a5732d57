"""What an OSN capture knows beyond its input: true poses, scales, test views. For evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.capture.arrays import read_array
from fourfold.capture.bodies import RigidBody
from fourfold.capture.camera_alignment import fit_body, fit_camera_paths, move_camera
from fourfold.capture.cameras import read_json
from fourfold.capture.depths import DEFAULT_DEPTH_UNIT, DEPTH_SUFFIXES, read_depth
from fourfold.capture.label_maps import LABEL_SUFFIXES, read_label_map
from fourfold.capture.layers import read_layers
from fourfold.capture.names import list_files, match_frame
from fourfold.capture.osn_transforms import OsnPose, read_osn_transforms
from fourfold.capture.osn_views import TestView, find_test_views
from fourfold.capture.sizes import scale_depth
from fourfold.errors import InputError
from fourfold.geometry import Camera, invert_rigid

# Poses that differ by less are the same ones, rounded.
_SAME_POSE = 1e-4
_LAYER_SUFFIXES = frozenset({".npz"})


class RigidTruth:
    """The truth of a capture in OSN's layout, for the frames and the size in use.

    A method never sees it. Frames are counted among the selected ones. True units are those of
    the capture's `transforms_train.json`.
    """

    def __init__(
        self,
        folder: Path,
        frames: tuple[str, ...],
        known_frames: Sequence[str],
        sizes: tuple[tuple[int, int], tuple[int, int]],
        cameras: Sequence[Camera | None],
        bodies: tuple[RigidBody, ...],
        bodies_folder: Path | None,
    ) -> None:
        """Keep where the truth is; nothing is read.

        Args:
            folder: of the capture.
            frames: names of the selected frames.
            known_frames: names of all frames, in order.
            sizes: working and stored (width, height) of the frames.
            cameras: of the selected frames, in the capture's world.
            bodies: of the capture; () where it has none.
            bodies_folder: where they were read.
        """
        self.folder = folder
        self._frames = frames
        self._known = list(known_frames)
        self._size, self._stored_size = sizes
        self._cameras = cameras
        self._bodies = bodies
        self._bodies_folder = bodies_folder

    @cached_property
    def _meta(self) -> dict[str, Any]:
        file = self.folder / "truth" / "meta.json"
        return read_json(file) if file.is_file() else {}

    @property
    def depth_unit(self) -> float:
        """True units per count of 16-bit depths."""
        return float(self._meta.get("depth_unit", DEFAULT_DEPTH_UNIT))

    @cached_property
    def _poses(self) -> list[OsnPose]:
        transforms = read_osn_transforms(self.folder / "transforms_train.json")
        paired = transforms.by_picture("images_train", self._known)
        return [paired[frame] for frame in self._frames]

    @cached_property
    def world_from_camera(self) -> Float[Tensor, "T 4 4"]:
        """The poses of the cameras (OpenCV axes); true ones where the objects' poses are given."""
        return torch.stack([pose.world_from_camera for pose in self._poses])

    @cached_property
    def world_from_object(self) -> Float[Tensor, "T K 4 4"] | None:
        """The true poses of all bodies, the background first; None in real captures."""
        poses = [pose.world_from_object for pose in self._poses]
        stored = [pose for pose in poses if pose is not None]
        return torch.stack(stored) if len(stored) == len(poses) else None

    @cached_property
    def combinations(self) -> Float[Tensor, "M J"] | None:
        """Valid factors (M, K-1) of the objects over the video's own geometry; 1 is as filmed."""
        stored = self._meta.get("combinations")
        return None if stored is None else torch.tensor(stored, dtype=torch.float64)

    def true_from_bodies(self) -> tuple[Float[Tensor, "4 4"] | None, ...] | None:
        """Fit for each body the similarity from its frame and units to the true object's, float64.

        From the camera's path about the object (`fit_camera_paths`); None for a body about which
        the camera does not move, or that is registered in fewer than two frames.

        Returns:
            One per body; None where there are no bodies or no true poses.

        Raises:
            InputError: the truth has another number of bodies.
        """
        objects = self.world_from_object
        if objects is None or not self._bodies:
            return None
        if objects.shape[1] != len(self._bodies):
            raise InputError(
                f"the truth has {objects.shape[1]} bodies",
                path=self.folder / "transforms_train.json",
                expected=f"{len(self._bodies)}, as the capture",
            )
        true = invert_rigid(objects.double()) @ self.world_from_camera.double()[:, None]
        return tuple(fit_body(body, true[:, k]) for k, body in enumerate(self._bodies))

    def scales(self) -> Float[Tensor, "K"] | None:
        """Give the true units per unit of each body, float64; NaN for a body where unknown.

        true depth = scales[k] * depth of body k; the object's true scale beside the background's
        geometry is scales[k] / scales[0]. The median over the body's key points where true depths
        are stored: a lens that is slightly wrong bends a body, and the length of the camera's path
        about it then says something else. Otherwise fitted to the poses; where the camera does not
        move about a body, or there are no true poses, read from `scales_gt.npy` beside the bodies.

        Returns:
            None where neither is there.

        Raises:
            InputError: a file is damaged, or the truth has another number of bodies.
        """
        fits, stored = self.true_from_bodies(), self._stored_scales()
        if fits is None:
            return stored
        factors = [
            torch.nan if fit is None else float(torch.linalg.det(fit[:3, :3])) for fit in fits
        ]
        scales = torch.tensor(factors, dtype=torch.float64).pow(1 / 3)
        measured = torch.stack([self._measured_scale(body) for body in self._bodies])
        scales = measured.where(~measured.isnan(), scales)
        return scales if stored is None else scales.where(~scales.isnan(), stored)

    def _measured_scale(self, body: RigidBody) -> Float[Tensor, ""]:
        """Compare true depths with those of a body's key points; NaN where there are none."""
        width, height = self._size
        ratios = [torch.full((1,), torch.nan, dtype=torch.float64)]
        for frame in body.frames:
            depth, points = self.depth(frame), body.points.where(body.points.frames == frame)
            if depth is not None and len(points):
                x, y = points.pixels.long().unbind(1)
                true = depth[y.clamp(0, height - 1), x.clamp(0, width - 1)]
                ratios.append(true.double() / points.depths)
        return torch.cat(ratios).nanmedian()

    def _stored_scales(self) -> Float[Tensor, "K"] | None:
        if self._bodies_folder is None:
            return None
        file = self._bodies_folder / "depth" / "scales_gt.npy"
        if not file.is_file():
            return None
        return torch.from_numpy(read_array(file, (len(self._bodies),)).astype(np.float64))

    def labels(self, frame: int) -> Int[Tensor, "H W"] | None:
        """Read which body is truly seen in a training frame; None where not stored.

        Raises:
            InputError: the file is damaged.
        """
        path = self._file("segm_train", LABEL_SUFFIXES, frame)
        if path is None:
            return None
        labels = read_label_map(path, self._stored_size, self._frames[frame])
        return torch.from_numpy(scale_depth(labels, self._size))

    def depth(self, frame: int) -> Float[Tensor, "H W"] | None:
        """Read the true z of a training frame, NaN where unknown; None where not stored.

        Raises:
            InputError: the file is damaged.
        """
        path = self._file("depth_train", DEPTH_SUFFIXES, frame)
        if path is None:
            return None
        depth = read_depth(path, self._stored_size, self.depth_unit, self._frames[frame])
        return torch.from_numpy(np.ascontiguousarray(scale_depth(depth, self._size)))

    def layers(self, frame: int) -> Float[Tensor, "K H W"] | None:
        """Read the true z of each body alone in a training frame, also where it is hidden.

        Returns:
            True units, NaN where a body is not; None where not stored.

        Raises:
            InputError: the file is damaged.
        """
        path = self._file("truth/layers_train", _LAYER_SUFFIXES, frame)
        return None if path is None else read_layers(path, self.depth_unit, self._size)

    def _file(self, folder: str, suffixes: frozenset[str], frame: int) -> Path | None:
        place = self.folder / folder
        found = list_files(place, suffixes) if place.is_dir() else {}
        name = match_frame(self._frames[frame], frozenset(found))
        return None if name is None else found[name]

    def test_views(self, combination: int | None = None) -> tuple[TestView, ...]:
        """Give the views kept for testing whose time is that of a selected frame.

        In `indoor` a test view has the camera of another training frame, pose and lens taken from
        the capture's own path; elsewhere, and where that frame has no pose, the file's, aligned by
        a similarity.

        Args:
            combination: index into `combinations`, for the scene under it; None for the scene as
                filmed.

        Raises:
            InputError: files are missing or damaged, or the paths cannot be aligned.
        """
        file = self.folder / "transforms_test.json"
        if not file.is_file():
            return ()
        ratio = max(self._size) / max(self._stored_size)
        views = []
        found = find_test_views(self.folder, file, combination, self.depth_unit, ratio)
        for view, pose in found:
            frame = self._selected(pose.time_step)
            if frame is not None:
                camera = self._test_camera(view.camera, pose)
                views.append(replace(view, frame=frame, camera=camera))
        return tuple(views)

    def _selected(self, position: int) -> int | None:
        name = self._known[position] if 0 <= position < len(self._known) else None
        return self._frames.index(name) if name in self._frames else None

    def _test_camera(self, camera: Camera, pose: OsnPose) -> Camera:
        filmed = self._selected(pose.view)
        own = None if filmed is None else self._cameras[filmed]
        if own is not None and pose.world_from_object is not None:
            # the same camera took both: the lens that was found with the pose belongs to it
            return own.resized(camera.width, camera.height)
        similarity = self._capture_from_file
        return camera if similarity is None else move_camera(camera, similarity)

    @cached_property
    def _capture_from_file(self) -> Float[Tensor, "4 4"] | None:
        """The similarity from the test file's world to the capture's; None where they are one.

        The test file may hold the training frames too: those of a merged or stereo sequence.
        """
        filed_poses = self._filed_poses()
        posed = [
            (camera.world_from_camera, filed_poses[frame].world_from_camera)
            for camera, frame in zip(self._cameras, self._frames, strict=True)
            if camera is not None and frame in filed_poses
        ]
        if not posed:
            return None
        own, filed = (torch.stack(poses) for poses in zip(*posed, strict=True))
        if torch.allclose(filed, own, atol=_SAME_POSE):
            return None
        try:
            return fit_camera_paths(filed, own)
        except ValueError as error:
            raise InputError(
                f"the poses of the bodies and those of the file cannot be aligned ({error})",
                path=self.folder / "transforms_train.json",
            ) from error

    def _filed_poses(self) -> dict[str, OsnPose]:
        """Give the poses of training frames in the world of the test file, by name."""
        tests = read_osn_transforms(self.folder / "transforms_test.json")
        merged = {pose.name: pose for pose in tests.of_folder("images_train")}
        named = {frame: merged[frame] for frame in self._frames if frame in merged}
        return named or dict(zip(self._frames, self._poses, strict=True))
