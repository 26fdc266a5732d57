"""What bodies are made of: the few things that the training asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from jaxtyping import Float
from torch import Tensor

from fourfold.methods.osn.body import Fit
from fourfold.methods.osn.config import OSNConfig
from fourfold.methods.osn.fit import GaussianFit, start_fit
from fourfold.methods.osn.footage import Footage
from fourfold.methods.osn.step import bootstrap_step, choose_frame, round_step
from fourfold.training import Progress

F = TypeVar("F", bound=Fit)


class Geometry(ABC, Generic[F]):
    """How bodies of one kind are started, improved and restored, for one footage."""

    def __init__(self, footage: Footage, config: OSNConfig) -> None:
        self.footage, self.config = footage, config

    @abstractmethod
    def start(self, progress: Progress) -> F:
        """Make every body; one step of `progress` each."""

    @abstractmethod
    def restore(self, state: list[Mapping[str, Any]]) -> F:
        """Go on from what `Fit.state` returned."""

    @abstractmethod
    def bootstrap_step(self, fit: F, step: int) -> dict[str, float]:
        """Improve every body alone, a little; return the terms of the loss."""

    @abstractmethod
    def round_step(self, fit: F, step: int, scales: Float[Tensor, " K"]) -> dict[str, float]:
        """Improve all bodies together at one combination of scales, a little."""

    def begin_round(self, fit: F) -> None:
        """Prepare for a round, before the scales are drawn; nothing, where nothing is to do."""


class GaussianGeometry(Geometry[GaussianFit]):
    """Gaussians in the frame of each body."""

    def start(self, progress: Progress) -> GaussianFit:
        return start_fit(self.footage, self.config.body, progress)

    def restore(self, state: list[Mapping[str, Any]]) -> GaussianFit:
        return GaussianFit.restore(self.footage, state)

    def bootstrap_step(self, fit: GaussianFit, step: int) -> dict[str, float]:
        body = self.config.body
        for each in fit.bodies:
            each.set_rates(0.5 * step / body.iterations, poses_move=False)
        frame = choose_frame(self.footage, step, self.config.seed)
        return bootstrap_step(fit, self.footage, body, frame)

    def round_step(
        self, fit: GaussianFit, step: int, scales: Float[Tensor, " K"]
    ) -> dict[str, float]:
        body = self.config.body
        steps = body.rounds * body.iterations_per_round
        for each in fit.bodies:
            each.set_rates(0.5 + 0.5 * step / steps, body.refine_poses)
        frame = choose_frame(self.footage, step, self.config.seed, "rounds")
        color = self.footage.background_color
        return round_step(fit, self.footage, body, frame, scales, color)
