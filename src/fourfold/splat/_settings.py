"""Size and limits of a view, as every backend takes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Size in pixels, blur added to the image covariance in pixels^2, range of depth drawn."""

    width: int
    height: int
    eps2d: float
    near: float
    far: float
