"""Settings of ``--geometry gaussians``."""

import math
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import arg

from fourfold.errors import check_ranges

STEPS = {"tiny": 600, "small": 2000, "medium": 8000, "large": 24000}
"""Steps of each preset."""


@dataclass(frozen=True)
class GaussianConfig:
    """Geometry: still Gaussians, and Gaussians that live for a while and fly straight."""

    iterations: Annotated[int | None, arg(metavar="INT", help_behavior_hint="")] = None
    """Steps, by the preset: 600, 2000, 8000 or 24000."""
    max_gaussians: int = 120_000
    """There are never more Gaussians than this."""
    ssim_weight: float = 0.2
    """Share of structural dissimilarity in the loss; the rest is the difference of colours."""

    def steps(self, preset: str) -> int:
        """Give the number of steps: what is set, or the preset's."""
        return STEPS[preset] if self.iterations is None else self.iterations

    def check(self) -> None:
        """Refuse settings that nothing can be made of.

        Raises:
            UsageError: a setting is out of its range.
        """
        check_ranges(
            ("gaussians.iterations", self.steps("tiny"), 10, math.inf),
            ("gaussians.max-gaussians", self.max_gaussians, 100, math.inf),
            ("gaussians.ssim-weight", self.ssim_weight, 0.0, 1.0),
        )
