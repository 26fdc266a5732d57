"""Measure the CPU rasteriser against a naive one in torch, side by side in one run.

    python benchmarks/splat.py [--json FILE] [--sizes 10k_256x256,50k_480x270,200k_960x540]

Both draw colour, alpha and depth of one fixed scene (seed 0, N Gaussians uniform in the frustum,
projected sigma log-uniform in 0.7 to 4 px, opacity uniform in .1 to .95) with two threads; the
naive one with one if it is faster so, since torch's threads wait for each other at every step. Runs
alternate, so that a busy machine slows both; figures are medians. Compilation is not counted, and
freed memory is kept, so that fresh pages are not either.
"""

import argparse
import contextlib
import ctypes
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fourfold.splat import rasterize, warm_up

SIZES = {
    "10k_256x256": (10_000, 256, 256),
    "50k_480x270": (50_000, 480, 270),
    "200k_960x540": (200_000, 960, 540),
}
THREADS = 2
TILE = 16
EPS2D, MAX_ALPHA, MIN_ALPHA, MIN_LIGHT = 0.3, 0.999, 1 / 255, 1e-4


def fixed_scene(count: int, width: int, height: int) -> tuple[list[Tensor], Tensor, Tensor]:
    """Return (means, quaternions, scales, opacities, colors), pose, intrinsics."""
    generator = torch.Generator().manual_seed(0)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    focal, near, far = float(max(width, height)), 1.0, 10.0
    # uniform in the volume of the frustum: density grows with z^2
    z = (near**3 + uniform(count) * (far**3 - near**3)) ** (1 / 3)
    x = (uniform(count) - 0.5) * width / focal * z
    y = (uniform(count) - 0.5) * height / focal * z
    sigma = 0.7 * (4 / 0.7) ** uniform(count, 3)
    quaternions = torch.randn(count, 4, generator=generator)
    gaussians = [
        torch.stack([x, y, z], dim=1),
        quaternions,
        sigma * (z / focal)[:, None],
        0.1 + 0.85 * uniform(count),
        uniform(count, 3),
    ]
    center = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
    return gaussians, torch.eye(4), torch.tensor(center)


def naive_project(
    gaussians: list[Tensor], pose: Tensor, intrinsics: Tensor
) -> tuple[Tensor, Tensor]:
    """Return per Gaussian (x, y, conic a b c, opacity, r, g, b, z), and its half box (N,2)."""
    means, quaternions, scales, opacities, colors = gaussians
    points = means @ pose[:3, :3].T + pose[:3, 3]
    x, y, z = points.unbind(-1)
    fx, fy = intrinsics[0, 0], intrinsics[1, 1]
    w, i, j, k = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rotation = torch.stack(
        [
            *(1 - 2 * (j * j + k * k), 2 * (i * j - w * k), 2 * (i * k + w * j)),
            *(2 * (i * j + w * k), 1 - 2 * (i * i + k * k), 2 * (j * k - w * i)),
            *(2 * (i * k - w * j), 2 * (j * k + w * i), 1 - 2 * (i * i + j * j)),
        ],
        dim=-1,
    ).view(-1, 3, 3)
    zero = torch.zeros_like(z)
    jacobian = torch.stack([fx / z, zero, -fx * x / z**2, zero, fy / z, -fy * y / z**2], dim=-1)
    factor = jacobian.view(-1, 2, 3) @ pose[:3, :3] @ rotation * scales[:, None, :]
    covariance = factor @ factor.mT
    xx, xy, yy = (
        covariance[:, 0, 0] + EPS2D,
        covariance[:, 0, 1],
        covariance[:, 1, 1] + EPS2D,
    )
    determinant = xx * yy - xy * xy
    u, v = fx * x / z + intrinsics[0, 2], fy * y / z + intrinsics[1, 2]
    packed = torch.stack(
        [u, v, yy / determinant, -xy / determinant, xx / determinant, opacities, *colors.T, z],
        dim=-1,
    )
    reach = 2 * torch.log((opacities.detach() / MIN_ALPHA).clamp(min=1))
    half = torch.sqrt(reach[:, None] * torch.stack([xx, yy], dim=-1).detach())
    return packed, half


def naive_lists(packed: Tensor, half: Tensor, width: int, height: int) -> tuple[Tensor, list[int]]:
    """Return the Gaussians of all tiles, tile by tile, front to back, and the lists' lengths."""
    across, down = -(-width // TILE), -(-height // TILE)
    limit = torch.tensor([across, down])
    low = ((packed[:, :2] - half) / TILE).floor().long().clamp(min=0)
    high = torch.minimum(((packed[:, :2] + half) / TILE).floor().long() + 1, limit)
    span = (high - low).clamp(min=0)
    owner = torch.repeat_interleave(torch.arange(len(packed)), span.prod(dim=1))
    first = torch.cumsum(span.prod(dim=1), dim=0) - span.prod(dim=1)
    step = torch.arange(len(owner)) - first[owner]
    tile_x = low[owner, 0] + step % span[owner, 0]
    tile = (low[owner, 1] + step // span[owner, 0]) * across + tile_x
    by_depth = torch.argsort(packed[owner, 9])
    order = by_depth[torch.argsort(tile[by_depth], stable=True)]
    return owner[order], torch.bincount(tile, minlength=across * down).tolist()


def naive_weights(rows: Tensor, pixels: Tensor) -> Tensor:
    """Return how much each row of a tile's list adds to each pixel, (P, n)."""
    dx, dy = pixels[:, :1] - rows[:, 0], pixels[:, 1:] - rows[:, 1]
    a, b, c, opacity = rows[:, 2:6].unbind(1)
    sigma = 0.5 * (a * dx * dx + c * dy * dy) + b * dx * dy
    alpha = (opacity * torch.exp(-sigma)).clamp(max=MAX_ALPHA)
    alpha = torch.where(alpha < MIN_ALPHA, 0.0, alpha)
    light = torch.cumprod(1 - alpha, dim=1)
    before = torch.cat([torch.ones_like(light[:, :1]), light[:, :-1]], dim=1)
    return alpha * before * (light > MIN_LIGHT)


def naive_tile(rows: Tensor, pixels: Tensor) -> Tensor:
    """Return colour, alpha and depth of a tile's pixels, (P, 5)."""
    weights = naive_weights(rows, pixels)
    summed, alpha = weights @ rows[:, 6:10], weights.sum(dim=1, keepdim=True)
    return torch.cat([summed[:, :3], alpha, summed[:, 3:] / alpha.clamp(min=1e-10)], dim=1)


def tile_pixels(tile: int, across: int) -> Tensor:
    """Return the pixel centres of a tile, (P, 2)."""
    y, x = torch.meshgrid(torch.arange(TILE), torch.arange(TILE), indexing="ij")
    origin = torch.tensor([tile % across, tile // across]) * TILE
    return torch.stack([x, y], dim=-1).view(-1, 2) + origin + 0.5


def naive_rasterize(
    gaussians: list[Tensor], pose: Tensor, intrinsics: Tensor, width: int, height: int
) -> Tensor:
    """Return (H,W,5) colour, alpha, depth by torch alone: one autograd graph of the whole image.

    What one writes first: project all Gaussians at once, sort (tile, depth) pairs, then a Python
    loop over 16x16 tiles; each evaluates its whole list at all its pixels, (P, n), composites by
    an exclusive cumprod and a matrix product, and the tiles are laid side by side. Nothing is done
    for speed (no early end, no smaller batches, no backward by hand) and nothing against it: all
    lists are gathered by one indexing.
    """
    packed, half = naive_project(gaussians, pose, intrinsics)
    owner, lengths = naive_lists(packed.detach(), half, width, height)
    across, down = -(-width // TILE), -(-height // TILE)
    tiles = [
        naive_tile(rows, tile_pixels(tile, across))
        for tile, rows in enumerate(packed[owner].split(lengths))
    ]
    image = torch.stack(tiles).view(down, across, TILE, TILE, 5).transpose(1, 2)
    return image.reshape(down * TILE, across * TILE, 5)[:height, :width]


@torch.no_grad()
def contributing_share(
    gaussians: list[Tensor], pose: Tensor, intrinsics: Tensor, width: int, height: int
) -> float:
    """Return which share of the Gaussian-pixel pairs our kernels evaluate adds to the image."""
    packed, half = naive_project(gaussians, pose, intrinsics)
    owner, lengths = naive_lists(packed, half, width, height)
    across = -(-width // TILE)
    contributing = 0
    for tile, rows in enumerate(packed[owner].split(lengths)):
        pixels = tile_pixels(tile, across)
        inside = (pixels[:, 0] < width) & (pixels[:, 1] < height)
        contributing += int((naive_weights(rows, pixels[inside]) > 0).sum())
    meta = rasterize(*gaussians, pose, intrinsics, width, height).meta  # pyright: ignore
    blocks = meta.views[0].arrays["touched"]  # pyright: ignore[reportAttributeAccessIssue]
    return contributing / (16 * int(np.bitwise_count(blocks).sum()))


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def with_threads(number: int, call: Callable[[], object]) -> float:
    """Time a call in which torch has a number of threads."""
    torch.set_num_threads(number)
    taken = seconds(call)
    torch.set_num_threads(THREADS)
    return taken


def measure(name: str, repeats: int, naive_repeats: int) -> dict[str, float]:
    """Return the figures of one size."""
    count, width, height = SIZES[name]
    gaussians, pose, intrinsics = fixed_scene(count, width, height)
    leaves = [tensor.clone().requires_grad_() for tensor in gaussians]
    gradients = torch.randn(height, width, 5, generator=torch.Generator().manual_seed(1))
    parts = [gradients[..., :3].contiguous(), gradients[..., 3].clone(), gradients[..., 4].clone()]

    def ours(inputs: list[Tensor]) -> list[Tensor]:
        return list(rasterize(*inputs, pose, intrinsics, width, height)[:3])  # pyright: ignore

    def ours_both() -> None:
        for leaf in leaves:
            leaf.grad = None
        torch.autograd.backward(ours(leaves), parts)

    def naive_both() -> None:
        for leaf in leaves:
            leaf.grad = None
        drawn = naive_rasterize(leaves, pose, intrinsics, width, height)
        (drawn * gradients).sum().backward()

    check_agreement(ours_both, naive_both, leaves)
    forward, both, slow, ratios = [], [], [], []
    for _ in range(naive_repeats):
        forward += [seconds(lambda: ours(gaussians)) for _ in range(repeats)]
        here = [seconds(ours_both) for _ in range(repeats)]
        slow.append(min(with_threads(number, naive_both) for number in (1, THREADS)))
        here += [seconds(ours_both) for _ in range(repeats)]
        ratios.append(slow[-1] / statistics.median(here))
        both += here
    total = statistics.median(both)
    return {
        "forward_ms": 1e3 * statistics.median(forward),
        "forward_backward_ms": 1e3 * total,
        "naive_forward_backward_ms": 1e3 * statistics.median(slow),
        "ratio_vs_naive_torch": statistics.median(ratios),
        "gaussians_per_second": count / total,
        "contributing_share": contributing_share(gaussians, pose, intrinsics, width, height),
    }


def check_agreement(
    ours: Callable[[], None], naive: Callable[[], None], leaves: list[Tensor]
) -> None:
    """Refuse to compare the speed of two rasterisers whose gradients differ."""
    ours()
    mine = [leaf.grad for leaf in leaves]
    naive()
    for grad, leaf in zip(mine, leaves, strict=True):
        assert grad is not None
        assert leaf.grad is not None
        difference = float((grad - leaf.grad).norm() / leaf.grad.norm())
        if not difference < 1e-2:
            raise SystemExit(f"the gradients of the two rasterisers differ by {difference:.2g}")


def keep_memory() -> None:
    """Let glibc keep what is freed, so that neither rasteriser waits for fresh pages.

    The naive one frees gigabytes in each run; how fast a machine gives them back is another matter.
    """
    mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of malloc.h
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 2**31 - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--sizes", default=",".join(SIZES), help="which sizes, comma-separated")
    parser.add_argument("--repeats", type=int, default=7, help="our runs per naive run")
    parser.add_argument("--naive-repeats", type=int, default=3, help="naive runs per size")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    keep_memory()
    print(f"kernels ready in {seconds(warm_up):.1f} s")
    figures = {}
    for name in options.sizes.split(","):
        figures[name] = measure(name, options.repeats, options.naive_repeats)
        print(name + "  " + "  ".join(f"{key} {value:.4g}" for key, value in figures[name].items()))
        if not math.isfinite(figures[name]["ratio_vs_naive_torch"]):
            raise SystemExit("a figure is not finite")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
