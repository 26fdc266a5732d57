"""A volume in the scene: a field, where it is, and what of it is worth looking at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fourfold.errors import UsageError
from fourfold.fields import Field, Space
from fourfold.geometry import DC_BASIS
from fourfold.scene.appearance import Appearance
from fourfold.scene.gaussians import Gaussians
from fourfold.scene.motion import Motion

_SHOWN_ALPHA = 0.05
# Of the spacing of the voxels: neighbours overlap without gaps.
_GAUSSIAN_SIZE = 0.55
_MOST_OPAQUE = 0.99


@dataclass(frozen=True, eq=False)
class Volume:
    """A field in its space.

    `occupancy` (X,Y,Z), over the unit cube at a resolution of its own, says where it may have
    density; `step` along rays is in voxels of the field.
    """

    field: Field
    space: Space
    occupancy: Bool[Tensor, "X Y Z"]
    step: float = 0.5

    def __len__(self) -> int:
        return int(self.occupancy.sum())

    def gaussians(self, time: float) -> Gaussians:
        """Give a Gaussian for each voxel that is seen at `time`, in the space's world; own.

        Its opacity is the voxel's alpha, its colour the mean over six directions, its size the
        distance to the neighbouring voxels. For export: the picture is coarser than the volume's.
        """
        points = self._voxels()
        times = torch.full((len(points),), float(time))
        with torch.no_grad():
            alphas = 1.0 - torch.exp(
                -self.field.density(points, times) / max(self.field.resolution)
            )
            seen = alphas > _SHOWN_ALPHA
            points, times, alphas = points[seen], times[seen], alphas[seen]
            colors = self._mean_colors(points, times)
        means, sizes = self._placed(points)
        quaternions = torch.zeros(len(points), 4)
        quaternions[:, 0] = 1.0
        return Gaussians(
            means=means,
            quaternions=quaternions,
            log_scales=sizes.log(),
            logit_opacities=torch.logit(alphas.clamp_max(_MOST_OPAQUE)),
            harmonics=((colors - 0.5) / DC_BASIS).unsqueeze(1),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Give the tensors that make up the volume, by name."""
        own = {"occupancy": self.occupancy}
        field = {f"field.{name}": tensor for name, tensor in self.field.tensors().items()}
        space = {f"space.{name}": tensor for name, tensor in self.space.tensors().items()}
        return own | field | space

    def config(self) -> dict[str, Any]:
        """Give what a saved scene writes down about the volume beside its tensors."""
        return {
            "field": self.field.config(),
            "space": self.space.config(),
            "step": self.step,
        }

    @staticmethod
    def restore(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Volume:
        """Rebuild a volume from its `config` and `tensors`.

        Raises:
            ValueError: unknown kinds, or tensors that do not make up such a volume.
        """
        return Volume(
            Field.restore(config["field"], _under("field.", tensors)),
            Space.restore(config["space"], _under("space.", tensors)),
            tensors["occupancy"],
            config["step"],
        )

    def _voxels(self) -> Float[Tensor, "S 3"]:
        """Give the field's vertices, in the cube, that lie where the volume is occupied."""
        axes = [torch.linspace(0.0, 1.0, count) for count in self.field.resolution]
        found = []
        for x in axes[0]:  # plane by plane: all of a fine grid would not fit
            plane = torch.stack(torch.meshgrid(x[None], axes[1], axes[2], indexing="ij"), -1)
            plane = plane.reshape(-1, 3)
            scale = torch.tensor(self.occupancy.shape)
            cell = (plane * scale).long().minimum(scale - 1)
            found.append(plane[self.occupancy[cell[:, 0], cell[:, 1], cell[:, 2]]])
        return torch.cat(found)

    def _mean_colors(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"]
    ) -> Float[Tensor, "S 3"]:
        views = torch.cat((torch.eye(3), -torch.eye(3)))
        seen = [self.field.colors(points, times, view.expand_as(points)) for view in views]
        return torch.stack(seen).mean(0)

    def _placed(
        self, points: Float[Tensor, "S 3"]
    ) -> tuple[Float[Tensor, "S 3"], Float[Tensor, "S 3"]]:
        """Give places in the world, and sizes: half the way to the neighbours along each axis."""
        means = self.space.to_world(points)
        sizes = []
        for axis, count in enumerate(self.field.resolution):
            ahead = points.clone()
            toward = torch.where(points[:, axis] > 0.5, -1.0, 1.0) / max(count - 1, 1)
            ahead[:, axis] += toward
            sizes.append((self.space.to_world(ahead) - means).norm(dim=1))
        # a voxel of a warped cube is not aligned with the world: round Gaussians of its mean size
        mean = torch.stack(sizes).log().mean(0).exp() * _GAUSSIAN_SIZE
        return means, mean.clamp_min(1e-9)[:, None].expand(-1, 3).contiguous()


@dataclass(frozen=True, eq=False)
class VolumeObject:
    """A named volume and its motion, which is a similarity at each time; see `SceneObject`.

    What changes within the volume is the field's own matter.
    """

    name: str
    volume: Volume
    motion: Motion
    scale_range: tuple[float, float] | None = None

    appearance: ClassVar[Appearance | None] = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("an object needs a name")
        if self.motion.similarity(0.0) is None:
            raise ValueError(f"a volume is not moved by a {self.motion.kind} motion")

    @cached_property
    def geometry(self) -> Gaussians:
        """The volume as Gaussians in its canonical frame, at time 0."""
        return self.volume.gaussians(0.0)

    def at(self, time: float) -> Gaussians:
        """Give the volume as Gaussians in the world at `time` (frames); not differentiable."""
        changes = self.volume.field.changes
        return self.motion.apply(self.volume.gaussians(time) if changes else self.geometry, time)

    def require_followable(self) -> None:
        """Refuse a volume whose matter changes.

        Raises:
            UsageError: its field says what is there at each time, not where it goes.
        """
        if self.volume.field.changes:
            raise UsageError(
                f"the voxels of {self.name} say what is there at each time, not where it goes",
                expected="no flow and no tracks",
                mend="Train with --geometry gaussians for motion",
            )

    def means_at(self, time: float) -> Float[Tensor, "N 3"]:
        """Give the centres of `geometry` in the world at `time`.

        Raises:
            UsageError: the volume's matter changes.
        """
        self.require_followable()
        return self.motion.move_points(self.geometry.means, time)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
