"""Settings of the method ``dreamscene4d``, as ``config.yml`` stores them."""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from fourfold.errors import check_ranges


@dataclass(frozen=True)
class LiftConfig:
    """From masks and images to Gaussians at rest."""

    gaussians_per_object: int = 5000
    """Gaussians on the visible half of an object before densification."""
    background_gaussians: int = 60_000
    """Upper bound for the Gaussians of the background."""
    roundness: float = 1.0
    """Depth of an inflated limb relative to its width; 1 is a circular cross-section."""


@dataclass(frozen=True)
class MoveConfig:
    """From Gaussians at rest to Gaussians that follow the video."""

    iterations: int = 3000
    """Optimisation steps for a clip of any length; ``iterations_per_frame`` is added."""
    iterations_per_frame: int = 30
    """Further steps for each trained frame."""
    nodes: int = 160
    """Control nodes per object."""
    max_gaussians_per_object: int = 20_000
    """Densification stops here, or at one Gaussian per pixel of the object's largest mask."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the image loss; the rest is L1."""
    mask_weight: float = 1.0
    """Weight of the visible object masks."""
    flow_weight: float = 0.002
    """Weight of the optical flow, per pixel of error."""
    rigidity_weight: float = 0.02
    """Weight of the as-rigid-as-possible term of the control nodes."""
    acceleration_weight: float = 0.01
    """Weight of the second difference of the node paths over time."""
    depth_weight: float = 0.01
    """Weight that keeps nodes from drifting along the viewing ray, which one camera can't see."""
    appearance_rank: int = 4
    """Components of the change of colour over time; 0 keeps colours constant."""


@dataclass(frozen=True)
class DreamScene4DConfig:
    """A monocular video with object masks becomes a dynamic scene (DreamScene4D, no weights)."""

    lite: bool = False
    """Fewer steps and Gaussians: about a third of the time, a little less sharp."""
    stages: str = "lift,move,compose"
    """Stages to run, in this order; a later run continues where an earlier one stopped."""
    fov: float = 49.1
    """Vertical field of view in degrees, where the capture brings no cameras."""
    prior: Literal["none", "symmetry"] = "symmetry"
    """The unseen side: left open (none) or mirrored from the visible one (symmetry)."""
    holdout: int = 0
    """Leave out every K-th frame from K//2 on, to measure on it; 0 trains on all frames."""
    horizon: float = 0.4
    """Row of the horizon as a share of the height: tells the depth of what stands on the ground."""
    seed: int = 0
    """Seed of everything random; the same seed gives the same scene on the same machine."""
    lift: LiftConfig = field(default_factory=LiftConfig)
    """Settings of the stage lift."""
    move: MoveConfig = field(default_factory=MoveConfig)
    """Settings of the stage move."""

    def check(self) -> None:
        """Refuse settings that nothing can be made of.

        Raises:
            UsageError: a setting is out of its range.
        """
        lift, move = self.lift, self.move
        weights = {name: getattr(move, name) for name in vars(move) if name.endswith("_weight")}
        check_ranges(
            ("fov", self.fov, 1.0, 170.0),
            ("horizon", self.horizon, -10.0, 10.0),
            ("lift.gaussians-per-object", lift.gaussians_per_object, 16, math.inf),
            ("lift.background-gaussians", lift.background_gaussians, 16, math.inf),
            ("lift.roundness", lift.roundness, 0.0, 10.0),
            ("move.iterations", move.iterations, 1, math.inf),
            ("move.iterations-per-frame", move.iterations_per_frame, 0, math.inf),
            ("move.nodes", move.nodes, 1, math.inf),
            ("move.max-gaussians-per-object", move.max_gaussians_per_object, 16, math.inf),
            ("move.appearance-rank", move.appearance_rank, 0, 64),
            ("move.ssim-weight", move.ssim_weight, 0.0, 1.0),
            *((f"move.{name.replace('_', '-')}", w, 0.0, math.inf) for name, w in weights.items()),
        )

    def resolved(self) -> "DreamScene4DConfig":
        """Return the settings in use: ``lite`` takes a third of the steps, and less detail."""
        if not self.lite:
            return self
        lift = replace(
            self.lift,
            gaussians_per_object=self.lift.gaussians_per_object * 3 // 5,
            background_gaussians=self.lift.background_gaussians * 3 // 5,
        )
        move = replace(
            self.move,
            iterations=max(self.move.iterations // 3, 1),
            iterations_per_frame=self.move.iterations_per_frame // 3,
            max_gaussians_per_object=self.move.max_gaussians_per_object // 2,
        )
        return replace(self, lift=lift, move=move)
