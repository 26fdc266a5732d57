"""Rasterise on the CPU with Numba: the way from tensors to kernels and back.

Own design: project (16 Gaussians per vector), list per tile, sort each list by depth, blend
4x4 blocks.
Every sum has a fixed order, so results repeat to the bit with any number of threads.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fourfold.errors import InputError
from fourfold.kernels import run_parallel
from fourfold.kernels.simd import LANES
from fourfold.splat import _blending, _projection, _tiling
from fourfold.splat._projection import CHANNELS, CHUNK, DEPTH, EXTENT_X, SPLAT
from fourfold.splat._settings import Inputs, Settings

PARTS = 16  # groups of Gaussians that are listed in parallel


@dataclass
class Drawn:
    """Everything one forward pass leaves for its backward pass and for the meta."""

    settings: Settings
    arrays: dict[str, np.ndarray]
    means2d_grad: Tensor | None = None
    _contributions: Tensor | None = field(default=None, repr=False)

    @property
    def count(self) -> int:
        return self.arrays["opacities"].shape[0]

    @property
    def splats(self) -> Tensor:
        return torch.from_numpy(self.arrays["splats"]).view(-1, SPLAT)[: self.count]

    @property
    def means2d(self) -> Tensor:
        return self.splats[:, :2]

    @property
    def depths(self) -> Tensor:
        return self.splats[:, DEPTH]

    @property
    def radii(self) -> Tensor:
        extents = self.splats[:, EXTENT_X : EXTENT_X + 2].amax(1)
        return extents.clamp(min=0).ceil().int()

    def contributions(self) -> Tensor:
        if self._contributions is None:
            self._contributions = _contributions(self)
        return self._contributions


def rasterize(inputs: Inputs, settings: Settings) -> tuple[Tensor, Tensor, Tensor, Drawn]:
    """Draw one view; see `fourfold.splat.rasterize`. Computes in float32."""
    camera = _camera(inputs.camera_from_world, inputs.intrinsics, settings)
    differentiable = inputs[:6] + inputs[7:]
    floats = [tensor.to(torch.float32) for tensor in differentiable]
    image, alpha, depth, holder = _Rasterize.apply(*floats, camera, settings, [])
    return image, alpha, depth, holder[0]


def _camera(pose: Tensor, intrinsics: Tensor, settings: Settings) -> np.ndarray:
    """Pack a camera for the kernels; the slope limits of the Jacobian are gsplat's."""
    pose_values = pose.detach().to(torch.float64).numpy()
    matrix = intrinsics.detach().to(torch.float64).numpy()
    fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    width, height = settings.width, settings.height
    margin_x, margin_y = 0.15 * width / fx, 0.15 * height / fy
    limits = (
        *(-cx / fx - margin_x, (width - cx) / fx + margin_x),
        *(-cy / fy - margin_y, (height - cy) / fy + margin_y),
    )
    rest = (fx, fy, cx, cy, *limits, settings.eps2d, settings.near, settings.far, width, height)
    return np.concatenate([pose_values[:3].ravel(), rest]).astype(np.float32)


def _flat(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy().reshape(-1)


def _padded(count: int) -> int:
    return -(-count // LANES) * LANES


def _project(a: dict[str, np.ndarray], num_colors: int) -> None:
    count, num_extras = a["opacities"].shape[0], max(0, num_colors + 1 - CHANNELS)
    a["splats"] = np.empty(_padded(count) * SPLAT, np.float32)
    a["extras"] = np.empty(count * num_extras, np.float32)
    checks = np.zeros(-(-count // CHUNK), np.float32)
    run_parallel(
        _projection.project,
        a["means"],
        a["quaternions"],
        a["scales"],
        a["opacities"],
        a["colors"],
        num_colors,
        a["camera"],
        a["splats"],
        a["extras"],
        num_extras,
        checks,
    )
    if np.isnan(checks).any():
        raise InputError("the Gaussians hold NaN or infinite values", expected="finite numbers")


def _list(a: dict[str, np.ndarray], width: int, height: int) -> None:
    """Fill starts and touched, and per tile members, slots and blocks."""
    splats, count = a["splats"], a["opacities"].shape[0]
    tiles = -(-width // _tiling.TILE) * -(-height // _tiling.TILE)
    part_counts = np.zeros(PARTS + 1, np.int64)
    run_parallel(_tiling.count_candidates, splats, count, width, height, part_counts[1:])
    candidates = int(part_counts.sum())
    if candidates > np.iinfo(np.uint32).max:
        raise InputError(
            f"the Gaussians cover tiles {candidates} times",
            expected="less than 2^32",
            mend="Draw a smaller picture, or make the Gaussians smaller.",
        )
    part_starts = part_counts.cumsum().astype(np.uint32)
    a["starts"] = starts = np.empty(count + 1, np.uint32)
    a["touched"] = touched = np.empty(candidates, np.uint64)
    tile_of, owners = np.empty(candidates, np.uint32), np.empty(candidates, np.uint32)
    counts = np.empty((PARTS, tiles), np.uint32)
    run_parallel(
        _tiling.mark_blocks,
        *(splats, count, width, height, part_starts, starts, touched, tile_of, counts),
    )
    a["tile_starts"] = np.empty(tiles + 1, np.uint32)
    length = _tiling.place_lists(counts, a["tile_starts"])
    depth_slots = np.empty(length, np.uint64)
    run_parallel(
        _tiling.fill_lists,
        *(splats.view(np.uint32), count, starts, touched, tile_of, counts, owners, depth_slots),
    )
    a["members"], a["slots"] = np.empty(length, np.uint32), np.empty(length, np.uint32)
    a["blocks"] = np.empty(length, np.uint64)
    lists = a["members"], a["slots"], a["blocks"]
    run_parallel(_tiling.sort_lists, a["tile_starts"], depth_slots, owners, touched, *lists)


def _blend(a: dict[str, np.ndarray], settings: Settings) -> None:
    num_colors = a["background"].shape[0]
    pixels, tiles = settings.width * settings.height, a["tile_starts"].shape[0] - 1
    a["image"] = np.empty(pixels * num_colors, np.float32)
    a["alpha"], a["depth"] = np.empty(pixels, np.float32), np.empty(pixels, np.float32)
    a["transmittance"], a["ends"] = np.empty(pixels, np.float32), np.empty(tiles, np.uint32)
    run_parallel(_blending.blend, *_blend_arguments(a, settings))


def _blend_arguments(a: dict[str, np.ndarray], settings: Settings) -> list:
    """Return what `blend` takes, and `blend_backward` too."""
    num_colors = a["background"].shape[0]
    numbers = max(0, num_colors + 1 - CHANNELS), num_colors, settings.width, settings.height
    names = (
        *("splats", "extras", "background", "tile_starts", "members", "blocks"),
        *("image", "alpha", "depth", "transmittance", "ends"),
    )
    return [*numbers, *(a[name] for name in names)]


def _blend_backward(
    drawn: Drawn, grad_image: np.ndarray, grad_alpha: np.ndarray, grad_depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradient slots, the slots of further channels, the background's gradient."""
    a = drawn.arrays
    num_colors, candidates = a["background"].shape[0], a["touched"].shape[0]
    slots = np.empty(candidates * _blending.SLOT, np.float32)
    extras = np.empty(candidates * max(0, num_colors + 1 - CHANNELS), np.float32)
    grad_background = np.empty((a["ends"].shape[0], num_colors), np.float32)
    arguments = _blend_arguments(a, drawn.settings)
    grads = grad_image, grad_alpha, grad_depth
    outputs = slots, extras, grad_background
    run_parallel(_blending.blend_backward, *arguments, a["slots"], *grads, *outputs)
    return slots, extras, grad_background.sum(0)


def _project_backward(drawn: Drawn, slots: np.ndarray, extras: np.ndarray) -> list[Tensor]:
    """Return the gradients of means, quaternions, scales, opacities, colours, pose, means2d."""
    a, count = drawn.arrays, drawn.count
    num_colors = a["background"].shape[0]
    rows = _padded(count)
    grads = [np.empty((rows, width), np.float32) for width in (3, 4, 3, 1, 2)]
    grad_colors = np.empty((count, num_colors), np.float32)
    grad_pose = np.empty((-(-count // CHUNK), 12), np.float32)
    flat = [grad.reshape(-1) for grad in grads]
    run_parallel(
        _projection.project_backward,
        a["means"],
        a["quaternions"],
        a["scales"],
        a["opacities"],
        num_colors,
        a["camera"],
        a["splats"],
        max(0, num_colors + 1 - CHANNELS),
        slots,
        extras,
        a["starts"],
        a["touched"],
        *flat[:4],
        grad_colors.reshape(-1),
        flat[4],
        grad_pose,
    )
    pose = np.zeros((4, 4), np.float32)
    pose[:3] = grad_pose.sum(0, dtype=np.float64).reshape(3, 4)
    means, quaternions, scales, opacities, means2d = (torch.from_numpy(g[:count]) for g in grads)
    tail = [torch.from_numpy(grad_colors), torch.from_numpy(pose), means2d]
    return [means, quaternions, scales, opacities[:, 0], *tail]


def _contributions(drawn: Drawn) -> Tensor:
    """Sum blending weights: the gradient of the first channel's sum by the colours."""
    a = drawn.arrays
    num_colors, pixels = a["background"].shape[0], a["alpha"].shape[0]
    grad_image = np.zeros((pixels, num_colors), np.float32)
    grad_image[:, 0] = 1
    none = np.zeros(pixels, np.float32)
    slots, extras, _ = _blend_backward(drawn, grad_image.reshape(-1), none, none)
    return _project_backward(drawn, slots, extras)[4][:, 0].clone()


class _Rasterize(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx, means, quaternions, scales, opacities, colors, pose, background, camera, settings, kept
    ):
        names = "means", "quaternions", "scales", "opacities", "colors", "background"
        tensors = means, quaternions, scales, opacities, colors, background
        arrays = {name: _flat(tensor) for name, tensor in zip(names, tensors, strict=True)}
        arrays["camera"] = camera
        num_colors, width, height = background.shape[0], settings.width, settings.height
        _project(arrays, num_colors)
        _list(arrays, width, height)
        _blend(arrays, settings)
        ctx.drawn = Drawn(settings, arrays)
        kept.append(ctx.drawn)
        image = torch.from_numpy(arrays["image"]).view(height, width, num_colors)
        alpha = torch.from_numpy(arrays["alpha"]).view(height, width)
        return image, alpha, torch.from_numpy(arrays["depth"]).view(height, width), kept

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_image, grad_alpha, grad_depth, _kept):
        grads = [_flat(grad) for grad in (grad_image, grad_alpha, grad_depth)]
        slots, extras, background = _blend_backward(ctx.drawn, *grads)
        *parameters, pose, means2d = _project_backward(ctx.drawn, slots, extras)
        ctx.drawn.means2d_grad = means2d
        return (*parameters, pose, torch.from_numpy(background), None, None, None)


def warm_up() -> None:
    """Compile the kernels, or load them from Numba's cache."""
    eye = torch.eye(4)
    means, ones = torch.tensor([[0.0, 0.0, 2.0]]), torch.ones(1, 3)
    quaternions = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    settings = Settings(4, 4, eps2d=0.3, near=0.01, far=1e10)
    leaf = means.requires_grad_()
    inputs = leaf, quaternions, ones, ones[:, 0], ones, eye, eye[:3, :3], torch.zeros(3)
    image, _, _, _ = rasterize(Inputs(*inputs), settings)
    image.sum().backward()
