"""The point that a camera swings about to see the objects of a scene from their sides."""

from jaxtyping import Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.geometry import Camera
from fourfold.scene.scene import BACKGROUND, Scene


def orbit_pivot(scene: Scene, camera: Camera, time: float) -> Float[Tensor, "3"]:
    """Find the point of the camera's optical axis that is as far away as the objects are.

    The depth is the median over the objects of each one's median depth, which no single stray
    Gaussian moves. Objects behind the camera do not count; where none is before it, the background
    does.

    Raises:
        InputError: the scene is empty, or all of it is behind the camera.
    """
    pose, ahead, scenery = camera.camera_from_world, [], []
    for item, part in zip(scene.objects, scene.at(time), strict=True):
        depth = float((part.means @ pose[2, :3] + pose[2, 3]).median())
        if depth > 0:  # not of an empty object, whose median is NaN
            (scenery if item.name == BACKGROUND else ahead).append(depth)
    ahead = sorted(ahead) or scenery
    if not ahead:
        raise InputError("nothing of the scene is before the camera: there is nothing to orbit")
    return camera.position + camera.forward * ahead[len(ahead) // 2]
