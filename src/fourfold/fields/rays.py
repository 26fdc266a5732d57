"""Rays in the world, and their paths through the unit cube of a field."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fourfold.geometry import Camera


@dataclass(frozen=True, eq=False)
class Rays:
    """Half lines x(t) = origin + t direction, of which the stretch near <= t <= far counts.

    `origins`, `directions` (R,3), `near`, `far` (R,). In the world directions have unit length, so
    that t is a distance; in the frame of a body that is scaled by s they have the length 1/s, and t
    is still the distance in the world. `far` may be infinite.
    """

    origins: Float[Tensor, "R 3"]
    directions: Float[Tensor, "R 3"]
    near: Float[Tensor, " R"]
    far: Float[Tensor, " R"]

    def __post_init__(self) -> None:
        count = len(self.origins)
        shapes = [tuple(t.shape) for t in (self.origins, self.directions, self.near, self.far)]
        if shapes != [(count, 3), (count, 3), (count,), (count,)]:
            raise ValueError(f"rays need (R,3), (R,3), (R,) and (R,), got {shapes}")

    def __len__(self) -> int:
        return len(self.origins)

    def select(self, rays: Int[Tensor, " M"] | Bool[Tensor, " R"] | slice) -> Rays:
        """Give some of the rays, by number, by a mask or by a slice."""
        parts = (self.origins, self.directions, self.near, self.far)
        return Rays(*(part[rays] for part in parts))

    def moved(self, local_from_world: Float[Tensor, "*R 4 4"]) -> Rays:
        """Carry rays into another frame by one similarity, or by one for each ray.

        Distances along them stay those in the world. Differentiable in the similarity.
        """
        linear, shift = local_from_world[..., :3, :3], local_from_world[..., :3, 3]
        origins = (linear @ self.origins.unsqueeze(-1)).squeeze(-1) + shift
        directions = (linear @ self.directions.unsqueeze(-1)).squeeze(-1)
        return Rays(origins, directions, self.near, self.far)

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Rays:
        """Give the rays on another device or of another type."""
        parts = (self.origins, self.directions, self.near, self.far)
        return Rays(*(part.to(device=device, dtype=dtype) for part in parts))

    def bounded(self, near: float = 0.0, far: float = inf) -> Rays:
        """Give the same rays, counting from `near` to `far`."""
        ones = torch.ones_like(self.near)
        return Rays(self.origins, self.directions, near * ones, far * ones)


def camera_rays(
    camera: Camera, pixels: Float[Tensor, "R 2"], near: float = 0.0, far: float = inf
) -> Rays:
    """Give the rays seen at pixel positions (x, y), the centre of the first being (0.5, 0.5).

    Differentiable in the camera's pose and intrinsics.

    >>> camera = Camera.from_fov(4, 2, 90.0)
    >>> camera_rays(camera, torch.tensor([[2.0, 1.0]])).directions
    tensor([[0., 0., 1.]])
    """
    world_from_camera = camera.world_from_camera
    directions = camera.directions(pixels) @ world_from_camera[:3, :3].mT
    directions = torch.nn.functional.normalize(directions, dim=-1)
    ones = torch.ones_like(directions[:, 0])
    origins = world_from_camera[:3, 3].expand_as(directions)
    return Rays(origins, directions, near * ones, far * ones)


@dataclass(frozen=True, eq=False)
class Paths:
    """How rays run through the cube: straight lines c(w) = origins + w directions, or contracted.

    Along a straight path equal steps of w are equal steps in the cube, and w is a projective map
    of the distance: t = bases + w depths / (1 - w slopes). Where `contracted`, the line is that in
    units of the box about which space is contracted, and only `contract` brings it into the cube.
    A path runs from `starts` to `ends`; where it misses the cube, `ends` is not above `starts`.
    """

    origins: Float[Tensor, "R 3"]
    directions: Float[Tensor, "R 3"]
    starts: Float[Tensor, " R"]
    ends: Float[Tensor, " R"]
    bases: Float[Tensor, " R"]
    depths: Float[Tensor, " R"]
    slopes: Float[Tensor, " R"]
    contracted: bool = False

    def distances(self, places: Float[Tensor, "R N"]) -> Float[Tensor, "R N"]:
        """Give the distances t at places w of the paths."""
        shrink = 1 - places * self.slopes[:, None]
        return self.bases[:, None] + places * self.depths[:, None] / shrink

    def speeds(self, places: Float[Tensor, "R N"]) -> Float[Tensor, "R N"]:
        """Give dt/dw at places w."""
        return self.depths[:, None] / (1 - places * self.slopes[:, None]).square()

    def places(self, distances: Float[Tensor, " R"]) -> Float[Tensor, " R"]:
        """Give the places w at the distances t; infinite where t lies behind every place."""
        offsets = distances - self.bases
        depths = self.depths + offsets * self.slopes
        places = torch.where(depths > 0, offsets / depths, torch.inf)
        horizon = torch.where(self.slopes > 0, 1 / self.slopes, torch.inf)
        return torch.where(offsets == torch.inf, horizon, places)

    def clipped(self) -> Paths:
        """Cut straight paths off at the faces of the unit cube (the slab method)."""
        to_low, to_high = -self.origins / self.directions, (1 - self.origins) / self.directions
        still = self.directions == 0
        outside = (self.origins < 0) | (self.origins > 1)
        enter = torch.where(still, -torch.inf, torch.minimum(to_low, to_high)).amax(1)
        leave = torch.where(still, torch.inf, torch.maximum(to_low, to_high)).amin(1)
        starts, ends = torch.maximum(self.starts, enter), torch.minimum(self.ends, leave)
        missed = (still & outside).any(1) | ~torch.isfinite(ends)
        ends = torch.where(missed, starts, ends)
        rest = (self.bases, self.depths, self.slopes)
        return Paths(self.origins, self.directions, starts, ends, *rest)
