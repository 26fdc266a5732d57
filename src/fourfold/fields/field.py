"""What a field is: density and colour at every point of a unit cube, at every time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from jaxtyping import Float
from torch import Tensor

from fourfold.fields.kinds import Kinds

# Every kind of field by its name in saved scenes.
_KINDS: Kinds[Field] = Kinds("field")


class Field(ABC):
    """A volume in the unit cube [0,1]^3; a `Space` says where the cube lies in the world.

    Points are (S,3) in the cube. Times are (S,) in frames of the capture; a field that stands
    still ignores them, and takes None. A subclass has a `kind`, by which saved scenes find it.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "kind" in vars(cls):  # what several kinds have in common is none
            _KINDS.add(cls)

    @property
    @abstractmethod
    def resolution(self) -> tuple[int, int, int]:
        """How many voxels the cube has along x, y and z; steps along rays are measured in them."""

    @property
    def changes(self) -> bool:
        """Whether the field differs between times."""
        return False

    @abstractmethod
    def density(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None = None
    ) -> Float[Tensor, " S"]:
        """Give densities, 0 or more, per longest side of the cube in voxels.

        A piece of a ray of the width w (`Samples.widths`) has alpha = 1 - exp(-density * w).
        Differentiable in the field's parameters.
        """

    @abstractmethod
    def colors(
        self,
        points: Float[Tensor, "S 3"],
        times: Float[Tensor, " S"] | None,
        directions: Float[Tensor, "S 3"],
    ) -> Float[Tensor, "S 3"]:
        """Give colours in [0,1] as seen along unit `directions` (S,3) in the world.

        Differentiable in the field's parameters.
        """

    @abstractmethod
    def parameters(self) -> dict[str, Tensor]:
        """Give the tensors to optimise, the very ones the field computes with, by name.

        A name's last part, after a dot where it has several, is its group of learning rates:
        `still.densities` and `moving.densities` are both of `densities`. The trainer turns their
        gradients on (`requires_grad_`).
        """

    @abstractmethod
    def upsampled(self, resolution: tuple[int, int, int]) -> Self:
        """Give the same field on a finer (or coarser) grid, with fresh parameters."""

    @abstractmethod
    def total_variation(self) -> Float[Tensor, ""]:
        """Give the mean squared difference of neighbouring values. Differentiable."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that make up the field, by name."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Give what a saved scene writes down about the field beside its tensors, with `kind`."""

    @classmethod
    @abstractmethod
    def rebuild(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """Rebuild a field of this very kind from its `config` and `tensors`."""

    @staticmethod
    def restore(config: dict[str, Any], tensors: dict[str, Tensor]) -> Field:
        """Rebuild a field of any kind from its `config` and `tensors`.

        Raises:
            ValueError: an unknown kind, or tensors that do not make up that kind.
        """
        return _KINDS.named(config).rebuild(config, tensors)
