"""A field that changes with time, as sums of planes of space times planes of space and time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.fields.color_heads import Head
from fourfold.fields.product_field import DEFAULTS, ProductField, ProductSettings


@dataclass(frozen=True, eq=False)
class HexPlaneField(ProductField):
    """HexPlane (Cao and Johnson 2023, equation 4): six planes, multiplied in pairs.

    ``f(x,y,z,t) = sum_r P_xy[r] P_zt[r] + P_xz[r] P_yt[r] + P_yz[r] P_xt[r]`` for density; for
    appearance the same without the sum, then a basis and a small network, or harmonics. Times
    before the first and after the last frame are held. See `ProductField` for the tensors.
    """

    kind: ClassVar[str] = "hex_plane"
    pairs: ClassVar = (("xy", "zt"), ("xz", "yt"), ("yz", "xt"))

    @staticmethod
    def random(
        resolution: tuple[int, int, int],
        frames: tuple[float, float],
        moments: int,
        generator: torch.Generator,
        *,
        density_ranks: int = 16,
        appearance_ranks: int = 16,
        head: Head = "mlp",
        settings: ProductSettings = DEFAULTS,
    ) -> HexPlaneField:
        """Make a first field of noise, nearly still.

        `resolution` is the vertices along x, y and z; `moments`, 2 or more, are those from the
        first to the last of `frames`. Ranks, of each of the three products, are multiples of 16.

        Raises:
            ValueError: no time passes between the frames, or fewer than two moments.
        """
        if frames[1] <= frames[0] or moments < 2:
            raise ValueError(f"no {moments} moments from frame {frames[0]} to {frames[1]}")
        sizes = dict(zip("xyzt", (*resolution, moments), strict=True))
        ranks = {"density": density_ranks, "appearance": appearance_ranks}
        settings = replace(settings, first=frames[0], last=frames[1])
        return HexPlaneField._random(sizes, ranks, head, settings, generator)

    @property
    def changes(self) -> bool:
        return True

    def _coordinates(
        self, points: Float[Tensor, "S 3"], times: Float[Tensor, " S"] | None
    ) -> Float[Tensor, "S 4"]:
        if times is None:
            raise ValueError("a hex_plane field changes with time, and was asked without one")
        span = self.settings.last - self.settings.first
        moments = (times - self.settings.first) / span
        return torch.cat((points, moments[:, None].to(points)), 1)
