"""What a camera sees of a rigid stage, and everything that is true about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.synthetic.renderer import FilmedScene
from fourfold.synthetic.rigid import RigidStage
from fourfold.synthetic.stage import Stage, world_camera
from fourfold.synthetic.writing import encode_srgb

_MOST_TESTS = 12


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture, and what is seen in it.

    Attributes:
        image: (H, W, 3) sRGB in [0, 1], in steps of 1/255.
        labels: (H, W) index of the body seen at the pixel's centre, 0 for the background.
        depth: (H, W) z there, NaN where nothing is.
    """

    image: Float[Tensor, "H W 3"]
    labels: Int[Tensor, "H W"]
    depth: Float[Tensor, "H W"]


@dataclass(frozen=True, eq=False)
class Take(Shot):
    """A picture with what is hidden in it.

    Attributes:
        layers: (K, H, W) z of each body alone, the background first, NaN where it is absent.
    """

    layers: Float[Tensor, "K H W"]


def rigid_camera(rigid: RigidStage, time: float, width: int, height: int) -> Camera:
    """Build the camera of a time in the world, with the rays of OSN's pixels.

    OSN's pixel (u, v) looks along (u - W/2, v - H/2, f): half a pixel from the image's middle.
    """
    camera = world_camera(rigid.stage.viewpoint_at(time), width, height)
    shift = torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    return Camera(camera.camera_from_world, camera.intrinsics + shift, width, height)


class Instant:
    """A rigid stage at one time, to be filmed by any number of cameras."""

    def __init__(self, rigid: RigidStage, time: float, samples: int) -> None:
        self._samples = samples
        self._rigid, self._time = rigid, time
        self._whole = self._filmed(rigid.stage)
        self._alone = [self._filmed(rigid.alone(k)) for k in range(len(rigid.props) + 1)]

    def _filmed(self, stage: Stage) -> FilmedScene:
        return FilmedScene(stage, self._time)

    def take(self, camera: Camera, noise_seed: int) -> Take:
        """Photograph and survey the stage."""
        seen = shot(self._whole, camera, self._samples, noise_seed)
        layers = [scene.survey(camera)[0] for scene in self._alone]
        hidden = _unknown_without_depth(np.stack(layers))
        return Take(seen.image, seen.labels, seen.depth, hidden)

    def bodies_alone(
        self, camera: Camera, take: Take, noise_seeds: Iterator[int], done: Callable[[], None]
    ) -> Float[Tensor, "K H W 3"]:
        """Photograph each body alone, in the light of the stage; `done` is called after each.

        Where the body is seen in the take, its colour there, shadows included. Elsewhere as it
        looks in the room without the other objects; where the room hides it, without the room;
        black where it is absent.
        """
        images = []
        for body, layer in enumerate(take.layers):
            image = self._body(body, layer, camera, noise_seeds)
            image = torch.where(take.labels[..., None] == body, take.image, image)
            images.append(torch.where(layer[..., None].isnan(), 0.0, image))
            done()
        return torch.stack(images)

    def _body(
        self, body: int, layer: Float[Tensor, "H W"], camera: Camera, noise_seeds: Iterator[int]
    ) -> Float[Tensor, "H W 3"]:
        stage = self._rigid.stage
        if body == 0 or stage.glowing:
            return self._photograph(self._alone[body], camera, next(noise_seeds))
        scene = self._filmed(replace(stage, actors=stage.actors[body - 1 : body]))
        image = self._photograph(scene, camera, next(noise_seeds))
        hidden = torch.from_numpy(scene.survey(camera)[1] != 0) & ~layer.isnan()
        if hidden.any():
            alone = self._photograph(self._alone[body], camera, next(noise_seeds))
            image = torch.where(hidden[..., None], alone, image)
        return image

    def _photograph(
        self, scene: FilmedScene, camera: Camera, noise_seed: int
    ) -> Float[Tensor, "H W 3"]:
        return _stored(scene.photograph(camera, self._samples, noise_seed))


def shot(scene: FilmedScene, camera: Camera, samples: int, noise_seed: int) -> Shot:
    """Photograph and survey a scene."""
    image = _stored(scene.photograph(camera, samples, noise_seed))
    depth, actor = scene.survey(camera)
    return Shot(image, torch.from_numpy(actor + 1), _unknown_without_depth(depth))


def choose_tests(num_frames: int) -> list[tuple[int, int]]:
    """Choose test views: (view, time step), the camera of another training frame at a time.

    As OSN's synthetic data. At most 12, spread over the clip, by turns from a fifth of the clip
    later and earlier: far enough for other scales to look different.
    """
    count = min(_MOST_TESTS, num_frames)
    shift = max(1, round(num_frames / 5))
    pairs = []
    for index, step in enumerate(np.linspace(0, num_frames - 1, count).round().astype(int)):
        view = step + (shift if index % 2 == 0 else -shift)
        if not 0 <= view < num_frames:
            view = 2 * step - view
        pairs.append((int(np.clip(view, 0, num_frames - 1)), int(step)))
    return pairs


def _stored(linear: np.ndarray) -> Float[Tensor, "H W 3"]:
    return torch.from_numpy(encode_srgb(linear)).float() / 255.0


def _unknown_without_depth(depth: np.ndarray) -> Tensor:
    known = torch.from_numpy(depth).float()
    return torch.where(known > 0, known, torch.nan)
