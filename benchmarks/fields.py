"""Measure the kernels of fields against torch's grid_sample, side by side in one run.

    python benchmarks/fields.py [--json FILE] [--repeats N]

Both sides interpolate the same samples, 192 on each of 4096 rays of a camera through the cube, with
two threads, forward and backward: in a voxel grid of 128^3 vertices with 28 channels (`voxel`), and
the sum of TensoRF's three planes of 128^2 times lines, 16 ranks each (`vm`).
torch gets the better of its two layouts. `drawing` is a picture of 240x135 pixels of a room in
contracted space, a shell behind haze and a ball that changes, as `draw_rays` and as `render_rays`
(`plain`) draw it. Runs alternate, so that a busy machine slows both; figures
are medians. Compilation is not counted, and freed memory is kept, so that fresh pages are not
either.
"""

import argparse
import contextlib
import ctypes
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from fourfold.fields import (
    ContractedSpace,
    Part,
    VoxelField,
    camera_rays,
    draw_rays,
    interpolate_rows,
    render_rays,
)
from fourfold.fields.products import Factor, product_sum
from fourfold.geometry import Camera

THREADS = 2
RAYS, STEPS = 4096, 192
VOXELS, VOXEL_CHANNELS = 128, 28
PLANE, RANKS = 128, 16
PICTURE, ROOM = (240, 135), 96

Step = Callable[[], Tensor]


def ray_samples() -> Float[Tensor, "S 3"]:
    """Give the samples of random pixels of a camera outside the cube, ray by ray, in the cube."""
    generator = torch.Generator().manual_seed(0)
    eye = torch.tensor([0.5, 0.3, -1.0])
    targets = torch.rand(RAYS, 3, generator=generator) * torch.tensor([1.0, 1.0, 0.0])
    directions = normalize(targets + torch.tensor([0.0, 0.0, 0.5]) - eye, dim=-1)
    sides = torch.stack((-eye / directions, (1 - eye) / directions))
    near, far = sides.amin(0).amax(1), sides.amax(0).amin(1)
    shares = (torch.arange(STEPS) + torch.rand(RAYS, 1, generator=generator)) / STEPS
    distances = near[:, None] + (far - near)[:, None] * shares
    return (eye + distances[..., None] * directions[:, None]).view(-1, 3).clamp(0, 1)


def voxel_steps(points: Float[Tensor, "S 3"]) -> dict[str, Step]:
    """Give forward and backward through the grid, by who does it; each returns the gradient."""
    generator = torch.Generator().manual_seed(1)
    size = (VOXELS, VOXELS, VOXELS)
    grid = torch.randn(VOXEL_CHANNELS, *size, generator=generator)
    change = torch.randn(len(points), VOXEL_CHANNELS, generator=generator)
    rows = grid.flatten(1).T.contiguous().unsqueeze(1).requires_grad_()

    def ours() -> Tensor:
        rows.grad = None
        interpolate_rows(None, rows, points, resolution=size).backward(change)
        assert rows.grad is not None
        return rows.grad

    # grid_sample has x last in the grid, and points in [-1,1]
    places = (points.flip(-1) * 2 - 1).view(1, RAYS, STEPS, 1, 3)
    seen = change.T.reshape(1, VOXEL_CHANNELS, RAYS, STEPS, 1).contiguous()

    def torchs(layout: torch.memory_format) -> Step:
        leaf = grid[None].contiguous(memory_format=layout).requires_grad_()
        wanted = seen.contiguous(memory_format=layout)

        def step() -> Tensor:
            leaf.grad = None
            grid_sample(leaf, places, align_corners=True).backward(wanted)
            assert leaf.grad is not None
            return leaf.grad[0].flatten(1).T.unsqueeze(1)

        return step

    layouts = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last_3d}
    return {"ours": ours} | {name: torchs(layout) for name, layout in layouts.items()}


def vm_steps(points: Float[Tensor, "S 3"]) -> dict[str, Step]:
    """The same for the sum of planes times lines: xy z, xz y, yz x."""
    generator = torch.Generator().manual_seed(2)
    planes = torch.randn(3, RANKS, PLANE, PLANE, generator=generator)
    lines = torch.randn(3, RANKS, PLANE, 1, generator=generator)
    change = torch.randn(len(points), generator=generator)
    down, across, along = (0, 0, 1), (1, 2, 2), (2, 1, 0)
    leaves = [grid.permute(1, 2, 0).contiguous().requires_grad_() for grid in (*planes, *lines)]
    pairs = [
        (Factor(leaves[k], (down[k], across[k])), Factor(leaves[3 + k], (along[k], along[k])))
        for k in range(3)
    ]

    def ours() -> Tensor:
        slopes = torch.autograd.grad(product_sum(pairs, points), leaves, change)
        return torch.cat([slope.permute(2, 0, 1).flatten() for slope in slopes])

    # grid_sample has the last axis first, and points in [-1,1]; a line lies at its middle
    places = points * 2 - 1
    on_planes = torch.stack([places[:, [across[k], down[k]]] for k in range(3)])[:, :, None]
    middle = torch.zeros(len(points))
    on_lines = torch.stack([torch.stack([middle, places[:, along[k]]], 1) for k in range(3)])
    on_lines = on_lines[:, :, None]

    def torchs(layout: torch.memory_format) -> Step:
        tensors = [
            grid.contiguous(memory_format=layout).requires_grad_() for grid in (planes, lines)
        ]

        def step() -> Tensor:
            plane, line = (
                grid_sample(grid, where, align_corners=True)
                for grid, where in zip(tensors, (on_planes, on_lines), strict=True)
            )
            slopes = torch.autograd.grad((plane * line).sum((0, 1, 3)), tensors, change)
            return torch.cat([slope.flatten() for slope in slopes])

        return step

    layouts = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    return {"ours": ours} | {name: torchs(layout) for name, layout in layouts.items()}


def room_parts() -> list[Part]:
    """Give a shell with haze before it, and a ball that changes, seen from the middle."""
    generator = torch.Generator().manual_seed(3)
    axis = torch.linspace(-1, 1, ROOM)
    places = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
    radii = places.norm(dim=0)
    ball = (places - torch.tensor([0.0, 0.0, 0.4]).view(3, 1, 1, 1)).norm(dim=0) < 0.1
    still = VoxelField.at_voxels((radii > 0.4) & (radii < 0.8), degree=1)
    moving = VoxelField.at_voxels(ball, (0.0, 4.0))
    for field, density in ((still, torch.where(radii > 0.7, 9.0, 3.0)), (moving, radii * 0 + 6.0)):
        field.densities.add_(density[field.filled][:, None, None])
        field.harmonics.normal_(generator=generator)
    space = ContractedSpace(torch.zeros(3), torch.ones(3))
    camera = Camera.from_fov(*PICTURE, 70.0)
    rays = camera_rays(camera, camera.pixel_grid().reshape(-1, 2))
    return [Part(field, space, field.occupancy(1e-3), rays) for field in (still, moving)]


def drawing_steps() -> dict[str, Step]:
    """Give one picture by who draws it; each returns the colours."""
    parts, color = room_parts(), torch.zeros(3)
    times = torch.ones(len(parts[0].rays))

    @torch.inference_mode()
    def ours() -> Tensor:
        return draw_rays(parts, 1.0, color).colors

    @torch.inference_mode()
    def plain() -> Tensor:
        return render_rays(parts, times, background=color).colors

    return {"ours": ours, "plain": plain}


def check_agreement(steps: dict[str, Step]) -> None:
    """Refuse to compare the speed of two that do not do the same."""
    mine = steps["ours"]().to_dense()
    for name, step in steps.items():
        difference = float((step().to_dense() - mine).norm() / mine.norm())
        if not difference < 1e-4:
            raise SystemExit(f"the results of ours and {name} differ by {difference:.2g}")


def measure(steps: dict[str, Step], repeats: int) -> dict[str, float]:
    """Return the milliseconds of each, and how many times the best of torch is slower."""
    check_agreement(steps)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    figures = {name: 1e3 * statistics.median(times) for name, times in taken.items()}
    best = min(value for name, value in figures.items() if name != "ours")
    return figures | {"ratio": best / figures["ours"]}


def keep_memory() -> None:
    """Let glibc keep what is freed, so that neither side waits for fresh pages."""
    mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of malloc.h
    with contextlib.suppress(OSError, AttributeError):  # no glibc
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_threshold, 1 << 30)
        libc.mallopt(trim_threshold, 2**31 - 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side")
    options = parser.parse_args(arguments)
    torch.set_num_threads(THREADS)
    keep_memory()
    points = ray_samples()
    results = {}
    subjects = {"voxel": partial(voxel_steps, points), "vm": partial(vm_steps, points)}
    for name, steps in (subjects | {"drawing": drawing_steps}).items():
        figures = measure(steps(), options.repeats)
        print(name + "  " + "  ".join(f"{key} {value:.4g}" for key, value in figures.items()))
        results |= {f"{name}_{key.replace(' ', '_')}_ms": value for key, value in figures.items()}
        results[f"ratio_{name}"] = results.pop(f"{name}_ratio_ms")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
