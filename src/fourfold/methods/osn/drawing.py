"""Splatting Gaussians of a body alone, and of several at a combination of scales."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.geometry import Camera
from fourfold.methods.osn.body import Drawing
from fourfold.scene import Gaussians
from fourfold.splat import Rasterization, rasterize

SMALLEST_ALPHA = 1e-10
"""Where nothing is drawn, the depth is 0 over this."""


def splat_alone(shape: Gaussians, pose: Float[Tensor, "4 4"], camera: Camera) -> Drawing:
    """Draw Gaussians as if nothing else were there. Differentiable in them and in the pose."""
    drawn = _splat(shape, shape.colors(), pose, camera)
    return Drawing(drawn.image, drawn.alpha[..., None], drawn.alpha, drawn.depth, (0,))


def splat_together(
    parts: Sequence[Gaussians],
    factors: Sequence[float],
    camera: Camera,
    color: Float[Tensor, " 3"],
) -> Drawing:
    """Draw Gaussians in the camera's frame, which were enlarged by `factors`.

    Where nothing is, `color` is seen. Differentiable in the Gaussians.
    """
    whole = Gaussians.cat(parts)
    counts = torch.tensor([len(part) for part in parts])
    owners = torch.eye(len(parts)).repeat_interleave(counts, 0)
    depths = whole.means[:, 2:] / torch.tensor(factors).repeat_interleave(counts)[:, None]
    channels = torch.cat([whole.colors(), depths, owners], 1)
    background = functional.pad(color, (0, channels.shape[1] - len(color)))
    drawn = _splat(whole, channels, torch.eye(4), camera, background)
    depth = drawn.image[..., 3] / drawn.alpha.clamp_min(SMALLEST_ALPHA)
    indices = tuple(range(len(parts)))
    return Drawing(drawn.image[..., :3], drawn.image[..., 4:], drawn.alpha, depth, indices)


def _splat(
    shape: Gaussians,
    channels: Float[Tensor, "N C"],
    pose: Float[Tensor, "4 4"],
    camera: Camera,
    background: Float[Tensor, " C"] | None = None,
) -> Rasterization:
    return rasterize(
        shape.means,
        shape.quaternions,
        shape.scales,
        shape.opacities,
        channels,
        pose,
        camera.intrinsics,
        camera.width,
        camera.height,
        background=background,
    )
