"""Splatting a body alone, and all of them together at a combination of scales."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.geometry import Camera
from fourfold.methods.osn.fit import Fit, TrainableBody
from fourfold.scene import Gaussians
from fourfold.splat import rasterize


class Drawing(NamedTuple):
    """Colours (H,W,3), the share of each drawn body in a pixel (H,W,B), alpha and z (H,W).

    `indices` names the drawn bodies.
    """

    colors: Float[Tensor, "H W 3"]
    weights: Float[Tensor, "H W B"]
    alpha: Float[Tensor, "H W"]
    depth: Float[Tensor, "H W"]
    indices: tuple[int, ...]


def draw_alone(body: TrainableBody, camera: Camera, frame: int) -> Drawing:
    """Draw one body as if nothing else were there; depths in its own units.

    Differentiable in the body.
    """
    shape = body.gaussians
    return _splat([shape], body.camera_from_object(frame), camera, (0,))


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
    parts = [fit.bodies[index].seen(frame, float(scales[index])) for index in indices]
    return _splat(parts, torch.eye(4), camera, tuple(indices), color)


def _splat(
    parts: Sequence[Gaussians],
    pose: Float[Tensor, "4 4"],
    camera: Camera,
    indices: tuple[int, ...],
    color: Float[Tensor, " 3"] | None = None,
) -> Drawing:
    whole = Gaussians.cat(parts)
    channels = [whole.colors()]
    if len(parts) > 1:
        counts = torch.tensor([len(part) for part in parts])
        channels.append(torch.eye(len(parts)).repeat_interleave(counts, 0))
    background = torch.zeros(sum(channel.shape[1] for channel in channels))
    if color is not None:
        background[:3] = color
    drawn = rasterize(
        whole.means,
        whole.quaternions,
        whole.scales,
        whole.opacities,
        torch.cat(channels, 1),
        pose,
        camera.intrinsics,
        camera.width,
        camera.height,
        background=background,
    )
    weights = drawn.image[..., 3:] if len(parts) > 1 else drawn.alpha[..., None]
    return Drawing(drawn.image[..., :3], weights, drawn.alpha, drawn.depth, indices)
