"""What a motion is, and the one that stands still."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.fields.kinds import Kinds
from fourfold.scene.gaussians import Gaussians

# Every kind of motion by its name in saved scenes.
_KINDS: Kinds[Motion] = Kinds("motion")


@dataclass(frozen=True, eq=False)
class Motion(ABC):
    """A map from an object's canonical frame to the world, for every time.

    A subclass is a dataclass of tensors with a `kind`, by which saved scenes find it. Time is in
    frames. `binding` is what `bind` returned for the same points: motions that need none ignore
    it, motions that do compute it when it is not given.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        _KINDS.add(cls)

    @abstractmethod
    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        """Carry canonical Gaussians into the world at `time`.

        Differentiable in the Gaussians and in the motion's tensors.
        """

    @abstractmethod
    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        """Carry canonical points into the world at `time`. Differentiable like `apply`."""

    def similarity(self, time: float) -> Float[Tensor, "4 4"] | None:
        """Give the one similarity world_from_canonical at `time`; None where points differ."""
        return None

    def trajectory(
        self, points: Float[Tensor, "N 3"], times: Float[Tensor, " T"]
    ) -> Float[Tensor, "T N 3"]:
        """Follow canonical points through the world over `times`."""
        binding = self.bind(points)
        return torch.stack([self.move_points(points, time, binding) for time in times.tolist()])

    def bind(self, points: Float[Tensor, "N 3"]) -> Any:
        """Compute what depends on the canonical points alone, for use at many times."""
        return None

    def copies(self, time: float) -> Sequence[Motion]:
        """Give the motions whose pictures are blended to draw this one at `time`; itself, mostly.

        They go on steadily from `time`, where the motion itself may jump.
        """
        return (self,)

    def share(self, gaussians: Gaussians, time: float, binding: Any = None) -> Float[Tensor, " N"]:
        """Give how much each Gaussian counts where pictures of several copies are blended."""
        return gaussians.means.new_ones(len(gaussians))

    def narrow(self, binding: Any, keep: Int[Tensor, " M"]) -> Any:
        """Give what `bind` would return for some of the points, from what it returned for all."""
        return None

    def binding(self) -> tuple[Tensor, ...]:
        """Give the motion's tensors that `bind` depends on."""
        return ()

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that make up the motion, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def config(self) -> dict[str, Any]:
        """Give what a saved scene writes down about the motion beside its tensors."""
        return {"kind": self.kind}

    @staticmethod
    def restore(config: dict[str, Any], tensors: dict[str, Tensor]) -> Motion:
        """Rebuild a motion from its `config` and `tensors`.

        Raises:
            ValueError: an unknown kind, or tensors that do not make up that kind.
        """
        return _KINDS.build(config, tensors)


@dataclass(frozen=True, eq=False)
class StaticMotion(Motion):
    """No motion: the canonical frame is the world."""

    kind: ClassVar[str] = "static"

    def apply(self, gaussians: Gaussians, time: float, binding: Any = None) -> Gaussians:
        return gaussians

    def move_points(
        self, points: Float[Tensor, "N 3"], time: float, binding: Any = None
    ) -> Float[Tensor, "N 3"]:
        return points

    def similarity(self, time: float) -> Float[Tensor, "4 4"]:
        return torch.eye(4)
