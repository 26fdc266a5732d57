"""Splatting a body alone, and all of them together at a combination of scales."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold.geometry import Camera
from fourfold.methods.osn.fit import Fit, TrainableBody
from fourfold.scene import Gaussians
from fourfold.splat import Rasterization, rasterize

SMALLEST_ALPHA = 1e-10
"""Where nothing is drawn, the depth is 0 over this."""


class Drawing(NamedTuple):
    """Colours (H,W,3), the share of each drawn body in a pixel (H,W,B), alpha and z (H,W).

    z is that of the bodies at scale 1, in their own units. `indices` names the drawn bodies.
    """

    colors: Float[Tensor, "H W 3"]
    weights: Float[Tensor, "H W B"]
    alpha: Float[Tensor, "H W"]
    depth: Float[Tensor, "H W"]
    indices: tuple[int, ...]


def draw_alone(body: TrainableBody, camera: Camera, frame: int) -> Drawing:
    """Draw one body as if nothing else were there. Differentiable in the body."""
    shape = body.gaussians
    drawn = _splat(shape, shape.colors(), body.camera_from_object(frame), camera)
    return Drawing(drawn.image, drawn.alpha[..., None], drawn.alpha, drawn.depth, (0,))


def draw_together(
    fit: Fit,
    camera: Camera,
    frame: int,
    indices: Sequence[int],
    scales: Float[Tensor, " K"],
    color: Float[Tensor, " 3"],
) -> Drawing:
    """Draw some bodies, each enlarged by its scale (K, the background's 1) about the camera.

    Where nothing is, `color` is seen. Differentiable in the bodies.
    """
    factors = [float(scales[index]) for index in indices]
    parts = [
        fit.bodies[index].seen(frame, factor)
        for index, factor in zip(indices, factors, strict=True)
    ]
    whole = Gaussians.cat(parts)
    counts = torch.tensor([len(part) for part in parts])
    owners = torch.eye(len(parts)).repeat_interleave(counts, 0)
    depths = whole.means[:, 2:] / torch.tensor(factors).repeat_interleave(counts)[:, None]
    channels = torch.cat([whole.colors(), depths, owners], 1)
    background = functional.pad(color, (0, channels.shape[1] - len(color)))
    drawn = _splat(whole, channels, torch.eye(4), camera, background)
    depth = drawn.image[..., 3] / drawn.alpha.clamp_min(SMALLEST_ALPHA)
    return Drawing(drawn.image[..., :3], drawn.image[..., 4:], drawn.alpha, depth, tuple(indices))


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
