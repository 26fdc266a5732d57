"""Exposure of each camera: what its pictures are brighter or bluer than the scene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fourfold.training import adam_state, load_adam_state


@dataclass
class Exposures:
    """Gain and offset of each camera's colours, optimised; in the mean of all cameras none.

    Attributes:
        values: by camera, gain beyond 1 and offset of each channel.
    """

    values: Float[Tensor, "V 2 3"]
    optimizer: torch.optim.Adam = field(init=False)

    def __post_init__(self) -> None:
        self.values = self.values.detach().clone().requires_grad_()
        self.optimizer = torch.optim.Adam([self.values], 0.0, eps=1e-15, fused=True)

    @staticmethod
    def none(num_views: int) -> Exposures:
        """Take all cameras to be alike."""
        return Exposures(torch.zeros(num_views, 2, 3))

    def apply(
        self, colors: Float[Tensor, "*B 3"], views: int | Int[Tensor, " *B"]
    ) -> Float[Tensor, "*B 3"]:
        """Give colours of the scene as cameras take them; views are counted from 0."""
        gain, offset = (self.values - self.values.mean(0))[views].unbind(-2)
        return colors * (1.0 + gain) + offset

    def set_rate(self, rate: float) -> None:
        """Set the learning rate."""
        self.optimizer.param_groups[0]["lr"] = rate

    def step(self) -> None:
        """Step down the gradients, and forget them."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def tensors(self) -> dict[str, Any]:
        """Give everything that a checkpoint needs to go on, nested."""
        return {"values": self.values, "adam": adam_state(self.optimizer)}

    @staticmethod
    def restore(state: Mapping[str, Any]) -> Exposures:
        """Go on from what `tensors` gave."""
        exposures = Exposures(state["values"])
        load_adam_state(exposures.optimizer, state["adam"])
        return exposures
