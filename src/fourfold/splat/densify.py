"""Grow Gaussians where the image asks for more, prune those that show nothing.

Adaptive density control of 3DGS (Kerbl et al. 2023, section 5.2; thresholds as in gsplat's default
strategy), as plain functions on a dict of per-Gaussian tensors and their Adam optimizers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.optim import Adam

from fourfold.errors import InputError
from fourfold.splat._result import RasterMeta

SPLIT_SHRINK = 1.6  # children of a split are this much smaller (3DGS)


@dataclass(frozen=True)
class DensifyOptions:
    """When to grow and prune. Lengths are shares of the scene's scale, gradients per half image."""

    grow_gradient: float = 0.0002
    """Mean norm of the projected mean's gradient above which a Gaussian grows."""
    split_scale: float = 0.01
    """A growing Gaussian larger than this is split, a smaller one cloned."""
    prune_opacity: float = 0.005
    """Gaussians fainter than this go."""
    prune_scale: float = math.inf
    """Gaussians larger than this go."""
    max_gaussians: int = 200_000
    """Never grow beyond this many; the largest gradients come first."""


@dataclass
class DensifyState:
    """Running sums since the last densification."""

    gradient_sum: Float[Tensor, " N"]
    views: Float[Tensor, " N"]

    @staticmethod
    def zeros(count: int, device: torch.device | str = "cpu") -> "DensifyState":
        return DensifyState(torch.zeros(count, device=device), torch.zeros(count, device=device))

    @torch.no_grad()
    def accumulate(self, meta: RasterMeta, width: int, height: int) -> None:
        """Add one drawn view, or a batch of them, after backward.

        Raises InputError when backward has not run.
        """
        grads = meta.means2d_grad
        if grads is None:
            raise InputError("the view has no gradient yet", mend="Run backward first.")
        half = torch.tensor([width / 2, height / 2], dtype=grads.dtype, device=grads.device)
        norms, seen = (grads * half).norm(dim=-1), (meta.radii > 0).to(grads.dtype)
        count = len(self.views)
        self.gradient_sum += (norms * seen).view(-1, count).sum(dim=0)
        self.views += seen.view(-1, count).sum(dim=0)

    def mean_gradient(self) -> Float[Tensor, " N"]:
        return self.gradient_sum / self.views.clamp(min=1)


@dataclass(frozen=True)
class Densified:
    """What a densification did. ``parents[i]`` is the old row that new row i came from."""

    cloned: int
    split: int
    pruned: int
    parents: Int[Tensor, " M"]
    fresh: Bool[Tensor, " M"]


@torch.no_grad()
def densify_and_prune(
    params: dict[str, Tensor],
    optimizers: Mapping[str, Adam],
    state: DensifyState,
    *,
    scene_scale: float,
    generator: torch.Generator,
    options: DensifyOptions | None = None,
    extra: dict[str, Tensor] | None = None,
) -> Densified:
    """Clone, split and prune in place; parameters, Adam moments, state and extra stay aligned.

    Gaussians with a large image gradient are cloned when small and split in two when large: the
    children are drawn from the parent's own distribution. Moments of new rows start at zero.

    Args:
        params: tensors with N rows, among them means (N,3), quaternions (N,4), log_scales (N,3),
            logit_opacities (N,); replaced by new leaves.
        optimizers: by the same names, each over that one tensor; tensors without one are carried.
        state: the sums of the views since the last time; reset to zeros.
        scene_scale: length of the scene in world units that options are shares of.
        generator: draws the children; the same seed gives the same children.
        options: thresholds and the cap.
        extra: further tensors with N rows that follow the parent.

    Raises:
        InputError: when a tensor does not have N rows.
    """
    options = options or DensifyOptions()
    extra = {} if extra is None else extra
    _check_rows({**params, **extra}, len(state.views))
    prune = _prunable(params, scene_scale, options)
    clone, split = _growable(params, state, prune, scene_scale, options)
    keep = torch.nonzero(~prune & ~split)[:, 0]
    clones, splits = torch.nonzero(clone)[:, 0], torch.nonzero(split)[:, 0]
    parents = torch.cat([keep, clones, splits, splits])
    fresh = torch.arange(len(parents), device=parents.device) >= len(keep)
    rows = {name: tensor.detach()[parents] for name, tensor in params.items()}
    if len(splits):
        _scatter_children(rows, len(parents) - 2 * len(splits), generator)
    for name, tensor in rows.items():
        params[name] = _replace(params[name], tensor, optimizers.get(name), parents, fresh)
    for name, tensor in extra.items():
        extra[name] = tensor[parents]
    zeros = DensifyState.zeros(len(parents), state.views.device)
    state.gradient_sum, state.views = zeros.gradient_sum, zeros.views
    return Densified(len(clones), len(splits), int(prune.sum()), parents, fresh)


@torch.no_grad()
def reset_opacities(
    params: dict[str, Tensor], optimizers: Mapping[str, Adam], maximum: float = 0.01
) -> None:
    """Lower opacities to at most ``maximum`` and forget their moments (3DGS, section 5.2)."""
    logits = params["logit_opacities"]
    logits.clamp_(max=math.log(maximum / (1 - maximum)))
    if "logit_opacities" in optimizers:
        for moment in ("exp_avg", "exp_avg_sq"):
            held = optimizers["logit_opacities"].state[logits]
            if moment in held:
                held[moment].zero_()


def _check_rows(tensors: dict[str, Tensor], count: int) -> None:
    for name, tensor in tensors.items():
        if len(tensor) != count:
            raise InputError(f"{name} has {len(tensor)} rows", expected=str(count))


def _prunable(
    params: dict[str, Tensor], scene_scale: float, options: DensifyOptions
) -> Bool[Tensor, " N"]:
    faint = torch.sigmoid(params["logit_opacities"]) < options.prune_opacity
    size = params["log_scales"].exp().amax(dim=-1)
    return faint | (size > options.prune_scale * scene_scale)


def _growable(
    params: dict[str, Tensor],
    state: DensifyState,
    prune: Tensor,
    scene_scale: float,
    options: DensifyOptions,
) -> tuple[Bool[Tensor, " N"], Bool[Tensor, " N"]]:
    """Return which Gaussians to clone and which to split; each adds one."""
    gradient = torch.where(prune, torch.zeros_like(state.views), state.mean_gradient())
    room = max(0, options.max_gaussians - int((~prune).sum()))
    first = torch.sort(gradient, descending=True, stable=True).indices[:room]
    grow = torch.zeros_like(prune)
    grow[first] = gradient[first] > options.grow_gradient
    large = params["log_scales"].exp().amax(dim=-1) > options.split_scale * scene_scale
    return grow & ~large, grow & large


def _scatter_children(rows: dict[str, Tensor], start: int, generator: torch.Generator) -> None:
    """Move the rows from ``start`` on within their own distribution, and shrink them."""
    scales = rows["log_scales"][start:].exp()
    noise = torch.randn(scales.shape, generator=generator, dtype=scales.dtype).to(scales.device)
    offset = _rotate(rows["quaternions"][start:], noise * scales)
    rows["means"][start:] += offset
    rows["log_scales"][start:] -= math.log(SPLIT_SHRINK)


def _rotate(quaternions: Float[Tensor, "N 4"], vectors: Float[Tensor, "N 3"]) -> Tensor:
    """Rotate vectors: v + 2 w (u x v) + 2 u x (u x v)."""
    unit = torch.nn.functional.normalize(quaternions, dim=-1)
    axis = unit[:, 1:]
    turned = torch.linalg.cross(axis, vectors)
    return vectors + 2 * (unit[:, :1] * turned + torch.linalg.cross(axis, turned))


def _replace(
    old: Tensor, rows: Tensor, optimizer: Adam | None, parents: Tensor, fresh: Tensor
) -> Tensor:
    """Return rows as a leaf that takes the old one's place in its optimizer."""
    new = rows.requires_grad_(old.requires_grad)
    if optimizer is None:
        return new
    optimizer.param_groups[0]["params"] = [new]
    held = optimizer.state.pop(old, None)
    if held:
        for name, value in held.items():
            if name != "step":
                held[name] = value[parents]
                held[name][fresh] = 0
        optimizer.state[new] = held
    return new
