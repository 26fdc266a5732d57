"""Gaussian rasterisation: one call, on the CPU by Numba, on CUDA by gsplat, slowly by torch."""

from fourfold.splat._result import Rasterization, RasterMeta
from fourfold.splat.densify import (
    Densified,
    DensifyOptions,
    DensifyState,
    densify_and_prune,
    reset_opacities,
)
from fourfold.splat.rasterize import rasterize, warm_up

__all__ = [
    "Densified",
    "DensifyOptions",
    "DensifyState",
    "RasterMeta",
    "Rasterization",
    "densify_and_prune",
    "rasterize",
    "reset_opacities",
    "warm_up",
]
