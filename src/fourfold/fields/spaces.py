"""Where the unit cube of a field lies in the world: a box, a camera's frustum, or all of space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.fields.kinds import Kinds
from fourfold.fields.rays import Paths, Rays
from fourfold.geometry import transform_points

# Every kind of space by its name in saved scenes.
_KINDS: Kinds[Space] = Kinds("space")

# How near to infinity (in cubes from the face where it lies) points come back as finite ones.
_HORIZON = 1e-6

# A ray ends this share before infinity, a thousand near depths away, where no camera of a rig sees
# parallax: what lies farther would outweigh all else in mean distances, and rounding could put the
# last piece behind the camera.
_LAST_SHARE = 1e-3


@dataclass(frozen=True, eq=False)
class Space(ABC):
    """A map between world coordinates and the unit cube [0,1]^3.

    A subclass is a dataclass of tensors with a `kind`, by which saved scenes find it.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        _KINDS.add(cls)

    @abstractmethod
    def to_cube(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Carry world points into the cube; those outside the space land outside of [0,1].

        Differentiable in the points.
        """

    @abstractmethod
    def to_world(self, cube: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Carry points of the cube into the world. Differentiable in the points."""

    @abstractmethod
    def paths(self, rays: Rays) -> Paths:
        """Give how rays run through the cube."""

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """Give the space with its tensors on another device or of another type."""
        moved = {n: t.to(device=device, dtype=dtype) for n, t in self.tensors().items()}
        return replace(self, **moved)

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that make up the space, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def config(self) -> dict[str, Any]:
        """Give what a saved scene writes down about the space beside its tensors."""
        return {"kind": self.kind}

    @staticmethod
    def restore(config: dict[str, Any], tensors: dict[str, Tensor]) -> Space:
        """Rebuild a space from its `config` and `tensors`.

        Raises:
            ValueError: an unknown kind, or tensors that do not make up that kind.
        """
        return _KINDS.build(config, tensors)


@dataclass(frozen=True, eq=False)
class BoxSpace(Space):
    """An upright box: the cube is its inside, from the corner `low` (3,) to `high` (3,)."""

    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]
    kind: ClassVar[str] = "box"

    def __post_init__(self) -> None:
        if not bool((self.high > self.low).all()):
            raise ValueError(f"no box from {self.low.tolist()} to {self.high.tolist()}")

    def to_cube(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        return (points - self.low) / (self.high - self.low)

    def to_world(self, cube: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        return self.low + cube * (self.high - self.low)

    def paths(self, rays: Rays) -> Paths:
        directions = rays.directions / (self.high - self.low)
        zeros, ones = torch.zeros_like(rays.near), torch.ones_like(rays.near)
        line = (self.to_cube(rays.origins), directions, rays.near, rays.far)
        return Paths(*line, zeros, ones, zeros).clipped()


@dataclass(frozen=True, eq=False)
class NdcSpace(Space):
    """The frustum of a camera from a near plane to infinity, for rigs that face forward.

    NeRF's normalised device coordinates, brought to [0,1]: across x/z and y/z within ±`slopes`
    (2,), in depth 1 - near/z. `camera_from_world` (4,4) is rigid, `near` () a z-depth above zero.
    Lines of the world are lines in the cube.
    """

    camera_from_world: Float[Tensor, "4 4"]
    slopes: Float[Tensor, "2"]
    near: Float[Tensor, ""]
    kind: ClassVar[str] = "ndc"

    def __post_init__(self) -> None:
        if not (float(self.near) > 0 and bool((self.slopes > 0).all())):
            raise ValueError(f"no frustum: near {float(self.near)}, slopes {self.slopes.tolist()}")

    def to_cube(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        return self._project(transform_points(self.camera_from_world, points))

    def _project(self, local: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        across = local[:, :2] / local[:, 2:] / self.slopes
        return torch.cat((across * 0.5 + 0.5, 1 - self.near / local[:, 2:]), dim=-1)

    def to_world(self, cube: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Carry points of the cube into the world; infinity is a million near depths away."""
        depths = self.near / (1 - cube[:, 2:]).clamp(min=_HORIZON)
        local = torch.cat(((cube[:, :2] * 2 - 1) * self.slopes * depths, depths), dim=-1)
        rotation, shift = self.camera_from_world[:3, :3], self.camera_from_world[:3, 3]
        return (local - shift) @ rotation

    def paths(self, rays: Rays) -> Paths:
        """Give straight paths: with z = z0 + t dz, all of x/z, y/z, 1/z are linear in w = t/z."""
        local = rays.moved(self.camera_from_world)
        slopes = local.directions[:, 2]
        to_plane = (self.near - local.origins[:, 2]) / slopes
        ahead = (slopes > 0) & (to_plane > rays.near)
        bases = torch.where(ahead, to_plane, rays.near)
        origins = local.origins + bases[:, None] * local.directions
        depths = torch.where(ahead, self.near, origins[:, 2])
        missed = depths < self.near
        # Rays that never come before the near plane get a harmless depth, and an empty path.
        depths = torch.where(missed, self.near, depths)
        origins = torch.cat((origins[:, :2], depths[:, None]), dim=-1)
        turn = local.directions - origins * (slopes / depths)[:, None]
        across = turn[:, :2] * 0.5 / self.slopes
        directions = torch.cat((across, (self.near * slopes / depths)[:, None]), dim=-1)
        zeros = torch.zeros_like(depths)
        line = self._project(origins), directions, zeros, zeros, bases, depths, slopes
        ends = torch.where(missed, 0.0, Paths(*line).places(rays.far))
        horizon = torch.where(slopes > 0, (1 - _LAST_SHARE) / slopes, torch.inf)
        ends = torch.minimum(ends, horizon)
        return Paths(*line[:3], ends, *line[4:]).clipped()


@dataclass(frozen=True, eq=False)
class ContractedSpace(Space):
    """All of space: a box in the middle half of the cube, the rest contracted about it.

    x -> (2 - 1/|x|) x/|x| of mip-NeRF 360 (Barron et al. 2022, eq. 10) with the largest norm, in
    half sizes of the box from its `center` (3,): `half_size` (3,). Infinity is the cube's surface.
    """

    center: Float[Tensor, "3"]
    half_size: Float[Tensor, "3"]
    kind: ClassVar[str] = "contracted"

    def __post_init__(self) -> None:
        if not bool((self.half_size > 0).all()):
            raise ValueError(f"no box of half sizes {self.half_size.tolist()}")

    def to_cube(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        return contract((points - self.center) / self.half_size)

    def to_world(self, cube: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Carry points of the cube into the world; infinity is a million half sizes away."""
        inner = 4 * cube - 2
        norm = inner.abs().amax(-1, keepdim=True).clamp(min=1)
        return self.center + self.half_size * inner / (norm * (2 - norm).clamp(min=_HORIZON))

    def paths(self, rays: Rays) -> Paths:
        zeros, ones = torch.zeros_like(rays.near), torch.ones_like(rays.near)
        origins = (rays.origins - self.center) / self.half_size
        line = origins, rays.directions / self.half_size, rays.near, rays.far
        return Paths(*line, zeros, ones, zeros, contracted=True)


def contract(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Bring all of space into the cube: [-1,1]^3 becomes its middle half. Differentiable.

    >>> contract(torch.tensor([[1.0, 0.0, 0.0], [4.0, 2.0, 0.0]]))
    tensor([[0.7500, 0.5000, 0.5000], [0.9375, 0.7188, 0.5000]])
    """
    inverse = 1 / points.abs().amax(-1, keepdim=True).clamp(min=1)
    return points * (inverse * (2 - inverse) / 4) + 0.5
