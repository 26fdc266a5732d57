"""Settings of the method ``mom``, as ``config.yml`` stores them."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import arg

from fourfold.errors import check_ranges


@dataclass(frozen=True)
class LoopConfig:
    """How the moving regions loop."""

    frames: int = 120
    """Frames of the loop, at 30 per second."""
    longest_path: float = 70.0
    """Pixels that all but the fastest 5 % of a region moves in a sub-loop at most."""
    phases: int = 2
    """Groups of places that fade at different times, against a pulse; each costs drawing time."""
    patch: float = 0.04
    """Size of the places of one group, in shares of the longer side."""


@dataclass(frozen=True)
class RefineConfig:
    """The optional last stage: Gaussians optimised on an animated view."""

    iterations: int = 150
    """Steps, each on one frame."""
    animator: Annotated[str, arg(metavar="FOLDER|MODULE:NAME")] = ""
    """Frames of a whole loop to optimise on: a folder of pictures, or a Python callable (image,
    mask, velocity, frames) -> (T,H,W,3); by default the photo moved along the scene's paths."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the loss; the rest is L1."""
    learning_rate: float = 0.004
    """Of the first step, a tenth at the last; more where an animator's frames differ much."""
    flow_scale: float = 1.0
    """The animator's speed, relative to the velocity that it was given: the scene takes it on."""


@dataclass(frozen=True)
class MOMConfig:
    """A landscape photo with regions and hints becomes an endless 4D scene (3D-MOM)."""

    stages: str = "depth,motion,lift,loop"
    """Stages to run, in this order (refine comes after loop); a later run continues where an
    earlier one stopped."""
    speed: float = 1.0
    """Factor on the hints' speed: the length of a hint over 50 frames."""
    motion: Literal["field", "multiview"] = "field"
    """One velocity field, from the hints in the photo; or the paper's way, a flow in each of
    several views and the 3D motion that explains them."""
    solver: Literal["auto", "harmonic", "stream"] = "auto"
    """How hints become a field: smooth, free of divergence, or which suits each region."""
    depth_model: Annotated[str, arg(metavar="FOLDER")] = ""
    """Folder of a pretrained depth model (transformers); laid out from the regions without."""
    inpainter: Annotated[str, arg(metavar="MODULE:NAME")] = ""
    """Python callable (image, hole) -> image that fills what the photo hides; pieces of the visible
    background without."""
    seed: int = 0
    """Seed of everything random."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    """Settings of the loop."""
    refine: RefineConfig = field(default_factory=RefineConfig)
    """Settings of the stage refine."""

    def check(self) -> None:
        """Refuse settings that nothing can be made of.

        Raises:
            UsageError: a setting is out of its range.
        """
        loop, refine = self.loop, self.refine
        check_ranges(
            ("speed", self.speed, 1e-3, 1e3),
            ("loop.frames", loop.frames, 2, 3600),
            ("loop.longest-path", loop.longest_path, 1.0, math.inf),
            ("loop.phases", loop.phases, 1, 8),
            ("loop.patch", loop.patch, 0.002, 1.0),
            ("refine.iterations", refine.iterations, 1, math.inf),
            ("refine.ssim-weight", refine.ssim_weight, 0.0, 1.0),
            ("refine.learning-rate", refine.learning_rate, 1e-6, 1.0),
            ("refine.flow-scale", refine.flow_scale, 1e-3, 1e3),
        )
