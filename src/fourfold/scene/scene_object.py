"""A thing in the scene: what it is made of and how it moves."""

from dataclasses import dataclass, field, replace
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from fourfold.scene.appearance import Appearance
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.motion import Motion


@dataclass(frozen=True, eq=False)
class SceneObject:
    """A named geometry in its canonical frame, its motion, and perhaps a changing appearance.

    `scale_range` (lowest, highest) is the range of factors about the camera centre in which the
    object still explains what was filmed; None where it is not known.
    """

    name: str
    geometry: Gaussians
    motion: Motion
    appearance: Appearance | None = None
    scale_range: tuple[float, float] | None = None
    _bound: tuple[tuple[Tensor, ...], tuple[int, ...], Any] | None = field(
        default=None, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("an object needs a name")
        if self.appearance is not None and len(self.appearance.coefficients) != len(self.geometry):
            raise ValueError(f"the appearance of {self.name} is that of another geometry")
        if self.scale_range is not None and not 0.0 < self.scale_range[0] <= self.scale_range[1]:
            raise ValueError(f"the scale range {self.scale_range} of {self.name} is not a range")

    def at(self, time: float) -> Gaussians:
        """Give the object's Gaussians in the world at `time` (frames); differentiable."""
        shown = self.geometry
        if self.appearance is not None:
            shown = self.appearance.apply(shown, time)
        return self.motion.apply(shown, time, self._binding())

    def means_at(self, time: float) -> Float[Tensor, "N 3"]:
        """Give the Gaussians' centres in the world at `time`, without the rest."""
        return self.motion.move_points(self.geometry.means, time, self._binding())

    def share_at(self, time: float, copy: Motion) -> Float[Tensor, " N"]:
        """Give how much each Gaussian counts at `time` in one of its motion's `copies`."""
        return copy.share(self.geometry, time, self._binding())

    def copied(self, copy: Motion, keep: Int[Tensor, " M"]) -> "SceneObject":
        """Give some of the Gaussians as one of the motion's `copies` moves them."""
        appearance = None if self.appearance is None else self.appearance.select(keep)
        part = replace(
            self, geometry=self.geometry.select(keep), motion=copy, appearance=appearance
        )
        inputs = (part.geometry.means, *copy.binding())
        bound = inputs, _versions(inputs), copy.narrow(self._binding(), keep)
        object.__setattr__(part, "_bound", bound)
        return part

    def _binding(self) -> Any:
        # Binding costs more than the motion itself, so it is kept; but an optimiser may step on
        # its inputs in place, which their versions tell.
        inputs = (self.geometry.means, *self.motion.binding())
        kept = self._bound
        if kept is None or not all(map(_same, inputs, kept[0], kept[1])):
            kept = inputs, _versions(inputs), self.motion.bind(self.geometry.means)
            object.__setattr__(self, "_bound", kept)
        return kept[2]


def _versions(tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
    return tuple(_version(tensor) for tensor in tensors)


def _version(tensor: Tensor) -> int:
    # made in inference mode, a tensor has none
    return 0 if tensor.is_inference() else tensor._version


def _same(tensor: Tensor, other: Tensor, version: int) -> bool:
    return tensor is other and _version(tensor) == version
