"""The one call that draws Gaussians, whatever draws them."""

from types import ModuleType
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fourfold.errors import InputError
from fourfold.splat._result import Rasterization, RasterMeta
from fourfold.splat._settings import Inputs, Settings

Backend = Literal["auto", "cpu", "cuda", "reference"]


def rasterize(
    means: Float[Tensor, "N 3"],
    quaternions: Float[Tensor, "N 4"],
    scales: Float[Tensor, "N 3"],
    opacities: Float[Tensor, " N"],
    colors: Float[Tensor, "N C"],
    camera_from_world: Float[Tensor, "*V 4 4"],
    intrinsics: Float[Tensor, "*V 3 3"],
    width: int,
    height: int,
    *,
    eps2d: float = 0.3,
    near: float = 0.01,
    far: float = 1e10,
    background: Float[Tensor, " C"] | None = None,
    backend: Backend = "auto",
) -> Rasterization:
    """Draw 3D Gaussians into an image, its alpha and its depth.

    3DGS (Kerbl et al. 2023) in gsplat's classic convention: ``alpha = min(0.999, opacity *
    exp(-d^T S^-1 d / 2))`` with the image covariance ``S`` blurred by ``eps2d``; under 1/255 it is
    skipped; a pixel ends before its transmittance falls to 1e-4. Pixel centres lie at +0.5.

    Args:
        means: centres in the world.
        quaternions: wxyz, of any length but zero.
        scales: standard deviations along the Gaussian's axes, in world units (not logarithms).
        opacities: in [0, 1].
        colors: any number of channels, ready evaluated (no spherical harmonics here).
        camera_from_world: OpenCV axes (x right, y down, z forward); one, or V of them.
        intrinsics: in pixels, without skew; one for all views, or V of them.
        width: of the image, in pixels.
        height: of the image, in pixels.
        eps2d: added to the diagonal of the image covariance, in pixels^2.
        near: Gaussians with a mean nearer than this are not drawn.
        far: nor those beyond this.
        background: colour behind everything; black by default.
        backend: "cpu" (Numba, float32), "cuda" (gsplat), "reference" (plain torch, any dtype);
            "auto" takes "cuda" for CUDA tensors and "cpu" for others.

    Returns:
        image (H,W,C) = sum of w_i c_i + (1 - alpha) background; alpha (H,W); depth (H,W), the
        expected z = sum of w_i z_i / alpha (0 where nothing is); meta. Leading axis V for V views.

    Raises:
        InputError: shapes that do not fit, NaN or infinite Gaussians, skewed intrinsics.
        MissingDependencyError: backend "cuda" without gsplat.

    Differentiable in means, quaternions, scales, opacities, colors, camera_from_world, background.
    """
    if background is None:
        background = colors.new_zeros(colors.shape[-1])
    gaussians = means, quaternions, scales, opacities, colors
    _check_gaussians(*gaussians, background)
    _check_camera(camera_from_world, intrinsics, width, height)
    settings = Settings(width, height, float(eps2d), float(near), float(far))
    draw = _backend(backend, means).rasterize
    if camera_from_world.dim() == 2:
        inputs = Inputs(*gaussians, camera_from_world, intrinsics, background)
        image, alpha, depth, view = draw(inputs, settings)
        return Rasterization(image, alpha, depth, RasterMeta([view], batched=False))
    each = intrinsics.expand(len(camera_from_world), 3, 3)
    views = [
        draw(Inputs(*gaussians, pose, matrix, background), settings)
        for pose, matrix in zip(camera_from_world, each, strict=True)
    ]
    images, alphas, depths, metas = zip(*views, strict=True)
    meta = RasterMeta(list(metas), batched=True)
    return Rasterization(torch.stack(images), torch.stack(alphas), torch.stack(depths), meta)


def warm_up() -> None:
    """Compile the CPU kernels now (half a minute, once per machine), or load them from the cache.

    The first call of `rasterize` does so anyway; this lets a program say what it is waiting for.
    """
    from fourfold.splat import cpu

    cpu.warm_up()


def _backend(name: str, means: Tensor) -> ModuleType:
    """Import the backend when it is first used: Numba and gsplat take their time."""
    if name == "auto":
        name = "cuda" if means.is_cuda else "cpu"
    if name == "cpu":
        from fourfold.splat import cpu as module
    elif name == "reference":
        from fourfold.splat import reference as module
    elif name == "cuda":
        from fourfold.splat import cuda as module
    else:
        expected = "auto, cpu, cuda or reference"
        raise InputError(f"there is no rasteriser {name!r}", expected=expected)
    return module


def _check_gaussians(
    means: Tensor,
    quaternions: Tensor,
    scales: Tensor,
    opacities: Tensor,
    colors: Tensor,
    background: Tensor,
) -> None:
    count = len(means)
    channels = colors.shape[-1]
    for name, tensor, shape in (
        ("means", means, (count, 3)),
        ("quaternions", quaternions, (count, 4)),
        ("scales", scales, (count, 3)),
        ("opacities", opacities, (count,)),
        ("colors", colors, (count, channels)),
        ("background", background, (channels,)),
    ):
        if tuple(tensor.shape) != shape:
            raise InputError(f"{name} have shape {tuple(tensor.shape)}", expected=str(shape))
        if not tensor.dtype.is_floating_point:
            raise InputError(f"{name} have dtype {tensor.dtype}", expected="a floating dtype")
    if channels == 0:
        raise InputError("colors have no channel", expected="at least one")


def _check_camera(pose: Tensor, intrinsics: Tensor, width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise InputError(f"the image is {width}x{height} pixels", expected="at least 1x1")
    if pose.dim() not in (2, 3) or pose.shape[-2:] != (4, 4):
        expected = "(4, 4) or (V, 4, 4) with V > 0"
        raise InputError(f"camera_from_world has shape {tuple(pose.shape)}", expected=expected)
    shapes = [(3, 3)] if pose.dim() == 2 else [(3, 3), (len(pose), 3, 3)]
    if tuple(intrinsics.shape) not in shapes or (pose.dim() == 3 and len(pose) == 0):
        expected = " or ".join(map(str, shapes))
        raise InputError(f"intrinsics have shape {tuple(intrinsics.shape)}", expected=expected)
    if bool((intrinsics[..., 0, 1] != 0).any()):
        raise InputError("the intrinsics are skewed", expected="zero at [0, 1]")
    if not (bool(torch.isfinite(pose).all()) and bool(torch.isfinite(intrinsics).all())):
        raise InputError("the camera holds NaN or infinite values", expected="finite numbers")
