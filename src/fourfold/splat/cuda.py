"""Rasterise on CUDA through gsplat, with the same arguments and results.

Not yet measured, and not yet run on a GPU by the tests: they only check how gsplat is called. The
convention is gsplat's own, which the other backends follow.
"""

from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from fourfold.errors import MissingDependencyError
from fourfold.splat._settings import Inputs, Settings


@dataclass
class Drawn:
    """What gsplat remembers of a view."""

    info: dict
    inputs: tuple[Tensor, ...]
    settings: Settings

    @property
    def means2d(self) -> Tensor:
        return self.info["means2d"].detach()[0]

    @property
    def depths(self) -> Tensor:
        return self.info["depths"].detach()[0]

    @property
    def radii(self) -> Tensor:
        radii = self.info["radii"][0]
        return radii if radii.dim() == 1 else radii.amax(dim=-1)

    @property
    def means2d_grad(self) -> Tensor | None:
        grad = self.info["means2d"].grad
        return None if grad is None else grad[0]

    def contributions(self) -> Tensor:
        """Sum blending weights: the gradient of one channel's sum by its colours."""
        with torch.enable_grad():
            means, quaternions, scales, opacities, pose, intrinsics = self.inputs
            ones = torch.ones_like(opacities)[:, None].requires_grad_()
            image, _, _ = _gsplat().rasterization(
                means, quaternions, scales, opacities, ones, pose[None], intrinsics[None],
                self.settings.width, self.settings.height, near_plane=self.settings.near,
                far_plane=self.settings.far, eps2d=self.settings.eps2d, packed=False,
            )  # fmt: skip
            return torch.autograd.grad(image.sum(), ones)[0][:, 0]


def _gsplat() -> ModuleType:
    try:
        import gsplat
    except ImportError as error:
        raise MissingDependencyError(
            "rasterising on CUDA", package="gsplat", extra="cuda"
        ) from error
    return gsplat


def rasterize(inputs: Inputs, settings: Settings) -> tuple[Tensor, Tensor, Tensor, Drawn]:
    """Draw one view; see `fourfold.splat.rasterize`.

    The background is composited here: gsplat would count it into the depth channel's place.
    """
    *gaussians, colors, camera_from_world, intrinsics, background = inputs
    rendered, alphas, info = _gsplat().rasterization(
        *gaussians, colors, camera_from_world[None], intrinsics[None],
        settings.width, settings.height, near_plane=settings.near, far_plane=settings.far,
        eps2d=settings.eps2d, render_mode="RGB+ED", packed=False,
    )  # fmt: skip
    if info["means2d"].requires_grad:
        info["means2d"].retain_grad()
    alpha = alphas[0, ..., 0]
    image = rendered[0, ..., :-1] + (1 - alpha)[..., None] * background
    kept = tuple(tensor.detach() for tensor in (*gaussians, camera_from_world, intrinsics))
    return image, alpha, rendered[0, ..., -1], Drawn(info, kept, settings)
