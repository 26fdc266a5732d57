"""What every backend takes: the tensors of a view, and its size and limits."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor


class Inputs(NamedTuple):
    """The tensors of one view; shapes as in `fourfold.splat.rasterize`."""

    means: Tensor
    quaternions: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    camera_from_world: Tensor
    intrinsics: Tensor
    background: Tensor


@dataclass(frozen=True)
class Settings:
    """Size in pixels, blur added to the image covariance in pixels^2, range of depth drawn."""

    width: int
    height: int
    eps2d: float
    near: float
    far: float
