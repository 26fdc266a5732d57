"""The capture: what was filmed, as views x frames with channels that are read when asked for."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.capture.bodies import KeyPoints, RigidBody
from fourfold.capture.colmap_model import find_model
from fourfold.capture.hints import Hint
from fourfold.capture.key_points import read_key_points
from fourfold.capture.landscape_truth import LandscapeTruth, is_landscape_truth
from fourfold.capture.names import natural_key
from fourfold.capture.regions import MOTION, region_kind
from fourfold.capture.rig_truth import RigTruth, is_rig_truth
from fourfold.capture.rigid_truth import RigidTruth
from fourfold.capture.sizes import (
    fit_size,
    ideal_camera,
    scale_depth,
    scale_field,
    scale_image,
    scale_mask,
    straighten,
)
from fourfold.capture.source import Source
from fourfold.capture.static_views import frames_as_views
from fourfold.capture.truth import Truth
from fourfold.capture.view_choice import ViewChoice
from fourfold.errors import InputError
from fourfold.geometry import Camera


class Capture:
    """What was filmed: views x frames, with channels; lazy, nothing is kept in memory.

    `open_capture` makes one. Frames and views are counted from 0; `frames` and `views` are their
    names. All channels have the working size, `width` x `height` for the first view.

    Attributes:
        path: what was opened.
        layout: name of the layout on disk.
        views, frames, object_names: names, in order.
        held_out_views: names of the views for tests, which no training may see.
        train_views: names of the views to train on; views that are in neither are not used.
        fps: frames per second of the selected frames; mean rate where it varies.
        fps_assumed: whether nothing says the frame rate.
        poses_from: of several cameras, which file has their poses and how it was read; else None.
        channels: of "image", "mask", "depth", "camera", "inpainted", "hint", "motion".
        notes: what a user should know about this input, sentences.
        truth: what a synthetic capture knows, None otherwise; for evaluation only.
    """

    def __init__(self, path: Path, source: Source, max_size: int) -> None:
        self.path = path
        self._source = source
        self._sizes = {view: fit_size(size, max_size) for view, size in source.sizes.items()}
        self.layout = source.layout
        self.views = source.views
        self.frames = source.frames
        self.object_names = source.objects
        self.train_views, self.held_out_views = _split_views(source)
        self.fps = source.fps
        self.fps_assumed = source.fps_assumed
        self.poses_from = source.poses_from
        self.notes = source.notes

    @property
    def num_frames(self) -> int:
        """How many frames there are (those selected)."""
        return len(self.frames)

    @property
    def width(self) -> int:
        """The width of the first view, in pixels."""
        return self.size(0)[0]

    @property
    def height(self) -> int:
        """The height of the first view, in pixels."""
        return self.size(0)[1]

    def size(self, view: int = 0) -> tuple[int, int]:
        """Return the working (width, height) of a view."""
        return self._sizes[self.views[view]]

    def stored_size(self, view: int = 0) -> tuple[int, int]:
        """Return the (width, height) that a view has on disk, upright."""
        return self._source.sizes[self.views[view]]

    @cached_property
    def channels(self) -> frozenset[str]:
        """Which channels at least one frame has."""
        source = self._source
        present = {
            "image": source.images,
            "mask": source.masks,
            "depth": source.depth,
            "camera": source.cameras,
            "inpainted": source.inpainted,
            "hint": source.hints,
            "motion": source.motion_field,
        }
        return frozenset(name for name, entries in present.items() if entries)

    def has(self, channel: str) -> bool:
        """Say whether at least one frame has the channel."""
        return channel in self.channels

    @property
    def timestamps(self) -> Float[Tensor, "T"]:
        """The time of each frame in seconds, 0 at the first selected one; float64."""
        return torch.tensor(self._source.timestamps, dtype=torch.float64)

    def image(self, frame: int, view: int = 0) -> Float[Tensor, "H W 3"]:
        """Read a frame: float32 in [0, 1], sRGB as stored; transparent parts on white.

        Raises:
            InputError: the file is damaged.
        """
        key = self._key(frame, view)
        image = self._source.images[key]()
        if "image" not in self._source.prescaled:
            image = self._fitting(image, key, "picture")
            image = scale_image(self._straight(image, key), self.size(view))
        return torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).clamp_(0, 1)

    def masks(self, frame: int, view: int = 0) -> Bool[Tensor, "K H W"]:
        """Read the masks of all objects; K is 0 when there are none, an absent object is empty.

        Raises:
            InputError: a file is damaged or of another size, or only other views have masks.
        """
        width, height = self.size(view)
        if not self.object_names:
            return torch.zeros(0, height, width, dtype=torch.bool)
        key = self._key(frame, view)
        if key not in self._source.masks:
            raise InputError(
                f"the view {key[0]} has no masks", path=self.path, frame=key[1], expected="masks"
            )
        stored = self._source.masks[key]()
        if "mask" in self._source.prescaled:
            return torch.from_numpy(stored)
        stored = self._fitting(stored, key, "mask")
        return torch.from_numpy(np.stack([self._small_mask(mask, key) for mask in stored]))

    def depth(self, frame: int, view: int = 0) -> Float[Tensor, "H W"] | None:
        """Read depth: z along the camera axis in scene units, NaN where unknown; None if absent.

        Raises:
            InputError: the file is damaged, holds no depth, or is of another aspect.
        """
        key = self._key(frame, view)
        if key not in self._source.depth:
            return None
        depth = self._source.depth[key]()
        stored = self._source.sizes[key[0]]
        camera = self._source.cameras.get(key)
        if camera is not None and camera.distortion is not None:
            depth = straighten(scale_depth(depth, stored), camera, nearest=True)
        return torch.from_numpy(np.ascontiguousarray(scale_depth(depth, self.size(view))))

    def inpainted(
        self, frame: int, object_index: int
    ) -> tuple[Float[Tensor, "H W 3"], Bool[Tensor, "H W"]] | None:
        """Read the frame with what hides the object taken away, and the object's whole mask.

        Returns:
            Image and amodal mask, or None where the capture does not bring them.

        Raises:
            InputError: a file is damaged or of another size.
        """
        key = self._key(frame, 0)
        pair = self._source.inpainted.get((self.object_names[object_index], key[1]))
        if pair is None:
            return None
        image = scale_image(self._straight(pair[0](), key), self.size())
        mask = self._small_mask(pair[1](), key)
        return torch.from_numpy(np.ascontiguousarray(image)).clamp_(0, 1), torch.from_numpy(mask)

    @cached_property
    def hints(self) -> tuple[Hint, ...]:
        """The arrows drawn on a photo, in working pixels; () for other captures."""
        stored = self.stored_size()
        factors = self.width / stored[0], self.height / stored[1]
        return tuple(hint.resized(*factors) for hint in self._source.hints)

    def motion_field(self) -> Float[Tensor, "H W 2"] | None:
        """Read a photo's dense motion: working pixels per frame at 30 per second; None if absent.

        It is 0 outside the moving regions.
        """
        if self._source.motion_field is None:
            return None
        field = torch.from_numpy(scale_field(self._source.motion_field(), self.size()))
        kinds = [region_kind(name) for name in self.object_names]
        moving = self.masks(0)[[kind == MOTION for kind in kinds]].any(0)
        return field * moving[..., None]

    def camera(self, frame: int, view: int = 0) -> Camera | None:
        """Return the camera in working pixels, without distortion; None where unknown."""
        key = self._key(frame, view)
        stored = self._source.cameras.get(key)
        if stored is None or key in self._source.unposed:
            return None
        return ideal_camera(stored).resized(*self.size(view))

    def bounds(self, view: int = 0) -> tuple[float, float] | None:
        """Return the depths in world units between which a view's scene lies; None if unknown."""
        return self._source.bounds.get(self.views[view])

    def as_views(self) -> Capture:
        """Return the capture as many views of one frame: a still scene, filmed by a moving camera.

        Every eighth view is held out where the user names none. A capture with several views is
        returned as it is.

        Raises:
            InputError: fewer than two frames have a camera.
        """
        if len(self.views) > 1:
            return self
        source = frames_as_views(self._source, self.path)
        return Capture(self.path, source, max(self.size()))

    def key_points(self, view: int = 0) -> KeyPoints | None:
        """Return the key points of a COLMAP model in the capture's folder; None where none is.

        In working pixels, with depths in world units; see `read_key_points`. A view without key
        points has an empty set.

        Raises:
            InputError: the model is damaged, or of other cameras.
        """
        if self._key_points is None:
            return None
        return self._key_points.get(self.views[view], KeyPoints.none())

    @cached_property
    def _key_points(self) -> dict[str, KeyPoints] | None:
        if not self.path.is_dir() or find_model(self.path) is None:
            return None
        return read_key_points(self.path, self.posed_views(0))

    def posed_frames(self, view: int = 0) -> list[int]:
        """Return the frames in which a view's camera is known."""
        return [t for t in range(self.num_frames) if self.camera(t, view) is not None]

    def posed_views(self, frame: int) -> dict[str, Camera]:
        """Return the cameras of a frame by view, without those that are unknown."""
        found = {name: self.camera(frame, view) for view, name in enumerate(self.views)}
        return {name: camera for name, camera in found.items() if camera is not None}

    def image_file(self, frame: int, view: int = 0) -> Path | None:
        """Return the picture file that a frame is read from; None where it is part of another."""
        return self._source.image_files.get(self._key(frame, view))

    @cached_property
    def areas(self) -> Int[Tensor, "T K"]:
        """The pixels that each object's mask covers in each frame of the first view.

        Reads all its masks once.

        Raises:
            InputError: a mask is damaged or of another size.
        """
        return torch.stack([self.masks(t).sum((1, 2)) for t in range(self.num_frames)])

    @cached_property
    def bodies(self) -> tuple[RigidBody, ...]:
        """The rigid bodies, the background first, then the objects in order; () where unknown.

        Their key points are in working pixels, and their frames count the selected ones. The
        capture's cameras are the background's.
        """
        stored = self.stored_size()
        factors = self.width / stored[0], self.height / stored[1]
        return tuple(body.resized(*factors) for body in self._source.bodies)

    @cached_property
    def truth(self) -> Truth | None:
        """What a synthetic capture knows about its scene; None for real ones."""
        folder = self._source.truth_folder
        if folder is None or is_landscape_truth(folder) or is_rig_truth(folder):
            return None
        return Truth(folder, self.frames, self.size())

    @cached_property
    def landscape_truth(self) -> LandscapeTruth | None:
        """What a synthetic photo knows about its landscape; None for others."""
        folder = self._source.truth_folder
        if folder is None or not is_landscape_truth(folder):
            return None
        return LandscapeTruth(folder, self.size())

    @cached_property
    def rig_truth(self) -> RigTruth | None:
        """What a synthetic rig knows about its scene; None for others."""
        folder = self._source.truth_folder
        if folder is None or not is_rig_truth(folder):
            return None
        return RigTruth(folder, self.views, self.frames, self._sizes)

    @cached_property
    def rigid_truth(self) -> RigidTruth | None:
        """What a capture in OSN's layout knows beyond its input; None for others."""
        source = self._source
        if source.rigid_truth_folder is None:
            return None
        return RigidTruth(
            source.rigid_truth_folder,
            self.frames,
            sorted(source.known_frames, key=natural_key),
            (self.size(), self.stored_size()),
            [self.camera(frame) for frame in range(self.num_frames)],
            self.bodies,
            source.bodies_folder,
        )

    def fingerprint(self) -> str:
        """Return a hash over the files (names, sizes, times of change), frames and working size.

        Two captures with the same fingerprint are the same input; moving the folder keeps it.
        """
        digest = hashlib.sha256()
        base = self.path if self.path.is_dir() else self.path.parent
        for file in sorted(set(self._source.files)):
            state = file.stat()
            name = file.relative_to(base) if file.is_relative_to(base) else Path(file.name)
            line = f"{name.as_posix()} {state.st_size} {state.st_mtime_ns}\n"
            digest.update(line.encode())
        rest = (
            self.layout,
            self.views,
            self.frames,
            self.object_names,
            sorted(self._sizes.items()),
        )
        digest.update(repr((*rest, *self._source.settings)).encode())
        if self._source.view_choice != ViewChoice():
            digest.update(repr(self._source.view_choice).encode())
        return digest.hexdigest()[:32]

    def __repr__(self) -> str:
        size = f"{self.width}x{self.height}"
        counts = (
            f"{len(self.views)} views, {self.num_frames} frames, {len(self.object_names)} objects"
        )
        return f"Capture({self.path}, {self.layout}, {counts}, {size})"

    def _key(self, frame: int, view: int) -> tuple[str, str]:
        return self.views[view], self.frames[frame]

    def _straight(self, values: np.ndarray, key: tuple[str, str]) -> np.ndarray:
        camera = self._source.cameras.get(key)
        return values if camera is None else straighten(values, camera)

    def _small_mask(self, mask: np.ndarray, key: tuple[str, str]) -> np.ndarray:
        camera = self._source.cameras.get(key)
        if camera is not None and camera.distortion is not None:
            mask = straighten(mask.astype(np.float32), camera) > 0.5
        return scale_mask(mask, self._sizes[key[0]])

    def _fitting(self, values: np.ndarray, key: tuple[str, str], what: str) -> np.ndarray:
        """Refuse what has changed its size since the capture was opened."""
        width, height = self._source.sizes[key[0]]
        found = values.shape[-2:] if what == "mask" else values.shape[:2]
        if found != (height, width):
            raise InputError(
                f"the {what} is {found[1]}x{found[0]} pixels",
                path=self.path,
                frame=key[1],
                expected=f"{width}x{height}",
            )
        return values


def _split_views(source: Source) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the views to train on and those held out; a single view does the one, and not both."""
    choice = source.view_choice
    if len(source.views) == 1:
        choice.split(source.frames, ())  # its frames are what the user may name
        return source.views, ()
    return choice.split(source.views, source.held_out_views)
