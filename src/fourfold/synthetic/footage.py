"""All pictures of a rigid stage: training frames, test views, and bodies alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.synthetic.exact_bodies import Seen
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.takes import Instant, Take, choose_tests, rigid_camera

_PICTURES = 1_000_000  # more than any stage needs: seeds of noise of two seeds never meet


@dataclass(frozen=True)
class Filming:
    """How a rigid stage is filmed: size in pixels, frames, light paths per pixel, seed."""

    width: int
    height: int
    frames: int
    samples: int
    seed: int

    def time(self, rigid: RigidStage, frame: int) -> float:
        """Give a frame's time in seconds; the frames are spread over the stage's duration."""
        return frame * rigid.stage.seconds / self.frames

    def camera(self, rigid: RigidStage, frame: int) -> Camera:
        """Give a frame's camera in the world."""
        return rigid_camera(rigid, self.time(rigid, frame), self.width, self.height)


@dataclass(frozen=True, eq=False)
class Footage:
    """What has been filmed.

    Attributes:
        cameras: of the training frames, in the world.
        world_from_object: (T, K, 4, 4) poses at the training frames, the background first.
        takes: of the training frames.
        tests: (view, time step) of the test views.
        test_takes: of the test views.
        test_layers: per test view (K, H, W, 3), the bodies alone.
    """

    cameras: list[Camera]
    world_from_object: Float[Tensor, "T K 4 4"]
    takes: list[Take]
    tests: list[tuple[int, int]]
    test_takes: list[Take]
    test_layers: list[Float[Tensor, "K H W 3"]]

    @property
    def seen(self) -> Seen:
        """What the training frames show."""
        labels = [take.labels for take in self.takes]
        return Seen(self.cameras, labels, [take.depth for take in self.takes])

    def moved(self, shift: Float[Tensor, "3"]) -> "Footage":
        """Give the same footage in a world whose points are shifted; the room stays its frame."""
        cameras, poses = [], self.world_from_object.clone()
        for camera in self.cameras:
            pose = camera.camera_from_world.clone()
            pose[:3, 3] -= pose[:3, :3] @ shift
            cameras.append(camera.moved(pose))
        poses[:, 1:, :3, 3] += shift
        return replace(self, cameras=cameras, world_from_object=poses)


def noise_seeds(seed: int) -> Iterator[int]:
    """Count up the seeds of the noise of all pictures of a stage: none is used twice."""
    return count(_PICTURES * seed)


def film(
    rigid: RigidStage, filming: Filming, seeds: Iterator[int], done: Callable[[], None]
) -> Footage:
    """Film training frames and test views; `done` is called after each picture."""
    frames = range(filming.frames)
    times = [filming.time(rigid, frame) for frame in frames]
    poses = torch.stack([_poses(rigid, time) for time in times])
    cameras = [filming.camera(rigid, frame) for frame in frames]
    tests = choose_tests(filming.frames)
    footage = Footage(cameras, poses, [], tests, [], [])
    for frame in frames:
        instant = Instant(rigid, times[frame], filming.samples)
        footage.takes.append(instant.take(cameras[frame], next(seeds)))
        done()
        # tests are in the order of their times
        for view, step in tests:
            if step == frame:
                take = instant.take(cameras[view], next(seeds))
                done()
                footage.test_takes.append(take)
                footage.test_layers.append(instant.bodies_alone(cameras[view], take, seeds, done))
    return footage


def _poses(rigid: RigidStage, time: float) -> Float[Tensor, "K 4 4"]:
    poses = np.concatenate((np.eye(4)[None], rigid.world_from_object(time)))
    return torch.from_numpy(poses)
