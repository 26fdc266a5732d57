"""Cut rays into pieces: equal steps through the cube, finer about a known depth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.fields import cutting, reference
from fourfold.fields.compositing import has_kernels
from fourfold.fields.rays import Paths, Rays
from fourfold.fields.samples import Samples
from fourfold.fields.spaces import Space

# A guided stretch reaches this many standard deviations to both sides.
GUIDE_REACH = 3.0


@dataclass(frozen=True, eq=False)
class Guide:
    """Where the rays' surfaces are known to be: `distances` (R,) along the rays, `stds` (R,).

    A ray whose distance is NaN has no guide.
    """

    distances: Float[Tensor, " R"]
    stds: Float[Tensor, " R"]


@torch.no_grad()
def sample_rays(
    rays: Rays,
    space: Space,
    resolution: tuple[int, int, int],
    occupancy: Bool[Tensor, "X Y Z"] | None = None,
    *,
    step: float = 0.5,
    jitter: Float[Tensor, " R"] | None = None,
    max_samples: int = 2048,
    guide: Guide | None = None,
) -> Samples:
    """Cut the parts of rays that lie in a space into pieces, leaving out those in empty cells.

    Pieces are `step` voxels of `resolution` long in the cube: in an `NdcSpace` steps of disparity,
    in a `ContractedSpace` steps that grow (there they are about as long as asked, shorter far away,
    and end just before infinity). The first and the last piece of a ray are cut off where the ray
    enters and leaves. Within three standard deviations of a guide's distance pieces are cut in
    four. Own method.

    `occupancy` is true in cells where something may be, over the whole cube with any number of
    cells; a piece counts where its middle lies. `jitter` (R,) in [0,1) shifts the borders of all
    pieces of a ray by that share of a step. A ray that would take more than `max_samples` steps
    takes that many longer ones. Not differentiable.

    Raises:
        ValueError: rays that are not finite or have no direction, or a step that is not positive.
    """
    check_rays(rays, step, max_samples)
    paths = space.paths(rays)
    share = torch.ones_like(rays.near) if jitter is None else jitter.to(rays.near)
    zone = _guided_zone(paths, guide, rays.near)
    cut = cutting.cut_paths if has_kernels(share) else reference.cut_paths
    return cut(paths, resolution, occupancy, step, share, max_samples, zone)


def check_rays(rays: Rays, step: float, max_samples: int) -> None:
    """Refuse rays and steps that do not make a march; see `sample_rays`."""
    if not (step > 0 and max_samples > 0):
        raise ValueError(f"no march with steps of {step} voxels, at most {max_samples} of them")
    finite = torch.isfinite(rays.origins).all() & torch.isfinite(rays.near).all()
    directed = (rays.directions.abs().amax(1) > 0) & torch.isfinite(rays.directions).all(1)
    if not bool(finite & directed.all()):
        raise ValueError("rays need finite origins, near distances and directions other than zero")


def _guided_zone(
    paths: Paths, guide: Guide | None, near: Float[Tensor, " R"]
) -> tuple[Float[Tensor, " R"], Float[Tensor, " R"]]:
    """Give the places between which pieces are cut finer; nowhere on rays without a guide."""
    if guide is None:
        return torch.full_like(paths.starts, torch.inf), torch.full_like(paths.starts, -torch.inf)
    known = torch.isfinite(guide.distances)
    reach = GUIDE_REACH * guide.stds
    low = torch.where(known, paths.places((guide.distances - reach).maximum(near)), torch.inf)
    high = torch.where(known, paths.places(guide.distances + reach), -torch.inf)
    return low, high
