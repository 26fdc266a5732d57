"""What the fields made of products of grids have in common: all but which grids there are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.fields.color_heads import Head, first_head, head_colors
from fourfold.fields.field import Field
from fourfold.fields.plane_variation import plane_variation
from fourfold.fields.products import Factor, product_features, product_sum

AXES = "xyzt"
KINDS = ("density", "appearance")
"""Density and appearance have grids of their own."""
NETWORK = ".network"
"""Ending of the names of the tensors that make colours of features."""
INITIAL_SPREAD = 0.1
"""Standard deviation of the first values of all grids (TensoRF's)."""


@dataclass(frozen=True)
class ProductSettings:
    """How densities come from sums: ``density = scale softplus(sum + shift)``; and the times.

    With the defaults (own) a ray through all of a new field has an alpha of about 0.9, so that
    gradients reach everywhere. `first` and `last` are frames; both 0 in a field that stands still.
    """

    shift: float = -3.0
    scale: float = 50.0
    first: float = 0.0
    last: float = 0.0


DEFAULTS = ProductSettings()


@dataclass(frozen=True, eq=False)
class ProductField(Field):
    """Density and appearance as sums of products of grids over two, or of one, of the axes.

    The tensors, by name: `density.xy.planes` and so on, (A,B,R) with the channels last, and the
    same for `appearance`; `basis.network` and so on of the colour's head. Vertex i of an axis with
    n of them is at i / (n - 1) of the cube.
    """

    grids: Mapping[str, Tensor]
    settings: ProductSettings
    pairs: ClassVar[Sequence[tuple[str, str]]]
    """The axes of the grids that are multiplied, for instance xy and z."""

    def __post_init__(self) -> None:
        names = {self._name(what, axes) for what in KINDS for pair in self.pairs for axes in pair}
        found = {name for name in self.grids if not name.endswith(NETWORK)}
        if names != found or len(found) == len(self.grids):
            raise ValueError(f"a {self.kind} field has {sorted(names)}, not {sorted(found)}")

    @staticmethod
    def _name(what: str, axes: str) -> str:
        return f"{what}.{axes}.{'planes' if len(axes) == 2 else 'lines'}"

    @classmethod
    def _random(
        cls,
        sizes: Mapping[str, int],
        ranks: Mapping[str, int],
        head: Head,
        settings: ProductSettings,
        generator: torch.Generator,
    ) -> Self:
        """Make a first field; `sizes`: vertices along each axis."""
        grids = {
            cls._name(what, axes): cls._first_grid(axes, sizes, ranks[what], generator)
            for what in KINDS
            for pair in cls.pairs
            for axes in pair
        }
        tensors = first_head(head, len(cls.pairs) * ranks["appearance"], generator)
        return cls(grids | {name + NETWORK: t for name, t in tensors.items()}, settings)

    @staticmethod
    def _first_grid(
        axes: str, sizes: Mapping[str, int], ranks: int, generator: torch.Generator
    ) -> Float[Tensor, "A B R"]:
        """Start with noise; what depends on time with noise about 1, nearly still."""
        shape = (sizes[axes[0]], sizes[axes[1]] if len(axes) == 2 else 1, ranks)
        noise = INITIAL_SPREAD * torch.randn(shape, generator=generator)
        return noise + 1 if "t" in axes else noise

    @property
    def sizes(self) -> dict[str, int]:
        """How many vertices each axis has."""
        return {
            axis: self.grids[self._name("density", axes)].shape[place]
            for pair in self.pairs
            for axes in pair
            for place, axis in enumerate(axes)
        }

    @property
    def resolution(self) -> tuple[int, int, int]:
        sizes = self.sizes
        return sizes["x"], sizes["y"], sizes["z"]

    @abstractmethod
    def _coordinates(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None
    ) -> Float[Tensor, "S D"]:
        """Give where points and times lie along the axes, in [0,1]."""

    def _products(self, what: str) -> list[tuple[Factor, Factor]]:
        return [(self._factor(what, one), self._factor(what, two)) for one, two in self.pairs]

    def _factor(self, what: str, axes: str) -> Factor:
        columns = AXES.index(axes[0]), AXES.index(axes[-1])
        return Factor(self.grids[self._name(what, axes)], columns)

    def density(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None = None
    ) -> Float[Tensor, " S"]:
        sums = product_sum(self._products("density"), self._coordinates(points, times))
        return self.settings.scale * functional.softplus(sums + self.settings.shift)

    def features(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None = None
    ) -> Float[Tensor, "S C"]:
        """Give the features that colours are made of. Differentiable in the parameters."""
        return product_features(self._products("appearance"), self._coordinates(points, times))

    def colors(
        self,
        points: Float[Tensor, "S 3"],
        times: Float[Tensor, " S"] | None,
        directions: Float[Tensor, "S 3"],
    ) -> Float[Tensor, "S 3"]:
        head = {
            name.removesuffix(NETWORK): tensor
            for name, tensor in self.grids.items()
            if name.endswith(NETWORK)
        }
        return head_colors(head, self.features(points, times), directions)

    def parameters(self) -> dict[str, Tensor]:
        return dict(self.grids)

    def upsampled(self, resolution: tuple[int, int, int]) -> Self:
        sizes = self.sizes | dict(zip(AXES, resolution, strict=False))
        return replace(
            self,
            grids={
                name: _resized(grid, [sizes[axis] for axis in name.split(".")[1]])
                if not name.endswith(NETWORK)
                else grid.detach().clone()
                for name, grid in self.grids.items()
            },
        )

    def cropped(self, low: tuple[int, int, int], high: tuple[int, int, int]) -> Self:
        """Give the part of the field from vertex `low` to vertex `high`, included, of each axis.

        Densities are those per longest side of the smaller cube.
        """
        bounds = dict(zip(AXES, zip(low, high, strict=True), strict=False))
        bounds["t"] = (0, self.sizes.get("t", 0) - 1)
        grids = {}
        for name, grid in self.grids.items():
            if not name.endswith(NETWORK):
                for place, axis in enumerate(name.split(".")[1]):
                    first, last = bounds[axis]
                    grid = grid.narrow(place, first, last + 1 - first)
            grids[name] = grid.detach().clone(memory_format=torch.contiguous_format)
        before = max(self.resolution) - 1
        after = max(h - w for w, h in zip(low, high, strict=True))
        return replace(
            self,
            grids=grids,
            settings=replace(self.settings, scale=self.settings.scale * after / before),
        )

    def total_variation(self) -> Float[Tensor, ""]:
        """Sum the mean squared differences of neighbours over all planes. Differentiable."""
        planes = [grid for name, grid in self.grids.items() if name.endswith(".planes")]
        return torch.stack([plane_variation(plane) for plane in planes]).sum()

    def sparsity(self) -> Float[Tensor, ""]:
        """Sum the mean absolute values of the density's grids (TensoRF's L1). Differentiable."""
        grids = [grid for name, grid in self.grids.items() if name.startswith("density.")]
        return torch.stack([grid.abs().mean() for grid in grids]).sum()

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.grids)

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self.settings)}

    @classmethod
    def rebuild(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        settings = {name: value for name, value in config.items() if name != "kind"}
        return cls(tensors, ProductSettings(**settings))


def _resized(grid: Float[Tensor, "A B R"], sizes: list[int]) -> Float[Tensor, "A2 B2 R"]:
    """Interpolate a grid linearly to other numbers of vertices."""
    picture = grid.detach().permute(2, 0, 1)[None]
    size = (sizes[0], sizes[1] if len(sizes) == 2 else 1)
    resized = functional.interpolate(picture, size, mode="bilinear", align_corners=True)
    return resized[0].permute(1, 2, 0).contiguous()
