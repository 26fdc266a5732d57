"""Settings of the method ``mixvoxels``, as ``config.yml`` stores them."""

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from tyro.conf import arg

from fourfold.errors import UsageError, check_ranges
from fourfold.methods.mixvoxels.gaussian_config import GaussianConfig

Preset = Literal["tiny", "small", "medium", "large"]


COARSEST = 24
"""No grid has fewer voxels on its longest side."""


@dataclass(frozen=True)
class Size:
    """What a preset stands for."""

    resolution: int
    iterations: int
    rays: int


PRESETS: dict[str, Size] = {
    "tiny": Size(64, 400, 2048),
    "small": Size(256, 750, 4096),
    "medium": Size(384, 2000, 4096),
    "large": Size(512, 8000, 8192),
}


@dataclass(frozen=True)
class VoxelConfig:
    """Geometry: still and moving voxels."""

    space: Literal["auto", "box", "ndc", "contracted"] = "auto"
    """Where the voxels are: in a box, in the frustum of forward-facing cameras, or in a cube that
    holds all of an unbounded world; auto looks at the cameras."""
    resolution: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Voxels along the longest side, by the preset: 64, 256, 384 or 512."""
    iterations: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Steps in all, by the preset: 400, 750, 2000 or 8000."""
    rays: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Rays of a step, by the preset: 2048, 4096, 4096 or 8192."""
    still_target: str = "median"
    """What the still voxels are fitted to at first: median, mean, or the number of a frame."""
    variation: Literal["projected", "trained"] = "projected"
    """Which voxels move: those that all cameras see change, or a field trained to say so, as the
    original's."""
    variation_threshold: float = 0.02
    """Standard deviation over time, of colours in [0, 1], from which a pixel counts as changing."""
    harmonics: Literal[0, 1] = 1
    """Degree of the still voxels' colour over the viewing direction."""
    tv_weight: float = 1.0
    """Weight of total variation, relative to the default of each stage."""
    block_frames: int = 64
    """Frames whose moving voxels are fitted at a time; longer clips go block by block."""
    learning_rate: float = 0.5
    """Learning rate of the voxels at the first step of a stage."""


@dataclass(frozen=True)
class DepthConfig:
    """Supervision by depth."""

    weight: float = 0.05
    """Weight of the depth losses."""
    loss: Literal["both", "expected", "distribution"] = "both"
    """Pull the expected depth, or where the ray ends (DS-NeRF's distribution), or both."""
    std: float = 0.02
    """Standard deviation of a depth map, relative to the depth; key points have their own."""
    guided: bool = True
    """Sample rays of known depth more finely about it."""


@dataclass(frozen=True)
class MixVoxelsConfig:
    """A synchronised multi-camera video becomes still and moving voxels (MixVoxels)."""

    stages: str = ""
    """Stages to run of still,moving; all by default. A later run continues where an earlier one
    stopped. Gaussians have one stage."""
    preset: Preset = "small"
    """Size of the model and length of the training: half a minute, minutes, ten minutes, hours."""
    geometry: Literal["voxels", "gaussians"] = "voxels"
    """What the scene is made of: still and moving voxels, or Gaussians of which some fly."""
    static: bool = False
    """Take one still per camera (the first frame) and leave time out."""
    depth: Annotated[str, arg(metavar="sweep|static:RUN|colmap[:DIR]|DIR")] = ""
    """Depth to be guided by: swept through the cameras themselves, that of a run of --static, of
    the key points of a COLMAP model (the capture's own, or a folder of `fourfold prepare poses`),
    or of a folder of depth maps."""
    seed: int = 0
    """Seed of everything random; the same seed gives the same scene on the same machine."""
    voxels: VoxelConfig = field(default_factory=VoxelConfig)
    """Settings of voxels."""
    gaussians: GaussianConfig = field(default_factory=GaussianConfig)
    """Settings of Gaussians."""
    depth_loss: DepthConfig = field(default_factory=DepthConfig)
    """Settings of the supervision by depth."""

    @property
    def size(self) -> Size:
        """The preset, with what is set otherwise."""
        preset, voxels = PRESETS[self.preset], self.voxels
        return Size(
            preset.resolution if voxels.resolution is None else voxels.resolution,
            preset.iterations if voxels.iterations is None else voxels.iterations,
            preset.rays if voxels.rays is None else voxels.rays,
        )

    def check(self) -> None:
        """Refuse settings that nothing can be made of.

        Raises:
            UsageError: a setting is out of its range.
        """
        voxels, depth, size = self.voxels, self.depth_loss, self.size
        self.gaussians.check()
        check_ranges(
            ("voxels.resolution", size.resolution, COARSEST, 1024),
            ("voxels.iterations", size.iterations, 10, math.inf),
            ("voxels.rays", size.rays, 64, 1 << 20),
            ("voxels.variation-threshold", voxels.variation_threshold, 1e-4, 1.0),
            ("voxels.tv-weight", voxels.tv_weight, 0.0, math.inf),
            ("voxels.block-frames", voxels.block_frames, 2, math.inf),
            ("voxels.learning-rate", voxels.learning_rate, 1e-6, 1.0),
            ("depth-loss.weight", depth.weight, 0.0, math.inf),
            ("depth-loss.std", depth.std, 1e-5, 1.0),
        )
        target = voxels.still_target
        if target not in ("median", "mean") and not target.isdigit():
            raise UsageError(
                f"--voxels.still-target is {target!r}",
                expected="median, mean, or the number of a frame",
            )
