"""A field that stands still, as sums of planes times lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.fields.color_heads import Head
from fourfold.fields.product_field import DEFAULTS, ProductField, ProductSettings


@dataclass(frozen=True, eq=False)
class TensorVMField(ProductField):
    """TensoRF's vector-matrix decomposition (Chen et al. 2022, equations 4 and 7).

    ``f(x,y,z) = sum_r P_xy[r] l_z[r] + P_xz[r] l_y[r] + P_yz[r] l_x[r]`` for density; for
    appearance the same without the sum, then a basis and a small network, or harmonics. Stands
    still: times are ignored. See `ProductField` for the tensors.
    """

    kind: ClassVar[str] = "tensor_vm"
    pairs: ClassVar = (("xy", "z"), ("xz", "y"), ("yz", "x"))

    @staticmethod
    def random(
        resolution: tuple[int, int, int],
        generator: torch.Generator,
        *,
        density_ranks: int = 16,
        appearance_ranks: int = 16,
        head: Head = "mlp",
        settings: ProductSettings = DEFAULTS,
    ) -> TensorVMField:
        """Make a first field of noise; `resolution` is the vertices along x, y and z.

        Ranks, of each of the three products, are multiples of 16.
        """
        sizes = dict(zip("xyz", resolution, strict=True))
        ranks = {"density": density_ranks, "appearance": appearance_ranks}
        return TensorVMField._random(sizes, ranks, head, settings, generator)

    def _coordinates(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None
    ) -> Float[Tensor, "S 3"]:
        return points
