"""Settings of the method ``osn``, as ``config.yml`` stores them."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import arg

from fourfold.errors import UsageError, check_ranges


@dataclass(frozen=True)
class BodyConfig:
    """Geometry: Gaussians in the frame of each body."""

    iterations: int = 500
    """Steps of the bootstrap, in which each body is fitted alone."""
    rounds: int = 4
    """Times that scales are drawn anew while everything is fitted together."""
    iterations_per_round: int = 110
    """Steps of each round."""
    max_gaussians: int = 60_000
    """Most Gaussians of one body."""
    ssim_weight: float = 0.2
    """Share of 1 - SSIM in the image loss of the rounds; the rest is L1."""
    depth_weight: float = 0.5
    """Weight of the key points' depths, relative to the depth."""
    mask_weight: float = 0.2
    """Weight of who is seen in a pixel: cross-entropy with the masks."""
    refine_poses: bool = True
    """Correct the bodies' poses while everything is fitted together."""


@dataclass(frozen=True)
class TensorConfig:
    """Geometry: a TensoRF in the box of each body (--geometry tensorf)."""

    iterations: int = 300
    """Steps of the bootstrap, in which each body is fitted alone."""
    rounds: int = 4
    """Times that scales are drawn anew while everything is fitted together."""
    iterations_per_round: int = 60
    """Steps of each round."""
    rays: int = 2048
    """Rays of a step: of all bodies together, or shared among them in the bootstrap."""
    resolution: int = 128
    """Most voxels along the longest side of a body's box; half of them at first."""
    ranks: int = 16
    """Products of a plane and a line along each axis, for density and for colour each."""
    depth_weight: float = 0.5
    """Weight of the key points' depths, relative to the depth."""
    mask_weight: float = 0.1
    """Weight of who is seen in a pixel."""
    variation_weight: float = 0.01
    """Weight of the differences between neighbours in the planes."""


@dataclass(frozen=True)
class NetworkConfig:
    """The object-scale network, beside the computed set."""

    iterations: int = 100
    """Steps for each object, each time it is trained; 0 does without a network."""
    combinations: int = 4096
    """Combinations of scales drawn for each step (H of the paper)."""
    accuracy_threshold: Annotated[float | None, arg(metavar="FLOAT", help_behavior_hint="")] = None
    """Occlusion accuracy above which a combination is labelled valid; --tau without it."""
    top_share: float = 0.0
    """At least this share of the combinations is labelled valid, the best ones."""
    score_threshold: float = 0.5
    """Score above which the network calls a combination valid."""
    zbuffer: Literal["hard", "soft"] = "hard"
    """Who is in front in a pseudo-label: the nearest layer, or softly exp(-beta depth)."""
    beta: float = 0.1
    """Sharpness of the soft Z-buffer, per unit of depth."""
    loss: Literal["bce", "mse"] = "bce"
    """Loss between scores and pseudo-labels: the paper's, or that of its program."""
    learning_rate: float = 3e-3
    """Learning rate of Adam."""


@dataclass(frozen=True)
class OSNConfig:
    """A monocular video of rigid objects becomes every scene that explains it (OSN)."""

    stages: str = "bootstrap,rounds,scales"
    """Stages to run, in this order; a later run continues where an earlier one stopped."""
    scales: Literal["computed", "polytope", "network"] = "computed"
    """What makes scales valid: occlusion accuracy above --tau, all inequalities, or the network."""
    tau: float = 0.99
    """Occlusion accuracy that makes a combination of scales valid."""
    known_scale: Annotated[str, arg(metavar="OBJECT=S,...")] = ""
    """Scales that are known, relative to the range's middle: they pin the scene."""
    known_size: Annotated[str, arg(metavar="OBJECT=METRES,...")] = ""
    """Known longest sides, the background's too (background=4.2,duck=0.3): they pin the scene."""
    geometry: Literal["gaussians", "tensorf"] = "gaussians"
    """What bodies are made of: Gaussians, or fields as in the original, which take longer."""
    seed: int = 0
    """Seed of everything random; the same seed gives the same scene on the same machine."""
    body: BodyConfig = field(default_factory=BodyConfig)
    """Settings of the Gaussians."""
    tensorf: TensorConfig = field(default_factory=TensorConfig)
    """Settings of the fields."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Settings of the object-scale network."""

    @property
    def schedule(self) -> BodyConfig | TensorConfig:
        """The settings of the geometry that is trained, with its numbers of steps."""
        return self.body if self.geometry == "gaussians" else self.tensorf

    def check(self) -> None:
        """Refuse settings that nothing can be made of.

        Raises:
            UsageError: a setting is out of its range.
        """
        body, network = self.body, self.network
        tensorf, threshold = self.tensorf, network.accuracy_threshold
        check_ranges(
            ("tau", self.tau, 0.0, 1.0),
            ("body.iterations", body.iterations, 1, math.inf),
            ("body.rounds", body.rounds, 1, math.inf),
            ("body.iterations-per-round", body.iterations_per_round, 0, math.inf),
            ("body.max-gaussians", body.max_gaussians, 16, math.inf),
            ("body.ssim-weight", body.ssim_weight, 0.0, 1.0),
            ("body.depth-weight", body.depth_weight, 0.0, math.inf),
            ("body.mask-weight", body.mask_weight, 0.0, math.inf),
            ("tensorf.iterations", tensorf.iterations, 1, math.inf),
            ("tensorf.rounds", tensorf.rounds, 1, math.inf),
            ("tensorf.iterations-per-round", tensorf.iterations_per_round, 0, math.inf),
            ("tensorf.rays", tensorf.rays, 64, math.inf),
            ("tensorf.resolution", tensorf.resolution, 8, 1024),
            ("tensorf.ranks", tensorf.ranks, 16, 96),
            ("tensorf.depth-weight", tensorf.depth_weight, 0.0, math.inf),
            ("tensorf.mask-weight", tensorf.mask_weight, 0.0, math.inf),
            ("tensorf.variation-weight", tensorf.variation_weight, 0.0, math.inf),
            ("network.iterations", network.iterations, 0, math.inf),
            ("network.combinations", network.combinations, 1, math.inf),
            ("network.accuracy-threshold", 0.5 if threshold is None else threshold, 0.0, 1.0),
            ("network.top-share", network.top_share, 0.0, 1.0),
            ("network.score-threshold", network.score_threshold, 0.0, 1.0),
            ("network.beta", network.beta, 1e-6, math.inf),
            ("network.learning-rate", network.learning_rate, 1e-9, 1.0),
        )
        if tensorf.ranks % 16:
            raise UsageError(f"tensorf.ranks is {tensorf.ranks}", expected="a multiple of 16")
        if self.tau == 1.0:
            raise UsageError("--tau is 1: no accuracy exceeds that", expected="0 to below 1")
        if self.scales == "network" and network.iterations == 0:
            raise UsageError("--scales network without a network", expected="network.iterations")
        if network.zbuffer == "soft" and threshold is None and not network.top_share:
            raise UsageError(
                "a soft Z-buffer hardly ever reaches the accuracy that --tau asks for",
                expected="--network.accuracy-threshold or --network.top-share with it",
            )
