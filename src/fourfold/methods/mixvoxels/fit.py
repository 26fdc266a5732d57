"""What is optimised: the still and the moving voxels, and where they may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import adaptive_max_pool3d

from fourfold.errors import InputError
from fourfold.fields import (
    Part,
    RayColors,
    Rays,
    RowAdam,
    Space,
    VoxelField,
    dilated,
    pack_mask,
    unpack_mask,
)
from fourfold.methods.mixvoxels.exposures import Exposures

FRESH_ALPHA = 5e-3
"""Alpha of a voxel at first: a ray through a coarse grid loses half of its light."""
PRUNE_WEIGHT = 1e-2
"""Voxels at which no ray ends with more than this weight, nor at a neighbour, are dropped."""
DENSITY_RATE = 2.0
"""Learning rate of densities, relative to that of colours: they have farther to go."""


@dataclass
class Layer:
    """A voxel field that is optimised, its optimiser, and where rays meet it (None: everywhere).

    The first `held` keys stay as they are. `reached` says at which vertices rays ended since voxels
    were dropped last. One that is `frozen` is not optimised any more.
    """

    voxels: VoxelField
    occupancy: Bool[Tensor, "X Y Z"] | None = None
    held: int = 0
    frozen: bool = False
    reached: Bool[Tensor, "X Y Z"] = field(init=False)
    optimizer: RowAdam = field(init=False)

    def __post_init__(self) -> None:
        self.forget()
        if self.frozen:
            self.freeze()
        else:
            self.restart()

    def forget(self) -> None:
        """Take note anew of where rays end."""
        self.reached = torch.zeros(self.voxels.resolution, dtype=torch.bool)

    def note(self, points: Float[Tensor, "S 3"]) -> None:
        """Take note that rays end at points of the cube: at the vertices next to them."""
        size = torch.tensor(self.voxels.resolution)
        x, y, z = (points * (size - 1)).round().long().unbind(1)
        self.reached.view(-1).index_fill_(0, (x * size[1] + y) * size[2] + z, True)

    def restart(self) -> None:
        """Begin with fresh moments, for voxels that are new."""
        parameters = self.voxels.parameters()
        for tensor in parameters.values():
            tensor.requires_grad_(True)
        self.frozen = False
        self.optimizer = RowAdam(parameters, dict.fromkeys(parameters, 0.0))

    def freeze(self) -> None:
        """Leave the voxels as they are from now on."""
        for tensor in self.voxels.parameters().values():
            tensor.requires_grad_(False)
        self.frozen = True
        self.optimizer = RowAdam({}, {})

    def replace(self, voxels: VoxelField) -> None:
        """Go on with other voxels."""
        self.voxels = voxels
        self.restart()

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the densities, and that of the colours by it."""
        self.optimizer.rates = {"densities": DENSITY_RATE * rate, "harmonics": rate}

    def prune(self) -> None:
        """Drop voxels in which no ray ends, and leave them out of the rays."""
        occupancy = dilated(self.reached)
        if bool((occupancy & self.voxels.filled).any()):
            self.occupancy = occupancy
            self.replace(self.voxels.pruned(occupancy))
            self.forget()

    def upsample(
        self, resolution: tuple[int, int, int], within: Bool[Tensor, "X Y Z"] | None = None
    ) -> None:
        """Go on with a finer grid, filled nowhere but `within`."""
        self.replace(self.voxels.upsampled(resolution, within))
        self.forget()

    def step(self, tv_density: float, tv_color: float, tv_time: float = 0.0) -> None:
        """Step down the gradients, with those of total variation added; forget them."""
        count = self.voxels.densities.shape[0] * self.voxels.densities.shape[1]
        for name, weight in (("densities", tv_density), ("harmonics", tv_color)):
            self.voxels.add_variation(name, weight * count, tv_time * weight * count)
        parameters = self.voxels.parameters()
        kept = {name: rows.detach()[:, : self.held].clone() for name, rows in parameters.items()}
        self.optimizer.step()
        self.optimizer.zero_grad()
        for name, rows in parameters.items():
            rows.detach()[:, : self.held] = kept[name]

    def tensors(self) -> dict[str, Any]:
        """Give everything that a checkpoint needs to go on, nested."""
        return {
            "voxels": voxel_tensors(self.voxels),
            "occupancy": _packed(self.occupancy),
            "held": torch.tensor(self.held),
            "reached": pack_mask(self.reached),
            "optimizer": self.optimizer.state(),
        }

    @staticmethod
    def restore(state: dict[str, Any]) -> Layer:
        """Rebuild from `tensors`."""
        voxels, optimizer = restored_voxels(state["voxels"]), state["optimizer"]
        occupancy, held = _unpacked(state["occupancy"]), int(state["held"])
        layer = Layer(voxels, occupancy, held, frozen=not optimizer)
        layer.reached = unpack_mask(state["reached"], voxels.resolution)
        layer.optimizer.load_state(optimizer)
        return layer


@dataclass
class Fit:
    """The voxels of a scene: the still ones, and the moving ones once it is known which move.

    `movable` says which voxels of the finest grid those are; they begin on a coarser one.
    `exposures` are those of the training cameras.
    """

    space: Space
    exposures: Exposures
    still: Layer
    moving: Layer | None = None
    movable: Bool[Tensor, "X Y Z"] | None = None

    @property
    def layers(self) -> list[Layer]:
        """The still, then the moving voxels, if there are any."""
        return [self.still] if self.moving is None else [self.still, self.moving]

    def parts(self, rays: Rays, step: float, only_still: bool = False) -> list[Part]:
        """Give what rays meet."""
        layers: Sequence[Layer] = [self.still] if only_still else self.layers
        return [Part(each.voxels, self.space, each.occupancy, rays, step) for each in layers]

    @torch.no_grad()
    def note(self, seen: RayColors) -> None:
        """Take note of where rays end, for `Layer.prune`."""
        for number, layer in enumerate(self.layers):
            own = (seen.owners == number) & (seen.weights > PRUNE_WEIGHT)
            layer.note(seen.samples.points[own])

    def refine_movers(self, resolution: tuple[int, int, int]) -> None:
        """Go on with a finer grid of moving voxels."""
        assert self.moving is not None
        assert self.movable is not None
        finest = self.movable.shape == resolution
        self.moving.upsample(resolution, within=self.movable if finest else None)

    def tensors(self) -> dict[str, Any]:
        """Give everything that a checkpoint needs to go on, nested."""
        moving = {} if self.moving is None else self.moving.tensors()
        movable = _packed(self.movable)
        return {
            "exposures": self.exposures.tensors(),
            "still": self.still.tensors(),
            "moving": moving,
            "movable": movable,
        }

    @staticmethod
    def restore(space: Space, state: dict[str, Any]) -> Fit:
        """Rebuild from `tensors`.

        Raises:
            InputError: they are of an older version.
        """
        try:
            moving = Layer.restore(state["moving"]) if state["moving"] else None
            exposures, still = Exposures.restore(state["exposures"]), Layer.restore(state["still"])
            return Fit(space, exposures, still, moving, _unpacked(state["movable"]))
        except KeyError as error:
            raise InputError(
                f"the checkpoint is of an older version: it has no {error}",
                mend="--overwrite begins the training anew",
            ) from error


def voxel_tensors(voxels: VoxelField) -> dict[str, Tensor]:
    """Give all that there is to know of voxels, for a file: where they are filled as bits."""
    tensors = {name: tensor.detach() for name, tensor in voxels.tensors().items()}
    constants = torch.tensor([voxels.scale, voxels.shift], dtype=torch.float64)
    return tensors | {"resolution": torch.tensor(voxels.resolution), "constants": constants}


def restored_voxels(tensors: Mapping[str, Tensor]) -> VoxelField:
    """Rebuild from `voxel_tensors`."""
    rows = dict(tensors)
    resolution, (scale, shift) = rows.pop("resolution").tolist(), rows.pop("constants").tolist()
    config = {"resolution": resolution, "scale": scale, "shift": shift}
    return VoxelField.rebuild(config, rows)


def _packed(mask: Bool[Tensor, "X Y Z"] | None) -> dict[str, Tensor]:
    return {} if mask is None else {"bits": pack_mask(mask), "shape": torch.tensor(mask.shape)}


def _unpacked(packed: Mapping[str, Tensor]) -> Bool[Tensor, "X Y Z"] | None:
    return unpack_mask(packed["bits"], packed["shape"].tolist()) if packed else None


def coarsened(
    voxels: Bool[Tensor, "X Y Z"], resolution: tuple[int, int, int]
) -> Bool[Tensor, "A B C"]:
    """Give the voxels of a coarser grid that cover some of a finer one."""
    covered = adaptive_max_pool3d(voxels.float().unsqueeze(0), resolution).squeeze(0)
    return dilated(covered > 0)


def grid_of(space: Space, longest: int) -> tuple[int, int, int]:
    """Choose the resolution of a grid over a space: cubic voxels, `longest` on the longest side.

    A box of other sides has as many voxels as a cube of its volume would: no fewer in depth than
    a third of the longest side.
    """
    extents = _extents(space)
    shares = (extents / extents.max()).clamp_min(1.0 / 3.0)
    x, y, z = (shares * longest).round().int().tolist()
    return x, y, z


def _extents(space: Space) -> Float[Tensor, " 3"]:
    """Give the relative lengths of the sides of a cube's matter, all equal where it is warped."""
    if space.kind == "box":
        corners = space.to_world(torch.stack((torch.zeros(3), torch.ones(3))))
        return corners[1] - corners[0]
    if space.kind == "ndc":
        # across, cells are as wide as those of the frustum; in depth, half as many do
        slopes = space.tensors()["slopes"]
        return torch.cat((slopes, 0.75 * slopes.max()[None]))
    return torch.ones(3)
