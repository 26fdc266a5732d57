"""Compile the kernels of fields before they are needed."""

import torch

from fourfold.fields.drawing import draw_rays
from fourfold.fields.rays import Rays
from fourfold.fields.rendering import Part, render_rays
from fourfold.fields.row_adam import RowAdam
from fourfold.fields.spaces import BoxSpace
from fourfold.fields.voxels import VoxelField


def warm_up() -> None:
    """Compile the CPU kernels of voxels now (once per machine), or load them from the cache.

    The first step of a training does so anyway; this lets a program say what it is waiting for.
    """
    space = BoxSpace(torch.zeros(3), torch.ones(3))
    rays = Rays(
        torch.tensor([[0.5, 0.5, -1.0]]),
        torch.tensor([[0.0, 0.0, 1.0]]),
        torch.zeros(1),
        torch.full((1,), torch.inf),
    )
    still = VoxelField.dense((4, 4, 4), degree=1)
    sparse = VoxelField.at_voxels(torch.ones(4, 4, 4).tril() > 0, (0.0, 1.0))
    for field in (still, sparse):
        parameters = field.parameters()
        for tensor in parameters.values():
            tensor.requires_grad_()
        occupancy = torch.ones(2, 2, 2, dtype=torch.bool)
        parts = [Part(field, space, occupancy, rays)] * 2
        render_rays(parts, torch.zeros(1)).colors.sum().backward()
        for name in parameters:
            field.add_variation(name, 1.0, 1.0)
        with torch.no_grad():
            draw_rays(parts, 0.0, torch.zeros(3))
        RowAdam(parameters, {"densities": 0.1, "harmonics": 0.1}).step()
