"""What a trained scene must be before it is saved."""

import torch

from fourfold.errors import ResultError
from fourfold.scene import Scene, VolumeObject


def check_scene(scene: Scene) -> None:
    """Refuse a scene that nothing can be done with.

    Raises:
        ResultError: an object of no Gaussians or voxels, or numbers that are not finite.
    """
    for item in scene.objects:
        matter = item.volume if isinstance(item, VolumeObject) else item.geometry
        if not len(matter):
            what = "voxel" if isinstance(item, VolumeObject) else "Gaussian"
            raise ResultError(f"object '{item.name}' ended without a single {what}")
        for name, tensor in {**matter.tensors(), **item.motion.tensors()}.items():
            if not bool(torch.isfinite(tensor.float()).all()):
                raise ResultError(
                    f"object '{item.name}' ended with numbers in {name} that are not finite"
                )
