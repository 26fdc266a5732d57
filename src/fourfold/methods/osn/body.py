"""What the method asks of a body and of a fit, whatever the bodies are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.scene import Motion, SceneObject, VolumeObject


class Drawing(NamedTuple):
    """Colours (H,W,3), the share of each drawn body in a pixel (H,W,B), alpha and z (H,W).

    z is that of the bodies at scale 1, in their own units. `indices` names the drawn bodies.
    """

    colors: Float[Tensor, "H W 3"]
    weights: Float[Tensor, "H W B"]
    alpha: Float[Tensor, "H W"]
    depth: Float[Tensor, "H W"]
    indices: tuple[int, ...]


class Body(ABC):
    """One body in its own frame, and its poses, as they are optimised."""

    name: str

    @abstractmethod
    def camera_from_object(self, frame: int) -> Float[Tensor, "4 4"]:
        """Give the pose in a frame, corrected where the method corrects poses."""

    @abstractmethod
    def draw_alone(self, camera: Camera, frame: int) -> Drawing:
        """Draw the body as if nothing else were there; its index in the drawing is 0."""

    @abstractmethod
    def draw_with(
        self,
        others: Sequence[Body],
        camera: Camera,
        frame: int,
        factors: Sequence[float],
        color: Float[Tensor, " 3"],
    ) -> Drawing:
        """Draw it with others of its kind; `factors`: its scale, then theirs. See `Fit`."""

    @abstractmethod
    def scene_object(
        self, motion: Motion, shown: Bool[Tensor, " T"], scale_range: tuple[float, float] | None
    ) -> SceneObject | VolumeObject:
        """Give what the scene keeps of it; it is hidden in frames in which it is not `shown`."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint needs to go on, nested."""


@dataclass(frozen=True, eq=False)
class Fit:
    """All that is optimised: bodies of one kind, the background first."""

    bodies: Sequence[Body]

    def draw_together(
        self,
        camera: Camera,
        frame: int,
        indices: Sequence[int],
        scales: Float[Tensor, " K"],
        color: Float[Tensor, " 3"],
    ) -> Drawing:
        """Draw some bodies, each enlarged by its scale (K, the background's 1) about the camera.

        Where nothing is, `color` is seen. Differentiable in the bodies.
        """
        first, *others = (self.bodies[index] for index in indices)
        factors = [float(scales[index]) for index in indices]
        drawing = first.draw_with(others, camera, frame, factors, color)
        return drawing._replace(indices=tuple(indices))

    def state(self) -> list[dict[str, Any]]:
        """Return everything that a checkpoint needs to go on, nested."""
        return [body.state() for body in self.bodies]
