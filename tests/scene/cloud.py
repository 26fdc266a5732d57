"""A field of which everything is known: the same density and colour everywhere in the cube."""

from typing import Any, Self

import torch
from torch import Tensor

from fourfold.fields import Field


class Cloud(Field):
    """A cube of fog; its density is per longest side."""

    kind = "cloud of the tests"

    def __init__(self, value: float, color: tuple[float, float, float]) -> None:
        self.value = torch.tensor(value)
        self.color = torch.tensor(color)

    @property
    def resolution(self) -> tuple[int, int, int]:
        return (10, 10, 10)

    def density(self, points: Tensor, times: Tensor | None = None) -> Tensor:
        return self.value.expand(len(points))

    def colors(self, points: Tensor, times: Tensor | None, directions: Tensor) -> Tensor:
        return self.color.expand(len(points), 3)

    def parameters(self) -> dict[str, Tensor]:
        return self.tensors()

    def upsampled(self, resolution: tuple[int, int, int]) -> Self:
        return self

    def total_variation(self) -> Tensor:
        return torch.zeros(())

    def tensors(self) -> dict[str, Tensor]:
        return {"value": self.value, "color": self.color}

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind}

    @classmethod
    def rebuild(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        return cls(float(tensors["value"]), tuple(tensors["color"].tolist()))


class Flicker(Cloud):
    """A cube of fog that is there at even times only."""

    kind = "flickering cloud of the tests"

    @property
    def changes(self) -> bool:
        return True

    def density(self, points: Tensor, times: Tensor | None = None) -> Tensor:
        assert times is not None
        return self.value * (times % 2 == 0)
