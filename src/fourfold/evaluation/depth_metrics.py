"""Depth metrics: relative, and those that a video's unknown scale does not touch."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def depth_error(depth: Float[Tensor, "*S"], target: Float[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Measure the mean relative error of depths, |depth / target - 1|, where the target is known.

    A target of NaN or infinity does not count; where the depth is NaN, a hole, the error is 1.
    NaN where nothing counts.

    >>> nan = float("nan")
    >>> round(float(depth_error(torch.tensor([1.1, nan, 5]), torch.tensor([1.0, 2.0, nan]))), 3)
    0.55
    """
    if depth.shape != target.shape:
        raise ValueError(f"shapes differ: {tuple(depth.shape)} and {tuple(target.shape)}")
    known = target.isfinite()
    return (depth[known].nan_to_num(0.0) / target[known] - 1.0).abs().mean()


def ssimae(
    depth: Float[Tensor, "H W"],
    target: Float[Tensor, "H W"],
    mask: Bool[Tensor, "H W"] | None = None,
) -> Float[Tensor, ""]:
    """Measure the scale- and shift-invariant mean absolute error of a depth map.

    As OSN (Song et al., ICML 2024) reports it, after Ranftl et al. (MiDaS, TPAMI 2020): with the
    median t and the mean absolute deviation s = mean |x - t| of each map over the pixels,
    SSIMAE = mean |(depth - t_d) / s_d s_t + t_t - target|, in the target's units.

    Args:
        depth: any range, not clipped. A pixel without a depth (NaN) counts as the median: leaving
            pixels out wins nothing.
        target: NaN where unknown; such pixels do not count.
        mask: pixels that count; all if None.

    Returns:
        NaN where nothing counts, or where no pixel has a predicted depth.

    >>> target = torch.tensor([[1.0, 2.0, 3.0]])
    >>> float(ssimae(10 * target + 5, target))
    0.0
    """
    return _aligned_errors(depth, target, mask).abs().mean()


def ssimse(
    depth: Float[Tensor, "H W"],
    target: Float[Tensor, "H W"],
    mask: Bool[Tensor, "H W"] | None = None,
) -> Float[Tensor, ""]:
    """Measure the scale- and shift-invariant mean squared error: `ssimae` with squares.

    >>> target = torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0]])
    >>> float(ssimse(target.flip(1), target))
    8.0
    """
    return _aligned_errors(depth, target, mask).square().mean()


def _aligned_errors(
    depth: Float[Tensor, "H W"], target: Float[Tensor, "H W"], mask: Bool[Tensor, "H W"] | None
) -> Float[Tensor, "M"]:
    if depth.shape != target.shape or (mask is not None and mask.shape != depth.shape):
        raise ValueError(f"shapes differ: {tuple(depth.shape)} and {tuple(target.shape)}")
    counted = ~target.isnan() if mask is None else mask & ~target.isnan()
    found, true = depth[counted].double(), target[counted].double()
    if not len(true) or found.isnan().all():
        return true.new_full((1,), torch.nan)
    shift = found.nanquantile(0.5)
    found = found.where(~found.isnan(), shift) - shift
    true_shift = true.quantile(0.5)
    spread = found.abs().mean()
    # a flat map has no spread: it says the median everywhere
    scale = (true - true_shift).abs().mean() / spread if spread > 0 else 0.0
    return found * scale + true_shift - true
