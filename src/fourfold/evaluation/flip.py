"""FLIP: how different two images look when one flips between them, where its package is there.

Andersson et al., "FLIP: A Difference Evaluator for Alternating Images", HPG 2020.
"""

from importlib.util import find_spec

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fourfold.errors import UsageError

_PACKAGE = "flip_evaluator"


def has_flip() -> bool:
    """Say whether the package flip-evaluator is installed."""
    return find_spec(_PACKAGE) is not None


def flip(image: Float[Tensor, "H W 3"], target: Float[Tensor, "H W 3"]) -> float:
    """Measure the mean LDR-FLIP of an image, from 0 (the same) to 1, at 67 pixels per degree.

    Both are sRGB in [0, 1]; what is outside is clamped.

    Raises:
        UsageError: the package flip-evaluator is not installed.
    """
    if not has_flip():
        raise UsageError("FLIP needs a package", mend="pip install flip-evaluator")
    import flip_evaluator

    shown, true = (np.ascontiguousarray(each.clamp(0, 1).numpy()) for each in (image, target))
    _, mean, _ = flip_evaluator.evaluate(true, shown, "LDR", inputsRGB=True, applyMagma=False)
    return float(mean)
