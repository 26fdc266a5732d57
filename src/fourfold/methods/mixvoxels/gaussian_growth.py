"""More Gaussians where the pictures ask for them, and none where there can be nothing."""

from collections.abc import Sequence

import torch

from fourfold.geometry import Camera
from fourfold.methods.mixvoxels.gaussian_fit import Fit
from fourfold.methods.mixvoxels.gaussian_lenses import Lens, room_before
from fourfold.scene import Drawing
from fourfold.splat import DensifyOptions, densify_and_prune
from fourfold.training import generator

GROW_EVERY = 100
"""Steps between two densifications."""
GROW_FROM, GROW_UNTIL = 0.05, 0.6
"""Shares of all steps between which Gaussians are added."""
GROW_SHARE = 0.05
"""This share of the Gaussians grows each time: those whose place the pictures pull at most."""
SPLIT_PIXELS = 2.0
"""A growing Gaussian with a larger standard deviation than this is split, a smaller one cloned."""
SMALLEST_PIXELS = 0.3
"""Where there is no room for a larger standard deviation than this, nothing is left."""
FAINT = 0.01
"""Opacity under which a Gaussian is pruned."""
HIDDEN = -20.0
"""Logit of the opacity of what is to be pruned."""


def watch(fit: Fit, drawing: Drawing, camera: Camera) -> None:
    """Add how strongly a picture pulls at each Gaussian's place, after backward."""
    meta = drawing.rasterization.meta
    gradients = meta.means2d_grad
    assert gradients is not None
    # the loss is a mean over pixels: times their number, pictures of any size count alike
    pulls = gradients.norm(dim=-1) * (camera.width * camera.height)
    seen, first = (meta.radii > 0).float(), 0
    for owner, rows in fit.drawn.items():
        part = slice(first, first + len(rows))
        first, sums = part.stop, fit.pulls[owner]
        sums.gradient_sum[rows] += pulls[part] * seen[part]
        sums.views[rows] += seen[part]


def is_time_to_grow(step: int, steps: int) -> bool:
    """Say whether a step of so many is followed by a densification."""
    return step > 0 and step % GROW_EVERY == 0 and GROW_FROM <= step / steps <= GROW_UNTIL


@torch.no_grad()
def clear_lenses(fit: Fit, lenses: Sequence[Lens]) -> None:
    """Make Gaussians beside a lens small enough not to veil it, hide those right before it."""
    for group in fit.leaves.values():
        room = room_before(lenses, group["means"])
        group["logit_opacities"][room < SMALLEST_PIXELS * fit.unit] = HIDDEN
        largest = room.clamp_min(SMALLEST_PIXELS * fit.unit).log()[:, None]
        group["log_scales"].copy_(torch.minimum(group["log_scales"], largest))


@torch.no_grad()
def grow(fit: Fit, most: int, step: int, seed: int) -> None:
    """Split and clone the Gaussians that pictures pull at most; prune what is faint.

    After 3DGS (Kerbl et al. 2023); a share of the Gaussians grows, since a threshold of the
    gradient would depend on the loss. There are never more than `most` in all.
    """
    for owner, group in fit.leaves.items():
        count = len(group["means"])
        if not count:
            continue
        pulls, others = fit.pulls[owner].mean_gradient(), fit.count - count
        top = max(int(GROW_SHARE * count), 1)
        options = DensifyOptions(
            grow_gradient=float(pulls.topk(top).values[-1]),
            split_scale=SPLIT_PIXELS,
            prune_opacity=FAINT,
            max_gaussians=most - others,
        )
        densify_and_prune(
            group,
            {name: fit.optimizers[owner, name] for name in group},
            fit.pulls[owner],
            scene_scale=fit.unit,
            generator=generator(seed, "grow", owner, step),
            options=options,
        )
