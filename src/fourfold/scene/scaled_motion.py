"""A motion seen at another scale about the camera that filmed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.geometry import similarity_matrix
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.motion import Motion


@dataclass(frozen=True, eq=False)
class ScaledMotion(Motion):
    """A motion followed by a scale about the centre of the capture's camera at that time.

    `center` gives that centre (3,) in the world. It lives in memory only: what is saved is the
    scene and the scales.
    """

    kind: ClassVar[str] = "scaled"

    motion: Motion
    center: Callable[[float], Float[Tensor, " 3"]]
    scale: float

    def __post_init__(self) -> None:
        if not self.scale > 0.0:
            raise UsageError(f"the scale {self.scale} is not positive")

    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        return self.motion.apply(gaussians, time, binding).transformed(self._resize(time))

    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        center = self.center(time)
        moved = self.motion.move_points(points, time, binding)
        return center + self.scale * (moved - center)

    def similarity(self, time: float) -> Float[Tensor, "4 4"] | None:
        inner = self.motion.similarity(time)
        return None if inner is None else self._resize(time) @ inner

    def _resize(self, time: float) -> Float[Tensor, "4 4"]:
        center = self.center(time)
        turn = torch.eye(3, dtype=center.dtype, device=center.device)
        return similarity_matrix(self.scale, turn, center - self.scale * center)

    def bind(self, points: Float[Tensor, "N 3"]) -> Any:
        return self.motion.bind(points)

    def copies(self, time: float) -> Sequence[Motion]:
        return [replace(self, motion=copy) for copy in self.motion.copies(time)]

    def narrow(self, binding: Any, keep: Int[Tensor, " M"]) -> Any:
        return self.motion.narrow(binding, keep)

    def share(self, gaussians: Gaussians, time: float, binding: Any = None) -> Float[Tensor, " N"]:
        return self.motion.share(gaussians, time, binding)

    def binding(self) -> tuple[Tensor, ...]:
        return self.motion.binding()

    def tensors(self) -> dict[str, Tensor]:
        raise UsageError(
            "a scene at chosen scales is not saved", mend="Save the scene and keep the scales"
        )
