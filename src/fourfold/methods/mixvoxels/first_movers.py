"""The first moving voxels: in each frame those within the hull of what differs from the stills."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.fields import Space, VoxelField
from fourfold.geometry.harmonics import DC_BASIS
from fourfold.methods.mixvoxels.gaussian_lenses import room_before
from fourfold.methods.mixvoxels.hull import Silhouettes, paint
from fourfold.methods.mixvoxels.shots import Shots
from fourfold.methods.mixvoxels.voxel_motion import voxel_centers, voxel_spacing
from fourfold.training import Progress

HULL_ALPHA = 0.3
"""Alpha of a voxel in which a frame shows something."""
STRONGEST = 0.98
"""Colours begin no nearer to 0 and 1 than this: sigmoids are flat there."""


@torch.no_grad()
def show_movers(
    voxels: VoxelField,
    space: Space,
    shots: Shots,
    surfaces: Sequence[Float[Tensor, "h w"] | None],
    progress: Progress,
) -> None:
    """Fill voxels, in place, with what is seen at each of their key times.

    A voxel of the visual hull of a frame that some view sees in front becomes `HULL_ALPHA` opaque,
    with its colour there, if no lens is behind it; all others stay as they are. From grey haze
    alone a mover may never be found: before a bright floor, grey is worse than nothing. `surfaces`
    as for `Silhouettes`; `progress` counts key times.
    """
    places = voxel_centers(space, voxels.resolution)
    points, spacings = places[voxels.filled], voxel_spacing(places)[voxels.filled]
    free = room_before(shots.lenses, points) > 0
    shown_density = voxels.density_of(HULL_ALPHA)
    for key, frame in enumerate(voxels.times.tolist()):
        silhouettes = Silhouettes(shots, int(frame), surfaces)
        held = torch.nonzero(silhouettes.holds(points, spacings) & free)[:, 0]
        colors, seen = paint(silhouettes, points[held], spacings[held])
        shown = held[seen]
        voxels.densities[shown, key] = shown_density
        strong = colors[seen].clamp(1.0 - STRONGEST, STRONGEST)
        voxels.harmonics[shown, key, :3] = torch.logit(strong) / DC_BASIS
        progress.advance()
