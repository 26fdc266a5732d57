"""A Gaussian for each pixel of a picture with depth."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from fourfold.geometry import Camera, matrix_to_quaternion, unproject_pixels
from fourfold.scene import Gaussians

FOOTPRINT = 0.5
"""Standard deviation in pixels: neighbours overlap without gaps, and hardly blur each other."""
OPACITY = 0.99
STEEPEST = 60.0
"""Most that a footprint is stretched by the slope of its surface: that of ground so many camera
heights away. With less, gaps open between its rows when the camera rises."""
THICKNESS = 0.05
"""Of a footprint across its surface, relative to the width that a pixel covers there."""
JITTER = 1e-4
"""Relative steps of depth between neighbours. Of equally deep ones the same side would always lie
in front, and a picture that slides one way would not look like one that slides the other way."""
SAME_SURFACE = 0.1
"""Relative step of depth between neighbours from which on they are not one surface."""


def pixel_gaussians(
    colors: Float[Tensor, "H W 3"],
    depth: Float[Tensor, "H W"],
    camera: Camera,
    present: Bool[Tensor, "H W"],
) -> Gaussians:
    """Cover a picture with Gaussians, one per pixel, that lie in the surface its depth describes.

    Own. A footprint is a disc of `FOOTPRINT` pixels in the picture, put onto the tangent plane:
    the standard deviations are along the two axes of that ellipse. At a step of depth the tangent
    is that of the side which is flatter.

    Args:
        colors: any numbers; where `present`, row by row, they become the Gaussians' colours.
        depth: z along the camera axis, positive.
        camera: of the picture.
        present: which pixels become Gaussians.
    """
    rays = _rays(camera)
    slope_x, slope_y = _slope(depth, 1), _slope(depth, 0)
    z = depth[present].unsqueeze(-1)
    ray, focal = rays[present], camera.intrinsics.diagonal()[:2].to(depth)
    across = [
        slope[present].unsqueeze(-1) * ray + z * step / focal[axis]
        for axis, (slope, step) in enumerate(
            ((slope_x, ray.new_tensor([1.0, 0, 0])), (slope_y, ray.new_tensor([0, 1.0, 0])))
        )
    ]
    turns, lengths = _ellipse(across[0], across[1])
    thick = THICKNESS * z[:, 0] / focal.mean()
    scales = FOOTPRINT * torch.cat((lengths, thick.unsqueeze(-1)), dim=-1)
    world_from_camera = camera.world_from_camera[:3, :3]
    points = unproject_pixels(camera, _pixels(camera)[present], (depth * _jitter(depth))[present])
    opacities = z.new_full((len(z),), OPACITY)
    quaternions = matrix_to_quaternion(world_from_camera @ turns)
    return Gaussians.from_colors(points, colors[present], scales, opacities, quaternions)


def _jitter(depth: Float[Tensor, "H W"]) -> Float[Tensor, "H W"]:
    """Give factors about 1 that differ between neighbours without preferring a direction."""
    random = torch.Generator().manual_seed(0)
    return 1.0 + JITTER * (torch.rand(depth.shape, generator=random) - 0.5)


def _pixels(camera: Camera) -> Float[Tensor, "H W 2"]:
    y, x = torch.meshgrid(
        torch.arange(camera.height) + 0.5, torch.arange(camera.width) + 0.5, indexing="ij"
    )
    return torch.stack((x, y), dim=-1)


def _rays(camera: Camera) -> Float[Tensor, "H W 3"]:
    """Give the direction of each pixel in the camera, with z = 1."""
    matrix = camera.intrinsics
    plane = (_pixels(camera) - matrix[:2, 2]) / matrix.diagonal()[:2]
    return functional.pad(plane, (0, 1), value=1.0)


def _slope(depth: Float[Tensor, "H W"], axis: int) -> Float[Tensor, "H W"]:
    """Give the change of depth per pixel towards the flatter side, 0 across steps of depth."""
    step = depth.diff(dim=axis)
    first = depth.narrow(axis, 0, depth.shape[axis] - 1)
    step = torch.where(step.abs() > SAME_SURFACE * first, torch.inf, step)
    rim = torch.full_like(depth.narrow(axis, 0, 1), torch.inf)
    before, after = torch.cat((rim, step), axis), torch.cat((step, rim), axis)
    slope = torch.where(before.abs() < after.abs(), before, after)
    return torch.where(slope.isfinite(), slope, 0.0)


def _ellipse(
    first: Float[Tensor, "N 3"], second: Float[Tensor, "N 3"]
) -> tuple[Float[Tensor, "N 3 3"], Float[Tensor, "N 2"]]:
    """Find the axes of the ellipse {first cos + second sin}: turns (columns), lengths of two."""
    xx, yy = first.square().sum(-1), second.square().sum(-1)
    xy = (first * second).sum(-1)
    angle = 0.5 * torch.atan2(2.0 * xy, xx - yy)
    cosine, sine = angle.cos().unsqueeze(-1), angle.sin().unsqueeze(-1)
    long, short = cosine * first + sine * second, cosine * second - sine * first
    lengths = torch.stack([torch.linalg.vector_norm(axis, dim=-1) for axis in (long, short)], -1)
    long, short = functional.normalize(long, dim=-1), functional.normalize(short, dim=-1)
    turns = torch.stack((long, short, torch.linalg.cross(long, short)), dim=-1)
    longest = STEEPEST * lengths[:, 1:]
    return turns, torch.cat((lengths[:, :1].minimum(longest), lengths[:, 1:]), dim=-1)
