"""Drawing several sets of Gaussians together: colour, depth, alpha, objects and flow in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from fourfold import splat
from fourfold.errors import UsageError
from fourfold.geometry import Camera, project_points
from fourfold.scene.gaussians import Gaussians

OUTPUTS = ("rgb", "depth", "alpha", "objects", "flow")

EPS2D = 0.3
"""Blur that a scene is drawn with if it does not say otherwise, in pixels^2: that of 3DGS."""

# A depth is only given where the scene covers more than half of the pixel.
DEPTH_MIN_ALPHA = 0.5
# The rasteriser's own floor of alpha where it divides by it.
ALPHA_FLOOR = 1e-10
# Nearer than this the projected place of a Gaussian has no meaning (the rasteriser's near plane).
NEAR = 0.01


class NextFrame(NamedTuple):
    """Where everything is one frame later, for flow: the centres of all parts, and the camera."""

    means: Sequence[Float[Tensor, "N 3"]]
    camera: Camera


class Drawing(NamedTuple):
    """What was asked for, by name, and the rasteriser's own answer (radii, gradients, ...)."""

    outputs: dict[str, Tensor]
    rasterization: splat.Rasterization


def check_outputs(outputs: Iterable[str]) -> frozenset[str]:
    """Check the names of outputs.

    Raises:
        UsageError: none, or one that is not known.
    """
    asked = frozenset(outputs)
    unknown = sorted(asked - set(OUTPUTS))
    if unknown or not asked:
        raise UsageError(
            f"unknown output {', '.join(unknown) or '(none)'}", expected=", ".join(OUTPUTS)
        )
    return asked


def draw(
    parts: Sequence[Gaussians],
    camera: Camera,
    outputs: Iterable[str],
    *,
    background_color: Float[Tensor, " 3"] | None = None,
    next_frame: NextFrame | None = None,
    eps2d: float = EPS2D,
    shares: Float[Tensor, " N"] | None = None,
    least_alpha: float = DEPTH_MIN_ALPHA,
    near: float = NEAR,
) -> Drawing:
    """Rasterise all parts together, so that they hide each other, with the channels asked for.

    `outputs` of "rgb" (H,W,3), in [0, 1] for colours in range, over `background_color` (black
    without); "depth" (H,W), NaN where alpha < `least_alpha`; "alpha" (H,W); "objects" (H,W,K),
    the share of each part in the pixel, which sum to alpha; "flow" (H,W,2), pixels to
    `next_frame`, the mean over what is seen, 0 where nothing is. `shares`, a number per Gaussian
    of all parts, are drawn like colours, and come as "shares" (H,W). What is nearer than `near` is
    not drawn. `eps2d`: see `fourfold.splat.rasterize`.
    Differentiable in the Gaussians, the camera pose and the next frame.

    Raises:
        UsageError: an unknown output, or flow without a next frame.
        ValueError: a camera with a distorted lens.
    """
    asked = check_outputs(outputs)
    if camera.distortion is not None:
        raise ValueError("Gaussians are drawn by ideal lenses only; remove the distortion first")
    joined = Gaussians.cat(parts)
    channels: dict[str, Tensor] = {}
    if "rgb" in asked:
        channels["rgb"] = _colors(joined, camera)
    if "objects" in asked:
        channels["objects"] = _one_hot(parts)
    if "flow" in asked:
        channels["flow"] = _motion_in_pixels(joined.means, camera, next_frame)
    if shares is not None:
        channels["shares"] = shares.unsqueeze(-1)
    raster = _rasterize(joined, camera, channels, background_color, eps2d, near)
    return Drawing(_read_out(asked, channels, raster, least_alpha), raster)


def _rasterize(
    gaussians: Gaussians,
    camera: Camera,
    channels: dict[str, Tensor],
    background_color: Float[Tensor, " 3"] | None,
    eps2d: float,
    near: float,
) -> splat.Rasterization:
    # alpha and depth come with any picture: where nothing else is asked, draw one empty channel
    values = list(channels.values()) or [gaussians.means.new_zeros(len(gaussians), 1)]
    background = None
    if "rgb" in channels and background_color is not None:
        others = sum(value.shape[1] for value in values) - 3
        background = functional.pad(background_color.to(gaussians.means), (0, others))
    return splat.rasterize(
        gaussians.means,
        gaussians.quaternions,
        gaussians.scales,
        gaussians.opacities,
        torch.cat(values, dim=1),
        camera.camera_from_world,
        camera.intrinsics,
        camera.width,
        camera.height,
        eps2d=eps2d,
        near=near,
        background=background,
    )


def _read_out(
    asked: frozenset[str],
    channels: dict[str, Tensor],
    raster: splat.Rasterization,
    least_alpha: float,
) -> dict[str, Tensor]:
    sizes = [value.shape[1] for value in channels.values()] or [1]
    read = dict(zip(channels, raster.image.split(sizes, dim=-1), strict=False))
    if "flow" in read:
        read["flow"] = read["flow"] / raster.alpha.unsqueeze(-1).clamp_min(ALPHA_FLOOR)
    if "shares" in read:
        read["shares"] = read["shares"].squeeze(-1)
    if "alpha" in asked:
        read["alpha"] = raster.alpha
    if "depth" in asked:
        read["depth"] = raster.depth.masked_fill(raster.alpha < least_alpha, torch.nan)
    return read


def _colors(gaussians: Gaussians, camera: Camera) -> Float[Tensor, "N 3"]:
    if gaussians.harmonics.shape[1] == 1:
        return gaussians.colors()
    return gaussians.colors(functional.normalize(gaussians.means - camera.position, dim=-1))


def _one_hot(parts: Sequence[Gaussians]) -> Float[Tensor, "N K"]:
    rows = torch.eye(len(parts), dtype=parts[0].means.dtype, device=parts[0].means.device)
    counts = torch.tensor([len(part) for part in parts], device=rows.device)
    return rows.repeat_interleave(counts, dim=0)


def _motion_in_pixels(
    means: Float[Tensor, "N 3"], camera: Camera, next_frame: NextFrame | None
) -> Float[Tensor, "N 2"]:
    if next_frame is None:
        raise UsageError("flow needs to know the next frame")
    pixels, depth = project_points(camera, means)
    next_pixels, next_depth = project_points(next_frame.camera, torch.cat(list(next_frame.means)))
    seen = (depth > NEAR) & (next_depth > NEAR)
    return (next_pixels - pixels) * seen.unsqueeze(-1)
