"""The point that a camera swings about to see the objects of a scene from their sides."""

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.geometry import Camera, project_points
from fourfold.scene.scene import BACKGROUND, Scene

_LEAST_AREA = 1e-6  # pixels^2: a single Gaussian has a place, too
_MIDDLE_HALF = torch.tensor([0.25, 0.75])


def orbit_pivot(scene: Scene, camera: Camera, time: float) -> Float[Tensor, "3"]:
    """Find the middle of the objects that a camera sees, the larger in the picture counting more.

    Own: the mean of the objects' middles (medians), weighted by how far the middle half of each
    spreads in the picture, so that no stray Gaussian moves it. Objects behind the camera do not
    count; where none is before it, the pivot is the point of the optical axis at the median depth
    of the background.

    Raises:
        InputError: the scene is empty, or all of it is behind the camera.
    """
    middles, areas, scenery = [], [], []
    for item, part in zip(scene.objects, scene.at(time), strict=True):
        pixels, depths = project_points(camera, part.means)
        depth = float(depths.median())
        if not depth > 0:  # also where it is empty, whose median is NaN
            continue
        if item.name == BACKGROUND:
            scenery.append(camera.position + camera.forward * depth)
        else:
            middles.append(part.means.median(0).values)
            low, high = pixels[depths > 0].quantile(_MIDDLE_HALF.to(pixels), dim=0)
            areas.append((high - low).prod() + _LEAST_AREA)
    if not middles and not scenery:
        raise InputError("nothing of the scene is before the camera: there is nothing to orbit")
    if not middles:
        return scenery[0]
    weights = torch.stack(areas) / torch.stack(areas).sum()
    return weights @ torch.stack(middles)
