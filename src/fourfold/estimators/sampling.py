"""Reading an image between its pixels, in the house's pixel convention (first centre at 0.5)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

ROUNDING = 1e-3  # pixels by which float32 arithmetic may push a border pixel out


def pixel_centres(
    height: int, width: int, like: Tensor | None = None
) -> Float[Tensor, "{height} {width} 2"]:
    """Return the pixel centres of an image as (x, y).

    >>> pixel_centres(1, 2)
    tensor([[[0.5000, 0.5000],
             [1.5000, 0.5000]]])
    """
    dtype = torch.float32 if like is None else like.dtype
    device = None if like is None else like.device
    y = torch.arange(height, dtype=dtype, device=device) + 0.5
    x = torch.arange(width, dtype=dtype, device=device) + 0.5
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def sample_image(
    image: Float[Tensor, "H W C"],
    pixels: Float[Tensor, "*shape 2"],
    *,
    mode: str = "bilinear",
    padding: str = "border",
) -> Float[Tensor, "*shape C"]:
    """Read an image at continuous pixel positions.

    Args:
        image: any range.
        pixels: (x, y) in pixels, first centre at 0.5.
        mode: "nearest", "bilinear" or "bicubic" (bicubic overshoots; clamp if that matters).
        padding: "border" repeats the outermost pixels, "zeros" fades to 0 outside.

    Differentiable in image and pixels.
    """
    height, width = image.shape[:2]
    size = torch.tensor([width, height], dtype=pixels.dtype, device=pixels.device)
    grid = (pixels * 2 / size - 1).reshape(1, -1, 1, 2).to(image.dtype)
    planes = image.permute(2, 0, 1)[None]
    values = F.grid_sample(planes, grid, mode=mode, padding_mode=padding, align_corners=False)
    return values[0, :, :, 0].T.reshape(*pixels.shape[:-1], image.shape[2])


def inside_image(
    pixels: Float[Tensor, "*shape 2"], height: int, width: int, margin: float = 0.0
) -> Bool[Tensor, "*shape"]:
    """Tell which positions lie between the outermost pixel centres, less a margin in pixels."""
    x, y = pixels[..., 0], pixels[..., 1]
    low = 0.5 + margin - ROUNDING
    return (x >= low) & (y >= low) & (x <= width - low) & (y <= height - low)
