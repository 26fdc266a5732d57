"""Which combinations of object scales explain a video, and samples of them."""

from fourfold.scene.scale_set.brute_force import brute_force_accuracy
from fourfold.scene.scale_set.collecting import ContestCollector
from fourfold.scene.scale_set.contested import MIN_PIXELS, contested_pixels
from fourfold.scene.scale_set.contests import Contests, ScaleRange
from fourfold.scene.scale_set.network import ScaleNetwork
from fourfold.scene.scale_set.polytope import ScalePolytope, build_polytope, outer_polytope
from fourfold.scene.scale_set.samples import Samples
from fourfold.scene.scale_set.sampling import draw_above, spread_order
from fourfold.scene.scale_set.saving import (
    restore_scale_set,
    scale_set_structure,
    scale_set_tensors,
)
from fourfold.scene.scale_set.scale_set import MODES, SAFE_MARGIN, TOLERANCE, Mode, ScaleSet

__all__ = [
    "SAFE_MARGIN",
    "MIN_PIXELS",
    "MODES",
    "TOLERANCE",
    "ContestCollector",
    "Contests",
    "Mode",
    "Samples",
    "ScaleNetwork",
    "ScalePolytope",
    "ScaleRange",
    "ScaleSet",
    "brute_force_accuracy",
    "build_polytope",
    "contested_pixels",
    "draw_above",
    "outer_polytope",
    "restore_scale_set",
    "scale_set_structure",
    "scale_set_tensors",
    "spread_order",
]
