"""JOD: how good a video looks to people, by FovVideoVDP, where its package is there.

Mantiuk et al., "FovVideoVDP: A visible difference predictor for wide field-of-view video",
SIGGRAPH 2021.
"""

import warnings
from importlib.util import find_spec

import torch
from jaxtyping import UInt8
from torch import Tensor

from fourfold.errors import UsageError

_PACKAGE = "pyfvvdp"
# A screen of 24 inches and 1920x1080 pixels, seen from 0.6 m.
_DISPLAY = "standard_fhd"


def has_jod() -> bool:
    """Say whether the package pyfvvdp is installed."""
    return find_spec(_PACKAGE) is not None


def jod(video: UInt8[Tensor, "T H W 3"], target: UInt8[Tensor, "T H W 3"], fps: float) -> float:
    """Measure the quality of a video in just-objectionable differences: 10 is like the target.

    Both are sRGB from 0 to 255; one less is a difference that three of four people see.

    Raises:
        UsageError: the package pyfvvdp is not installed.
    """
    if not has_jod():
        raise UsageError(
            "JOD needs a package", mend="pip install pyfvvdp (licensed for non-commercial use)"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, of its use of SciPy
        from pyfvvdp import fvvdp

        metric = fvvdp(display_name=_DISPLAY, device=torch.device("cpu"), quiet=True)
        quality, _ = metric.predict(video, target, dim_order="FHWC", frames_per_second=fps)
    return float(quality)
