"""What a rasterisation gives back."""

from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor


class View(Protocol):
    """What a backend remembers of one drawn view."""

    means2d: Tensor
    depths: Tensor
    radii: Tensor
    means2d_grad: Tensor | None

    def contributions(self) -> Tensor: ...


class RasterMeta:
    """Tell about each Gaussian where and how large it was drawn, and what it gave to the image.

    With a batch of cameras every tensor has a leading axis V.
    """

    def __init__(self, views: list[View], batched: bool) -> None:
        self.views, self.batched = views, batched

    def _gather(self, tensors: list[Tensor]) -> Tensor:
        return torch.stack(tensors) if self.batched else tensors[0]

    @property
    def means2d(self) -> Float[Tensor, "*V N 2"]:
        """Projected means in pixels, x then y; meaningless where the radius is 0."""
        return self._gather([view.means2d for view in self.views])

    @property
    def depths(self) -> Float[Tensor, "*V N"]:
        """Z of the means in the camera frame; meaningless where the radius is 0."""
        return self._gather([view.depths for view in self.views])

    @property
    def radii(self) -> Int[Tensor, "*V N"]:
        """Half the longer side of the box where alpha reaches 1/255, in pixels; 0 is not drawn."""
        return self._gather([view.radii for view in self.views])

    @property
    def contributions(self) -> Float[Tensor, "*V N"]:
        """Sum of each Gaussian's blending weights over the pixels; costs about a backward pass."""
        return self._gather([view.contributions() for view in self.views])

    @property
    def means2d_grad(self) -> Float[Tensor, "*V N 2"] | None:
        """Gradient of the loss by the projected means, per pixel; None before backward."""
        grads = [view.means2d_grad for view in self.views]
        if any(grad is None for grad in grads):
            return None
        return self._gather([grad for grad in grads if grad is not None])


class Rasterization(NamedTuple):
    """Image, alpha and depth of one view, or of V views with a leading axis, and the meta."""

    image: Float[Tensor, "*V H W C"]
    alpha: Float[Tensor, "*V H W"]
    depth: Float[Tensor, "*V H W"]
    meta: RasterMeta
