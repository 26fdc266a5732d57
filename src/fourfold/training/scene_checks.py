"""What a trained scene must be before it is saved."""

import torch

from fourfold.errors import ResultError
from fourfold.scene import Scene


def check_scene(scene: Scene) -> None:
    """Refuse a scene that nothing can be done with.

    Raises:
        ResultError: an object without Gaussians, or numbers that are not finite.
    """
    for item in scene.objects:
        if not len(item.geometry):
            raise ResultError(f"object '{item.name}' ended without a single Gaussian")
        for name, tensor in {**item.geometry.tensors(), **item.motion.tensors()}.items():
            if not bool(torch.isfinite(tensor.float()).all()):
                raise ResultError(
                    f"object '{item.name}' ended with numbers in {name} that are not finite"
                )
