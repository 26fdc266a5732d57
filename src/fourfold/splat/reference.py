"""Rasterise in plain torch: the slow twin of the kernels, in any dtype, gradients by autograd.

Same convention, written the way the paper reads (3DGS, Kerbl et al. 2023; EWA, Zwicker et al. 2001;
gsplat's classic mode). Every Gaussian meets every pixel, in bands of rows to bound the memory.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fourfold.errors import InputError
from fourfold.splat._settings import Inputs, Settings

MAX_ALPHA = 0.999
MIN_ALPHA = 1 / 255
MIN_TRANSMITTANCE = 1e-4
PAIRS_PER_BAND = 4_000_000


@dataclass
class Drawn:
    """What the reference remembers of a view."""

    means2d: Tensor
    depths: Tensor
    radii: Tensor
    weights: Tensor

    @property
    def means2d_grad(self) -> Tensor | None:
        return self.means2d.grad

    def contributions(self) -> Tensor:
        return self.weights


def rasterize(inputs: Inputs, settings: Settings) -> tuple[Tensor, Tensor, Tensor, Drawn]:
    """Draw one view; see `fourfold.splat.rasterize`."""
    *gaussians, camera_from_world, intrinsics, background = inputs
    means, quaternions, scales, opacities, colors = gaussians
    if not all(bool(torch.isfinite(tensor).all()) for tensor in gaussians):
        raise InputError("the Gaussians hold NaN or infinite values", expected="finite numbers")
    points = means @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
    depths = points[:, 2]
    ahead = (depths > settings.near) & (depths < settings.far)
    points = torch.where(ahead[:, None], points, torch.ones_like(points))
    means2d = _project(points, intrinsics)
    if means2d.requires_grad:
        means2d.retain_grad()
    covariance = _image_covariance(
        points, quaternions, scales, camera_from_world, intrinsics, settings
    )
    radii = _radii(means2d, covariance, opacities, ahead, settings)
    order = torch.argsort(depths.detach(), stable=True)
    order = order[radii[order] > 0]
    channels = torch.cat([colors, depths[:, None]], dim=1)[order]
    conic = torch.linalg.inv(covariance[order])
    summed, light, weights = _blend(means2d[order], conic, opacities[order], channels, settings)
    alpha = 1 - light
    image = summed[..., :-1] + light[..., None] * background
    contributions = torch.zeros_like(opacities).index_copy(0, order, weights).detach()
    depth = summed[..., -1] / alpha.clamp(min=1e-10)
    return image, alpha, depth, Drawn(means2d, depths.detach(), radii, contributions)


def _project(points: Tensor, intrinsics: Tensor) -> Tensor:
    focal = torch.stack([intrinsics[0, 0], intrinsics[1, 1]])
    return points[:, :2] / points[:, 2:] * focal + intrinsics[:2, 2]


def _rotations(quaternions: Tensor) -> Tensor:
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack(rows, dim=-1).view(-1, 3, 3)


def _image_covariance(
    points: Tensor,
    quaternions: Tensor,
    scales: Tensor,
    camera_from_world: Tensor,
    intrinsics: Tensor,
    settings: Settings,
) -> Tensor:
    """Return J W Sigma W^T J^T + eps2d I; slopes in J are clamped 15% of the image outside it."""
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    x, y, z = points.unbind(-1)
    margin_x, margin_y = 0.15 * settings.width / fx, 0.15 * settings.height / fy
    slope_x = (x / z).clamp(-cx / fx - margin_x, (settings.width - cx) / fx + margin_x)
    slope_y = (y / z).clamp(-cy / fy - margin_y, (settings.height - cy) / fy + margin_y)
    zero = torch.zeros_like(z)
    rows = fx / z, zero, -fx * slope_x / z, zero, fy / z, -fy * slope_y / z
    jacobian = torch.stack(rows, dim=-1).view(-1, 2, 3)
    factor = jacobian @ camera_from_world[:3, :3] @ _rotations(quaternions) * scales[:, None, :]
    identity = torch.eye(2, dtype=points.dtype, device=points.device)
    return factor @ factor.mT + settings.eps2d * identity


def _radii(
    means2d: Tensor, covariance: Tensor, opacities: Tensor, ahead: Tensor, settings: Settings
) -> Tensor:
    """Return half the longer side of the box where alpha reaches 1/255, 0 outside the image."""
    reach = 2 * torch.log((opacities / MIN_ALPHA).clamp(min=1)).detach()
    variances = torch.diagonal(covariance, dim1=-2, dim2=-1).detach()
    extent = torch.sqrt(reach[:, None] * variances)
    size = torch.tensor([settings.width, settings.height], dtype=means2d.dtype)
    size = size.to(means2d.device)
    inside = ((means2d + extent > 0) & (means2d - extent < size)).all(dim=1)
    seen = ahead & inside & (reach > 0) & (torch.linalg.det(covariance.detach()) > 0)
    return torch.where(seen, extent.amax(dim=1).ceil(), torch.zeros_like(reach)).int()


def _blend(
    means2d: Tensor, conic: Tensor, opacities: Tensor, channels: Tensor, settings: Settings
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the blended channels (H,W,C), the light left (H,W), each Gaussian's weight sum."""
    rows = max(1, PAIRS_PER_BAND // max(1, settings.width * len(means2d)))
    total, bands, lights = torch.zeros_like(opacities), [], []
    for top in range(0, settings.height, rows):
        bottom = min(settings.height, top + rows)
        offsets = _pixel_centers(top, bottom, settings.width, means2d)[:, None] - means2d
        sigma = 0.5 * torch.einsum("pni,nij,pnj->pn", offsets, conic, offsets)
        weights, light = _weights((opacities * torch.exp(-sigma)).clamp(max=MAX_ALPHA))
        bands.append((weights @ channels).view(bottom - top, settings.width, -1))
        lights.append(light.view(bottom - top, settings.width))
        total = total + weights.detach().sum(dim=0)
    return torch.cat(bands), torch.cat(lights), total


def _pixel_centers(top: int, bottom: int, width: int, like: Tensor) -> Tensor:
    y, x = torch.meshgrid(torch.arange(top, bottom), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).view(-1, 2).to(like) + 0.5


def _weights(alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Return alpha_i T_i (P,N) and the light left (P,); a pixel ends before T falls to 1e-4."""
    alpha = torch.where(alpha >= MIN_ALPHA, alpha, torch.zeros_like(alpha))
    after = torch.cumprod(1 - alpha, dim=1)
    alive = torch.cumprod((after > MIN_TRANSMITTANCE).to(alpha.dtype), dim=1).detach()
    alpha = alpha * alive
    after = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], dim=1)
    ones = torch.ones(len(alpha), dtype=alpha.dtype, device=alpha.device)
    return alpha * before[:, : alpha.shape[1]], after[:, -1] if alpha.shape[1] else ones
