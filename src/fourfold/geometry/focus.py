"""What cameras look at: the point where their optical axes meet."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry.camera import Camera

# Cameras that are aimed by hand are a degree or two off: where axes spread less, chance alone says
# how far away they meet.
_LEAST_SPREAD = 3.0
# Share of the cameras that the point must lie before.
_BEFORE = 0.8


def focus_point(
    cameras: Sequence[Camera], least_spread: float = _LEAST_SPREAD
) -> Float[Tensor, "3"] | None:
    """Find the point nearest to all optical axes, in the least squares; None where there is none.

    There is none where the axes are nearly parallel, so that nothing says how far it is: by less
    than `least_spread` degrees from their common direction, in the root mean square. Nor is there
    where it lies behind many of the cameras.

    >>> left, right = Camera.from_fov(8, 8), Camera.from_fov(8, 8)
    >>> focus_point([left, right]) is None
    True
    """
    axes = torch.stack([camera.forward for camera in cameras]).double()
    positions = torch.stack([camera.position for camera in cameras])
    across = torch.eye(3).to(axes) - axes[:, :, None] * axes[:, None, :]
    # the smallest eigenvalue is the mean squared sine of the angles to the common direction
    if float(torch.linalg.eigvalsh(across.mean(0))[0]) < math.sin(math.radians(least_spread)) ** 2:
        return None
    right = (across @ positions.double()[..., None]).mean(0)[:, 0]
    point = torch.linalg.solve(across.mean(0), right)
    before = ((point - positions) * axes).sum(1) > 0
    return point.to(positions) if float(before.double().mean()) >= _BEFORE else None
