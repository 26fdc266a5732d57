"""What the stages of mom hand on, in memory and in checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fourfold.estimators import LandscapeDepth
from fourfold.methods.mom.lift import Lifted
from fourfold.methods.mom.motion import PhotoMotion
from fourfold.scene import Gaussians
from fourfold.training import Checkpoint


@dataclass(frozen=True)
class State:
    """The results of the stages that are done; the Gaussians until they are in the scene."""

    landscape: LandscapeDepth | None = None
    motion: PhotoMotion | None = None
    lifted: Lifted | None = None

    def tensors(self) -> dict[str, Any]:
        """Give the tensors of a checkpoint, nested."""
        found: dict[str, Any] = {}
        if self.landscape is not None:
            depth = self.landscape
            found["landscape"] = {"depth": depth.depth, "sky": depth.sky, "ground": depth.ground}
        if self.motion is not None:
            found["motion"] = {"velocity": self.motion.velocity, "masks": self.motion.masks}
        if self.lifted is not None:
            found["lifted"] = [part.tensors() for part in self.lifted.parts()]
        return found

    def facts(self) -> dict[str, Any]:
        """Give what a checkpoint writes down beside the tensors, JSON."""
        found: dict[str, Any] = {}
        if self.landscape is not None:
            names = ("horizon", "source", "scale")
            found["landscape"] = {name: getattr(self.landscape, name) for name in names}
        if self.motion is not None:
            names = ("names", "report", "unused_hints", "figures")
            found["motion"] = {name: getattr(self.motion, name) for name in names}
        return found

    @staticmethod
    def restore(checkpoint: Checkpoint) -> State:
        """Rebuild the state that a checkpoint holds."""
        tensors, facts = checkpoint.tensors, checkpoint.state
        landscape = motion = lifted = None
        if "landscape" in tensors:
            landscape = LandscapeDepth(**tensors["landscape"], **facts["landscape"])
        if "motion" in tensors:
            motion = PhotoMotion(**tensors["motion"], **facts["motion"])
        if "lifted" in tensors:
            still, filled, *moving = (Gaussians(**part) for part in tensors["lifted"])
            lifted = Lifted(still, filled, tuple(moving))
        return State(landscape, motion, lifted)
