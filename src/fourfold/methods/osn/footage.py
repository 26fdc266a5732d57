"""What a run is trained on, in memory: images, who is seen in each pixel, poses, key points."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import KDTree
from torch import Tensor

from fourfold.capture import Capture, RigidBody, require_one_view
from fourfold.errors import InputError
from fourfold.geometry import Camera, interpolate_cameras, invert_rigid

UNKNOWN = -1
"""Label of a pixel of which no registered body is known to be seen."""
SMALLEST_BODY = 4
"""Key points below which a body has no geometry to start from."""
MOST_DISAGREEMENT = 0.15
"""Median relative difference of depths, between frames, beyond which poses and lens cannot fit."""
NEARBY = 1.5
"""Pixels within which two key points are compared."""


@dataclass(frozen=True, eq=False)
class Footage:
    """Images (T,H,W,3) uint8; labels (T,H,W), the index of the body seen, or UNKNOWN.

    `bodies`, the background first; `cameras` (T), the background's, whose frame is the world.
    """

    images: UInt8[Tensor, "T H W 3"]
    labels: Int[Tensor, "T H W"]
    bodies: tuple[RigidBody, ...]
    cameras: tuple[Camera, ...]

    @property
    def num_frames(self) -> int:
        return len(self.images)

    @property
    def num_bodies(self) -> int:
        return len(self.bodies)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bodies, the background first."""
        return tuple(body.name for body in self.bodies)

    def image(self, frame: int) -> Float[Tensor, "H W 3"]:
        """Return a frame as float in [0,1]."""
        return self.images[frame].float() / 255

    @cached_property
    def known(self) -> Bool[Tensor, "T K"]:
        """In which frames each body is registered."""
        known = torch.zeros(self.num_frames, self.num_bodies, dtype=torch.bool)
        for index, body in enumerate(self.bodies):
            known[list(body.frames), index] = True
        return known

    @cached_property
    def poses(self) -> Float[Tensor, "K T 4 4"]:
        """camera_from_object of each body in each frame; the identity where it is not known."""
        poses = torch.eye(4).repeat(self.num_bodies, self.num_frames, 1, 1)
        for index, body in enumerate(self.bodies):
            for frame, pose in body.object_from_camera.items():
                poses[index, frame] = invert_rigid(pose.float())
        return poses

    @cached_property
    def background_color(self) -> Float[Tensor, " 3"]:
        """The mean colour of the background, which is shown where nothing is known."""
        shown = self.images[self.labels == 0]
        return shown.float().mean(0) / 255 if len(shown) else torch.zeros(3)

    @property
    def frames(self) -> list[int]:
        """The frames that are trained on: those in which the background is registered."""
        return torch.nonzero(self.known[:, 0])[:, 0].tolist()


def read_footage(capture: Capture) -> Footage:
    """Read the frames of a capture and what structure from motion knows about its bodies.

    Raises:
        InputError: several views, no bodies, one that has no key points, no pose or no pixels, or
            poses that contradict the key points.
    """
    require_one_view(capture)
    bodies = capture.bodies
    if not bodies:
        raise InputError(
            "nothing is known about the poses of its objects",
            path=capture.path,
            expected="OSN's layout, or bodies from structure from motion",
            mend="Run: fourfold prepare sfm CAPTURE --out DIR, then train with --bodies DIR",
        )
    for body in bodies:
        _check_body(body, capture)
    images = torch.stack(
        [(capture.image(t) * 255).round().to(torch.uint8) for t in range(capture.num_frames)]
    )
    labels = torch.stack([_labels(capture, bodies, t) for t in range(capture.num_frames)])
    footage = Footage(images, labels, tuple(bodies), _cameras(capture, bodies[0]))
    for index in range(footage.num_bodies):
        _check_seen(footage, index, capture)
    return footage


def _labels(capture: Capture, bodies: tuple[RigidBody, ...], frame: int) -> Int[Tensor, "H W"]:
    """Say which body is seen in each pixel; where masks overlap, nothing is known."""
    masks = capture.masks(frame)
    count = masks.sum(0)
    labels = torch.zeros(count.shape, dtype=torch.long)
    for index, mask in enumerate(masks):
        registered = frame in bodies[index + 1].object_from_camera
        labels[mask] = index + 1 if registered else UNKNOWN
    labels[count > 1] = UNKNOWN
    return labels


def _cameras(capture: Capture, background: RigidBody) -> tuple[Camera, ...]:
    """Give the camera of every frame; between registered frames it goes on smoothly."""
    known = list(background.frames)
    path = []
    for frame in known:
        camera = capture.camera(frame)
        if camera is None:
            raise InputError("the frame has no camera", path=capture.path, frame=frame)
        path.append(camera)
    return tuple(
        interpolate_cameras(path, place_on_path(known, frame))
        for frame in range(capture.num_frames)
    )


def place_on_path(known: list[int], frame: int) -> float:
    """Give the place of a frame on the path of the known ones, as a fraction of their indices.

    >>> [place_on_path([1, 2, 6], t) for t in (0, 1, 2, 3, 7)]
    [0.0, 0.0, 1.0, 1.25, 2.0]
    """
    before = max((i for i, t in enumerate(known) if t <= frame), default=0)
    after = min(before + 1, len(known) - 1)
    gap = known[after] - known[before]
    return before + (min(max(frame - known[before], 0) / gap, 1.0) if gap else 0.0)


def _check_body(body: RigidBody, capture: Capture) -> None:
    if not body.object_from_camera:
        raise InputError(f"'{body.name}' is registered in no frame", path=capture.path)
    if len(body.points) < SMALLEST_BODY:
        raise InputError(
            f"'{body.name}' has {len(body.points)} key points with depth",
            path=capture.path,
            expected=f"{SMALLEST_BODY} or more",
            mend="Leave the object out, or give its masks more texture or frames",
        )
    disagreement = depth_disagreement(body, capture)
    if disagreement > MOST_DISAGREEMENT:
        raise InputError(
            f"the key points of '{body.name}' contradict its poses: seen from another frame their "
            f"depths differ by {disagreement:.0%}",
            path=capture.path,
            expected=f"less than {MOST_DISAGREEMENT:.0%}",
            mend="Check the focal length of the capture, and that poses belong to these frames",
        )


def _check_seen(footage: Footage, index: int, capture: Capture) -> None:
    body = footage.bodies[index]
    frames = sorted(set(body.points.frames.tolist()) & set(body.frames))
    if not bool((footage.labels[frames] == index).any()):
        raise InputError(
            f"'{body.name}' has no pixel in any frame in which its pose and key points are known",
            path=capture.path,
            mend="Check that its masks and its poses belong to the same frames",
        )


def depth_disagreement(body: RigidBody, capture: Capture) -> float:
    """Measure how well a body's key points of one frame agree with those of the next, by depth.

    Own: each point is projected into the next registered frame; the median relative difference
    to the nearest key point there within NEARBY pixels. 0 where nothing can be compared.
    """
    differences = []
    frames = body.frames
    for frame, following in pairwise(frames):
        camera = capture.camera(frame)
        here = body.points.where(body.points.frames == frame)
        there = body.points.where(body.points.frames == following)
        if camera is None or not len(here) or not len(there):
            continue
        local = camera.directions(here.pixels) * here.depths[:, None]
        step = invert_rigid(body.object_from_camera[following]) @ body.object_from_camera[frame]
        moved = (local @ step[:3, :3].mT.float() + step[:3, 3].float()).double()
        in_front = moved[:, 2] > 0
        seen = moved[in_front] @ camera.intrinsics.double().mT
        pixels = seen[:, :2] / seen[:, 2:]
        found: Any = KDTree(there.pixels.numpy()).query(pixels.numpy())
        distance, nearest = map(torch.from_numpy, found)
        close = distance < NEARBY
        ratios = moved[in_front, 2][close] / there.depths.double()[nearest[close]]
        differences.append(ratios.log().abs())
    joined = torch.cat(differences) if differences else torch.zeros(0)
    return float(joined.median().expm1()) if len(joined) else 0.0
