"""Drawing volumes together, and drawings of volumes and of Gaussians one before the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.fields import Part, Rays, camera_rays, draw_rays
from fourfold.geometry import Camera, invert_similarity, project_points, transform_points
from fourfold.scene.rendering import ALPHA_FLOOR, DEPTH_MIN_ALPHA, NEAR
from fourfold.scene.volume import VolumeObject


def draw_volumes(
    items: Sequence[VolumeObject],
    camera: Camera,
    time: float,
    outputs: frozenset[str],
    background_color: Float[Tensor, " 3"],
    least_alpha: float = DEPTH_MIN_ALPHA,
    near: float = NEAR,
) -> dict[str, Tensor]:
    """Draw volumes along the rays of a camera; outputs as `fourfold.scene.rendering.draw` has them.

    Without "flow". Volumes in the same place add their densities up. Differentiable in the fields.
    """
    rays = camera_rays(camera, camera.pixel_grid().reshape(-1, 2), near=near)
    cosines = rays.directions @ camera.forward
    parts = [_part(item, time, rays) for item in items]
    seen = draw_rays(parts, float(time), background_color)
    hollow = seen.alphas < least_alpha
    found = {
        "rgb": seen.colors,
        "depth": (seen.distances * cosines).masked_fill(hollow, torch.nan),
        "alpha": seen.alphas,
        "objects": seen.part_alphas,
    }
    size = (camera.height, camera.width)
    return {
        name: values.reshape(*size, *values.shape[1:])
        for name, values in found.items()
        if name in outputs
    }


def _part(item: VolumeObject, time: float, rays: Rays) -> Part:
    similarity = item.motion.similarity(time)
    assert similarity is not None  # a volume has no other motion
    volume = item.volume
    own = rays.moved(invert_similarity(similarity))
    return Part(volume.field, volume.space, volume.occupancy, own, volume.step)


def volume_flow(
    items: Sequence[VolumeObject],
    camera: Camera,
    drawn: Mapping[str, Tensor],
    times: tuple[float, float],
    next_camera: Camera,
) -> Float[Tensor, "H W 2"]:
    """Give where each pixel's surface goes, in pixels; 0 where nothing is.

    Args:
        drawn: "depth" and "objects" of `draw_volumes` at the first of the `times`.

    Raises:
        UsageError: a volume whose matter changes: it says what is there, not where it goes.
    """
    for item in items:
        item.require_followable()
    pixels = camera.pixel_grid()
    points = camera.directions(pixels) * drawn["depth"].unsqueeze(-1)
    points = transform_points(camera.world_from_camera, points.reshape(-1, 3))
    owners = drawn["objects"].argmax(-1).reshape(-1)
    later = points.clone()
    for index, item in enumerate(items):
        before, after = (item.motion.similarity(time) for time in times)
        assert before is not None
        assert after is not None
        own = owners == index
        later[own] = transform_points(after @ invert_similarity(before), points[own])
    places, depth = project_points(next_camera, later)
    flow = places.reshape(pixels.shape) - pixels
    seen = torch.isfinite(drawn["depth"]) & (depth.reshape(pixels.shape[:2]) > NEAR)
    return flow.masked_fill(~seen.unsqueeze(-1), 0.0)


def put_over(
    layers: Sequence[Mapping[str, Tensor]], background_color: Float[Tensor, " 3"]
) -> dict[str, Tensor]:
    """Put pictures of different parts of a scene one before the other, pixel by pixel by depth.

    Args:
        layers: each with "rgb" (H,W,3) over `background_color`, "alpha" (H,W), "depth" (H,W), NaN
            where there is none, and whatever else is to be blended by alpha.

    Returns:
        all of it together; "depth" is the mean by what each layer adds, NaN where alpha < 0.5.
    """
    depths = torch.stack([layer["depth"].nan_to_num(nan=torch.inf) for layer in layers])
    order = depths.argsort(stable=True, dim=0)
    own = torch.stack([layer["alpha"] for layer in layers])
    alphas = own.take_along_dim(order, 0)
    behind = (1.0 - alphas).cumprod(0)
    before = torch.cat((torch.ones_like(behind[:1]), behind[:-1]))
    result = {}
    for name in layers[0]:
        values = torch.stack([layer[name] for layer in layers])
        if name == "rgb":
            values = values - (1.0 - own).unsqueeze(-1) * background_color.to(values)
        elif name == "depth":
            values = values.nan_to_num() * own
        extra = (None,) * (values.dim() - before.dim())
        sorted_values = values.take_along_dim(order[(..., *extra)], 0)
        result[name] = (before[(..., *extra)] * sorted_values).sum(0)
    if "rgb" in result:
        result["rgb"] = result["rgb"] + behind[-1].unsqueeze(-1) * background_color.to(behind)
    alpha = result["alpha"]
    depth = result["depth"] / alpha.clamp_min(ALPHA_FLOOR)
    result["depth"] = depth.masked_fill(alpha < DEPTH_MIN_ALPHA, torch.nan)
    return result
